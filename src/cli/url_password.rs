//! Whether a text has a URL with a credential in it, which every user of the machine and every log could read.

/// Whether a URL in the text signs in: by a user's name and password, for a web address by anything before its host, or
/// by a `password` in its query.
pub(super) fn has_credential(text: &str) -> bool {
    text.match_indices("://").any(|(at, separator)| {
        let scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        let before = text.get(..at).unwrap_or_default();
        let is_web = before.rsplit(|c| !scheme(c)).next().is_some_and(|scheme| {
            scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
        });
        let rest = text.get(at.saturating_add(separator.len())..).unwrap_or_default();
        let url = rest.split_whitespace().next().unwrap_or_default();
        let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
        let signs_in = authority.rsplit_once('@').is_some_and(|(user, _)| is_web || user.contains(':'));
        signs_in || url.to_ascii_lowercase().contains("password=")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_signs_in_by_its_user_or_its_query() {
        for text in [
            "https://me:pw@ai.example.com/mcp",
            "--server=https://token@ai.example.com",
            "HTTPS://token@ai.example.com",
            "postgres://me:pw@h/d",
            "postgres://h/d?user=me&Password=pw",
            "reason: see https://me:pw@h/",
        ] {
            assert!(has_credential(text), "{text}");
        }
        for text in
            ["https://ai.example.com/mcp", "ssh://git@h/repo", "sandbox:a@b.db", "https://h/a@b", "a://b c@d"]
        {
            assert!(!has_credential(text), "{text}");
        }
    }
}
