//! What keeps a release from being certified, as a result.

use serde::Serialize;

use super::graph::Graph;
use super::words::{NodeKind, State};

/// What a graph says, as templates and files see it. IDs, titles and the like are hostile text as it came,
/// borrowed from the value that the graph was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings<'a> {
    /// The certification that the graph belongs to.
    pub certification: Option<&'a str>,
    /// Whether the evidence is good.
    pub verdict: Verdict,
    /// Why it cannot be decided; bounded, safe to print, empty unless the verdict is undecided.
    pub undecided: Vec<String>,
    /// What blocks: worst severity first (an unknown one right behind critical), then by cause, then by ID.
    pub blocking: Vec<Finding<'a>>,
    /// How much there is of what.
    pub counts: Counts,
}

/// Whether the evidence is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that is required is there and good.
    Clear,
    /// Something blocks.
    Blocked,
    /// Something is not understood, so nothing is said.
    Undecided,
}

/// One thing that blocks, and so one piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding<'a> {
    /// The node's ID.
    pub id: &'a str,
    /// Why it blocks.
    pub cause: Cause,
    /// In which way.
    pub kind: FindingKind,
    /// What the node is.
    pub node: NodeKind,
    /// The node's title, or its ID where it has none.
    pub title: &'a str,
    /// As it came.
    pub severity: Option<&'a str>,
    /// The team that owns it.
    pub owner: Option<&'a str>,
    /// The system that reported it.
    pub provider: Option<&'a str>,
    /// When it is due, as it came.
    pub due: Option<&'a str>,
    /// Where the provider shows it, as it came.
    pub link: Option<&'a str>,
    /// Controls, releases and certifications that depend on it, the nearest first; at most twenty.
    pub blocks: Vec<&'a str>,
    /// What it depends on itself, by ID; at most twenty.
    pub depends_on: Vec<&'a str>,
    /// Open findings and failed evidence that are part of it, by ID; at most twenty.
    pub details: Vec<Detail<'a>>,
    /// Whether one of the three lists is cut.
    pub cut: bool,
}

/// Why something blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A required control does not hold.
    FailedControl,
    /// Required evidence is not there, or a required control is not decided.
    EvidenceGap,
    /// A provider holds the release back.
    ProviderBlocker,
    /// A finding is open that no failed control stands for.
    OpenFinding,
}

/// In which way something blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// It failed.
    Failed,
    /// It is not there.
    Missing,
    /// It is too old.
    Stale,
    /// Its state is not known.
    Unknown,
    /// It is not there yet.
    Pending,
    /// It is open.
    Open,
}

/// Part of a finding that is no work of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail<'a> {
    /// The node's ID.
    pub id: &'a str,
    /// What the node is.
    pub node: NodeKind,
    /// The node's title, or its ID where it has none.
    pub title: &'a str,
    /// As it came.
    pub severity: Option<&'a str>,
    /// Where the provider shows it, as it came.
    pub link: Option<&'a str>,
}

/// How much there is of what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Nodes with an ID.
    pub nodes: usize,
    /// Edges between two nodes.
    pub edges: usize,
    /// Controls by state.
    pub controls: StateCounts,
    /// Evidence by state.
    pub evidence: StateCounts,
    /// Findings by state.
    pub findings: StateCounts,
    /// Provider blockers by state.
    pub provider_blockers: StateCounts,
    /// Risks by state.
    pub risks: StateCounts,
    /// What blocks, by cause.
    pub blocking: CauseCounts,
    /// Open findings that only violate what is waived or not required.
    pub tolerated: usize,
}

/// Nodes of one kind by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the fields are the states")]
pub struct StateCounts {
    pub pass: usize,
    pub fail: usize,
    pub missing: usize,
    pub stale: usize,
    pub waived: usize,
    pub pending: usize,
    pub unknown: usize,
}

/// Findings by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "the fields are the causes")]
pub struct CauseCounts {
    pub failed_controls: usize,
    pub evidence_gaps: usize,
    pub provider_blockers: usize,
    pub open_findings: usize,
}

impl Cause {
    /// In words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::FailedControl => "failed control",
            Self::EvidenceGap => "evidence gap",
            Self::ProviderBlocker => "provider blocker",
            Self::OpenFinding => "open finding",
        }
    }
}

impl FindingKind {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Missing => "missing",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Open => "open",
        }
    }
}

impl Counts {
    /// Of everything in `graph`; what blocks is added with [`Counts::add`].
    pub(super) fn of(graph: &Graph<'_>) -> Self {
        let mut counts = Self { nodes: graph.nodes.len(), edges: graph.edges.len(), ..Self::default() };
        for node in &graph.nodes {
            match node.kind {
                NodeKind::Control => counts.controls.add(node.state),
                NodeKind::Evidence => counts.evidence.add(node.state),
                NodeKind::Finding => counts.findings.add(node.state),
                NodeKind::ProviderBlocker => counts.provider_blockers.add(node.state),
                NodeKind::Risk => counts.risks.add(node.state),
                NodeKind::Release | NodeKind::Certification | NodeKind::Unknown => {}
            }
        }
        counts
    }

    pub(super) fn add(&mut self, cause: Cause) {
        let blocking = &mut self.blocking;
        *match cause {
            Cause::FailedControl => &mut blocking.failed_controls,
            Cause::EvidenceGap => &mut blocking.evidence_gaps,
            Cause::ProviderBlocker => &mut blocking.provider_blockers,
            Cause::OpenFinding => &mut blocking.open_findings,
        } += 1;
    }
}

impl StateCounts {
    /// How many there are in all.
    pub(super) fn all(self) -> usize {
        let Self { pass, fail, missing, stale, waived, pending, unknown } = self;
        pass + fail + missing + stale + waived + pending + unknown
    }

    fn add(&mut self, state: State) {
        *match state {
            State::Pass => &mut self.pass,
            State::Fail => &mut self.fail,
            State::Missing => &mut self.missing,
            State::Stale => &mut self.stale,
            State::Waived => &mut self.waived,
            State::Pending => &mut self.pending,
            State::Unknown => &mut self.unknown,
        } += 1;
    }
}
