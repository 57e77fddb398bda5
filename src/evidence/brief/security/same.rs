//! Which findings of different scanners are one and the same thing.

use std::collections::HashMap;

/// What makes two findings the same, the surest first. Each finding has one of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key<'a> {
    /// One vulnerability in one component.
    Vulnerability { id: String, component: String },
    /// One rule at one place. Findings of one scanner are never the same by this.
    Rule { rule: &'a str, component: String, occurrence: usize },
    /// One title, but for case, blanks and punctuation. Findings of one scanner are never the same by this.
    Title { title: String, occurrence: usize },
    /// Nothing that could be compared.
    Alone(&'a str),
}

impl Key<'_> {
    /// In words.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Vulnerability { .. } => "vulnerability and component",
            Self::Rule { .. } => "rule and component",
            Self::Title { .. } => "title",
            Self::Alone(_) => "nothing",
        }
    }
}

/// What a finding says that can be compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub id: &'a str,
    pub title: Option<&'a str>,
    pub provider: Option<&'a str>,
    pub cve: Option<&'a str>,
    pub rule: Option<&'a str>,
    pub component: Option<&'a str>,
}

/// Gives each finding its key. The findings come in the order of their IDs.
#[derive(Default)]
pub(super) struct Keys<'a> {
    /// How often a scanner has said the same already: two findings of one scanner are two things to repair, and the
    /// second of one scanner is the second of another.
    said: HashMap<(Option<&'a str>, Key<'a>), usize>,
}

impl<'a> Keys<'a> {
    pub fn of(&mut self, said: &Said<'a>) -> Key<'a> {
        let component = said.component.map(component).filter(|component| !component.is_empty());
        if let (Some(id), Some(component)) = (said.cve, &component) {
            return Key::Vulnerability { id: id.trim().to_uppercase(), component: component.clone() };
        }
        let first = match (said.rule, component, said.title.map(words).filter(|title| !title.is_empty())) {
            (Some(rule), Some(component), _) => Key::Rule { rule, component, occurrence: 0 },
            (_, _, Some(title)) => Key::Title { title, occurrence: 0 },
            _ => return Key::Alone(said.id),
        };
        let count = self.said.entry((said.provider, first.clone())).or_default();
        *count += 1;
        match first {
            Key::Rule { rule, component, .. } => Key::Rule { rule, component, occurrence: *count },
            Key::Title { title, .. } => Key::Title { title, occurrence: *count },
            other => other,
        }
    }
}

/// A component as any scanner writes it: a package URL, or a name, without its version.
fn component(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let Some(package) = text.strip_prefix("pkg:") else {
        return match text.rsplit_once('@') {
            Some((name, _)) if !name.is_empty() => name.replace(':', "/"),
            _ => text.replace(':', "/"),
        };
    };
    let package = package.split(['?', '#']).next().unwrap_or_default();
    let (_kind, name) = package.split_once('/').unwrap_or(("", package));
    let name = match name.rsplit_once('@') {
        Some((name, version)) if !version.contains('/') => name,
        _ => name,
    };
    name.replace("%40", "@").trim_matches('/').to_owned()
}

/// The words of a title: letters and digits, in lower case.
fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_the_same_with_any_version_and_in_any_spelling() {
        for (text, name) in [
            ("pkg:npm/lodash@4.17.20", "lodash"),
            ("pkg:npm/%40babel/core@7.0.0?arch=x#sub", "@babel/core"),
            ("pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", "org.apache.logging.log4j/log4j-core"),
            ("org.apache.logging.log4j:log4j-core", "org.apache.logging.log4j/log4j-core"),
            ("Lodash@4.17.21", "lodash"),
            ("@babel/core", "@babel/core"),
            ("@babel/core@7.1.0", "@babel/core"),
            (" lodash ", "lodash"),
            ("pkg:", ""),
        ] {
            assert_eq!(component(text), name, "{text}");
        }
    }

    #[test]
    fn titles_are_compared_by_their_words() {
        assert_eq!(words("  Remote CODE-execution, in `parser`! "), "remote code execution in parser");
        assert_eq!(words("…"), "");
    }
}
