//! What the other end of an output can show, decided once.

/// What `cli` reads of the environment before anything is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TerminalFacts {
    /// Whether the stream is a terminal.
    pub is_terminal: bool,
    /// The terminal's width in columns, where it is known.
    pub columns: Option<u16>,
    /// `NO_COLOR`.
    pub no_color: Option<String>,
    /// `CLICOLOR_FORCE`.
    pub clicolor_force: Option<String>,
    /// `TERM`.
    pub term: Option<String>,
    /// `CI`.
    pub ci: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set and not empty.
    pub locale: Option<String>,
}

/// What one output stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Columns to stay within.
    pub width: usize,
    /// Whether to send colours.
    pub colour: bool,
    /// Whether signs outside of ASCII are seen as such; text from elsewhere is not affected.
    pub unicode: bool,
    /// Whether lines may be drawn over, as a progress display does.
    pub live: bool,
}

/// Columns where nobody says how many there are.
const DEFAULT_WIDTH: usize = 80;
/// Lines longer than this are hard to read, however wide the window.
const WIDEST: usize = 200;
/// Below this a layout makes no sense; the terminal may break the lines itself.
const NARROWEST: usize = 20;

impl Terminal {
    /// No terminal: 80 columns, no colour.
    #[must_use]
    pub fn plain() -> Self {
        Self { width: DEFAULT_WIDTH, colour: false, unicode: true, live: false }
    }

    /// Decides from the facts.
    ///
    /// `NO_COLOR` wins over `CLICOLOR_FORCE` (both count when not empty, the latter unless `0`); a dumb
    /// terminal or none gets no colour. Pipelines often show a terminal that cannot be drawn over, so
    /// with `CI` set nothing is live.
    #[must_use]
    pub fn decide(facts: &TerminalFacts) -> Self {
        let capable = facts.is_terminal && facts.term.as_deref() != Some("dumb");
        let forbidden = facts.no_color.as_deref().is_some_and(|value| !value.is_empty());
        let forced = is_on(facts.clicolor_force.as_deref());
        let width = facts.columns.filter(|_| facts.is_terminal).map_or(DEFAULT_WIDTH, usize::from);
        Self {
            width: width.clamp(NARROWEST, WIDEST),
            colour: !forbidden && (forced || capable),
            unicode: !facts.is_terminal || (capable && says_utf8(facts.locale.as_deref())),
            live: capable && !is_on(facts.ci.as_deref()),
        }
    }
}

fn is_on(value: Option<&str>) -> bool {
    value.is_some_and(|value| !matches!(value, "" | "0" | "false"))
}

fn says_utf8(locale: Option<&str>) -> bool {
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> TerminalFacts {
        TerminalFacts {
            is_terminal: true,
            columns: Some(100),
            term: Some("xterm-256color".into()),
            locale: Some("de_DE.UTF-8".into()),
            ..TerminalFacts::default()
        }
    }

    #[test]
    fn a_window_gets_everything() {
        let all = Terminal { width: 100, colour: true, unicode: true, live: true };
        assert_eq!(Terminal::decide(&window()), all);
    }

    #[test]
    fn a_pipe_gets_eighty_columns_and_no_colour() {
        let pipe = TerminalFacts { is_terminal: false, ..window() };
        assert_eq!(Terminal::decide(&pipe), Terminal::plain());
    }

    #[test]
    fn no_color_wins_over_force_and_an_empty_one_says_nothing() {
        let both = TerminalFacts { no_color: Some("1".into()), clicolor_force: Some("1".into()), ..window() };
        assert!(!Terminal::decide(&both).colour);
        assert!(Terminal::decide(&TerminalFacts { no_color: Some(String::new()), ..window() }).colour);
    }

    #[test]
    fn force_colours_a_pipe_unless_it_is_zero() {
        let pipe = |force: &str| {
            let facts = TerminalFacts { clicolor_force: Some(force.into()), ..TerminalFacts::default() };
            Terminal::decide(&facts).colour
        };
        assert!(pipe("1"));
        assert!(!pipe("0"));
        assert!(!pipe(""));
    }

    #[test]
    fn a_dumb_terminal_gets_plain_ascii_that_stays() {
        let dumb = Terminal::decide(&TerminalFacts { term: Some("dumb".into()), ..window() });
        assert_eq!(dumb, Terminal { width: 100, colour: false, unicode: false, live: false });
    }

    #[test]
    fn nothing_is_drawn_over_in_a_pipeline() {
        let live = |ci: &str| Terminal::decide(&TerminalFacts { ci: Some(ci.into()), ..window() }).live;
        assert!(!live("true"));
        assert!(live("false"));
    }

    #[test]
    fn a_locale_without_utf8_gets_ascii() {
        let unicode = |locale: Option<&str>| {
            Terminal::decide(&TerminalFacts { locale: locale.map(str::to_owned), ..window() }).unicode
        };
        assert!(!unicode(Some("C")));
        assert!(!unicode(None));
        assert!(unicode(Some("C.utf8")));
    }

    #[test]
    fn widths_are_kept_within_reason() {
        let width = |columns| Terminal::decide(&TerminalFacts { columns, ..window() }).width;
        assert_eq!(width(Some(0)), NARROWEST);
        assert_eq!(width(Some(1000)), WIDEST);
        assert_eq!(width(None), DEFAULT_WIDTH);
    }
}
