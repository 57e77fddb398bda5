//! Plan, approve and apply for MCP tool calls: nothing is written that nobody approved, and nothing twice.
//!
//! A recipe is loaded and validated, run against a server, and leaves an artifact: the payloads that would be
//! sent. The modules, from the top down; each imports only those after it.
//!
//! - [`cli`]: the command line; settings, wiring, exit codes.
//! - [`report`]: results and events for eyes and machines.
//! - [`engine`]: the use cases. They emit events, give results and print nothing.
//! - [`mcp`]: the client: connect, list, call, and classify what came back; and the program as a server.
//! - [`audit`]: the ledger's events as a report that anybody can check.
//! - [`ledger`]: what happened to each effect: events, the state that they make, the store.
//! - [`approval`]: who decided what, how that is known, and whether it is enough.
//! - [`artifact`]: what would be sent: format, digests, keys, difference.
//! - [`evidence`]: a certification's evidence graph and what it shows; briefs, which say what records ask of people.
//! - [`recipe`]: from YAML to a validated recipe; inputs, templates, problems with their place.
//! - [`catalog`]: what is known of servers, as data: profiles, the tool lock, classes, schemas.
//! - [`core`]: canonical JSON, digests, pointers, IDs, files, and the words of a tool call.
//! - [`sandbox`]: the embedded stand-in for LoopIQ, which uses `core` alone.

pub mod approval;
pub mod artifact;
pub mod audit;
pub mod catalog;
pub mod cli;
pub mod core;
pub mod engine;
pub mod evidence;
pub mod ledger;
pub mod mcp;
pub mod recipe;
pub mod report;
pub mod sandbox;
