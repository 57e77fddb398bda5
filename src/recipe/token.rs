//! The tokens of an expression.

use std::ops::Range;

use super::syntax::{Refusal, refuse};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or keyword.
    Name,
    /// A number.
    Number,
    /// A quoted string.
    Text,
    /// Anything else, one character or two (`==`, `!=`, `<=`, `>=`, `//`, `**`).
    Sign,
}

/// A token and its place in the leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub range: Range<usize>,
}

/// The tokens from `from` to `close`, which stands outside of brackets and strings, and where it ends.
pub(super) fn tokens(text: &str, from: usize, close: &str) -> Result<(Vec<Token>, usize), Refusal> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let signed = rest.strip_prefix(['-', '+']).is_some_and(|rest| rest.starts_with(close));
        if depth == 0 && (rest.starts_with(close) || signed) {
            return Ok((tokens, at + usize::from(signed) + close.len()));
        }
        let kind;
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'"' | b'\'' => {
                kind = TokenKind::Text;
                match string_length(rest, byte) {
                    Some(length) => length,
                    None => return refuse("a string does not end", at..text.len()),
                }
            }
            b'0'..=b'9' => {
                kind = TokenKind::Number;
                number_length(rest)
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                kind = TokenKind::Name;
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len())
            }
            _ if byte.is_ascii_graphic() => {
                kind = TokenKind::Sign;
                match byte {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                let two = ["==", "!=", "<=", ">=", "//", "**"].iter().any(|sign| rest.starts_with(sign));
                if two { 2 } else { 1 }
            }
            _ => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                return refuse("a character that no expression has stands here", at..at + length);
            }
        };
        tokens.push(Token { kind, range: at..at + length });
        at += length;
    }
    refuse(format!("`{close}` is missing"), from.saturating_sub(2)..text.len())
}

fn string_length(rest: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            byte if byte == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Digits, a fraction only where a digit follows the point, an exponent.
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    let mut fraction = false;
    while let Some(byte) = bytes.get(at) {
        let next_is_digit = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        match byte {
            b'0'..=b'9' | b'_' | b'a'..=b'z' | b'A'..=b'Z' => at += 1,
            b'.' if !fraction && next_is_digit => {
                fraction = true;
                at += 1;
            }
            b'+' | b'-' if at > 0 && matches!(bytes.get(at - 1), Some(b'e' | b'E')) && next_is_digit => {
                at += 1
            }
            _ => break,
        }
    }
    at
}
