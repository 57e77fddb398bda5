//! The inputs that a recipe declares.

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::document::{Document, WrittenInput};
use super::input::{Input, InputKind, RESERVED_INPUTS, shown, whole};
use super::yaml::File;

/// Checks the declared inputs and puts them in the order of the file.
pub(super) fn inputs(file: &File, document: &Document, problems: &mut Vec<Diagnostic>) -> Vec<Input> {
    let mut written: Vec<_> = document.inputs.iter().collect();
    written.sort_by_key(|(name, _)| file.order(&format!("/inputs/{}", crate::core::pointer::escape(name))));
    written.into_iter().map(|(name, written)| input(file, name, written, problems)).collect()
}

fn input(file: &File, name: &str, written: &WrittenInput, problems: &mut Vec<Diagnostic>) -> Input {
    let pointer = format!("/inputs/{}", crate::core::pointer::escape(name));
    let mut report = |code, at: &str, message: String, hint: Option<&str>| {
        let pointer = format!("{pointer}{at}");
        let span = if at.is_empty() { file.key_span(&pointer) } else { file.value_span(&pointer) };
        let hint = hint.map(str::to_owned);
        problems.push(Diagnostic { code, message, source: file.source.name.clone(), span, hint });
    };
    if !is_name(name) {
        let hint = Some("lower-case letters, digits and `_`, beginning with a letter; its flag shows `-`");
        report("bad-name", "", format!("`{}` is not a name for an input", shown(name)), hint);
    } else if RESERVED_INPUTS.contains(&name) {
        let message = format!("an input cannot be called `{name}`: the command line has that name");
        report("reserved-name", "", message, None);
    }
    let WrittenInput { kind, required, default, help, pattern, choices, .. } = written;
    let WrittenInput { min, max, min_length, max_length, .. } = written;
    let kind = *kind;
    let numeric = matches!(kind, InputKind::Integer | InputKind::Number);
    let textual = matches!(kind, InputKind::String | InputKind::List);
    for (key, present, fits) in [
        ("pattern", pattern.is_some(), textual),
        ("min_length", min_length.is_some(), textual),
        ("max_length", max_length.is_some(), textual),
        ("min", min.is_some(), numeric),
        ("max", max.is_some(), numeric),
        ("choices", choices.is_some(), kind != InputKind::Boolean),
    ] {
        if present && !fits {
            report("misplaced-key", &format!("/{key}"), format!("`{key}` does not apply to a {kind}"), None);
        }
    }
    let mut pattern = pattern.clone().filter(|_| textual);
    if let Some(Err(error)) = pattern.as_deref().map(whole) {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let message = format!("this is no regular expression: {}", shown(reason));
        report("bad-pattern", "/pattern", message, Some("the syntax is that of the `regex` crate"));
        pattern = None;
    }
    if min.zip(*max).is_some_and(|(min, max)| min > max) {
        report("bad-value", "/min", "`min` is larger than `max`".to_owned(), None);
    }
    if min_length.zip(*max_length).is_some_and(|(min, max)| min > max) {
        report("bad-value", "/min_length", "`min_length` is larger than `max_length`".to_owned(), None);
    }
    let choices = choices.clone().unwrap_or_default();
    let mut input = Input {
        name: name.to_owned(),
        kind,
        required: required.unwrap_or(false),
        default: default.clone(),
        help: help.clone(),
        pattern,
        choices: Vec::new(),
        min: min.filter(|_| numeric),
        max: max.filter(|_| numeric),
        min_length: min_length.filter(|_| textual),
        max_length: max_length.filter(|_| textual),
    };
    for (index, choice) in choices.iter().enumerate() {
        let single =
            if kind == InputKind::List { Value::Array(vec![choice.clone()]) } else { choice.clone() };
        if let Err(problem) = input.check(&single) {
            report("bad-value", &format!("/choices/{index}"), problem.to_string(), None);
        }
    }
    input.choices = choices;
    if let Some(default) = default {
        if input.required {
            let hint = Some("drop one of them");
            report("required-default", "/default", format!("`{name}` is required and has a default"), hint);
        }
        if let Err(problem) = input.check(default) {
            report("bad-value", "/default", format!("the default does not fit: {problem}"), None);
        }
    }
    input
}

/// Whether a name is lower-case letters, digits and `_`, beginning with a letter.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
