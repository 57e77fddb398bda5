//! The use cases. They emit events, give results, and print nothing.
//!
//! `run` reads, analyzes, decides gates, dry-runs what a recipe would write and leaves a plan. It never
//! writes: a tool of class write is called with its dry-run switch set, or not at all.

mod analyze;
mod apart;
mod applied;
mod apply;
mod arguments;
mod arrival;
mod channel;
mod checking;
mod contract;
mod doctor;
mod dry_run;
mod elsewhere;
mod ended;
mod event;
mod gate;
mod given;
mod journal;
mod judge;
mod locked;
mod next;
#[cfg(test)]
mod next_model;
mod pages;
mod plan;
mod reach;
mod read;
mod reads;
mod result;
mod run;
mod sending;
mod steps;
mod stopping;
mod survey;
mod target;
mod tenant;
mod terms;
mod way;

pub use applied::{ApplyEnd, ApplyResult, Stopped};
pub use apply::{Apply, ApplyOptions, apply};
pub use doctor::{Called, Check, Doctor, Examination, Examined, Left, Outcome, Ways, Writing, examine};
pub use elsewhere::applied_before;
pub use event::{Event, Events};
pub use journal::Watch;
pub use judge::judge;
pub use result::{
    AppliedBefore, CallFact, Conclusion, ContractFact, Emitted, GateFact, InputFact, RecipeFact, ReplayFact,
    RunResult, Signal, StepResult, StepStatus, StepValue, TargetFact, TenantKnownBy, UnmadeCall,
};
pub use run::{DryRuns, Run, RunOptions, run};
pub use steps::RECOMMENDATION;
pub use survey::{Sample, Sampled, Survey, Surveyed, survey};
pub use target::Target;
pub use tenant::TenantRules;
pub use way::{Way, way};
