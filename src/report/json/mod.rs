//! JSON for machines. Each format is a frozen copy of its own, never an internal type: an internal
//! change that would alter a format does not compile, or fails a test.

mod call_v1;
mod difference_v1;
mod doctor_v1;
mod ledger_log_v1;
mod lock_check_v1;
mod problems_v1;
mod profile_v1;
mod recipe_v1;
mod run_event_v1;
mod run_v1;
mod status_v1;

pub use call_v1::{call_json, call_schema};
pub use difference_v1::{difference_json, difference_schema};
pub use doctor_v1::{doctor_json, doctor_schema};
pub use ledger_log_v1::{LedgerLogJson, ledger_log_schema};
pub use lock_check_v1::{lock_json, lock_schema};
pub use problems_v1::{problems_json, problems_schema};
pub use profile_v1::{profile_json, profile_schema};
pub use recipe_v1::{recipe_json, recipe_schema};
pub use run_event_v1::{event_json, event_schema};
pub use run_v1::{run_json, run_schema};
pub use status_v1::{status_json, status_schema};
