//! The words of an evidence graph. Each has a place for words that nobody knows.

use serde::Serialize;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// The release. Its state is a conclusion and no evidence, so it is not read.
    Release,
    /// The certification. Its state is a conclusion and no evidence, so it is not read.
    Certification,
    /// Something that must hold.
    Control,
    /// What shows that a control holds.
    Evidence,
    /// Something that a provider found.
    Finding,
    /// Something that a provider holds the release back for.
    ProviderBlocker,
    /// Something that may go wrong; it only blocks where an edge says so.
    Risk,
    /// A word that is not known, or none.
    Unknown,
}

impl NodeKind {
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            Some("release") => Self::Release,
            Some("certification") => Self::Certification,
            Some("control") => Self::Control,
            Some("evidence") => Self::Evidence,
            Some("finding") => Self::Finding,
            Some("provider_blocker") => Self::ProviderBlocker,
            Some("risk") => Self::Risk,
            _ => Self::Unknown,
        }
    }

    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Certification => "certification",
            Self::Control => "control",
            Self::Evidence => "evidence",
            Self::Finding => "finding",
            Self::ProviderBlocker => "provider blocker",
            Self::Risk => "risk",
            Self::Unknown => "unknown",
        }
    }
}

/// The state of a node, as a profile translates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Good or settled.
    Pass,
    /// Bad or open.
    Fail,
    /// It should be there and is not.
    Missing,
    /// Too old to count.
    Stale,
    /// Somebody decided that it need not hold.
    Waived,
    /// Not yet.
    Pending,
    /// A word that is not known, or none.
    Unknown,
}

impl State {
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            Some("pass") => Self::Pass,
            Some("fail") => Self::Fail,
            Some("missing") => Self::Missing,
            Some("stale") => Self::Stale,
            Some("waived") => Self::Waived,
            Some("pending") => Self::Pending,
            _ => Self::Unknown,
        }
    }

    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Waived => "waived",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
        }
    }
}

/// How bad something is, worst first. What is unknown may be as bad as anything: it comes right behind
/// what is known to be critical, so that nobody overlooks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words are the providers' own")]
pub enum Severity {
    Critical,
    Unknown,
    High,
    Medium,
    Low,
    Info,
}

impl Severity {
    /// What a provider's word means, in any case.
    #[must_use]
    pub fn of(word: Option<&str>) -> Self {
        let is = |known: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(known));
        match () {
            () if is("critical") => Self::Critical,
            () if is("high") => Self::High,
            () if is("medium") => Self::Medium,
            () if is("low") => Self::Low,
            () if is("info") => Self::Info,
            () => Self::Unknown,
        }
    }
}

/// What an edge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// The first needs the second.
    Requires,
    /// The first needs the second.
    DependsOn,
    /// The first is evidence for the second.
    Supports,
    /// The first speaks against the second.
    Violates,
    /// The first holds the second back.
    Blocks,
    /// A word that is not known, or none.
    Unknown,
}

impl EdgeKind {
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            Some("requires") => Self::Requires,
            Some("depends_on") => Self::DependsOn,
            Some("supports") => Self::Supports,
            Some("violates") => Self::Violates,
            Some("blocks") => Self::Blocks,
            _ => Self::Unknown,
        }
    }

    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Requires => "requires",
            Self::DependsOn => "depends on",
            Self::Supports => "supports",
            Self::Violates => "violates",
            Self::Blocks => "blocks",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_severity_comes_behind_critical_and_before_all_others() {
        let words = ["info", "grave", "LOW", "high", "critical", "Medium"];
        let mut sorted = words;
        sorted.sort_by_key(|word| Severity::of(Some(word)));
        assert_eq!(sorted, ["critical", "grave", "high", "Medium", "LOW", "info"]);
        assert_eq!(Severity::of(None), Severity::Unknown);
    }
}
