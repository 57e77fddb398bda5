//! IDs of runs, requests and traces.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One run of the program. Sorts by time (UUID version 7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(Uuid);

impl RunId {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for RunId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One call on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::new_v4())
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The trace that a run belongs to (W3C Trace Context, level 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    trace_id: String,
    flags: String,
    state: Option<String>,
}

impl Trace {
    /// Goes on with the trace of a `traceparent`, or begins a new one where it is absent or malformed,
    /// as the specification asks. `tracestate` is only kept with a valid `traceparent`.
    #[must_use]
    pub fn from_parent(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        traceparent.and_then(|text| Self::parse(text, tracestate)).unwrap_or_else(|| Self {
            trace_id: Uuid::new_v4().simple().to_string(),
            flags: "01".to_owned(),
            state: None,
        })
    }

    /// The 32 hex digits that all calls of the run share.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// The caller's `tracestate`, if there is one.
    #[must_use]
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// A `traceparent` for one call: the run's trace, a span of its own.
    #[must_use]
    pub fn span(&self) -> String {
        let span: String = Uuid::new_v4().simple().to_string().chars().take(16).collect();
        format!("00-{}-{span}-{}", self.trace_id, self.flags)
    }

    fn parse(text: &str, state: Option<&str>) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (version, trace_id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let zero = |part: &str| part.bytes().all(|b| b == b'0');
        let known = hex(version, 2)
            && version != "ff"
            && (version != "00" || parts.next().is_none())
            && hex(trace_id, 32)
            && !zero(trace_id)
            && hex(parent, 16)
            && !zero(parent)
            && hex(flags, 2);
        known.then(|| Self {
            trace_id: trace_id.to_owned(),
            flags: flags.to_owned(),
            state: state.filter(|s| !s.is_empty() && s.len() <= 512 && s.is_ascii()).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    #[test]
    fn the_callers_trace_goes_on_in_a_new_span() {
        let trace = Trace::from_parent(Some(PARENT), Some("vendor=1"));
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.state(), Some("vendor=1"));
        let span = trace.span();
        assert!(span.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && span.ends_with("-00"));
        assert!(!span.contains("00f067aa0ba902b7"));
    }

    #[test]
    fn a_broken_parent_begins_a_new_trace() {
        for text in
            ["", "00-x", &PARENT.to_uppercase(), &PARENT.replace("00-4", "ff-4"), &format!("{PARENT}-x")]
        {
            let trace = Trace::from_parent(Some(text), Some("vendor=1"));
            assert_ne!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(trace.state(), None);
            assert_eq!(trace.trace_id().len(), 32);
        }
    }
}
