//! What two artifacts would do differently, for people.

use serde_json::Value;

use super::layout::{Mark, Tone};
use super::terminal::Terminal;
use crate::artifact::{Change, Difference, ItemDifference, Kind};
use crate::core::printable::one_line;
use crate::core::text::visible;

/// The difference for a terminal. Values of payloads are whole.
#[must_use]
pub fn difference_text(difference: &Difference, terminal: &Terminal) -> String {
    let Difference { same_effect, target, operations, order, preconditions } = difference;
    let mut page = Page { out: String::new(), terminal };
    if *same_effect {
        let verdict = "the same effect: an approval of the one is an approval of the other";
        page.out.push_str(&format!("{} {verdict}\n", terminal.mark(Mark::Good)));
        return page.out;
    }
    let verdict = "another effect: an approval of the one is none of the other";
    page.out.push_str(&format!("{} {verdict}\n", terminal.mark(Mark::Warning)));
    if !target.is_empty() {
        page.heading("Target and recipe");
        page.changes(target);
    }
    page.items("Operations", operations);
    if let Some(order) = order {
        page.heading("Order of operations");
        page.out.push_str(&format!("  - {}\n", visible(&order.before.join(", "))));
        page.out.push_str(&format!("  + {}\n", visible(&order.after.join(", "))));
    }
    page.items("Reads that the plan stands on", preconditions);
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

    fn items(&mut self, heading: &str, items: &[ItemDifference]) {
        if items.is_empty() {
            return;
        }
        self.heading(heading);
        for ItemDifference { name, kind, changes } in items {
            let (sign, word) = match kind {
                Kind::Added => ("+", "added"),
                Kind::Removed => ("-", "removed"),
                Kind::Changed => ("~", "changed"),
            };
            self.out.push_str(&format!("  {sign} {} ({word})\n", visible(name)));
            self.changes(changes);
        }
    }

    fn changes(&mut self, changes: &[Change]) {
        for Change { pointer, before, after } in changes {
            let at = if pointer.is_empty() { "all of it".into() } else { visible(pointer) };
            self.out.push_str(&format!("    {at}\n"));
            self.value(Tone::Bad, "-", before.as_ref());
            self.value(Tone::Good, "+", after.as_ref());
        }
    }

    fn value(&mut self, tone: Tone, sign: &str, value: Option<&Value>) {
        if let Some(value) = value {
            let text = self.terminal.paint(tone, &format!("{sign} {}", one_line(value)));
            self.out.push_str(&format!("      {text}\n"));
        }
    }
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

    #[test]
    fn changes_stand_with_their_place_before_and_after() {
        let hostile = "a\u{1b}[31m\u{202e}\nb";
        let change = |pointer: &str, before, after| Change { pointer: pointer.into(), before, after };
        let difference = Difference {
            same_effect: false,
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
