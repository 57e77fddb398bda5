//! What an agent is told: of a recipe as a tool, of what a call of it came to, and how to go about it.
//!
//! What this program says and what others say never stand in one block. Text from recipes, servers and evidence comes
//! quoted line by line, with everything that cannot be seen spelled out, or as a member of the structured answer.

mod advice;
mod answer;
mod describe;
mod guide;

pub(super) use advice::advice;
pub use advice::is_verdict;
pub use answer::{CallView, PlanCommands, call_texts};
pub use describe::tool_description;
pub use guide::{GUIDE, guide, instructions};
