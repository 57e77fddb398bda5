//! loopgate: plan, approve and apply for MCP tool calls.

pub mod catalog;
pub mod core;
