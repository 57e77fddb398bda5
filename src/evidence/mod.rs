//! The evidence of one certification: reads the graph that a profile's `evidence_graph` gives, and says
//! what keeps the release from being certified. Pure: nothing is asked of anybody, and the order of nodes
//! and edges in the input never shows in the output.
//!
//! No evidence is not good evidence. A graph in which anything is not understood is undecided, whatever
//! else stands in it: [`Verdict::Clear`] takes a required control, and every control, every piece of
//! evidence, every blocker and every finding known to be settled.
//!
//! What blocks becomes one [`Finding`] each, and nothing becomes two:
//! - a required control that failed; the open findings that violate it and the failed evidence that
//!   supports it are its details;
//! - a gap: required evidence that is missing, stale, pending, of unknown state or failed, and a required
//!   control that is not decided yet unless a gap of its evidence explains that;
//! - a provider blocker that is open, and an open finding or risk with a `blocks` edge, whatever its
//!   severity;
//! - an open finding that is no control's detail, unless all that it violates is waived or not required.
//!
//! A control or piece of evidence that does not say whether it is required is required. What is waived
//! never blocks and is counted.

mod analyze;
pub mod brief;
mod coverage;
mod cycle;
mod diagram;
mod doubt;
mod finding;
mod graph;
mod links;
mod picture;
mod reach;
mod words;

pub use analyze::analyze;
pub use coverage::{Coverage, Covered, coverage};
pub use diagram::mermaid;
pub use finding::{Cause, CauseCounts, Counts, Detail, Finding, FindingKind, Findings, StateCounts, Verdict};
pub use graph::{Graph, GraphError, Limits};
pub use picture::{Drawn, Picture, Shown, picture};
pub use words::{EdgeKind, NodeKind, Severity, State};

/// Fields of a node that [`analyze`] does not read, and so no plan rests on: when a provider last looked says nothing
/// about what it saw, that it is out of date is a state of its own, and what a finding is about is for people.
pub const UNREAD: &[&str] = &["observed", "digest", "rule", "component", "cve", "fixed_in", "first_seen"];
