//! The ledger's events of every effect as a table, for people.

use jiff::Timestamp;

use super::approval_words::at;
use super::layout::{Tone, bounded, columns, count, hang, pad};
use super::terminal::Terminal;
use crate::core::Digest;
use crate::core::text::visible;

/// One event of the ledger, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// When.
    pub at: Timestamp,
    /// The effect digest.
    pub effect: Digest,
    /// The recipe's name.
    pub recipe: String,
    /// The plan's inputs in short, such as the release.
    pub inputs: String,
    /// The kind of the event, in one word.
    pub event: String,
    /// Who: the approver of a record, the pipeline or person of a run; empty where nobody is named.
    pub who: String,
    /// In words; empty where the word says it all.
    pub detail: String,
}

/// The widest column; what is longer stands whole in the JSON.
const WIDEST: usize = 30;
/// A detail in less room than this stands on lines of its own.
const NARROWEST: usize = 24;

/// Rows that say how wide the columns are; of a longer log the columns of later rows may be wider.
const MEASURED: usize = 1000;

/// The log for a terminal, in the order in which it is given, with no more of it in memory than says how wide it is.
pub struct LedgerLogText<'a> {
    terminal: &'a Terminal,
    held: Vec<LogRow>,
    table: Option<Table<'a>>,
    total: usize,
}

impl<'a> LedgerLogText<'a> {
    /// A log for that terminal.
    #[must_use]
    pub fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, held: Vec::new(), table: None, total: 0 }
    }

    /// Takes the next row, and adds to `out` what can be shown by now.
    pub fn row(&mut self, row: LogRow, out: &mut String) {
        self.total = self.total.saturating_add(1);
        match &self.table {
            Some(table) => table.row(out, &cells(&row), &visible(&row.detail)),
            None => {
                self.held.push(row);
                if self.held.len() == MEASURED {
                    self.measure(out);
                }
            }
        }
    }

    /// Adds what is left.
    pub fn end(mut self, out: &mut String) {
        if self.total == 0 {
            out.push_str("no event is there that was asked for\n");
            return;
        }
        self.measure(out);
        out.push_str(&format!("{}\n", count(self.total, "event", "events")));
    }

    /// Shows the rows that were held back, in columns as wide as they are.
    fn measure(&mut self, out: &mut String) {
        if self.table.is_some() {
            return;
        }
        let head = ["time", "effect", "recipe", "inputs", "event", "who"].map(str::to_owned);
        let rows = std::mem::take(&mut self.held);
        let shown: Vec<[String; 6]> = rows.iter().map(cells).collect();
        let mut widths = [0; 6];
        for line in std::iter::once(&head).chain(&shown) {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = columns(cell).max(*width);
            }
        }
        let table = Table { widths, terminal: self.terminal };
        out.push_str(&format!("{}\n", self.terminal.paint(Tone::Strong, table.line(&head).trim_end())));
        for (row, cells) in rows.iter().zip(&shown) {
            table.row(out, cells, &visible(&row.detail));
        }
        self.table = Some(table);
    }
}

fn cells(row: &LogRow) -> [String; 6] {
    let LogRow { at: time, effect, recipe, inputs, event, who, detail: _ } = row;
    let short = |text: &str| bounded_cell(text);
    // As long as what `--digest` takes.
    let effect = effect.hex().chars().take(12).collect();
    [at(*time), effect, short(recipe), short(inputs), short(event), short(who)]
}

fn bounded_cell(text: &str) -> String {
    let shown = visible(text);
    if columns(&shown) <= WIDEST { shown.into_owned() } else { bounded(text, WIDEST / 2) }
}

struct Table<'a> {
    widths: [usize; 6],
    terminal: &'a Terminal,
}

impl Table<'_> {
    fn line(&self, cells: &[String; 6]) -> String {
        cells.iter().zip(self.widths).map(|(cell, width)| format!("{}  ", pad(cell, width))).collect()
    }

    fn row(&self, out: &mut String, cells: &[String; 6], detail: &str) {
        let line = self.line(cells);
        let width = self.terminal.width;
        if detail.is_empty() {
            out.push_str(&format!("{}\n", line.trim_end()));
        } else if width.saturating_sub(columns(&line)) >= NARROWEST {
            hang(out, &line, detail, width);
        } else {
            out.push_str(&format!("{}\n", line.trim_end()));
            hang(out, "    ", detail, width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::json::{LedgerLogJson, ledger_log_schema};
    use crate::report::sample;
    use insta::assert_snapshot;

    fn ledger_log_text(rows: &[LogRow], terminal: &Terminal) -> String {
        let (mut log, mut out) = (LedgerLogText::new(terminal), String::new());
        for row in rows {
            log.row(row.clone(), &mut out);
        }
        log.end(&mut out);
        out
    }

    #[test]
    fn a_long_log_is_shown_while_it_is_read_and_whole() {
        let terminal = Terminal::plain();
        let (mut log, mut out) = (LedgerLogText::new(&terminal), String::new());
        for second in 0..3 * MEASURED {
            log.row(row(i64::try_from(second).unwrap(), "intent", "alice", ""), &mut out);
            assert!(log.held.len() < MEASURED, "{second}");
        }
        log.end(&mut out);
        assert_eq!(out.lines().count(), 3 * MEASURED + 2);
        assert!(out.ends_with(&format!("\n{} events\n", 3 * MEASURED)));
    }

    fn row(second: i64, event: &str, who: &str, detail: &str) -> LogRow {
        LogRow {
            at: sample::time(second),
            effect: Digest::of_bytes(b"effect"),
            recipe: "remediation-plan".into(),
            inputs: "REL-BLOCKED".into(),
            event: event.into(),
            who: who.into(),
            detail: detail.into(),
        }
    }

    fn rows() -> Vec<LogRow> {
        vec![
            row(0, "recorded", "alice", "approval by alice (signed)"),
            row(1, "intent", "github 17", ""),
            row(2, "outcome", "github 17", "package: applied, created parent ST-1"),
        ]
    }

    #[test]
    fn a_wide_terminal_gets_a_line_an_event() {
        let wide = Terminal { width: 130, ..Terminal::plain() };
        assert_snapshot!(ledger_log_text(&rows(), &wide), @r#"
        time                  effect        recipe            inputs       event     who
        2023-11-14T22:13:20Z  dcb576426a17  remediation-plan  REL-BLOCKED  recorded  alice      approval by alice (signed)
        2023-11-14T22:13:21Z  dcb576426a17  remediation-plan  REL-BLOCKED  intent    github 17
        2023-11-14T22:13:22Z  dcb576426a17  remediation-plan  REL-BLOCKED  outcome   github 17  package: applied, created parent ST-1
        3 events
        "#);
    }

    #[test]
    fn details_go_below_where_there_is_no_room_beside() {
        assert_snapshot!(ledger_log_text(&rows(), &Terminal::plain()), @r#"
        time                  effect        recipe            inputs       event     who
        2023-11-14T22:13:20Z  dcb576426a17  remediation-plan  REL-BLOCKED  recorded  alice
            approval by alice (signed)
        2023-11-14T22:13:21Z  dcb576426a17  remediation-plan  REL-BLOCKED  intent    github 17
        2023-11-14T22:13:22Z  dcb576426a17  remediation-plan  REL-BLOCKED  outcome   github 17
            package: applied, created parent ST-1
        3 events
        "#);
        assert_eq!(ledger_log_text(&[], &Terminal::plain()), "no event is there that was asked for\n");
    }

    #[test]
    fn a_stranger_moves_no_column_steers_nothing_and_fits_the_schema() {
        let hostile = sample::HOSTILE;
        let long = "東京".repeat(100);
        let row = LogRow { recipe: hostile.into(), inputs: long, ..row(0, hostile, hostile, hostile) };
        let text = ledger_log_text(std::slice::from_ref(&row), &Terminal::plain());
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
        assert!(text.lines().all(|line| columns(line) < 250), "{text}");
        let (mut log, mut json) = (LedgerLogJson::default(), String::new());
        log.row(&row, &mut json);
        log.end(&mut json);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(jsonschema::validator_for(&ledger_log_schema()).unwrap().is_valid(&value), "{value}");
    }
}
