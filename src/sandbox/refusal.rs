//! Refused calls: the codes that the sandbox uses, and how they look in an answer.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::core::text::visible;

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Code {
    /// The record does not exist, or belongs to another tenant; nobody can tell which.
    NotVisible,
    /// The call names no tenant.
    TenantRequired,
    /// The user does not belong to the tenant, or there is no such tenant.
    TenantRefused,
    /// An argument is missing or wrong; the message begins with its JSON pointer.
    InvalidArgument,
    /// A real write came without approval ID.
    ApprovalRequired,
    /// The user has no role that allows it.
    NotPermitted,
    /// The key was used for another payload.
    IdempotencyConflict,
    /// The record has been changed since the call's version of it.
    VersionConflict,
}

/// A refusal. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: Code,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An argument that is missing or wrong, with its JSON pointer; empty for all of them together.
    pub(super) fn argument(pointer: &str, problem: impl fmt::Display) -> Self {
        let message =
            if pointer.is_empty() { problem.to_string() } else { format!("{}: {problem}", visible(pointer)) };
        Self::new(Code::InvalidArgument, message)
    }

    /// The structured content of the answer.
    pub(super) fn content(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message}})
    }
}

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller was refused, and nothing was done.
    Refused(Refusal),
    /// The sandbox itself failed.
    Internal(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
