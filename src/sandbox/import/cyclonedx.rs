//! CycloneDX in JSON, 1.2 to 1.7 (ECMA-424): bills of materials, and what is known of the vulnerabilities in them.
//!
//! - The producer is the first tool that the metadata names, else the file's name.
//! - A file with `vulnerabilities`, be it an empty list, gives the control `known vulnerabilities: <producer>`. Each
//!   vulnerability of each component that it affects is a finding. A file without gives the control `bill of materials:
//!   <producer>`: nobody looked for vulnerabilities, and it says no more than what there is.
//! - Severity is the worst of all ratings; one that has a score alone is rated by CVSS (9.0 critical, 7.0 high, 4.0
//!   medium). What nobody rates counts as high.
//! - Somebody's analysis (VEX) decides: `not_affected` and `false_positive` are waived, `resolved` and
//!   `resolved_with_pedigree` are no findings; `exploitable`, `in_triage` and what nobody analyzed are open.
//! - The versions that repair it are those that `affects` lists as unaffected.
//! - The evidence is missing where the file lists neither a component nor a vulnerability.
//! - When it was made is the metadata's timestamp.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::parsed::{parse, refusal};
use super::sarif_package::vulnerability;
use super::{EvidenceError, Finding, Report, State, title};
use crate::core::text::visible;
use crate::sandbox::graph::{About, Severity};

const VERSIONS: [&str; 6] = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"];

const LISTED: &str =
    "Passes where the file lists what there is. Says nothing about vulnerabilities: nobody looked for any.";
const KNOWN: &str = "Fails while a vulnerability that is rated high or critical, or that nobody rates, is open. Passes only where the file lists what was looked at. What an analysis calls not affected is waived.";

/// Reads a file.
pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Report, EvidenceError> {
    let header: Header = parse(file, bytes)?;
    if header.bom_format.as_deref() != Some("CycloneDX") {
        return Err(refusal(file, "/bomFormat", "it is not \"CycloneDX\""));
    }
    let version = header.spec_version.unwrap_or_default();
    if !version.as_str().is_some_and(|version| VERSIONS.contains(&version)) {
        let problem =
            format!("CycloneDX version {} is not known, 1.2 to 1.7 are", visible(&version.to_string()));
        return Err(refusal(file, "/specVersion", problem));
    }
    let bom: Bom = parse(file, bytes)?;
    let metadata = bom.metadata.unwrap_or_default();
    let components = bom.components.unwrap_or_default();
    let tool = metadata.tools.as_ref().and_then(Tools::first).filter(|name| !name.trim().is_empty());
    let producer = title(tool.unwrap_or(file));
    let mut known = HashMap::new();
    let root = metadata.component.iter().chain(&components);
    root.for_each(|component| component.name_all(&mut known));
    let (control, rule) = match bom.vulnerabilities {
        Some(_) => (format!("known vulnerabilities: {producer}"), KNOWN),
        None => (format!("bill of materials: {producer}"), LISTED),
    };
    let vulnerabilities = bom.vulnerabilities.unwrap_or_default();
    let state = match components.is_empty() && vulnerabilities.is_empty() {
        true => State::Missing("The file lists neither a component nor a vulnerability"),
        false => State::Complete,
    };
    let findings = vulnerabilities.iter().flat_map(|one| one.findings(&known)).collect();
    Ok(Report { producer, control, rule, state, observed: metadata.timestamp, findings })
}

/// What is read first, because other formats have other shapes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    bom_format: Option<String>,
    spec_version: Option<Value>,
}

#[derive(Deserialize)]
struct Bom {
    metadata: Option<Metadata>,
    components: Option<Vec<Component>>,
    vulnerabilities: Option<Vec<Vulnerability>>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    timestamp: Option<Timestamp>,
    tools: Option<Tools>,
    component: Option<Component>,
}

/// A list up to 1.4, an object since.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tools {
    List(Vec<Named>),
    Parted { components: Option<Vec<Named>>, services: Option<Vec<Named>> },
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    group: Option<String>,
    name: String,
    version: Option<String>,
    purl: Option<String>,
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    id: Option<String>,
    source: Option<Source>,
    references: Option<Vec<Reference>>,
    ratings: Option<Vec<Rating>>,
    description: Option<String>,
    advisories: Option<Vec<Advisory>>,
    analysis: Option<Analysis>,
    affects: Option<Vec<Affected>>,
}

#[derive(Deserialize)]
struct Source {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Rating {
    score: Option<f64>,
    severity: Option<Rated>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rated {
    Critical,
    High,
    Medium,
    Low,
    Info,
    None,
    Unknown,
}

#[derive(Deserialize)]
struct Advisory {
    url: Option<String>,
}

#[derive(Deserialize)]
struct Analysis {
    state: Option<Analyzed>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Analyzed {
    Resolved,
    ResolvedWithPedigree,
    Exploitable,
    InTriage,
    FalsePositive,
    NotAffected,
}

#[derive(Deserialize)]
struct Affected {
    #[serde(rename = "ref")]
    reference: String,
    versions: Option<Vec<Version>>,
}

#[derive(Deserialize)]
struct Version {
    version: Option<String>,
    range: Option<String>,
    status: Option<Status>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Affected,
    Unaffected,
    Unknown,
}

impl Tools {
    fn first(&self) -> Option<&str> {
        let tools = match self {
            Self::List(tools) => tools,
            Self::Parted { components, services } => components.as_ref().or(services.as_ref())?,
        };
        tools.first()?.name.as_deref()
    }
}

impl Component {
    /// Its package URL, else its name and version.
    fn shown(&self) -> String {
        let group = self.group.as_deref().filter(|group| !group.is_empty());
        let version = self.version.as_deref().filter(|version| !version.is_empty());
        self.purl.clone().unwrap_or_else(|| {
            let group = group.map(|group| format!("{group}/")).unwrap_or_default();
            let version = version.map(|version| format!("@{version}")).unwrap_or_default();
            format!("{group}{}{version}", self.name)
        })
    }

    /// Notes how it and those in it are shown, by their references.
    fn name_all<'a>(&'a self, known: &mut HashMap<&'a str, String>) {
        if let Some(reference) = &self.reference {
            known.insert(reference, self.shown());
        }
        self.components.iter().flatten().for_each(|component| component.name_all(known));
    }
}

impl Vulnerability {
    /// One for each component that is affected; one by itself where nobody says which is.
    fn findings(&self, known: &HashMap<&str, String>) -> Vec<Finding> {
        let state = self.analysis.as_ref().and_then(|analysis| analysis.state);
        if matches!(state, Some(Analyzed::Resolved | Analyzed::ResolvedWithPedigree)) {
            return Vec::new();
        }
        let waived = matches!(state, Some(Analyzed::FalsePositive | Analyzed::NotAffected));
        match self.affects.as_deref().unwrap_or_default() {
            [] => vec![self.finding(None, None, waived)],
            affected => affected
                .iter()
                .map(|one| {
                    let component = known.get(one.reference.as_str()).unwrap_or(&one.reference);
                    self.finding(Some(component), one.repaired(), waived)
                })
                .collect(),
        }
    }

    fn finding(&self, component: Option<&str>, fixed_in: Option<String>, waived: bool) -> Finding {
        let id = self.id.as_deref().or(self.reference.as_deref()).unwrap_or("a vulnerability without an ID");
        let aliases = self.references.iter().flatten().filter_map(|reference| reference.id.as_deref());
        // One list's ID is the same everywhere: CVE before GitHub's before none.
        let ids: Vec<&str> = [id].into_iter().chain(aliases).filter_map(vulnerability).collect();
        let is_cve = |id: &&&str| id.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("CVE-"));
        let cve = ids.iter().find(is_cve).or(ids.first()).map(|id| id.to_uppercase());
        let says = title(self.description.as_deref().unwrap_or_default());
        let says = if says.is_empty() { title(id) } else { format!("{}: {says}", title(id)) };
        let component = component.map(title).filter(|component| !component.is_empty());
        let advisories = self.advisories.iter().flatten().filter_map(|advisory| advisory.url.clone());
        let mut links = advisories.chain(self.source.iter().filter_map(|source| source.url.clone()));
        Finding {
            key: vec![id.to_owned(), component.clone().unwrap_or_default()],
            title: title(&match &component {
                Some(component) => format!("{says} ({component})"),
                None => says,
            }),
            severity: self.severity(),
            waived,
            url: links.find(|link| link.starts_with("https://")),
            about: About { rule: Some(title(id)), component, cve, fixed_in, first_seen_at: None },
        }
    }

    /// The worst that anybody says.
    fn severity(&self) -> Severity {
        self.ratings.iter().flatten().filter_map(Rating::severity).max().unwrap_or(Severity::High)
    }
}

impl Rating {
    fn severity(&self) -> Option<Severity> {
        match (self.severity, self.score) {
            (Some(Rated::Critical), _) => Some(Severity::Critical),
            (Some(Rated::High), _) => Some(Severity::High),
            (Some(Rated::Medium), _) => Some(Severity::Medium),
            (Some(Rated::Low | Rated::Info | Rated::None), _) => Some(Severity::Low),
            (Some(Rated::Unknown) | None, Some(score)) if score >= 9.0 => Some(Severity::Critical),
            (Some(Rated::Unknown) | None, Some(score)) if score >= 7.0 => Some(Severity::High),
            (Some(Rated::Unknown) | None, Some(score)) if score >= 4.0 => Some(Severity::Medium),
            (Some(Rated::Unknown) | None, Some(score)) if score > 0.0 => Some(Severity::Low),
            (Some(Rated::Unknown) | None, _) => None,
        }
    }
}

impl Affected {
    /// The versions that are not affected.
    fn repaired(&self) -> Option<String> {
        let versions =
            self.versions.iter().flatten().filter(|version| version.status == Some(Status::Unaffected));
        let shown: Vec<&str> =
            versions.filter_map(|version| version.version.as_deref().or(version.range.as_deref())).collect();
        Some(title(&shown.join(", "))).filter(|shown| !shown.is_empty())
    }
}
