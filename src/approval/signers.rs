//! The lines of an `allowed_signers` file (`ssh-keygen(1)`, ALLOWED SIGNERS), as far as they say one thing only.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use thiserror::Error;

use super::signature::NAMESPACE;
use super::standing::person;
use crate::core::text::{excerpt, visible};

const NO_KEY: &str = "no key stands there";

/// Who may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    lines: Vec<Signer>,
}

/// One line: a key and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signer {
    /// Every name of the one person who holds the key; the first is the one that counts.
    pub(super) principals: Vec<String>,
    pub(super) key: PublicKey,
    pub(super) valid_after: Option<Timestamp>,
    pub(super) valid_before: Option<Timestamp>,
    /// Whether the line is about approvals; a key for other namespaces signs none.
    pub(super) for_approvals: bool,
}

/// A line that is not understood: what it was meant to allow or to refuse is not guessed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the signers: {what}")]
pub struct SignersError {
    /// From 1.
    pub line: usize,
    /// What is wrong there, free of escapes.
    pub what: String,
}

impl Signers {
    /// Reads the lines of the file.
    ///
    /// # Errors
    /// The first line that is no comment and is not a list of plain names, options and a key whose signatures
    /// can be verified; or that gives a key of one person to another, who would then count for two.
    pub fn parse(text: &str) -> Result<Self, SignersError> {
        let mut lines: Vec<Signer> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |what| SignersError { line: index + 1, what };
            let signer = Signer::parse(line).map_err(fault)?;
            let shared = |other: &&Signer| {
                other.for_approvals
                    && signer.for_approvals
                    && other.key.key_data() == signer.key.key_data()
                    && other.principals != signer.principals
            };
            if let Some(other) = lines.iter().find(shared) {
                return Err(fault(format!(
                    "the key of `{}` is given to `{}` as well, and one key is one person",
                    excerpt(other.name(), 100),
                    excerpt(signer.name(), 100)
                )));
            }
            let other_person = |other: &&Signer| {
                other.for_approvals
                    && signer.for_approvals
                    && person(other.name()) != person(signer.name())
                    && other.principals.iter().any(|name| signer.goes_by(name))
            };
            if let Some(other) = lines.iter().find(other_person) {
                return Err(fault(format!(
                    "`{}` and `{}` have a name in common, and one name is one person: begin both lines with the \
                     same name",
                    excerpt(other.name(), 100),
                    excerpt(signer.name(), 100)
                )));
            }
            lines.push(signer);
        }
        Ok(Self { lines })
    }

    /// The name that approvals signed with the key of `public`, the line of an OpenSSH `.pub` file, count for;
    /// none where it may sign none.
    #[must_use]
    pub fn name_of(&self, public: &str) -> Option<&str> {
        let key = PublicKey::from_openssh(public.trim()).ok()?;
        self.of(key.key_data()).first().map(|line| line.name())
    }

    /// The lines that may sign approvals with `key`.
    pub(super) fn of(&self, key: &KeyData) -> Vec<&Signer> {
        self.lines.iter().filter(|line| line.for_approvals && line.key.key_data() == key).collect()
    }
}

impl Signer {
    /// The name that counts.
    pub(super) fn name(&self) -> &str {
        self.principals.first().map_or("", String::as_str)
    }

    fn goes_by(&self, name: &str) -> bool {
        self.principals.iter().any(|own| person(own) == person(name))
    }

    fn parse(line: &str) -> Result<Self, String> {
        let (names, rest) = field(line)?;
        let mut signer = Self {
            principals: plain_list("principal", names)?,
            key: PublicKey::from(ssh_key::public::Ed25519PublicKey([0; 32])),
            valid_after: None,
            valid_before: None,
            for_approvals: true,
        };
        let (first, after) = field(rest)?;
        if first.is_empty() {
            return Err(NO_KEY.to_owned());
        }
        let key = if is_key_type(first) {
            rest
        } else {
            for option in options(first)? {
                signer.option(option)?;
            }
            after
        };
        let (kind, _) = field(key)?;
        if kind.is_empty() {
            return Err(NO_KEY.to_owned());
        }
        signer.key = PublicKey::from_openssh(key)
            .map_err(|error| (excerpt(key, 60), excerpt(&error.to_string(), 200)))
            .map_err(|(key, why)| format!("`{key}` is no key that is known: {why}"))?;
        let data = signer.key.key_data();
        let p256 = matches!(data, KeyData::Ecdsa(key) if key.curve() == ssh_key::EcdsaCurve::NistP256);
        if p256 || data.is_ed25519() || data.is_sk_ed25519() || data.is_sk_ecdsa_p256() {
            Ok(signer)
        } else {
            Err(format!(
                "signatures of `{}` are not verified; those of ed25519 and of ecdsa on nistp256 are, with \
                 hardware keys of both",
                excerpt(kind, 60)
            ))
        }
    }

    fn option(&mut self, option: &str) -> Result<(), String> {
        let (name, value) =
            option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let value = value.map(unquoted).transpose()?;
        match (name.to_ascii_lowercase().as_str(), value) {
            ("namespaces", Some(list)) => {
                self.for_approvals = plain_list("namespace", list)?.iter().any(|name| name == NAMESPACE);
                Ok(())
            }
            ("valid-after", Some(time)) if self.valid_after.is_none() => {
                self.valid_after = Some(timestamp(time)?);
                Ok(())
            }
            ("valid-before", Some(time)) if self.valid_before.is_none() => {
                self.valid_before = Some(timestamp(time)?);
                Ok(())
            }
            ("cert-authority", _) => {
                Err("certificates are not verified, so `cert-authority` is refused".to_owned())
            }
            _ => Err(format!(
                "`{}` is not an option that is known: `namespaces`, `valid-after` and `valid-before`, each once \
                 and with a value",
                excerpt(option, 60)
            )),
        }
    }
}

fn is_key_type(field: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| field.starts_with(start))
}

/// The text up to the first blank outside quotes, and what follows.
fn field(text: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        !quoted && matches!(c, ' ' | '\t')
    });
    if quoted {
        return Err("a quotation mark is not closed".to_owned());
    }
    let (field, rest) = text.split_at(end.unwrap_or(text.len()));
    Ok((field, rest.trim_start_matches([' ', '\t'])))
}

/// The options between commas outside quotes.
fn options(field: &str) -> Result<Vec<&str>, String> {
    let mut quoted = false;
    let options: Vec<_> = field
        .split(|c| {
            quoted ^= c == '"';
            !quoted && c == ','
        })
        .collect();
    let mut names: Vec<_> = options
        .iter()
        .map(|option| option.split('=').next().unwrap_or_default().to_ascii_lowercase())
        .collect();
    names.sort();
    names.dedup();
    if names.len() == options.len() { Ok(options) } else { Err("an option stands there twice".to_owned()) }
}

fn unquoted(value: &str) -> Result<&str, String> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    if inner.contains(['"', '\\']) {
        return Err(format!("the value `{}` has quotation marks or backslashes in it", excerpt(value, 60)));
    }
    Ok(inner)
}

/// A list of plain names; a pattern would let in people whom nobody named.
fn plain_list(what: &str, list: &str) -> Result<Vec<String>, String> {
    list.split(',')
        .map(|name| {
            let plain =
                !name.is_empty() && !name.contains(['*', '?', '!', '"', '\\']) && visible(name) == name;
            if plain && !name.contains(char::is_whitespace) {
                Ok(name.to_owned())
            } else {
                Err(format!("the {what} `{}` is not a plain name; patterns are refused", excerpt(name, 60)))
            }
        })
        .collect()
}

/// `YYYYMMDD[HHMM[SS]]Z`. Without the `Z` it would depend on the time zone of the machine.
fn timestamp(text: &str) -> Result<Timestamp, String> {
    let refused = || {
        format!(
            "`{}` is not a time: `YYYYMMDDZ`, `YYYYMMDDHHMMZ` or `YYYYMMDDHHMMSSZ`, where the `Z` (for UTC) must \
             stand",
            excerpt(text, 60)
        )
    };
    let digits = text.strip_suffix('Z').ok_or_else(refused)?;
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    let whole = format!("{digits:0<14}");
    DateTime::strptime("%Y%m%d%H%M%S", whole)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map(|time| time.timestamp())
        .map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample::at;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";

    fn one(line: &str) -> Signer {
        let mut signers = Signers::parse(line).unwrap();
        assert_eq!(signers.lines.len(), 1, "{line}");
        signers.lines.remove(0)
    }

    fn refused(text: &str) -> String {
        Signers::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn names_options_and_comments_are_read() {
        let signer = one(&format!(
            "# who\n\n \t\nalice,alice@example.com \
             namespaces=\"file,loopgate-approval\",Valid-After=20260101Z,valid-before=\"202602031530Z\" {KEY} a note"
        ));
        assert_eq!(signer.principals, ["alice", "alice@example.com"]);
        assert_eq!(signer.name(), "alice");
        assert!(signer.for_approvals);
        assert_eq!(signer.valid_after, Some(at("2026-01-01T00:00:00Z")));
        assert_eq!(signer.valid_before, Some(at("2026-02-03T15:30:00Z")));
        let signer = one(&format!("bob\t{OTHER}"));
        assert_eq!((signer.valid_after, signer.valid_before, signer.for_approvals), (None, None, true));
        assert_eq!(timestamp("20260203153001Z"), Ok(at("2026-02-03T15:30:01Z")));
        assert_eq!(Signers::parse(" \n# nobody\r\n").unwrap().lines, []);
    }

    #[test]
    fn a_key_for_other_namespaces_signs_no_approval() {
        let signer = one(&format!("alice namespaces=\"git,file\" {KEY}"));
        assert!(!signer.for_approvals);
        let signers = Signers { lines: vec![signer.clone()] };
        assert_eq!(signers.of(signer.key.key_data()).len(), 0);
    }

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        let good = format!("bob {OTHER}\n");
        for (line, what) in [
            ("alice".to_owned(), "no key stands there"),
            ("alice valid-after=20260101Z".to_owned(), "no key stands there"),
            (format!("*@example.com {KEY}"), "the principal `*@example.com` is not a plain name"),
            (format!("alice,!bob {KEY}"), "the principal `!bob` is not a plain name"),
            (format!("alice, {KEY}"), "the principal `` is not a plain name"),
            (format!("ali\u{200b}ce {KEY}"), "the principal `ali\\u{200b}ce` is not a plain name"),
            (format!("alice namespaces=\"*\" {KEY}"), "the namespace `*` is not a plain name"),
            (format!("alice cert-authority {KEY}"), "certificates are not verified"),
            (format!("alice CERT-AUTHORITY,namespaces=\"x\" {KEY}"), "certificates are not verified"),
            (format!("alice no-touch-required {KEY}"), "`no-touch-required` is not an option"),
            (format!("alice namespaces {KEY}"), "`namespaces` is not an option"),
            (format!("alice namespaces=\"x\",namespaces=\"y\" {KEY}"), "an option stands there twice"),
            (format!("alice valid-after=\"20260101 {KEY}"), "a quotation mark is not closed"),
            (format!("alice valid-after=20260101 {KEY}"), "`20260101` is not a time"),
            (format!("alice valid-before=20260230Z {KEY}"), "`20260230Z` is not a time"),
            (format!("alice valid-before=2026010Z {KEY}"), "`2026010Z` is not a time"),
            ("alice ssh-ed25519 AAAA".to_owned(), "`ssh-ed25519 AAAA` is no key"),
            (format!("alice {}", KEY.replace("ssh-ed25519", "ssh-rsa")), "`ssh-rsa AAAA"),
        ] {
            let message = refused(&format!("{good}{line}\n"));
            assert!(message.starts_with(&format!("line 2 of the signers: {what}")), "{line}: {message}");
            assert_eq!(visible(&message), message);
        }
    }

    #[test]
    fn keys_whose_signatures_are_not_verified_here_are_refused() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDV";
        assert!(refused(&format!("alice {rsa}")).starts_with("line 1 of the signers: `ssh-rsa"));
    }

    #[test]
    fn one_key_is_one_person() {
        let message = refused(&format!("alice {KEY}\nbob {KEY}"));
        assert_eq!(
            message,
            "line 2 of the signers: the key of `alice` is given to `bob` as well, and one key is one person"
        );
        let windows = format!("alice valid-before=20260101Z {KEY}\nalice valid-after=20270101Z {KEY}");
        assert_eq!(Signers::parse(&windows).unwrap().lines.len(), 2);
        let elsewhere = format!("alice {KEY}\nbot namespaces=\"git\" {KEY}");
        assert_eq!(Signers::parse(&elsewhere).unwrap().lines.len(), 2);
    }
}
