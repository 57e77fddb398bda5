//! The use cases. They emit events, give results, and print nothing.
//!
//! `run` reads, analyzes, decides gates, dry-runs what a recipe would write and leaves a plan. It never
//! writes: a tool of class write is called with its dry-run switch set, or not at all.

mod analyze;
mod arguments;
mod channel;
mod dry_run;
mod ended;
mod event;
mod gate;
mod given;
mod plan;
mod read;
mod reads;
mod result;
mod run;
mod steps;
mod target;

pub use event::{Event, Events};
pub use result::{
    CallFact, Conclusion, ContractFact, Emitted, GateFact, InputFact, RecipeFact, RunResult, Signal,
    StepResult, StepStatus, TargetFact, TenantKnownBy,
};
pub use run::{DryRuns, Run, RunOptions, run};
pub use target::Target;
