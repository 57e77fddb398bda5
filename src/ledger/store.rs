//! A ledger that is open, whichever engine holds its rows.
//!
//! What is read is checked, whatever the engine says of itself: each text is an event in canonical form,
//! each column what the event says, each event the next of its chain.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use jiff::Timestamp;

use super::chain::{self, Draft, Head};
use super::claim::{Claim, Holder, Lock, LockError, Wait};
use super::error::LedgerError;
use super::postgres::{Access, Address, Postgres};
use super::row::{self, Row, Stored};
use super::sqlite::Sqlite;
use super::v1::Event;
use crate::core::Digest;

/// A ledger that is open.
pub struct Ledger {
    pub(super) store: Box<dyn Store>,
}

/// Which rows are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// Those of a chain from that sequence on, in order.
    Chain(&'a Digest, u64),
    /// All, in the order in which they were added.
    All,
}

/// A column that chains are found by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    Subject,
    Key,
    Record,
}

impl Column {
    pub fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Key => "key",
            Self::Record => "record",
        }
    }
}

/// The last row of a chain.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub position: i64,
    pub chain: String,
    pub sequence: i64,
    pub digest: String,
}

/// An engine: it keeps rows, and decides nothing about what is in them.
pub(super) trait Store: Send {
    /// The ledger's ID.
    fn id(&self) -> &str;

    /// Where it is, as it was named.
    fn place(&self) -> String;

    /// Adds `rows` to the chain where it ends with `after`, all or none; durable on return.
    fn append(&mut self, chain: &Digest, after: Option<&Head>, rows: Vec<Row>) -> Result<(), LedgerError>;

    /// Gives rows to `f` until it breaks.
    fn each(&self, which: Which<'_>, f: &mut dyn FnMut(Stored) -> ControlFlow<()>)
    -> Result<(), LedgerError>;

    /// Chains with a row of that value, each with the position of the first, in that order.
    fn chains_where(&self, column: Column, value: &str) -> Result<Vec<(i64, String)>, LedgerError>;

    /// Whether a row has that digest.
    fn contains(&self, digest: &Digest) -> Result<bool, LedgerError>;

    /// The last row of each chain, sorted by chain.
    fn ends(&self) -> Result<Vec<End>, LedgerError>;

    /// Checks what the engine itself can, and gives all rows of one moment to `f`, chain by chain, in order, until it
    /// breaks. How many rows there are.
    fn check(&self, f: &mut dyn FnMut(Stored) -> ControlFlow<()>) -> Result<u64, LedgerError>;

    /// Keeps others from what `claim` names.
    fn lock(&self, holder: &Holder, claim: &Claim, wait: Wait) -> Result<Lock, LockError>;

    /// Who keeps others from it.
    fn holder(&self, claim: &Claim) -> Option<Holder>;

    /// The last moment, by the clock that all who share the ledger go by, at which what is recorded now may be sent;
    /// none where nobody else can write while the lock is held.
    fn send_before(&self) -> Option<Timestamp> {
        None
    }

    /// Whether what was to be sent before then still may be.
    ///
    /// # Errors
    /// [`LedgerError::Late`] and [`LedgerError::Passed`].
    fn may_send(&self, _before: Timestamp) -> Result<(), LedgerError> {
        Ok(())
    }

    /// What whoever opened it may do to it and should not, in words.
    fn warning(&self) -> Option<String> {
        None
    }

    /// The earliest that it can be by the clock that all who share the ledger go by.
    fn now_at_least(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Ledger {
    /// Makes a new ledger in a file that only its owner reads (0600), in a folder that is there or is named by
    /// a relative path (made with 0700). A symbolic link is refused.
    ///
    /// # Errors
    /// Something is there already, or the disk refuses; nothing is left behind then.
    pub fn create(path: &Path) -> Result<Self, LedgerError> {
        Sqlite::create(path).map(Self::of)
    }

    /// Opens the ledger in the file at `path`, and brings one of an older version to this program's.
    ///
    /// # Errors
    /// There is none, it is something else, newer or broken, or it cannot be reached.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        Sqlite::open(path).map(Self::of)
    }

    /// Opens the ledger in the file at `path`, or makes it where nothing is there.
    ///
    /// # Errors
    /// As [`Ledger::open`] and [`Ledger::create`].
    pub fn open_or_create(path: &Path) -> Result<Self, LedgerError> {
        Sqlite::open_or_create(path).map(Self::of)
    }

    /// Opens the ledger in a PostgreSQL database.
    ///
    /// # Errors
    /// There is none, it is newer, older or broken, or the server cannot be reached or is none that a ledger can be in.
    pub fn connect(address: &Address, access: &Access) -> Result<Self, LedgerError> {
        Postgres::open(address, access).map(Self::of)
    }

    /// Makes a new ledger in a PostgreSQL database, or brings one of an older version to this program's.
    ///
    /// # Errors
    /// As [`Ledger::connect`]; one of this version is there already.
    pub fn found(address: &Address, access: &Access) -> Result<(Self, super::Founded), LedgerError> {
        Postgres::found(address, access).map(|(store, founded)| (Self::of(store), founded))
    }

    fn of(store: impl Store + 'static) -> Self {
        Self { store: Box::new(store) }
    }

    /// Its ID: `lgl-` and a random UUID, given when it was made.
    #[must_use]
    pub fn id(&self) -> &str {
        self.store.id()
    }

    /// Where it is, as it was named.
    #[must_use]
    pub fn place(&self) -> String {
        self.store.place()
    }

    /// Adds `drafts` behind `after`, the end of the chain as the caller knows it (none where it has no event
    /// yet), all or none. They are durable on return, with one sync.
    ///
    /// Whether they can follow what happened is [`State::take`](super::State::take)'s to say.
    ///
    /// # Errors
    /// [`LedgerError::Moved`] where the chain does not end there; [`LedgerError::Unfit`] for an event that
    /// could not be read again; [`LedgerError::Passed`] where another has taken the lock over; the engine refuses.
    /// Nothing is written then. Where a server is lost, [`LedgerError::Unreachable`] leaves open whether it was.
    pub fn append(
        &mut self,
        chain: &Digest,
        after: Option<&Head>,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Event>, LedgerError> {
        let unfit = |problem| LedgerError::Unfit { chain: chain.clone(), problem };
        let mut head = after.cloned();
        let mut events = Vec::with_capacity(drafts.len());
        let mut rows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (event, next) = chain::link(chain, head.as_ref(), draft)
                .map_err(|problem| unfit(crate::core::text::excerpt(&problem.to_string(), 200)))?;
            rows.push(Row::of(&event, &next.digest, row::text(&event).map_err(unfit)?));
            events.push(event);
            head = Some(next);
        }
        self.store.append(chain, after, rows)?;
        Ok(events)
    }

    /// Takes the lock of those who write what `claim` names, waiting for it as told, and says there who holds it. It
    /// is gone with the process, however that ends. Blocks while it waits.
    ///
    /// # Errors
    /// Another process holds it for longer than `wait`; it cannot be reached.
    pub fn lock(&self, holder: &Holder, claim: &Claim, wait: Wait) -> Result<Lock, LockError> {
        self.store.lock(holder, claim, wait)
    }

    /// Who holds the lock of those who write what `claim` names, as far as they say; none where it is free.
    #[must_use]
    pub fn holder(&self, claim: &Claim) -> Option<Holder> {
        self.store.holder(claim)
    }

    /// The last moment at which what is recorded now may be sent, by the clock that all who share the ledger go by; none
    /// where nobody else can write while the lock is held.
    #[must_use]
    pub fn send_before(&self) -> Option<Timestamp> {
        self.store.send_before()
    }

    /// Whether what was to be sent before then still may be: for the one who holds the lock, right before it is sent.
    ///
    /// # Errors
    /// [`LedgerError::Late`] where the moment may have passed, [`LedgerError::Passed`] where another has taken the lock
    /// over.
    pub fn may_send(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.store.may_send(before)
    }

    /// What whoever opened it may do to it and should not, in words; none where there is nothing, or nobody can say.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.store.warning()
    }

    /// The earliest that it can be by the clock that all who share the ledger go by.
    #[must_use]
    pub fn now_at_least(&self) -> Timestamp {
        self.store.now_at_least()
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("place", &self.place()).field("id", &self.id()).finish()
    }
}
