//! Lines for a terminal: marks, colours, columns.
//!
//! Widths are those of `unicode-width`; a terminal may disagree about rare characters, which moves a
//! column and hides nothing.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::terminal::Terminal;
use crate::core::text::visible;

/// How something went, as one sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// As wanted.
    Good,
    /// Not as wanted.
    Bad,
    /// Nobody can say.
    Doubt,
    /// Proposed, not done.
    Planned,
    /// Not as wanted, and it stops nothing.
    Warning,
    /// Nothing happened.
    Idle,
}

impl Mark {
    pub(super) fn sign(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Good, true) => "✓",
            (Self::Good, false) => "ok",
            (Self::Bad, true) => "✗",
            (Self::Bad, false) => "x",
            (Self::Doubt, _) => "?",
            (Self::Planned, _) => "+",
            (Self::Warning, _) => "!",
            (Self::Idle, true) => "·",
            (Self::Idle, false) => "-",
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Bad => Tone::Bad,
            Self::Doubt | Self::Warning => Tone::Doubt,
            Self::Planned => Tone::Planned,
            Self::Idle => Tone::Dim,
        }
    }
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubt,
    Planned,
    Strong,
    Dim,
}

impl Terminal {
    /// `text` in the colour of `tone`, where there are colours.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "1;32",
            Tone::Bad => "1;31",
            Tone::Doubt => "1;33",
            Tone::Planned => "1;36",
            Tone::Strong => "1",
            Tone::Dim => "2",
        };
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// The sign of `mark`, painted, as wide as every other sign here.
    pub(super) fn mark(&self, mark: Mark) -> String {
        self.paint(mark.tone(), &pad(mark.sign(self.unicode), self.mark_width()))
    }

    /// Columns of a sign.
    pub(super) fn mark_width(&self) -> usize {
        if self.unicode { 1 } else { 2 }
    }

    /// The sign between the parts of a line.
    pub(super) fn dot(&self) -> &'static str {
        if self.unicode { "·" } else { "-" }
    }

    /// The sign before what comes of something.
    pub(super) fn arrow(&self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }
}

/// Columns that `text` takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// `text` with spaces up to `width` columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// Text from strangers on one line, cut at `limit` characters with the number of those left out.
pub(super) fn bounded(text: &str, limit: usize) -> String {
    let count = text.chars().count();
    if count <= limit {
        return visible(text).into_owned();
    }
    let head: String = text.chars().take(limit).collect();
    format!("{}… ({} characters more)", visible(&head), count.saturating_sub(limit))
}

/// Breaks `text` at spaces into lines of at most `width` columns; longer words are broken anywhere.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let together = columns(&line).saturating_add(1).saturating_add(columns(word));
        if !line.is_empty() && together <= width {
            line.push(' ');
        } else if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut used = columns(&line);
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used.saturating_add(wide) > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used = used.saturating_add(wide);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines.into_iter().map(inert).collect()
}

/// A line that is no workflow command: a runner takes what begins with two colons, behind blanks, for one.
fn inert(line: String) -> String {
    match line.strip_prefix("::") {
        Some(rest) => format!("\\u{{3a}}:{rest}"),
        None => line,
    }
}

/// Adds `label` and `text` to `out`: wrapped within `width`, later lines under the first.
pub(super) fn hang(out: &mut String, label: &str, text: &str, width: usize) {
    let indent = columns(label);
    for (index, line) in wrap(text, width.saturating_sub(indent).max(16)).iter().enumerate() {
        let start = if index == 0 { label.to_owned() } else { " ".repeat(indent) };
        out.push_str(format!("{start}{line}").trim_end());
        out.push('\n');
    }
}

/// `1 step`, `2 steps`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A duration for people: `4 ms`, `1.2 s`, `2 min 3 s`.
pub(super) fn took(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("", 10), [""]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("東京"), 4);
        assert_eq!(pad("東京", 6), "東京  ");
        assert_eq!(wrap("東京都庁", 4), ["東京", "都庁"]);
    }

    #[test]
    fn what_is_cut_says_how_much() {
        assert_eq!(bounded("abcdef", 4), "abcd… (2 characters more)");
        assert_eq!(bounded("abcd", 4), "abcd");
    }

    #[test]
    fn durations_read_well() {
        let of = |millis| took(Duration::from_millis(millis));
        assert_eq!(
            [of(0), of(4), of(1234), of(59_949), of(123_456)],
            ["0 ms", "4 ms", "1.2 s", "59.9 s", "2 min 3 s"]
        );
    }

    #[test]
    fn signs_have_one_width_and_need_no_colour() {
        for unicode in [true, false] {
            let terminal = Terminal { unicode, ..Terminal::plain() };
            for mark in [Mark::Good, Mark::Bad, Mark::Doubt, Mark::Planned, Mark::Warning, Mark::Idle] {
                assert_eq!(columns(&terminal.mark(mark)), terminal.mark_width());
                assert!(unicode || terminal.mark(mark).is_ascii());
            }
        }
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked_and_no_character_is_lost(text in "[a-z東 ]{0,60}", width in 2_usize..30) {
            let lines = wrap(&text, width);
            prop_assert!(lines.iter().all(|line| columns(line) <= width));
            let kept = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(kept(&lines.concat()), kept(&text));
        }
    }
}
