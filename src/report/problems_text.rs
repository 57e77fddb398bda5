//! Problems of a recipe as a compiler shows its errors: code, place, source line, caret, help.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::layout::count;
use super::terminal::Terminal;
use crate::core::text::{is_hidden, visible};
use crate::recipe::{Diagnostic, Problems, Span};

/// More than anybody reads at once; JSON has all of them.
const MOST_SHOWN: usize = 100;
/// Characters of a source line before the caret, beyond which a caret is no help.
const FURTHEST: usize = 2000;
/// Characters that are marked at most, and that follow at most.
const LONGEST: usize = 400;

/// All problems for a terminal, with how many there are. A problem without a known position is shown
/// without one.
#[must_use]
pub fn problems_text(problems: &Problems, terminal: &Terminal) -> String {
    let renderer = if terminal.colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(terminal.width).decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in problems.diagnostics.iter().take(MOST_SHOWN) {
        let source = problems.sources.iter().find(|(name, _)| *name == diagnostic.source);
        out.push_str(&one(diagnostic, source.map(|(_, text)| text.as_str()), &renderer));
        out.push_str("\n\n");
    }
    let total = problems.diagnostics.len();
    out.push_str(&count(total, "problem", "problems"));
    if total > MOST_SHOWN {
        out.push_str(&format!(", the first {MOST_SHOWN} are shown"));
    }
    out.push('\n');
    out
}

fn one(diagnostic: &Diagnostic, source: Option<&str>, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(visible(&diagnostic.message)).id(visible(diagnostic.code));
    let path = visible(&diagnostic.source);
    let excerpt = diagnostic.span.as_ref().and_then(|span| Some((span, Excerpt::around(source?, span)?)));
    let mut group = match (excerpt, &diagnostic.span) {
        (Some((span, Excerpt { line, marked })), _) => {
            let snippet = Snippet::source(line).path(path).line_start(span.line);
            Group::with_title(title).element(snippet.annotation(AnnotationKind::Primary.span(marked)))
        }
        (None, Some(span)) => {
            Group::with_title(title).element(Origin::path(path).line(span.line).char_column(span.column))
        }
        (None, None) => Group::with_title(title).element(Origin::path(path)),
    };
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(visible(hint)));
    }
    renderer.render(&[group])
}

/// The source line of a problem, safe to show, and which part of it is meant.
#[derive(Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    /// Bytes of `line`.
    marked: Range<usize>,
}

impl Excerpt {
    /// The first line that `span` touches. `None` where the span is no place in `text`, or far out in a
    /// long line.
    fn around(text: &str, span: &Span) -> Option<Self> {
        let (before, from) = text.split_at_checked(span.start)?;
        let line_start = before.rfind('\n').map_or(0, |index| index.saturating_add(1));
        let line_end = from.find('\n').unwrap_or(from.len());
        let length = span.end.saturating_sub(span.start).min(line_end);
        let (meant, after) = from.get(..line_end)?.split_at_checked(length)?;
        let head = before.get(line_start..)?;
        if head.chars().nth(FURTHEST).is_some() {
            return None;
        }
        let head = shown(head);
        let meant = shown(&meant.chars().take(LONGEST).collect::<String>());
        let after = shown(&after.trim_end_matches('\r').chars().take(LONGEST).collect::<String>());
        let end = head.len().saturating_add(meant.len());
        Some(Self { marked: head.len()..end, line: format!("{head}{meant}{after}") })
    }
}

/// `text` with a visible sign of one column for every hidden character, so that carets stay in place.
/// Tabs are left to the renderer, which spreads them.
fn shown(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => c,
            '\0'..='\u{1f}' => char::from_u32(0x2400_u32.saturating_add(u32::from(c))).unwrap_or('\u{fffd}'),
            '\u{7f}' => '\u{2421}',
            c if is_hidden(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;
    use proptest::prelude::*;

    const RECIPE: &str = "recipe: a\nsteps:\n  - id: one\n    raed: thing\n";

    fn unknown_key() -> Diagnostic {
        Diagnostic {
            code: "unknown-key",
            message: "a step has no key `raed`".into(),
            source: "recipes/a.yaml".into(),
            span: Some(Span { start: 33, end: 37, line: 4, column: 5 }),
            hint: Some("did you mean `read`?".into()),
        }
    }

    fn problems(diagnostics: Vec<Diagnostic>) -> Problems {
        let sources = vec![("recipes/a.yaml".to_owned(), RECIPE.to_owned())];
        Problems { diagnostics, sources }
    }

    #[test]
    fn a_problem_shows_its_code_place_line_and_help() {
        let text = problems_text(&problems(vec![unknown_key()]), &Terminal::plain());
        assert_snapshot!(text, @r#"
        error[unknown-key]: a step has no key `raed`
         --> recipes/a.yaml:4:5
          |
        4 |     raed: thing
          |     ^^^^
          |
          = help: did you mean `read`?

        1 problem
        "#);
    }

    #[test]
    fn several_files_and_no_position_are_fine() {
        let included = Diagnostic {
            code: "include-cycle",
            message: "`b` includes itself".into(),
            source: "recipes/b.yaml".into(),
            span: None,
            hint: None,
        };
        let text = problems_text(&problems(vec![unknown_key(), included]), &Terminal::plain());
        assert_snapshot!(text, @r#"
        error[unknown-key]: a step has no key `raed`
         --> recipes/a.yaml:4:5
          |
        4 |     raed: thing
          |     ^^^^
          |
          = help: did you mean `read`?

        error[include-cycle]: `b` includes itself
        --> recipes/b.yaml

        2 problems
        "#);
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let problems = problems(vec![unknown_key()]);
        assert!(!problems_text(&problems, &Terminal::plain()).contains('\u{1b}'));
        let coloured = problems_text(&problems, &Terminal { colour: true, ..Terminal::plain() });
        assert!(coloured.contains("\u{1b}[") && !coloured.contains("\u{1b}]"));
    }

    #[test]
    fn hostile_text_keeps_its_columns_and_steers_nothing() {
        let line = "a: \u{1b}[31m\u{202e}\u{200d}x: bad\n";
        let start = line.find("bad").unwrap();
        let hostile = Diagnostic {
            code: "bad",
            message: "no \u{1b}[2J\nerror[fake]: x".into(),
            source: "\u{1b}]0;x\u{7}.yaml".into(),
            span: Some(Span { start, end: start + 3, line: 1, column: 14 }),
            hint: Some("\u{9b}1m".into()),
        };
        let sources = vec![("\u{1b}]0;x\u{7}.yaml".to_owned(), line.to_owned())];
        let text = problems_text(&Problems { diagnostics: vec![hostile], sources }, &Terminal::plain());
        assert_snapshot!(text, @r#"
        error[bad]: no \u{1b}[2J\nerror[fake]: x
         --> \u{1b}]0;x\u{7}.yaml:1:14
          |
        1 | a: ␛[31m��x: bad
          |              ^^^
          |
          = help: \u{9b}1m

        1 problem
        "#);
    }

    #[test]
    fn a_span_beyond_its_source_shows_only_the_place() {
        let span = Some(Span { start: 900, end: 950, line: 90, column: 1 });
        let text = problems_text(&problems(vec![Diagnostic { span, ..unknown_key() }]), &Terminal::plain());
        assert!(text.contains("recipes/a.yaml:90:1") && !text.contains('^'), "{text}");
    }

    #[test]
    fn a_span_over_lines_is_marked_on_its_first() {
        let span = Span { start: 33, end: RECIPE.len(), line: 4, column: 5 };
        let excerpt = Excerpt::around(RECIPE, &span).unwrap();
        assert_eq!(excerpt, Excerpt { line: "    raed: thing".into(), marked: 4..15 });
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let text = problems_text(&problems(vec![unknown_key(); 101]), &Terminal::plain());
        assert!(text.ends_with("101 problems, the first 100 are shown\n"));
    }

    proptest! {
        #[test]
        fn no_span_and_no_text_break_it(
            text in "[ -~\t\r\n\u{1b}東\u{202e}]{0,60}|.{0,60}",
            start in 0_usize..70, length in 0_usize..70, width in 20_usize..200,
        ) {
            let span = Span { start, end: start + length, line: 1, column: 1 };
            let diagnostic = Diagnostic { message: text.clone(), span: Some(span), hint: Some(text.clone()), ..unknown_key() };
            let problems = Problems { diagnostics: vec![diagnostic], sources: vec![("recipes/a.yaml".into(), text)] };
            let shown = problems_text(&problems, &Terminal { width, ..Terminal::plain() });
            prop_assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'), "{:?}", shown);
        }
    }
}
