//! What checking an audit report came to, for people: what was checked, and what could not be.

use super::layout::{Mark, count};
use super::page::Page;
use super::terminal::Terminal;
use crate::core::Digest;

/// A report that stood every check, for a terminal: `checked` and `not_checked` are sentences, `head` and
/// `events` the chain's end as it was found.
#[must_use]
pub fn audit_verified_text(
    checked: &[String],
    not_checked: &[String],
    head: &Digest,
    events: u64,
    terminal: &Terminal,
) -> String {
    let mut page = Page::new(terminal);
    let (mark, word) = if not_checked.is_empty() {
        (Mark::Good, "consistent")
    } else {
        (Mark::Warning, "consistent, as far as it was checked")
    };
    let events = count(usize::try_from(events).unwrap_or(usize::MAX), "event", "events");
    page.verdict(mark, word, &[events]);
    page.blank();
    page.exact("head", &head.to_string());
    page.title("Checked");
    if checked.is_empty() {
        page.item(Mark::Idle, "nothing");
    }
    for sentence in checked {
        page.item(Mark::Good, sentence);
    }
    page.title("Not checked");
    if not_checked.is_empty() {
        page.item(Mark::Idle, "nothing that could be");
    }
    for sentence in not_checked {
        page.item(Mark::Doubt, sentence);
    }
    page.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample;
    use insta::assert_snapshot;

    fn shown(checked: &[&str], not_checked: &[&str]) -> String {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let head = Digest::of_bytes(b"head");
        audit_verified_text(&owned(checked), &owned(not_checked), &head, 9, &Terminal::plain())
    }

    #[test]
    fn what_could_not_be_checked_is_said_with_what_was() {
        let text = shown(
            &["every event follows the one before it", "the report is what the events give"],
            &["whether events were cut off at the end: no anchor was given"],
        );
        assert_snapshot!(sample::steady(&text), @r#"
        ! consistent, as far as it was checked  9 events

          head          sha256:[64 hex digits]

        Checked
          ✓ every event follows the one before it
          ✓ the report is what the events give

        Not checked
          ? whether events were cut off at the end: no anchor was given
        "#);
    }

    #[test]
    fn only_a_whole_check_is_plainly_good() {
        assert!(shown(&["all"], &[]).starts_with("✓ consistent  9 events\n"));
        assert!(shown(&[], &["the signatures"]).starts_with("! consistent, as far as it was checked"));
    }

    #[test]
    fn nothing_of_a_stranger_steers_the_terminal() {
        let text = shown(&[sample::HOSTILE], &[sample::HOSTILE]);
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
    }
}
