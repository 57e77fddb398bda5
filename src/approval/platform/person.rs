//! People's names as platforms give them, `github:alice#17`, and which of them are one person.

use std::collections::BTreeSet;

/// A name with the platform that gave it and, where it is known, the number that stays when somebody is renamed.
struct Parts<'a> {
    namespace: &'a str,
    login: &'a str,
    id: Option<&'a str>,
}

fn parts(name: &str) -> Option<Parts<'_>> {
    let (namespace, rest) = name.split_once(':')?;
    if !matches!(namespace, "github" | "gitlab") {
        return None;
    }
    let (login, id) = match rest.rsplit_once('#') {
        Some((login, id)) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            (login, Some(id))
        }
        _ => (rest, None),
    };
    Some(Parts { namespace, login, id })
}

fn plain(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The platform that a name is of, where it says so.
pub(in crate::approval) fn namespace(name: &str) -> Option<String> {
    parts(&plain(name)).map(|parts| parts.namespace.to_owned())
}

/// All that a name may be meant by: two names with one of these in common may be one person.
pub(in crate::approval) fn aliases(name: &str) -> BTreeSet<String> {
    let whole = plain(name);
    let mut found = BTreeSet::new();
    if let Some(Parts { namespace, login, id }) = parts(&whole) {
        found.insert(format!("{namespace}:{login}"));
        found.insert(login.to_owned());
        found.extend(id.map(|id| format!("{namespace}:#{id}")));
    }
    found.insert(whole);
    found
}

/// The name that each person has one of: somebody who was renamed keeps it.
pub(in crate::approval) fn same_person(name: &str) -> String {
    let whole = plain(name);
    match parts(&whole) {
        Some(Parts { namespace, id: Some(id), .. }) => format!("{namespace}:#{id}"),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_one_whatever_they_are_called() {
        assert_eq!(same_person(" GitHub:Alice#17"), same_person("github:renamed#17"));
        assert_ne!(same_person("github:alice#17"), same_person("gitlab:alice#17"));
        assert_ne!(same_person("github:alice#17"), same_person("github:alice#18"));
        assert_eq!(same_person(" ALICE "), "alice");
        for other in ["alice", "github:ALICE", "github:renamed#17"] {
            assert!(!aliases("github:alice#17").is_disjoint(&aliases(other)), "{other}");
        }
        for other in ["bob", "github:bob#18", "gitlab:bob#17", "17", "#17"] {
            assert!(aliases("github:alice#17").is_disjoint(&aliases(other)), "{other}");
        }
        assert_eq!(namespace("github:alice"), Some("github".to_owned()));
        assert_eq!((namespace("alice@example.org"), namespace("svn:alice")), (None, None));
    }
}
