//! An examination on its way: what was found so far, and who hears of the calls.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::result::{Called, Check, Examination, Examined, Left, Outcome, ended_by};
use crate::engine::event::{Event, Events};
use crate::engine::result::{Conclusion, TargetFact, TenantKnownBy};
use crate::engine::target::Target;

/// What was found so far.
pub(super) struct Chart {
    pub target: TargetFact,
    pub left: Vec<Left>,
    pub mark: Option<String>,
    pub unknown: bool,
    began: Timestamp,
    checks: BTreeMap<Check, Examination>,
}

impl Chart {
    pub fn new(target: &Target) -> Self {
        Self {
            target: TargetFact {
                identity: target.identity.clone(),
                name: String::new(),
                version: String::new(),
                protocol: String::new(),
                sandbox: target.sandbox,
                tenant: target.tenant.clone(),
                tenant_known_by: match target.tenant {
                    Some(_) => TenantKnownBy::Asserted,
                    None => TenantKnownBy::None,
                },
                contract: None,
            },
            left: Vec::new(),
            mark: None,
            unknown: false,
            began: Timestamp::now(),
            checks: BTreeMap::new(),
        }
    }

    /// Takes in how a check went; a later word replaces an earlier one.
    pub fn put(&mut self, examination: Examination) {
        self.checks.insert(examination.check, examination);
    }

    /// Says of those checks that nothing is known yet that they were not made, and why.
    pub fn skip(&mut self, checks: &[Check], why: &str) {
        for check in checks {
            self.checks.entry(*check).or_insert_with(|| Examination::not_checked(*check, why));
        }
    }

    pub fn get(&self, check: Check) -> Option<&Examination> {
        self.checks.get(&check)
    }

    /// The first of those checks that failed.
    pub fn failed(&self, checks: &[Check]) -> Option<Check> {
        let failed = |check: &&Check| {
            self.checks.get(*check).is_some_and(|examination| examination.outcome == Outcome::Failed)
        };
        checks.iter().find(failed).copied()
    }

    pub fn finish(mut self, cut_short: Option<Conclusion>) -> Examined {
        let why = match &cut_short {
            Some(conclusion) => format!("it ended before: {}", ended_by(conclusion)),
            None => "nothing was looked at".to_owned(),
        };
        self.skip(&Check::ALL, &why);
        let Self { target, left, mark, unknown, began, checks } = self;
        Examined {
            target,
            began,
            ended: Timestamp::now(),
            checks: checks.into_values().collect(),
            mark: mark.filter(|_| unknown || !left.is_empty()),
            left,
            unknown,
            cut_short,
        }
    }
}

/// Hears of every call, for the check that it is made for.
#[derive(Default)]
pub(super) struct Heard(RefCell<Vec<Called>>);

impl Heard {
    /// What was called since this was asked last.
    pub fn take(&self) -> Vec<Called> {
        self.0.take()
    }
}

impl Events for Heard {
    fn emit(&self, event: &Event) {
        if let Event::Called { call, .. } = event {
            self.0.borrow_mut().push(call.clone().into());
        }
    }
}
