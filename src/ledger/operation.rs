//! What happened to one operation, and where it stands.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::v1::{Call, Result as Came, Settlement, TryVerdict};
use crate::approval::Resolution;
use crate::core::Digest;
use crate::core::call::RefusalKind;

/// What happened to one operation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OperationState {
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What settled it without the answer to an attempt.
    pub settled: Option<Settlement>,
    /// The last time that it was tried out.
    pub tried: Option<Trial>,
    /// The last time that the read was made which says whether it took place.
    pub looked: Option<Look>,
    /// The last time that what it created was read.
    pub read_back: Option<ReadBack>,
}

/// One attempt to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The event that is its intent.
    pub intent: Digest,
    /// The run that made it.
    pub run: String,
    /// When the intent was recorded.
    pub at: Timestamp,
    /// The approval ID that went on the wire.
    pub approval_id: String,
    /// The call.
    pub call: Call,
    /// The moment before which it leaves or never, by the clock of the ledger's server, where one was set.
    pub send_before: Option<Timestamp>,
    /// The server's name for the task that it goes on as, where it took it on as one.
    pub task: Option<String>,
    /// What it came to, with the time when that was recorded; none where nobody has said so yet.
    pub came: Option<Answered>,
    /// Whether people said later that it did not take place.
    pub ruled_out: bool,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// What it came to.
    pub result: Came,
    /// When that was recorded.
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub took_ms: u64,
}

/// An operation tried out with its dry-run switch set.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The run that did.
    pub run: String,
    /// What came of it.
    pub verdict: TryVerdict,
    /// In words.
    pub why: String,
}

/// The read that says whether an operation took place.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The run that made it.
    pub run: String,
    /// How many attempts there were before it.
    pub after: usize,
    /// Whether it took place; none where the answer does not say.
    pub found: Option<bool>,
    /// In words.
    pub why: String,
}

/// What was created, read and compared with the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadBack {
    /// The run that did.
    pub run: String,
    /// Where it differs.
    pub differences: Vec<String>,
    /// Why it could not be read, where it could not.
    pub unread: Option<String>,
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// Nothing was sent.
    Untouched,
    /// It took place.
    Applied {
        /// Names of what was created, with the IDs; empty where nobody knows them.
        created: BTreeMap<String, Vec<String>>,
        /// Whether the server says that it had been done before under the same key.
        replayed: Option<bool>,
    },
    /// Whatever was sent certainly had no effect.
    NotApplied {
        /// In which sense the last attempt was refused.
        refusal: RefusalKind,
        /// In words; hostile text.
        message: String,
    },
    /// Something was sent of which nobody can say what became of it.
    Unknown {
        /// When the first such attempt was recorded.
        since: Timestamp,
    },
}

impl OperationState {
    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.settled {
            Some(Settlement::Read {}) => {
                return Status::Applied { created: BTreeMap::new(), replayed: None };
            }
            Some(
                Settlement::Earlier { created, .. }
                | Settlement::People { resolution: Resolution::Applied { created }, .. },
            ) => {
                return Status::Applied { created: created.clone(), replayed: None };
            }
            Some(Settlement::People { resolution: Resolution::NotApplied {}, .. }) | None => {}
        }
        let results = || self.attempts.iter().filter_map(|attempt| Some(&attempt.came.as_ref()?.result));
        for result in results() {
            if let Came::Applied { created, replayed, .. } = result {
                return Status::Applied { created: created.clone(), replayed: *replayed };
            }
        }
        if let Some(unknown) = self.attempts.iter().find(|attempt| attempt.is_unknown()) {
            return Status::Unknown { since: unknown.at };
        }
        match self.attempts.last().map(|attempt| attempt.came.as_ref().map(|came| &came.result)) {
            None => Status::Untouched,
            Some(Some(Came::NotApplied { refusal, message })) => {
                Status::NotApplied { refusal: *refusal, message: message.clone() }
            }
            Some(_) => Status::NotApplied {
                refusal: RefusalKind::Refused,
                message: "people found that it did not take place".to_owned(),
            },
        }
    }

    /// Why IDs are missing that the answer should have named, where it took place and they are.
    #[must_use]
    pub fn unnamed(&self) -> Option<String> {
        self.attempts.iter().find_map(|attempt| match &attempt.came.as_ref()?.result {
            Came::Applied { unnamed, .. } => unnamed.clone(),
            Came::NotApplied { .. } | Came::Unknown { .. } => None,
        })
    }

    /// The attempts of which nobody can say what became of them.
    pub fn unknown(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.is_unknown())
    }

    pub(super) fn intend(&mut self, number: u32, attempt: Attempt) -> Result<(), &'static str> {
        if usize::try_from(number).ok() != Some(self.attempts.len() + 1) {
            return Err("an attempt is left out or counted twice");
        }
        if matches!(self.status(), Status::Applied { .. }) {
            return Err("the operation took place already");
        }
        if self.attempts.first().is_some_and(|first| first.approval_id != attempt.approval_id) {
            return Err("an attempt carries another approval ID than the first");
        }
        self.attempts.push(attempt);
        Ok(())
    }

    pub(super) fn settle(&mut self, by: &Settlement) -> Result<(), &'static str> {
        match (self.status(), by) {
            (Status::Applied { .. }, _) => return Err("the operation took place already"),
            (Status::Unknown { .. }, Settlement::Earlier { .. }) => {
                return Err("what is unknown is sent again");
            }
            (Status::Untouched | Status::NotApplied { .. }, Settlement::People { .. }) => {
                return Err("nothing of the operation is unknown");
            }
            (Status::Unknown { .. }, Settlement::People { resolution: Resolution::NotApplied {}, .. }) => {
                for attempt in self.attempts.iter_mut().filter(|attempt| attempt.is_unknown()) {
                    attempt.ruled_out = true;
                }
            }
            (_, Settlement::People { .. } | Settlement::Read {} | Settlement::Earlier { .. }) => {}
        }
        self.settled = Some(by.clone());
        Ok(())
    }

    pub(super) fn accept(&mut self, run: &str, number: u32, task: &str) -> Result<(), &'static str> {
        match self.waiting(run, number).filter(|attempt| attempt.task.is_none()) {
            Some(attempt) => {
                attempt.task = Some(task.to_owned());
                Ok(())
            }
            None => Err("no attempt waits for this task"),
        }
    }

    pub(super) fn answer(&mut self, run: &str, number: u32, answered: Answered) -> Result<(), &'static str> {
        match self.waiting(run, number) {
            Some(attempt) => {
                attempt.came = Some(answered);
                Ok(())
            }
            None => Err("no attempt waits for this outcome"),
        }
    }

    /// The last attempt, where it has that number, is of that run and waits for its outcome.
    fn waiting(&mut self, run: &str, number: u32) -> Option<&mut Attempt> {
        let is_last = usize::try_from(number).ok() == Some(self.attempts.len());
        self.attempts.last_mut().filter(|attempt| is_last && attempt.came.is_none() && attempt.run == run)
    }
}

impl Attempt {
    /// Whether nobody can say what became of it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        let answered = self.came.as_ref().map(|came| &came.result);
        !self.ruled_out && matches!(answered, None | Some(Came::Unknown { .. }))
    }
}
