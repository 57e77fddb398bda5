//! `loopgate ledger status`: what is open, unknown and done in all of a ledger, in one pass over its events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::fault::Fault;
use crate::approval::Resolution;
use crate::artifact::Key;
use crate::core::Digest;
use crate::core::text::visible;
use crate::ledger::v1::{Result as Came, Settlement};
use crate::ledger::{Event, Fact, Ledger};

/// What a ledger comes to.
#[derive(Debug, Default)]
pub(super) struct LedgerStatus {
    events: u64,
    chains: u64,
    /// What was sent and is not settled.
    open: BTreeMap<(Digest, Key), Open>,
    tools: BTreeMap<String, Writes>,
}

/// An operation that may have taken place.
#[derive(Debug)]
struct Open {
    tool: String,
    since: Timestamp,
    /// Attempts of which nobody can say what became of them.
    attempts: u32,
    /// Whether the last of them has no outcome at all.
    waits: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Writes {
    applied: u64,
    refused: u64,
}

impl LedgerStatus {
    /// Reads all of it.
    pub fn of(ledger: &Ledger) -> Result<Self, Fault> {
        let mut status = Self::default();
        ledger.each_event(|event| {
            status.take(event);
            Ok::<_, Fault>(())
        })?;
        Ok(status)
    }

    fn take(&mut self, event: &Event) {
        self.events += 1;
        self.chains += u64::from(event.sequence == 0);
        let at = |key: &Key| (event.chain.clone(), key.clone());
        match &event.fact {
            Fact::Intent { key, call, .. } => {
                self.tools.entry(call.tool.clone()).or_default();
                let new = || Open { tool: call.tool.clone(), since: event.at, attempts: 0, waits: true };
                let open = self.open.entry(at(key)).or_insert_with(new);
                open.attempts += 1;
                open.waits = true;
            }
            Fact::Outcome { key, result: Came::Applied { .. }, .. } => self.settled(at(key), true),
            Fact::Outcome { key, result: Came::Unknown { .. }, .. } => {
                if let Some(open) = self.open.get_mut(&at(key)) {
                    open.waits = false;
                }
            }
            Fact::Outcome { key, result: Came::NotApplied { .. }, .. } => {
                let Some(open) = self.open.get_mut(&at(key)) else { return };
                self.tools.entry(open.tool.clone()).or_default().refused += 1;
                (open.attempts, open.waits) = (open.attempts.saturating_sub(1), false);
                if open.attempts == 0 {
                    self.open.remove(&at(key));
                }
            }
            Fact::Settled { key, by } => {
                let not = Resolution::NotApplied {};
                let is_applied = !matches!(by, Settlement::People { resolution, .. } if *resolution == not);
                self.settled(at(key), is_applied);
            }
            _ => {}
        }
    }

    fn settled(&mut self, at: (Digest, Key), applied: bool) {
        if let Some(open) = self.open.remove(&at)
            && applied
        {
            self.tools.entry(open.tool).or_default().applied += 1;
        }
    }

    /// As `loopgate.ledger-status/1`, as it is at `now`.
    pub fn json(&self, ledger: &Ledger, now: Timestamp) -> Value {
        let unknown = |tool: &str| self.open.values().filter(|open| open.tool == tool).count();
        let tools: BTreeMap<&str, Value> = self
            .tools
            .iter()
            .map(|(tool, Writes { applied, refused })| {
                let counts = json!({ "applied": applied, "refused": refused, "unknown": unknown(tool) });
                (tool.as_str(), counts)
            })
            .collect();
        let unknown: Vec<Value> = self
            .oldest()
            .map(|((effect, key), open)| {
                json!({
                    "effect_digest": effect,
                    "key": key,
                    "tool": open.tool,
                    "since": open.since,
                    "age_seconds": age(now, open),
                    "attempts": open.attempts,
                    "waits": open.waits,
                })
            })
            .collect();
        json!({
            "format": "loopgate.ledger-status/1",
            "ledger": ledger.id(),
            "chains": self.chains,
            "events": self.events,
            "open_intents": self.open.values().filter(|open| open.waits).count(),
            "unknown": unknown,
            "tools": tools,
            "warning": ledger.warning(),
        })
    }

    /// For people.
    pub fn text(&self, ledger: &Ledger, now: Timestamp) -> String {
        let mut text = format!("ledger {}\n{} chains, {} events\n", ledger.id(), self.chains, self.events);
        for (tool, Writes { applied, refused }) in &self.tools {
            text.push_str(&format!("{}: {applied} applied, {refused} refused\n", visible(tool)));
        }
        for ((effect, _), open) in self.oldest() {
            let waits = if open.waits { "no outcome yet" } else { "unknown" };
            text.push_str(&format!(
                "{}: {}, {waits} for {} s\n",
                effect.short(),
                visible(&open.tool),
                age(now, open)
            ));
        }
        if self.open.is_empty() {
            text.push_str("nothing is unknown\n");
        }
        if let Some(warning) = ledger.warning() {
            text.push_str(&format!("warning: {warning}\n"));
        }
        text
    }

    fn oldest(&self) -> impl Iterator<Item = (&(Digest, Key), &Open)> {
        let mut open: Vec<_> = self.open.iter().collect();
        open.sort_by_key(|(_, open)| open.since);
        open.into_iter()
    }
}

fn age(now: Timestamp, open: &Open) -> i64 {
    now.duration_since(open.since).as_secs().max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sample::{self, draft};

    /// The status of a ledger that has the first `count` events of the samples, and what follows them.
    fn status(count: usize, more: Vec<Fact>) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::create(&folder.path().join("a.db")).unwrap();
        let mut drafts = sample::drafts(ledger.id());
        drafts.truncate(count);
        drafts.extend(more.into_iter().map(|fact| draft(50, "first", fact)));
        ledger.append(&sample::document().effect_digest, None, drafts).unwrap();
        LedgerStatus::of(&ledger).unwrap().json(&ledger, sample::at(111))
    }

    #[test]
    fn what_is_open_unknown_and_done_is_counted_by_its_tool() {
        let writes = |status: &Value| {
            let of = |name: &str| status["tools"]["write"][name].as_u64().unwrap();
            (status["open_intents"].as_u64().unwrap(), of("applied"), of("refused"), of("unknown"))
        };
        assert_eq!(writes(&status(8, Vec::new())), (1, 0, 0, 1));
        assert_eq!(writes(&status(9, Vec::new())), (0, 1, 0, 0));
        assert_eq!(writes(&status(12, Vec::new())), (0, 1, 0, 1));
        assert_eq!(writes(&status(19, Vec::new())), (0, 2, 0, 0));
        let refused = vec![sample::outcome(0, 1, sample::not_applied())];
        assert_eq!(writes(&status(8, refused)), (0, 0, 1, 0));
        // An attempt that was refused says nothing about one before it.
        let again = vec![sample::intent(1, 2), sample::outcome(1, 2, sample::not_applied())];
        assert_eq!(writes(&status(12, again)), (0, 1, 1, 1));
        let people = vec![sample::settled(1, sample::people(Resolution::NotApplied {}))];
        assert_eq!(writes(&status(12, people)), (0, 1, 0, 0));
    }

    #[test]
    fn what_is_unknown_has_its_age() {
        let status = status(12, Vec::new());
        assert_eq!(status["unknown"][0]["age_seconds"], 101);
        assert_eq!(status["unknown"][0]["waits"], false);
        assert_eq!(status["events"], 12);
        assert_eq!(status["warning"], Value::Null);
    }
}
