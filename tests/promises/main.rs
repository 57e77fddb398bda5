//! What loopgate promises, tried on the shipped binary and on real servers. Each test is named after what it
//! holds.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod appliers;
#[cfg(test)]
mod apply;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod armor;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod bad_days;
#[cfg(test)]
mod bad_lines;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod database;
#[cfg(test)]
mod database_faults;
#[cfg(test)]
mod database_lost;
#[cfg(test)]
mod database_many;
#[cfg(test)]
mod database_server;
#[cfg(test)]
mod database_tls;
#[cfg(test)]
mod defaults;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod federated;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod foreign_crash;
#[cfg(test)]
mod foreign_writes;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod github;
#[cfg(test)]
mod github_answers;
#[cfg(test)]
mod gitlab;
#[cfg(test)]
mod gitlab_notes;
#[cfg(test)]
mod governed;
#[cfg(test)]
mod guarded;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod house;
#[cfg(test)]
mod http;
#[cfg(test)]
mod init;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod lies;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod locked_recipes;
#[cfg(test)]
mod main_job;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod mcp_server;
#[cfg(test)]
mod mcp_server_conformance;
#[cfg(test)]
mod mcp_server_foreign;
#[cfg(test)]
mod organization;
#[cfg(test)]
mod output;
#[cfg(test)]
mod page;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod platform_answers;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod pull_request;
#[cfg(test)]
mod pull_request_edits;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod recordings;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod reviews;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod served;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod stdio;
#[cfg(test)]
mod support;
#[cfg(test)]
#[path = "../fuzz/targets.rs"]
mod targets;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod workflows;
