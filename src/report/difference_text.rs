//! What two artifacts would do differently, for people.

use serde_json::Value;

use super::artifact_words::short_value;
use super::layout::{Mark, Tone, count, hang};
use super::stand_in::REPLAY_DIFFERENCE;
use super::terminal::Terminal;
use crate::artifact::{Change, Difference, ItemDifference, Kind};
use crate::core::printable::one_line;
use crate::core::text::visible;

/// What every output about a sandbox artifact's difference says.
const SANDBOX_DIFFERENCE: &str =
    "at least one of the two plans is for the embedded sandbox, and is about no real release";

/// Changes of what was read that are listed before the rest is counted.
const MOST_READ_CHANGES: usize = 20;

/// The difference for a terminal. Values of payloads are whole.
#[must_use]
pub fn difference_text(difference: &Difference, terminal: &Terminal) -> String {
    let Difference { same_effect, sandbox, replay, target, operations, order, preconditions } = difference;
    let mut page = Page { out: String::new(), terminal };
    page.verdict(*same_effect);
    if *sandbox {
        hang(&mut page.out, "  ", SANDBOX_DIFFERENCE, terminal.width);
    }
    if *replay {
        hang(&mut page.out, "  ", REPLAY_DIFFERENCE, terminal.width);
    }
    if !target.is_empty() {
        page.heading("Target and recipe");
        page.changes(target);
    }
    if !operations.is_empty() {
        page.heading("Operations");
    }
    for operation in operations {
        page.item(operation);
        page.changes(&operation.changes);
    }
    if let Some(order) = order {
        page.heading("Order of operations");
        page.out.push_str(&format!("  - {}\n", visible(&order.before.join(", "))));
        page.out.push_str(&format!("  + {}\n", visible(&order.after.join(", "))));
    }
    page.reads(preconditions);
    page.out
}

struct Page<'a> {
    out: String,
    terminal: &'a Terminal,
}

impl Page<'_> {
    fn heading(&mut self, text: &str) {
        self.out.push_str(&format!("\n{}\n", self.terminal.paint(Tone::Strong, text)));
    }

    fn verdict(&mut self, same_effect: bool) {
        let (mark, verdict) = match same_effect {
            true => (Mark::Good, "the same effect: an approval of the one is an approval of the other"),
            false => (Mark::Warning, "another effect: an approval of the one is none of the other"),
        };
        self.out.push_str(&format!("{} {verdict}\n", self.terminal.mark(mark)));
    }

    fn item(&mut self, ItemDifference { name, kind, changes: _ }: &ItemDifference) {
        let (sign, word) = match kind {
            Kind::Added => ("+", "added"),
            Kind::Removed => ("-", "removed"),
            Kind::Changed => ("~", "changed"),
        };
        self.out.push_str(&format!("  {sign} {} ({word})\n", visible(name)));
    }

    /// What the reads gave is evidence by the hundred, so there is an end to it, unlike to a payload.
    fn reads(&mut self, reads: &[ItemDifference]) {
        let total: usize = reads.iter().map(|read| read.changes.len()).sum();
        if total > 0 {
            self.heading("Reads that the plan stands on");
        }
        let mut room = MOST_READ_CHANGES;
        for read in reads {
            let shown = read.changes.get(..room).unwrap_or(&read.changes);
            if !shown.is_empty() {
                self.item(read);
            }
            for Change { pointer, before, after } in shown {
                self.place(pointer);
                self.value(Tone::Bad, "-", before.as_ref().map(short));
                self.value(Tone::Good, "+", after.as_ref().map(short));
            }
            room = room.saturating_sub(shown.len());
        }
        if total > MOST_READ_CHANGES {
            let more = count(total.saturating_sub(MOST_READ_CHANGES), "more difference", "more differences");
            self.out.push_str(&format!("  and {more} in the reads; all of them with `--format json`\n"));
        }
    }

    fn changes(&mut self, changes: &[Change]) {
        for Change { pointer, before, after } in changes {
            self.place(pointer);
            self.value(Tone::Bad, "-", before.as_ref().map(one_line));
            self.value(Tone::Good, "+", after.as_ref().map(one_line));
        }
    }

    fn place(&mut self, pointer: &str) {
        let at = if pointer.is_empty() { "all of it".into() } else { visible(pointer) };
        self.out.push_str(&format!("    {at}\n"));
    }

    fn value(&mut self, tone: Tone, sign: &str, json: Option<String>) {
        if let Some(json) = json {
            let text = self.terminal.paint(tone, &format!("{sign} {json}"));
            self.out.push_str(&format!("      {text}\n"));
        }
    }
}

/// What a read gave; a long value by its size and digest.
fn short(value: &Value) -> String {
    visible(&short_value(value)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Order;
    use insta::assert_snapshot;
    use serde_json::json;

    #[test]
    fn the_same_effect_says_so_in_one_line() {
        let same = Difference { same_effect: true, ..Difference::default() };
        assert_snapshot!(difference_text(&same, &Terminal::plain()), @r#"✓ the same effect: an approval of the one is an approval of the other"#);
    }

    fn numbered(count: usize) -> Vec<Change> {
        let change = |number| Change {
            pointer: format!("/values/nodes/[{number}]"),
            before: Some(json!({"state": "x".repeat(500)})),
            after: None,
        };
        (0..count).map(change).collect()
    }

    #[test]
    fn many_changes_of_the_reads_are_folded_and_none_of_a_payload_is() {
        let item = |count| ItemDifference { name: "i".into(), kind: Kind::Changed, changes: numbered(count) };
        let reads = Difference { preconditions: vec![item(15), item(5), item(30)], ..Difference::default() };
        let text = difference_text(&reads, &Terminal::plain());
        assert_eq!(text.matches("/values/nodes/[").count(), 20);
        assert!(text.ends_with("  and 30 more differences in the reads; all of them with `--format json`\n"));
        assert!(text.lines().all(|line| line.len() < 200), "{text}");
        let few = Difference { preconditions: vec![item(20)], ..Difference::default() };
        assert!(!difference_text(&few, &Terminal::plain()).contains("more"));

        let payload = Difference { operations: vec![item(50)], ..Difference::default() };
        let text = difference_text(&payload, &Terminal::plain());
        assert_eq!(text.matches(&"x".repeat(500)).count(), 50);
    }

    #[test]
    fn a_difference_of_a_sandbox_plan_says_so() {
        for sandbox in [true, false] {
            for same_effect in [true, false] {
                let difference = Difference { same_effect, sandbox, replay: false, ..Difference::default() };
                let text = difference_text(&difference, &Terminal { width: 200, ..Terminal::plain() });
                assert_eq!(text.contains(SANDBOX_DIFFERENCE), sandbox);
            }
        }
    }

    #[test]
    fn changes_stand_with_their_place_before_and_after() {
        let hostile = "a\u{1b}[31m\u{202e}\nb";
        let change = |pointer: &str, before, after| Change { pointer: pointer.into(), before, after };
        let difference = Difference {
            same_effect: false,
            sandbox: true,
            replay: false,
            target: vec![change("/target/tenant", Some(json!("acme")), Some(json!(null)))],
            operations: vec![
                ItemDifference {
                    name: "package".into(),
                    kind: Kind::Changed,
                    changes: vec![change("/arguments/x", None, Some(json!({hostile: hostile})))],
                },
                ItemDifference {
                    name: hostile.into(),
                    kind: Kind::Removed,
                    changes: vec![change("", Some(json!({"tool": "t"})), None)],
                },
            ],
            order: Some(Order { before: vec!["a".into(), "b".into()], after: vec!["b".into(), "a".into()] }),
            preconditions: Vec::new(),
        };
        let text = difference_text(&difference, &Terminal::plain());
        assert_snapshot!(text, @r#"
        ! another effect: an approval of the one is none of the other
          at least one of the two plans is for the embedded sandbox, and is about no
          real release

        Target and recipe
            /target/tenant
              - "acme"
              + null

        Operations
          ~ package (changed)
            /arguments/x
              + {"a\u001b[31m\u202e\nb":"a\u001b[31m\u202e\nb"}
          - a\u{1b}[31m\u{202e}\nb (removed)
            all of it
              - {"tool":"t"}

        Order of operations
          - a, b
          + b, a
        "#);
        assert!(!text.chars().any(|c| crate::core::text::is_hidden(c) && c != '\n'));
    }
}
