//! Progress of `apply` and `reconcile` for people: a line for each event of the ledger that is worth an eye.

use super::apply_words::{created, doubt, read_back, refusal, settled_by};
use super::approval_words::{assurance, decided};
use super::artifact_words::known_by;
use super::layout::{Mark, bounded, count};
use super::terminal::Terminal;
use crate::approval::{Resolution, Verdict};
use crate::artifact::Key;
use crate::artifact::v1::Document;
use crate::ledger::v1::{Began, Ci, Command, Connected, Moved, Result as Came, Settlement, TryVerdict};
use crate::ledger::{Event, Fact, ReadBack};

/// The longest text from elsewhere within a line; what is longer stands whole in the ledger.
const LONGEST: usize = 300;
/// Moved values and differences that a line lists before the rest is counted.
const MOST: usize = 20;

/// What is said of an event, on one line; `None` where it says nothing that another line does not.
#[must_use]
pub fn apply_line(event: &Event, artifact: &Document, terminal: &Terminal) -> Option<String> {
    let end = if terminal.unicode { "…" } else { "..." };
    happened(event, artifact, end).map(|(mark, text)| format!("{} {text}", terminal.mark(mark)))
}

/// The sign and the words for an event, safe to show; `None` where they say nothing that others do not. `end` is what
/// follows something that goes on.
pub(super) fn happened(event: &Event, artifact: &Document, end: &str) -> Option<(Mark, String)> {
    let name = |key: &Key| {
        let planned = artifact.operations.iter().find(|operation| operation.idempotency_key == *key);
        bounded(planned.map_or(key.as_str(), |operation| &operation.id), LONGEST)
    };
    Some(match &event.fact {
        // The run that begins says it.
        Fact::Opened { .. } => return None,
        Fact::Began(began) => (Mark::Idle, began_words(began, artifact)),
        Fact::Recorded { filed } => (Mark::Idle, format!("taken in: {}", bounded(&decided(filed), LONGEST))),
        Fact::Decided { verdict } => verdict_words(verdict),
        Fact::Connected(connected) => (Mark::Good, connected_words(connected)),
        Fact::Tried { key, call: _, verdict, why } => {
            let (mark, word) = tried(*verdict);
            (mark, format!("{}: {word}: {}", name(key), bounded(why, LONGEST)))
        }
        Fact::Compared { calls, differences } => compared(calls.len(), differences),
        Fact::Intent { key, attempt, approval_id: _, call: _, send_before: _ } => {
            (Mark::Idle, format!("sending `{}` (attempt {attempt}){end}", name(key)))
        }
        Fact::Accepted { key, attempt: _, task } => (
            Mark::Idle,
            format!("{}: the server goes on with it as the task `{}`", name(key), bounded(task, LONGEST)),
        ),
        Fact::Outcome { key, attempt: _, took_ms, result } => {
            let (mark, words) = came(result);
            (mark, format!("{}: {words} (after {took_ms} ms)", name(key)))
        }
        Fact::Looked { key, call: _, found, why } => {
            let (mark, word) = match found {
                Some(true) => (Mark::Good, "a read finds that it took place"),
                Some(false) => (Mark::Idle, "a read finds that it did not take place"),
                None => (Mark::Doubt, "a read does not say whether it took place"),
            };
            (mark, format!("{}: {word}: {}", name(key), bounded(why, LONGEST)))
        }
        Fact::Settled { key, by } => {
            let mark = match by {
                Settlement::People { resolution: Resolution::NotApplied {}, .. } => Mark::Idle,
                _ => Mark::Good,
            };
            (mark, format!("{}: settled by {}", name(key), bounded(&settled_by(by), LONGEST)))
        }
        Fact::ReadBack { key, call: _, differences, unread } => {
            let shown = differences.iter().take(MOST).map(|one| bounded(one, LONGEST)).collect();
            let read = ReadBack { run: String::new(), differences: shown, unread: unread.clone() };
            let (mark, words) = read_back(&read);
            let words = bounded(&words, LONGEST.saturating_mul(MOST));
            (mark, format!("{}: read back, {words}{}", name(key), more(differences.len())))
        }
        Fact::Ended { conclusion, message } => {
            (Mark::Idle, format!("ended: {}, {}", bounded(conclusion, LONGEST), bounded(message, LONGEST)))
        }
    })
}

fn began_words(began: &Began, artifact: &Document) -> String {
    let command = match began.command {
        Command::Apply => "apply",
        Command::Reconcile => "reconcile",
    };
    let recipe = bounded(&artifact.recipe.name, LONGEST);
    let server = match artifact.target.sandbox {
        true => "the sandbox".to_owned(),
        false => bounded(&artifact.target.server.identity, LONGEST),
    };
    let pipeline = began.ci.as_ref().map_or("outside of a pipeline".to_owned(), pipeline);
    let ledger = bounded(&began.ledger, LONGEST);
    format!("{command} of {recipe} on {server} begins, {pipeline}, ledger {ledger}")
}

fn pipeline(Ci { provider, repository, workflow, job, .. }: &Ci) -> String {
    let parts = [repository, workflow, job].into_iter().flatten().map(|part| bounded(part, LONGEST));
    let parts: Vec<String> = parts.collect();
    let provider = bounded(provider, LONGEST);
    if parts.is_empty() {
        format!("in a pipeline of {provider}")
    } else {
        format!("in a pipeline of {provider} ({})", parts.join(", "))
    }
}

fn verdict_words(verdict: &Verdict) -> (Mark, String) {
    let counted = verdict
        .counted
        .iter()
        .map(|counted| format!("{} ({})", bounded(&counted.approver, LONGEST), assurance(counted.assurance)));
    let counted: Vec<String> = counted.collect();
    let notes = verdict.notes.iter().map(|note| format!("; note: {}", bounded(note, LONGEST)));
    let notes: String = notes.collect();
    if verdict.allowed {
        let by = if counted.is_empty() { String::new() } else { format!(" by {}", counted.join(", ")) };
        let id = verdict.approval_id.as_ref().map(|id| format!(", sent as {}", bounded(id, LONGEST)));
        (Mark::Good, format!("approved{by}{}{notes}", id.unwrap_or_default()))
    } else {
        let reasons: Vec<String> =
            verdict.reasons.iter().map(|reason| bounded(&reason.message, LONGEST)).collect();
        (Mark::Bad, format!("not approved: {}{notes}", reasons.join("; ")))
    }
}

fn connected_words(connected: &Connected) -> String {
    let server = &connected.server;
    let called = format!("{} {}", bounded(&server.name, LONGEST), bounded(&server.version, LONGEST));
    let (tenant, how) = (bounded(&connected.tenant, LONGEST), known_by(connected.tenant_known_by));
    format!("connected to {called} at {} for {tenant}, {how}", bounded(&server.identity, LONGEST))
}

fn tried(verdict: TryVerdict) -> (Mark, &'static str) {
    match verdict {
        TryVerdict::Confirmed => (Mark::Good, "dry run confirmed"),
        TryVerdict::NotPossible => (Mark::Warning, "no dry run"),
        TryVerdict::Refused => (Mark::Bad, "dry run refused"),
        TryVerdict::Unconfirmed => (Mark::Doubt, "dry run not confirmed"),
    }
}

fn compared(reads: usize, differences: &[Moved]) -> (Mark, String) {
    let reads = count(reads, "read", "reads");
    if differences.is_empty() {
        return (Mark::Good, format!("nothing moved since it was planned: {reads}"));
    }
    let each = differences.iter().take(MOST).map(|Moved { step, at, planned, now, why }| {
        let planned = bounded(&planned.to_string(), LONGEST);
        let now = bounded(&now.to_string(), LONGEST);
        let place = if at.is_empty() { String::new() } else { format!(" at {}", bounded(at, LONGEST)) };
        format!("{}{place} was {planned}, is {now} ({})", bounded(step, LONGEST), bounded(why, LONGEST))
    });
    let each: Vec<String> = each.collect();
    (Mark::Bad, format!("stale: {}{}", each.join("; "), more(differences.len())))
}

/// What is not listed, counted.
fn more(total: usize) -> String {
    match total.saturating_sub(MOST) {
        0 => String::new(),
        rest => format!("; and {rest} more"),
    }
}

fn came(result: &Came) -> (Mark, String) {
    match result {
        Came::Applied { created: ids, unnamed, replayed: again, answer: _ } => {
            let before = if *again == Some(true) { ", done before under the same key" } else { "" };
            let mut words = format!("applied{before}");
            if !ids.is_empty() {
                words.push_str(&format!(", created {}", bounded(&created(ids), LONGEST)));
            }
            if let Some(why) = unnamed {
                words.push_str(&format!(", IDs missing: {}", bounded(why, LONGEST)));
            }
            (Mark::Good, words)
        }
        Came::NotApplied { refusal: kind, message } => {
            (Mark::Bad, format!("not applied, {}: {}", refusal(*kind), bounded(message, LONGEST)))
        }
        Came::Unknown { doubt: kind, message } => {
            (Mark::Doubt, format!("outcome unknown, {}: {}", doubt(*kind), bounded(message, LONGEST)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{Reason, ReasonCode};
    use crate::core::text::is_hidden;
    use crate::report::sample;
    use insta::assert_snapshot;

    fn lines(hostile: bool, terminal: &Terminal) -> Vec<String> {
        let artifact = if hostile { sample::hostile_artifact() } else { sample::artifact() };
        let facts = sample::facts(artifact.document(), hostile);
        let line = |fact| apply_line(&sample::event(fact), artifact.document(), terminal);
        facts.into_iter().filter_map(line).collect()
    }

    #[test]
    fn a_person_can_follow_every_step() {
        assert_snapshot!(sample::steady(&lines(false, &Terminal::plain()).join("\n")), @r#"
        · apply of remediation-plan on the sandbox begins, in a pipeline of github (17), ledger lgl1-7
        · reconcile of remediation-plan on the sandbox begins, outside of a pipeline, ledger lgl1-7
        · taken in: approval by alice (asserted), record lga1-[64 hex digits]
        ✓ approved by alice (signed), sent as lga1-[64 hex digits]
        ✗ not approved: 1 of 2 people approved; note: a note
        ✓ connected to LoopIQ sandbox 0.1.0 at sandbox for acme, as the server itself says
        ✓ package: dry run confirmed: the server says that it was a dry run
        ! package: no dry run: it has no dry run
        ✓ nothing moved since it was planned: 1 read
        ✗ stale: evidence.certification at /state was "blocked", is "certified" (it is another one)
        · sending `package` (attempt 1)…
        · package: the server goes on with it as the task `task-1`
        ✓ package: applied, done before under the same key, created children TSK-1; parent ST-1, IDs missing: the answer names no URL (after 4 ms)
        ✗ package: not applied, the key was used for something else: 409 (after 4 ms)
        ? package: outcome unknown, no answer: the connection ended (after 4 ms)
        ✓ package: a read finds that it took place: /n is 1
        ? package: a read does not say whether it took place: no answer
        ✓ package: settled by a read, which found that it took place
        ✓ package: settled by an earlier effect that did it, sha256:[64 hex digits], under approval APR-1
        · package: settled by people, who found that it did not take place: lga1-[64 hex digits]
        ✓ package: read back, as planned
        ! package: read back, differs from the plan: parent.title is `x`
        ? package: read back, could not be read: the read was refused
        · ended: done, 1 operation applied
        "#);
    }

    #[test]
    fn an_event_is_one_line_and_nothing_in_it_steers_the_terminal() {
        let lines = lines(true, &Terminal::plain());
        assert!(lines.len() > 15, "{}", lines.len());
        for line in lines {
            assert!(!line.chars().any(is_hidden), "{line:?}");
        }
    }

    #[test]
    fn a_plain_terminal_gets_ascii_from_us() {
        let terminal = Terminal { unicode: false, ..Terminal::plain() };
        let lines = lines(false, &terminal);
        assert!(lines.iter().all(|line| line.is_ascii()), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with("(attempt 1)...")));
    }

    #[test]
    fn a_refusal_names_every_reason() {
        let reason = |code, message: &str| Reason { code, message: message.to_owned() };
        let verdict = Verdict {
            allowed: false,
            reasons: vec![reason(ReasonCode::Expired, "it expired"), reason(ReasonCode::TooFew, "1 of 2")],
            ..sample::verdict()
        };
        let (mark, words) = verdict_words(&verdict);
        assert_eq!((mark, words.as_str()), (Mark::Bad, "not approved: it expired; 1 of 2"));
    }

    #[test]
    fn a_long_list_is_counted() {
        let moved = |number: usize| Moved {
            step: format!("s{number}"),
            at: "/a".into(),
            planned: 1.into(),
            now: serde_json::Value::Null,
            why: "it is gone".into(),
        };
        let (_, words) = compared(1, &(0..23).map(moved).collect::<Vec<_>>());
        assert!(words.starts_with("stale: s0 at /a was 1, is null (it is gone); "), "{words}");
        assert!(words.ends_with("; and 3 more") && !words.contains("s20"), "{words}");
    }
}
