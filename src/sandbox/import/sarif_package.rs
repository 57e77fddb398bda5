//! What scanners of packages put into SARIF, each in its own way, because the standard has no place for it:
//!
//! - the vulnerability is the rule's ID or part of it (Trivy `CVE-2021-23337`, Grype `CVE-2021-23337-lodash`);
//! - the package is in the rule's property `purls` (Grype, Docker Scout), or in a line `Package: …` of the message
//!   (Trivy);
//! - the version that repairs it is in the rule's property `fixed_version` (Docker Scout), or in a line
//!   `Fixed Version: …` of the message (Trivy).

use serde_json::Value;

use super::sarif_log::Rule;
use super::title;

/// A package that a result is about, as far as the result says.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Package {
    /// A package URL, or a name.
    pub component: Option<String>,
    /// The vulnerability.
    pub cve: Option<String>,
    /// The versions that repair it.
    pub fixed_in: Option<String>,
}

/// What a result with this rule and message is about.
pub(super) fn package(rule: Option<&Rule>, rule_id: &str, message: &str) -> Package {
    let property = |name: &str| rule?.properties.as_ref()?.get(name);
    let purl = property("purls").and_then(|purls| purls.as_array()?.first()?.as_str());
    let said = |text: &str| Some(title(text)).filter(|text| !text.is_empty());
    let fixed = property("fixed_version").and_then(Value::as_str);
    Package {
        component: purl.or_else(|| line(message, "Package: ")).and_then(said),
        cve: vulnerability(rule_id).map(str::to_uppercase),
        fixed_in: fixed
            .or_else(|| line(message, "Fixed Version: "))
            .filter(|version| !version.eq_ignore_ascii_case("not fixed"))
            .and_then(said),
    }
}

/// What stands behind `label` on a line of its own.
fn line<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.trim().strip_prefix(label))
}

/// The first ID of CVE or of GitHub's list of advisories in a text.
pub(super) fn vulnerability(text: &str) -> Option<&str> {
    let starts = text.char_indices().map(|(at, _)| at);
    starts
        .filter(|at| !text.get(..*at).is_some_and(|before| before.ends_with(char::is_alphanumeric)))
        .find_map(|at| {
            let rest = text.get(at..)?;
            let length = cve(rest).or_else(|| ghsa(rest))?;
            rest.get(..length)
        })
}

/// The length of an ID such as `CVE-2021-23337` that a text begins with.
fn cve(text: &str) -> Option<usize> {
    let rest = without(text, "CVE-")?;
    let (year, rest) = rest.split_once('-')?;
    let number = rest.bytes().take_while(u8::is_ascii_digit).count();
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    (is_year && number >= 4).then_some(9 + number)
}

/// The length of an ID such as `GHSA-35jh-r3h4-6jhm` that a text begins with.
fn ghsa(text: &str) -> Option<usize> {
    let rest = without(text, "GHSA-")?.as_bytes();
    let fits = |(at, byte): (usize, &u8)| match at % 5 {
        4 => *byte == b'-',
        _ => byte.is_ascii_alphanumeric(),
    };
    (rest.len() >= 14 && rest.iter().take(14).enumerate().all(fits)).then_some(19)
}

fn without<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(properties: &Value) -> Rule {
        serde_json::from_value(json!({"id": "R", "properties": properties})).unwrap()
    }

    #[test]
    fn a_vulnerability_is_found_in_the_ids_that_scanners_make_of_it() {
        for (text, id) in [
            ("CVE-2021-23337", Some("CVE-2021-23337")),
            ("[HIGH] CVE-2021-23337", Some("CVE-2021-23337")),
            ("cve-2021-23337-lodash", Some("cve-2021-23337")),
            ("GHSA-35jh-r3h4-6jhm-lodash", Some("GHSA-35jh-r3h4-6jhm")),
            ("vendor/GHSA-35jh-r3h4-6jhm", Some("GHSA-35jh-r3h4-6jhm")),
            ("XCVE-2021-23337", None),
            ("CVE-21-23337", None),
            ("CVE-2021-1", None),
            ("GHSA-35jh-r3h4", None),
            ("äCVE-", None),
            ("B105", None),
        ] {
            assert_eq!(vulnerability(text), id, "{text}");
        }
    }

    #[test]
    fn each_scanner_s_way_is_understood_and_what_is_not_fixed_has_no_version() {
        let trivy = package(
            None,
            "CVE-2021-23337",
            "Package: lodash\nInstalled Version: 4.17.20\nVulnerability CVE-2021-23337\nSeverity: HIGH\nFixed Version: 4.17.21\nLink: x",
        );
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(
            trivy,
            Package { component: said("lodash"), cve: said("CVE-2021-23337"), fixed_in: said("4.17.21") }
        );
        let grype = package(
            Some(&rule(&json!({"purls": ["pkg:npm/lodash@4.17.20"]}))),
            "GHSA-35jh-r3h4-6jhm-lodash",
            "A high vulnerability in npm package: lodash, version 4.17.20 was found at: /package-lock.json",
        );
        assert_eq!(
            grype,
            Package {
                component: said("pkg:npm/lodash@4.17.20"),
                cve: said("GHSA-35JH-R3H4-6JHM"),
                fixed_in: None
            }
        );
        let scout = rule(&json!({"purls": ["pkg:npm/lodash@4.17.20"], "fixed_version": "not fixed"}));
        assert_eq!(package(Some(&scout), "CVE-2021-23337", "").fixed_in, None);
        assert_eq!(package(Some(&rule(&json!({"purls": 7}))), "B105", "Package: "), Package::default());
    }
}
