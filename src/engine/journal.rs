//! What a run knows and writes down: the ledger's chain of one effect, with the state that it makes.
//!
//! Facts are noted and then committed together: an intent and an outcome are durable when `commit` returns.

use jiff::Timestamp;

use crate::artifact::Key;
use crate::core::text::visible;
use crate::core::{Digest, ToolAnswer};
use crate::ledger::chain::link;
use crate::ledger::{Damage, Draft, Event, Fact, Ledger, LedgerError, State};

/// Whoever wants to know what is written down, as soon as it is durable.
pub trait Watch {
    /// An event was appended.
    fn appended(&self, event: &Event);

    /// A write was answered, and what it came to is recorded. The ledger has the answer's digest; this is the answer.
    fn answered(&self, _key: &Key, _answer: &ToolAnswer) {}
}

/// The chain of one effect, as one run sees it.
pub(super) struct Journal<'a> {
    ledger: &'a mut Ledger,
    watch: &'a dyn Watch,
    run: String,
    /// What is durable.
    durable: State,
    /// What is durable and what is noted.
    state: State,
    noted: Vec<Draft>,
    /// What could not be made durable, an outcome among it.
    unrecorded: Vec<Draft>,
}

/// Whether what was noted is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    /// It is.
    Yes,
    /// Somebody recorded a decision meanwhile: the intent was dropped, all else is durable.
    AllButTheIntent,
}

impl<'a> Journal<'a> {
    /// Reads the chain.
    ///
    /// # Errors
    /// The ledger cannot be read, or its chain is broken.
    pub fn open(
        ledger: &'a mut Ledger,
        watch: &'a dyn Watch,
        chain: &Digest,
        run: String,
    ) -> Result<Self, LedgerError> {
        let durable = ledger.state(chain)?;
        Ok(Self {
            ledger,
            watch,
            run,
            state: durable.clone(),
            durable,
            noted: Vec::new(),
            unrecorded: Vec::new(),
        })
    }

    /// What happened so far, what is only noted included.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Tells whoever watches what a write was answered.
    pub fn answered(&self, key: &Key, answer: &ToolAnswer) {
        self.watch.answered(key, answer);
    }

    /// The run that writes.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The ledger, for questions about other chains.
    pub fn ledger(&self) -> &Ledger {
        self.ledger
    }

    /// What is durable, and what could not be made so although an outcome is among it.
    pub fn into_durable(self) -> (State, Vec<Draft>) {
        (self.durable, self.unrecorded)
    }

    /// Whether an outcome could not be made durable: nothing can follow it then.
    pub fn has_unrecorded(&self) -> bool {
        !self.unrecorded.is_empty()
    }

    /// The last moment at which what is recorded now may be sent, where there is one.
    pub fn send_before(&self) -> Option<Timestamp> {
        self.ledger.send_before()
    }

    /// Takes a fact in, to be made durable with the next commit.
    ///
    /// # Errors
    /// It cannot follow what happened before, which is a defect of this program.
    pub fn note(&mut self, fact: Fact) -> Result<(), LedgerError> {
        let draft = Draft { at: Timestamp::now(), run: self.run.clone(), fact };
        take(&mut self.state, &draft)?;
        self.noted.push(draft);
        Ok(())
    }

    /// Notes a fact and makes it durable with all that was noted before.
    ///
    /// # Errors
    /// See [`Journal::commit`].
    pub fn record(&mut self, fact: Fact) -> Result<Committed, LedgerError> {
        self.note(fact)?;
        self.commit()
    }

    /// Makes durable what was noted.
    ///
    /// # Errors
    /// The ledger cannot be written, or another runner has written what only a holder of the lock writes.
    pub fn commit(&mut self) -> Result<Committed, LedgerError> {
        let mut committed = Committed::Yes;
        while !self.noted.is_empty() {
            match self.ledger.append(&self.durable.chain, self.durable.head.as_ref(), self.noted.clone()) {
                Ok(events) => {
                    self.noted.clear();
                    // Taken in, not copied: a copy of the whole state for each commit is quadratic.
                    events.iter().try_for_each(|event| take_event(&mut self.durable, event))?;
                    events.iter().for_each(|event| self.watch.appended(event));
                }
                Err(LedgerError::Moved { .. }) => {
                    if self.catch_up()? == Committed::AllButTheIntent {
                        committed = Committed::AllButTheIntent;
                    }
                }
                Err(error) => {
                    let noted = std::mem::take(&mut self.noted);
                    let is_outcome = |draft: &Draft| matches!(draft.fact, Fact::Outcome { .. });
                    if noted.iter().any(is_outcome) {
                        self.unrecorded = noted;
                    }
                    self.state.clone_from(&self.durable);
                    return Err(error);
                }
            }
        }
        Ok(committed)
    }

    /// Takes in what others recorded, and puts what was noted behind it, without an intent: it was decided
    /// on before that was known.
    fn catch_up(&mut self) -> Result<Committed, LedgerError> {
        let count = self.durable.head.as_ref().map_or(0, |head| head.count);
        let news = self.ledger.events_since(&self.durable.chain, count)?;
        if news.is_empty() || !news.iter().all(|event| matches!(event.fact, Fact::Recorded { .. })) {
            return Err(LedgerError::Moved { chain: self.durable.chain.clone() });
        }
        news.iter().try_for_each(|event| take_event(&mut self.durable, event))?;
        let intends = |draft: &Draft| matches!(draft.fact, Fact::Intent { .. });
        let intended = self.noted.iter().any(intends);
        let durable = &self.durable;
        self.noted.retain(|draft| match &draft.fact {
            Fact::Intent { .. } => false,
            // It allowed without knowing what was recorded meanwhile; behind that, it would look as if it had.
            Fact::Decided { verdict } => !verdict.allowed,
            // Whoever recorded it brought the same record.
            Fact::Recorded { filed } => !durable.news(std::slice::from_ref(&**filed)).is_empty(),
            _ => true,
        });
        self.state.clone_from(&self.durable);
        for draft in &self.noted {
            take(&mut self.state, draft)?;
        }
        Ok(if intended { Committed::AllButTheIntent } else { Committed::Yes })
    }
}

fn take(state: &mut State, draft: &Draft) -> Result<(), LedgerError> {
    let unfit = |problem| LedgerError::Unfit { chain: state.chain.clone(), problem };
    let (event, _) = link(&state.chain, state.head.as_ref(), draft.clone())
        .map_err(|number| unfit(visible(&number.to_string()).into_owned()))?;
    take_event(state, &event)
}

fn take_event(state: &mut State, event: &Event) -> Result<(), LedgerError> {
    let chain = state.chain.clone();
    state.take(event).map_err(|source| Damage::Chain { chain, source }.into())
}
