//! What an examination came to. Every output is made from this.

use jiff::Timestamp;

use crate::engine::result::{CallFact, Conclusion, Signal, TargetFact};

/// Something that is looked at. The ten that come last are the checks to pass before production, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Whether the server can be reached.
    Endpoint,
    /// Which revision of the protocol is spoken.
    Protocol,
    /// Whether the credential is taken.
    SignIn,
    /// How far the server's clock is from this machine's.
    Clock,
    /// What the server guarantees.
    Contract,
    /// Whether the operations that are needed may be called.
    Operations,
    /// Whether the tools are what the tool lock says.
    Lock,
    /// Tool discovery works.
    ToolDiscovery,
    /// The tenant context is right.
    TenantContext,
    /// Reads return the expected records.
    Reads,
    /// Foreign tenants are rejected.
    ForeignTenants,
    /// Stale or expired tokens fail safely.
    StaleTokens,
    /// A dry run creates nothing.
    DryRun,
    /// An approved write creates exactly what was planned.
    Write,
    /// A repeated key creates no duplicate.
    RepeatedKey,
    /// The result carries the created IDs.
    CreatedIds,
    /// Audit data is stored.
    Audit,
}

impl Check {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 17] = [
        Self::Endpoint,
        Self::Protocol,
        Self::SignIn,
        Self::Clock,
        Self::Contract,
        Self::Operations,
        Self::Lock,
        Self::ToolDiscovery,
        Self::TenantContext,
        Self::Reads,
        Self::ForeignTenants,
        Self::StaleTokens,
        Self::DryRun,
        Self::Write,
        Self::RepeatedKey,
        Self::CreatedIds,
        Self::Audit,
    ];

    /// The five that write.
    pub const WRITING: [Self; 5] =
        [Self::DryRun, Self::Write, Self::RepeatedKey, Self::CreatedIds, Self::Audit];

    /// Its number among the ten, where it is one of them.
    #[must_use]
    pub fn number(self) -> Option<usize> {
        let first = Self::ALL.iter().position(|check| *check == Self::ToolDiscovery)?;
        let own = Self::ALL.iter().position(|check| *check == self)?;
        own.checked_sub(first).map(|before| before + 1)
    }

    /// Its stable name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Protocol => "protocol",
            Self::SignIn => "sign-in",
            Self::Clock => "clock",
            Self::Contract => "contract",
            Self::Operations => "operations",
            Self::Lock => "lock",
            Self::ToolDiscovery => "tool-discovery",
            Self::TenantContext => "tenant-context",
            Self::Reads => "reads",
            Self::ForeignTenants => "foreign-tenants",
            Self::StaleTokens => "stale-tokens",
            Self::DryRun => "dry-run",
            Self::Write => "write",
            Self::RepeatedKey => "repeated-key",
            Self::CreatedIds => "created-ids",
            Self::Audit => "audit",
        }
    }

    /// What it asks of a server, in a sentence.
    #[must_use]
    pub fn asks(self) -> &'static str {
        match self {
            Self::Endpoint => "The server can be reached.",
            Self::Protocol => "It speaks a known revision of MCP.",
            Self::SignIn => "It takes the credential.",
            Self::Clock => "Its clock is within five minutes of this machine's.",
            Self::Contract => "It says what it guarantees.",
            Self::Operations => "The operations that are needed may be called.",
            Self::Lock => "Its tools are what the tool lock says.",
            Self::ToolDiscovery => "Tool discovery works: the list is whole, and what is needed fits.",
            Self::TenantContext => "Server, credential and caller mean the same tenant.",
            Self::Reads => "Reads return the records that were asked for, in a form that is understood.",
            Self::ForeignTenants => "A foreign tenant is refused.",
            Self::StaleTokens => "A token that is not valid is refused before any tool answers.",
            Self::DryRun => "A dry run creates nothing.",
            Self::Write => "An approved write creates what was planned.",
            Self::RepeatedKey => "The same key again creates nothing more.",
            Self::CreatedIds => "The result names what was created.",
            Self::Audit => "Audit data is kept, and it names approval, key and request.",
        }
    }
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It was tried, and nobody can say.
    Undecided,
    /// It was not tried.
    NotChecked,
}

impl Outcome {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
            Self::NotChecked => "not-checked",
        }
    }
}

/// One check and how it went. Texts may hold the server's words.
#[derive(Debug, Clone, PartialEq)]
pub struct Examination {
    /// What was looked at.
    pub check: Check,
    /// How it went.
    pub outcome: Outcome,
    /// What was called, in order.
    pub called: Vec<Called>,
    /// What was seen, or why nothing was looked at, in a sentence without a full stop.
    pub saw: String,
    /// What could not be told.
    pub untold: Vec<String>,
    /// What should be looked at although it passed.
    pub warning: Option<String>,
}

/// Something that was asked of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The tool, or the protocol's method.
    pub what: String,
    /// The request ID that went with it, where one did.
    pub request_id: Option<String>,
    /// What came of it, in words.
    pub came: String,
}

/// What an examination left at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The profile's name for it, such as `parent`.
    pub what: String,
    /// The server's IDs; empty where nobody knows them.
    pub ids: Vec<String>,
}

/// A finished examination.
#[derive(Debug)]
pub struct Examined {
    /// The server and the tenant.
    pub target: TargetFact,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Every check, in the order of [`Check::ALL`].
    pub checks: Vec<Examination>,
    /// What it left at the server.
    pub left: Vec<Left>,
    /// By what its records can be told from all others, where it wrote any.
    pub mark: Option<String>,
    /// Whether of something that was sent nobody can say what became of it.
    pub unknown: bool,
    /// Why it ended before its end, if it did.
    pub cut_short: Option<Conclusion>,
}

impl Examined {
    /// Why it ended before its end, in words, if it did.
    #[must_use]
    pub fn cut_short_by(&self) -> Option<String> {
        self.cut_short.as_ref().map(ended_by)
    }

    /// How many checks went so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }
}

/// What ends an examination, in words. A run that is told to stop has written nothing, which is not said here.
pub(super) fn ended_by(conclusion: &Conclusion) -> String {
    match conclusion {
        Conclusion::Interrupted(Signal::Interrupt) => "interrupted".to_owned(),
        Conclusion::Interrupted(Signal::Terminate) => "terminated".to_owned(),
        other => other.message(),
    }
}

impl Examination {
    fn new(check: Check, outcome: Outcome, saw: impl Into<String>) -> Self {
        Self { check, outcome, called: Vec::new(), saw: saw.into(), untold: Vec::new(), warning: None }
    }

    pub(super) fn passed(check: Check, saw: impl Into<String>) -> Self {
        Self::new(check, Outcome::Passed, saw)
    }

    pub(super) fn failed(check: Check, saw: impl Into<String>) -> Self {
        Self::new(check, Outcome::Failed, saw)
    }

    pub(super) fn undecided(check: Check, saw: impl Into<String>) -> Self {
        Self::new(check, Outcome::Undecided, saw)
    }

    pub(super) fn not_checked(check: Check, why: impl Into<String>) -> Self {
        Self::new(check, Outcome::NotChecked, why)
    }

    /// The same, which this could not tell.
    pub(super) fn but(mut self, untold: impl Into<String>) -> Self {
        self.untold.push(untold.into());
        self
    }

    /// The same, for which these calls were made.
    pub(super) fn by(mut self, called: impl IntoIterator<Item = Called>) -> Self {
        self.called.extend(called);
        self
    }
}

impl Called {
    pub(super) fn method(what: &str, came: impl Into<String>) -> Self {
        Self { what: what.to_owned(), request_id: None, came: came.into() }
    }
}

impl From<CallFact> for Called {
    fn from(CallFact { tool, request_id, outcome, .. }: CallFact) -> Self {
        Self { what: tool, request_id: Some(request_id), came: outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ten_checks_have_their_numbers_and_everything_its_own_name() {
        assert_eq!((Check::ToolDiscovery.number(), Check::Audit.number()), (Some(1), Some(10)));
        assert_eq!((Check::DryRun.number(), Check::Lock.number()), (Some(6), None));
        let names: std::collections::BTreeSet<_> = Check::ALL.iter().map(|check| check.as_str()).collect();
        assert_eq!(names.len(), Check::ALL.len());
        assert!(Check::ALL.is_sorted());
    }
}
