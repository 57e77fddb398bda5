//! The text of a leaf, read far enough to know what it refers to and to make every access strict.
//!
//! To the template engine a member that is not there is an undefined value, which its operators refuse and
//! its tests and filters do not: a gate such as `{{ a.state is ne 'fail' }}` would hold for no evidence at
//! all, and so would one over a member of null. Every access (`a.b`, `a["b"]`, `a[0]`) is
//! therefore written anew as the filter `attr`, which fails on what is not there. The same reading gives the
//! references exactly; the engine's own analysis loses those below slices and assignments.

use std::collections::BTreeSet;
use std::ops::Range;

/// The most tokens of one expression: the engine goes down one call for each, and the stack has an end.
const MOST_TOKENS: usize = 200;
/// The deepest nesting of blocks, each `elif` counted as one more.
const DEEPEST_BLOCK: usize = 24;
/// The most `{{ }}`, `{% %}` and `{# #}` of one leaf.
const MOST_CODES: usize = 200;
/// The longest leaf with one of them in it, in bytes.
const LONGEST_LEAF: usize = 64 << 10;

/// A leaf as the engine gets it, and what it refers to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Leaf {
    /// With strict access.
    pub strict: String,
    /// Whether there is no text around its one expression.
    pub single: bool,
    /// Names with the access path behind them.
    pub references: Vec<Reference>,
    /// Filters, by name.
    pub filters: Vec<(String, Range<usize>)>,
    /// Tests, by name.
    pub tests: Vec<(String, Range<usize>)>,
    /// Names that `for` blocks give.
    pub locals: BTreeSet<String>,
}

/// A name in an expression, and the constant access path behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The name.
    pub name: String,
    /// Member names, as far as they are constant.
    pub path: Vec<String>,
    /// Whether it is called.
    pub called: bool,
    /// Where it stands in the leaf.
    pub range: Range<usize>,
}

/// Why a leaf cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Stable kebab-case name of its kind.
    pub code: &'static str,
    /// In words.
    pub message: String,
    /// Where in the leaf.
    pub range: Range<usize>,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl Refusal {
    /// A refusal of the syntax.
    pub fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { code: "template-syntax", message: message.into(), range, hint: None }
    }
}

/// Reads a leaf.
pub(super) fn read(text: &str) -> Result<Leaf, Refusal> {
    let mut leaf = Leaf::default();
    let (mut at, mut codes, mut plain, mut opened) = (0, 0, 0, 0);
    let mut blocks: Vec<usize> = Vec::new();
    while let Some(open) = next_open(text, at) {
        plain += open - at;
        push(&mut leaf.strict, text, at..open);
        let kind = text.get(open..open + 2).unwrap_or_default();
        opened += 1;
        if opened > MOST_CODES {
            return refuse(format!("a text has more than {MOST_CODES} templates in it"), open..open + 2);
        }
        if text.len() > LONGEST_LEAF {
            return refuse(
                format!("a text with templates is longer than {LONGEST_LEAF} bytes"),
                open..open + 2,
            );
        }
        if kind == "{#" {
            let Some(length) = text.get(open..).and_then(|rest| rest.find("#}")) else {
                return refuse("a comment does not end", open..text.len());
            };
            plain += 1;
            at = open + length + 2;
            push(&mut leaf.strict, text, open..at);
            continue;
        }
        let close = if kind == "{{" { "}}" } else { "%}" };
        let (tokens, end) = super::token::tokens(text, open + 2, close)?;
        if tokens.len() > MOST_TOKENS {
            return refuse(format!("an expression has more than {MOST_TOKENS} words and signs"), open..end);
        }
        leaf.strict.push_str(kind);
        let sign = tokens.first().is_some_and(|first| {
            first.range.start == open + 2 && matches!(text.get(first.range.clone()), Some("-" | "+"))
        });
        if sign {
            push(&mut leaf.strict, text, open + 2..open + 3);
        }
        let inner = tokens.get(usize::from(sign)..).unwrap_or_default();
        super::access::rewrite(text, inner, kind == "{%", &mut leaf)?;
        if kind == "{%" {
            let word = inner.first().and_then(|first| text.get(first.range.clone())).unwrap_or_default();
            match (word, blocks.last_mut()) {
                ("if" | "for", _) => blocks.push(1),
                ("elif", Some(depth)) => *depth += 1,
                ("endif" | "endfor", _) => {
                    blocks.pop();
                }
                _ => {}
            }
            if blocks.iter().sum::<usize>() > DEEPEST_BLOCK {
                return refuse(format!("blocks are nested deeper than {DEEPEST_BLOCK}"), open..end);
            }
        }
        let control = text.get(open..end).and_then(|code| code.strip_suffix(close)?.chars().next_back());
        leaf.strict.push(' ');
        leaf.strict.extend(control.filter(|sign| matches!(sign, '-' | '+')));
        leaf.strict.push_str(close);
        codes += if kind == "{{" { 1 } else { 2 };
        at = end;
    }
    let rest = text.get(at..).unwrap_or_default();
    // A block scalar ends with a line feed that nobody meant.
    plain += if codes == 1 && rest == "\n" { 0 } else { rest.len() };
    leaf.single = codes == 1 && plain == 0;
    if !(leaf.single && rest == "\n") {
        leaf.strict.push_str(rest);
    }
    let Leaf { references, locals, .. } = &mut leaf;
    references.retain(|reference| !locals.contains(&reference.name));
    Ok(leaf)
}

fn next_open(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(from..)?;
    let open = bytes.windows(2).position(|two| matches!(two, b"{{" | b"{%" | b"{#"))?;
    Some(from + open)
}

fn push(out: &mut String, text: &str, range: Range<usize>) {
    out.push_str(text.get(range).unwrap_or_default());
}

pub(super) fn refuse<T>(message: impl Into<String>, range: Range<usize>) -> Result<T, Refusal> {
    Err(Refusal::new(message, range))
}
