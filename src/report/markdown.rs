//! Text in Markdown: nothing that a stranger wrote becomes markup, a link, a mention or a reference.

use crate::core::printable::indented;
use crate::core::text::visible;
use serde_json::Value;

/// Signs that Markdown, or a forge on top of it, can give a meaning.
const SPECIAL: &str = "\\`*_{}[]()#+-.!|<>&@~$:^=\"'%";

/// Signs that a forge turns into a mention, a reference, a label or an emoji when a word follows. It does
/// so after Markdown, so a backslash does not help; inside of code it does not.
const SIGILS: &str = "@#!~$%&:^";

/// `text` as words within a paragraph, on one line.
///
/// What a forge would make a mention, a reference or a link of becomes a code span.
#[must_use]
pub fn prose(text: &str) -> String {
    let shown = visible(text.trim());
    if is_reference(&shown) {
        return code(text.trim());
    }
    let mut out = String::with_capacity(shown.len().saturating_add(16));
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c if SPECIAL.contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

fn is_reference(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains("www.")
        || lower.contains("://")
        || text.chars().zip(text.chars().skip(1)).any(|(sigil, next)| {
            SIGILS.contains(sigil) && (next.is_alphanumeric() || matches!(next, '_' | '"' | '+' | '-'))
        })
}

/// `text` as [`prose`] within a cell of a table, where a bar would begin the next cell even inside of code, and one
/// behind a backslash is read in two ways: inside of code it is spelled out.
#[must_use]
pub fn cell(text: &str) -> String {
    let prose = prose(text);
    if prose.starts_with('`') { prose.replace('|', "\\u{7c}") } else { prose }
}

/// `text` as a code span on one line, every character as it is.
#[must_use]
pub fn code(text: &str) -> String {
    let shown = visible(text);
    let fence = "`".repeat(longest_run(&shown).saturating_add(1));
    let bare = !shown.is_empty() && !shown.starts_with(['`', ' ']) && !shown.ends_with(['`', ' ']);
    if bare { format!("{fence}{shown}{fence}") } else { format!("{fence} {shown} {fence}") }
}

/// `value` as a block of JSON, whole.
#[must_use]
pub fn json_block(value: &Value) -> String {
    let body = indented(value);
    let fence = "`".repeat(longest_run(&body).saturating_add(1).max(3));
    format!("{fence}json\n{body}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn markup_is_spelled_out() {
        assert_eq!(
            prose("a *b* _c_ [d](e) <img> & 1. - x"),
            r"a \*b\* \_c\_ \[d\]\(e\) &lt;img&gt; &amp; 1\. \- x"
        );
        assert_eq!(prose("two\nlines"), r"two\\nlines");
    }

    #[test]
    fn mentions_references_and_links_become_code() {
        for text in
            ["ask @team", "see #12", "repo!3", "https://a.example", "WWW.a.example", ":tada:", "~bug", "a@b"]
        {
            assert_eq!(prose(text), format!("`{text}`"));
        }
    }

    #[test]
    fn a_span_is_fenced_by_more_backticks_than_it_has() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code(""), "`  `");
    }

    #[test]
    fn a_block_cannot_be_closed_from_inside() {
        let block = json_block(&json!("````\n```"));
        assert!(block.starts_with("`````json\n") && block.ends_with("\n`````\n"), "{block}");
        assert_eq!(block.lines().count(), 3);
    }

    /// What is left when code spans are taken away; `None` where one is not closed.
    fn outside_of_code(text: &str) -> Option<String> {
        let Some(start) = text.strip_prefix('`') else { return Some(text.to_owned()) };
        let run = 1 + start.chars().take_while(|c| *c == '`').count();
        let body = &text[run..];
        let end = body.find(&"`".repeat(run))?;
        // The first run of that length must be the closing one, and nothing may follow.
        (end + run == body.len() && !body[..end].ends_with('`')).then(String::new)
    }

    proptest! {
        #[test]
        fn every_special_sign_is_escaped_or_in_code(text in "[ -~]{0,24}|.{0,24}|(@|#|`|<|\\*|a| ){0,12}") {
            let out = prose(&text);
            prop_assert!(!out.chars().any(is_hidden));
            let rest = outside_of_code(&out);
            prop_assert!(rest.is_some(), "{}", out);
            let mut chars = rest.unwrap_or_default().replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").chars().collect::<Vec<_>>().into_iter();
            while let Some(c) = chars.next() {
                if c == '\\' {
                    let next = chars.next();
                    prop_assert!(next.is_some_and(|next| SPECIAL.contains(next)), "{}", out);
                } else {
                    prop_assert!(!SPECIAL.contains(c), "{} in {}", c, out);
                }
            }
        }

        #[test]
        fn a_code_span_ends_where_it_should(text in "[`a ]{0,16}|.{0,24}") {
            let out = code(&text);
            prop_assert_eq!(outside_of_code(&out), Some(String::new()), "{}", out);
        }
    }
}
