//! An event as a row.

use crate::core::Digest;
use crate::core::json::parse_strict;
use crate::core::text::excerpt;
use crate::ledger::error::Damage;
use crate::ledger::v1::{Event, Fact};

/// What a row is read by, in the order of its members in [`Stored`].
pub(super) const COLUMNS: &str = "position, chain, sequence, digest, subject, key, record, text";

/// A row as it is found.
pub(super) struct Stored {
    pub position: i64,
    pub digest: String,
    pub filed: Filed,
    pub text: String,
}

/// A row that is to be added.
#[derive(Clone)]
pub(super) struct Row {
    pub digest: String,
    pub filed: Filed,
    pub text: String,
}

/// The columns that an event is found by.
#[derive(Clone, PartialEq)]
pub(super) struct Filed {
    pub chain: String,
    pub sequence: i64,
    pub subject: Option<String>,
    pub key: Option<String>,
    pub record: Option<String>,
}

impl Stored {
    /// The event, where its text is the canonical one and the columns are what it says. The digest is
    /// compared by who computes it: [`Stored::is`].
    pub(super) fn event(&self) -> Result<Event, Damage> {
        let position = self.position;
        let event = Event::parse(&self.text).map_err(|problem| Damage::NoEvent { position, problem })?;
        if Filed::of(&event) == self.filed { Ok(event) } else { Err(Damage::Misfiled { position }) }
    }

    /// Checks that the row's digest is that of its event.
    pub(super) fn is(&self, digest: &Digest) -> Result<(), Damage> {
        if self.digest == digest.to_string() {
            Ok(())
        } else {
            Err(Damage::Misfiled { position: self.position })
        }
    }
}

impl Row {
    pub(super) fn of(event: &Event, digest: &Digest, text: String) -> Self {
        Self { digest: digest.to_string(), filed: Filed::of(event), text }
    }
}

impl Filed {
    fn of(event: &Event) -> Self {
        let (mut subject, mut key, mut record) = (None, None, None);
        match &event.fact {
            Fact::Opened { artifact } => subject = Some(artifact.subject.to_string()),
            Fact::Intent { key: of, .. } | Fact::Settled { key: of, .. } => key = Some(of.to_string()),
            Fact::Recorded { filed } => record = Some(filed.record.id.to_string()),
            Fact::Began(_)
            | Fact::Decided { .. }
            | Fact::Connected(_)
            | Fact::Tried { .. }
            | Fact::Compared { .. }
            | Fact::Accepted { .. }
            | Fact::Outcome { .. }
            | Fact::Looked { .. }
            | Fact::ReadBack { .. }
            | Fact::Ended { .. } => {}
        }
        Self { chain: event.chain.to_string(), sequence: place(event.sequence), subject, key, record }
    }
}

/// The text of `event`, which gives the same event when it is read again, in a report, too.
///
/// # Errors
/// Why it would not, in words.
pub(super) fn text(event: &Event) -> Result<String, String> {
    let text = event.text().map_err(|problem| excerpt(&problem.to_string(), 200))?;
    Event::parse(&text)?;
    // A report holds it three levels further down.
    match parse_strict(format!("[[[{text}]]]").as_bytes()) {
        Ok(_) => Ok(text),
        Err(problem) => Err(excerpt(&problem.to_string(), 200)),
    }
}

/// A count as the engines have it; no chain comes near the limit.
pub(super) fn place(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
