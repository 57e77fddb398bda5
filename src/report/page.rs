//! A page for a terminal: titles, labelled facts and lines, every one of them free of escapes.

use super::layout::{Mark, Tone, columns, hang, pad, wrap};
use super::terminal::Terminal;
use crate::core::text::visible;

/// Columns of a fact's label.
const LABEL: usize = 14;

/// A page under way.
pub(super) struct Page<'a> {
    out: String,
    terminal: &'a Terminal,
}

impl<'a> Page<'a> {
    pub(super) fn new(terminal: &'a Terminal) -> Self {
        Self { out: String::new(), terminal }
    }

    pub(super) fn text(self) -> String {
        self.out
    }

    /// The first line: how it stands, then hostile `parts`, wrapped behind the word and under the sign.
    pub(super) fn verdict(&mut self, mark: Mark, word: &str, parts: &[String]) {
        let terminal = self.terminal;
        let word = visible(word);
        let separator = format!(" {} ", terminal.dot());
        let rest = parts.iter().map(|part| visible(part).into_owned()).collect::<Vec<_>>().join(&separator);
        let start = self.under_sign().saturating_add(columns(&word)).saturating_add(2);
        let mut lines = wrap(&rest, terminal.width.saturating_sub(start)).into_iter();
        let first = lines.next().unwrap_or_default();
        let word = terminal.paint(mark.tone(), &word);
        self.out.push_str(&format!("{} {word}  {first}\n", terminal.mark(mark)));
        let others: Vec<String> = lines.collect();
        if !others.is_empty() {
            self.line(&" ".repeat(self.under_sign()), &others.join(" "));
        }
    }

    /// Hostile `text` under the verdict's word.
    pub(super) fn under_verdict(&mut self, text: &str) {
        self.line(&" ".repeat(self.under_sign()), text);
    }

    pub(super) fn blank(&mut self) {
        self.out.push('\n');
    }

    pub(super) fn title(&mut self, text: &str) {
        let text = visible(text).into_owned();
        self.out.push_str(&format!("\n{}\n", self.terminal.paint(Tone::Strong, &text)));
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.out.push_str(&format!("  {}\n", self.terminal.paint(Tone::Strong, &format!("{text}:"))));
    }

    /// Hostile `text` behind a sign.
    pub(super) fn item(&mut self, mark: Mark, text: &str) {
        let indent = self.terminal.mark_width().saturating_add(3);
        let mut start = format!("  {} ", self.terminal.mark(mark));
        for line in wrap(&visible(text), self.terminal.width.saturating_sub(indent).max(16)) {
            self.out.push_str(&format!("{start}{line}\n"));
            start = " ".repeat(indent);
        }
    }

    pub(super) fn fact(&mut self, label: &str, text: &str) {
        self.line(&format!("  {}", pad(label, LABEL)), text);
    }

    /// Hostile `text` on one line, however long, so that it can be copied and searched.
    pub(super) fn exact(&mut self, label: &str, text: &str) {
        self.exactly(&format!("  {}", pad(label, LABEL)), text);
    }

    /// Like [`Page::exact`], for what belongs to an item.
    pub(super) fn item_exact(&mut self, label: &str, text: &str) {
        self.exactly(&self.item_label(label), text);
    }

    /// Like [`Page::fact`], for what belongs to an item.
    pub(super) fn item_fact(&mut self, label: &str, text: &str) {
        self.line(&self.item_label(label), text);
    }

    /// The command to type next, on one line.
    pub(super) fn next(&mut self, command: &str) {
        let label = self.terminal.paint(Tone::Strong, &pad("next:", LABEL));
        let command = self.terminal.paint(Tone::Strong, &visible(command));
        self.out.push_str(&format!("  {label}{command}\n"));
    }

    /// Hostile `text`, whole, its later lines under the first.
    pub(super) fn line(&mut self, label: &str, text: &str) {
        hang(&mut self.out, label, &visible(text), self.terminal.width);
    }

    /// Hostile `text` behind `label` on one line.
    pub(super) fn exactly(&mut self, label: &str, text: &str) {
        self.out.push_str(&format!("{label}{}\n", visible(text)));
    }

    fn item_label(&self, label: &str) -> String {
        format!("{}{}", " ".repeat(self.terminal.mark_width().saturating_add(3)), pad(label, LABEL))
    }

    fn under_sign(&self) -> usize {
        self.terminal.mark_width().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample::HOSTILE;

    #[test]
    fn every_way_onto_a_page_is_free_of_escapes() {
        let terminal = Terminal::plain();
        let mut page = Page::new(&terminal);
        page.verdict(Mark::Bad, HOSTILE, &[HOSTILE.to_owned()]);
        page.under_verdict(HOSTILE);
        page.title(HOSTILE);
        page.item(Mark::Good, HOSTILE);
        page.fact("label", HOSTILE);
        page.exact("label", HOSTILE);
        page.item_exact("label", HOSTILE);
        page.item_fact("label", HOSTILE);
        page.next(HOSTILE);
        page.line("", HOSTILE);
        page.exactly("", HOSTILE);
        let text = page.text();
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
        assert_eq!(text.matches("@team").count(), 12);
    }

    #[test]
    fn colour_moves_no_column() {
        let coloured = Terminal { colour: true, width: 30, ..Terminal::plain() };
        let mut page = Page::new(&coloured);
        page.item(Mark::Good, "words that are wrapped within thirty columns");
        page.verdict(Mark::Bad, "blocked", &["one".to_owned(), "another long part of it".to_owned()]);
        let escapes = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
        let text = page.text();
        let bare = escapes.replace_all(&text, "");
        assert_eq!(
            bare,
            "  ✓ words that are wrapped\n    within thirty columns\n✗ blocked  one · another long\n  part of it\n"
        );
    }
}
