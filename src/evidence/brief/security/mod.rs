//! What speaks against the security of a release: findings and blockers of security providers, each once however many
//! scanners report it, held to a limit for each severity.
//!
//! Nothing is dropped: what nobody says about is listed as not classified and decides nothing, and evidence that
//! security providers owe counts as well, because a scan that did not run finds nothing.

mod same;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::Value;

use super::given::{day, days};
use super::{Brief, Given};
use crate::core::text::excerpt;
use crate::evidence::analyze;
use crate::evidence::doubt::Doubts;
use crate::evidence::graph::{Graph, Limits, Node};
use crate::evidence::links::Links;
use crate::evidence::words::{NodeKind, Severity, State};
use same::{Key, Keys, Said};
use told::Told;

/// Days for which something is new, where the recipe does not say.
const NEW_FOR: f64 = 7.0;
/// The severities that a limit can be set for, worst first.
const LIMITED: [(&str, Severity, &str); 4] = [
    ("critical", Severity::Critical, "most_critical"),
    ("high", Severity::High, "most_high"),
    ("medium", Severity::Medium, "most_medium"),
    ("low", Severity::Low, "most_low"),
];

/// One thing to repair, with everybody who reports it.
#[derive(Debug, Serialize)]
struct Blocker<'a> {
    /// The worst that anybody says.
    severity: Option<&'a str>,
    title: &'a str,
    cve: Option<&'a str>,
    rule: Option<&'a str>,
    component: Option<&'a str>,
    /// The versions that repair it, as far as anybody says.
    fixed_in: Vec<&'a str>,
    owners: Vec<&'a str>,
    providers: Vec<&'a str>,
    due: Option<&'a str>,
    due_in_days: Option<i32>,
    overdue: bool,
    first_seen: Option<&'a str>,
    /// Whether it was first seen lately; none where nobody says.
    new: Option<bool>,
    /// By what its sources are the same; none where there is one.
    same_by: Option<&'static str>,
    ids: Vec<&'a str>,
    sources: Vec<Source<'a>>,
}

/// Who reports it.
#[derive(Debug, Clone, Copy, Serialize)]
struct Source<'a> {
    id: &'a str,
    node: NodeKind,
    title: &'a str,
    state: State,
    severity: Option<&'a str>,
    provider: Option<&'a str>,
    owner: Option<&'a str>,
    due: Option<&'a str>,
    link: Option<&'a str>,
}

impl<'a> Source<'a> {
    fn of(node: &Node<'a>) -> Self {
        Self {
            id: node.id,
            node: node.kind,
            title: node.title_or_id(),
            state: node.state,
            severity: node.severity(),
            provider: node.provider(),
            owner: node.owner(),
            due: node.due(),
            link: node.link(),
        }
    }
}

/// How much there is of one severity, and how much there may be.
#[derive(Debug, Serialize)]
struct Limit {
    severity: &'static str,
    blockers: usize,
    sources: usize,
    /// None where there is no limit.
    most: Option<Value>,
    exceeded: bool,
}

/// What a node is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Security,
    SomethingElse,
    Nobody,
}

/// What the graph has, parted.
#[derive(Default)]
struct Parted<'a> {
    open: Vec<(Key<'a>, Node<'a>)>,
    waived: Vec<Source<'a>>,
    lacking: Vec<Source<'a>>,
    not_classified: Vec<Source<'a>>,
    something_else: usize,
    /// Whether any security provider has looked at all.
    looked: bool,
}

/// What speaks against the security of the release whose evidence graph stands under `of`.
///
/// # Errors
/// `of` is no evidence graph, or what the recipe says has the wrong type.
pub fn security(given: &Given<'_>) -> Result<Brief, String> {
    let value = given.of()?;
    let today = given.day("as_of")?.ok_or("`as_of` is needed: there is no clock here")?;
    let new_for = given.number("new_within_days")?.unwrap_or(NEW_FOR);
    let (security, other) = (given.names("security_providers")?, given.names("other_providers")?);
    let mut most = Vec::new();
    for (_, _, name) in LIMITED {
        most.push(given.number(name)?);
    }
    let graph = Graph::read(value, &Limits::default()).map_err(|error| error.to_string())?;
    let about = |node: &Node<'_>| {
        let has_cve = node.text("cve").is_some();
        let provider = node.provider().map(|provider| provider.trim().to_lowercase());
        match provider {
            _ if has_cve => About::Security,
            Some(provider) if security.contains(&provider) => About::Security,
            Some(provider) if other.contains(&provider) => About::SomethingElse,
            _ => About::Nobody,
        }
    };
    let parted = part(&graph, about);
    let mut doubts = Doubts(analyze(&graph).undecided);
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for source in &parted.not_classified {
        *unknown.entry(source.provider.unwrap_or("no provider")).or_default() += 1;
    }
    doubts.add(unknown.into_iter(), |(provider, count)| {
        format!(
            "{count} of `{}` may be about security: name it under `security_providers` or `other_providers`",
            excerpt(provider, 80)
        )
    });
    let blockers = blockers(parted.open, today, new_for);
    let unclear = blockers.iter().filter(|blocker| Severity::of(blocker.severity) == Severity::Unknown);
    doubts.add(unclear.filter_map(|blocker| blocker.ids.first()), |id| {
        format!("`{}` is open, and how severe it is is not known", excerpt(id, 80))
    });
    let limits: Vec<Limit> = LIMITED
        .into_iter()
        .zip(most)
        .map(|((word, severity, _), most)| limit(&blockers, word, severity, most))
        .collect();
    // Where the limits are exceeded already, whoever has not looked changes nothing.
    let exceeded = limits.iter().any(|limit| limit.exceeded);
    let nobody_looked = "no evidence of a security provider is there, so nobody has looked";
    doubts.check(!parted.looked && !exceeded, nobody_looked);
    let told = Told {
        blockers,
        limits,
        waived: parted.waived,
        lacking: parted.lacking,
        not_classified: parted.not_classified,
        something_else: parted.something_else,
    };
    told.brief(today, doubts.0)
}

fn part<'a>(graph: &Graph<'a>, about: impl Fn(&Node<'a>) -> About) -> Parted<'a> {
    let below = Links::below(graph);
    let mut keys = Keys::default();
    let mut parted = Parted::default();
    for (place, node) in graph.nodes.iter().enumerate() {
        let about = about(node);
        let is_evidence = matches!(node.kind, NodeKind::Evidence | NodeKind::Control);
        parted.looked |=
            is_evidence && about == About::Security && matches!(node.state, State::Pass | State::Fail);
        let Some(counts) = counts(graph, &below, place, node) else { continue };
        match (about, counts) {
            (About::Security, Counts::Open) => {
                let said = Said {
                    id: node.id,
                    title: node.title(),
                    provider: node.provider(),
                    cve: node.text("cve"),
                    rule: node.text("rule"),
                    component: node.text("component"),
                };
                parted.open.push((keys.of(&said), *node));
            }
            (About::Security, Counts::Lacking) => parted.lacking.push(Source::of(node)),
            (About::Security, Counts::Waived) => parted.waived.push(Source::of(node)),
            (About::SomethingElse, _) => parted.something_else += 1,
            (About::Nobody, Counts::Waived) => {}
            (About::Nobody, Counts::Open | Counts::Lacking) => parted.not_classified.push(Source::of(node)),
        }
    }
    parted
}

/// As what a node counts.
enum Counts {
    Open,
    Waived,
    Lacking,
}

/// As what a node counts, if it does. What is in no state that can be understood is undecided with its graph.
fn counts(graph: &Graph<'_>, below: &Links, place: usize, node: &Node<'_>) -> Option<Counts> {
    let is_open = |state: State| matches!(state, State::Fail | State::Pending);
    match (node.kind, node.state) {
        (NodeKind::Finding | NodeKind::ProviderBlocker, State::Waived) => Some(Counts::Waived),
        (NodeKind::Finding | NodeKind::ProviderBlocker, state) if is_open(state) => Some(Counts::Open),
        // A failed control stands for itself only where no finding says why.
        (NodeKind::Control, State::Fail) if node.is_required() => {
            let mut beneath = below.of(place).iter().filter_map(|below| graph.nodes.get(*below));
            let is_explained = beneath.any(|below| below.kind == NodeKind::Finding && is_open(below.state));
            (!is_explained).then_some(Counts::Open)
        }
        (NodeKind::Evidence, State::Missing | State::Stale | State::Pending | State::Unknown) => {
            node.is_required().then_some(Counts::Lacking)
        }
        _ => None,
    }
}

/// One blocker for each key, the worst first.
fn blockers<'a>(mut open: Vec<(Key<'a>, Node<'a>)>, today: Date, new_for: f64) -> Vec<Blocker<'a>> {
    // The worst of a key comes first, and speaks for the others.
    open.sort_by(|(key, one), (other_key, other)| {
        let rank = |node: &Node<'a>| (Severity::of(node.severity()), node.id);
        (key, rank(one)).cmp(&(other_key, rank(other)))
    });
    let mut blockers: Vec<Blocker<'a>> = open
        .chunk_by(|(one, _), (other, _)| one == other)
        .filter_map(|group| blocker(group, today, new_for))
        .collect();
    blockers.sort_by_key(|blocker| {
        (Severity::of(blocker.severity), blocker.due.unwrap_or("~"), blocker.ids.first().copied())
    });
    blockers
}

fn blocker<'a>(group: &[(Key<'a>, Node<'a>)], today: Date, new_for: f64) -> Option<Blocker<'a>> {
    let (key, worst) = group.first()?;
    let all = |name: &'static str| group.iter().filter_map(move |(_, node)| node.text(name));
    let once =
        |texts: &mut dyn Iterator<Item = &'a str>| texts.collect::<BTreeSet<_>>().into_iter().collect();
    let due = group.iter().filter_map(|(_, node)| node.due()).min();
    let due_in_days = due.and_then(day).and_then(|due| days(today, due));
    let first_seen = all("first_seen").min();
    let age = first_seen.and_then(day).and_then(|first| days(first, today));
    Some(Blocker {
        severity: worst.severity(),
        title: worst.title_or_id(),
        cve: all("cve").next(),
        rule: all("rule").next(),
        component: all("component").next(),
        fixed_in: once(&mut all("fixed_in")),
        owners: once(&mut group.iter().filter_map(|(_, node)| node.owner())),
        providers: once(&mut group.iter().filter_map(|(_, node)| node.provider())),
        due,
        due_in_days,
        overdue: due_in_days.is_some_and(|days| days < 0),
        first_seen,
        new: age.map(|age| f64::from(age) <= new_for),
        same_by: (group.len() > 1).then(|| key.word()),
        ids: once(&mut group.iter().map(|(_, node)| node.id)),
        sources: group.iter().map(|(_, node)| Source::of(node)).collect(),
    })
}

fn limit(blockers: &[Blocker<'_>], word: &'static str, severity: Severity, most: Option<f64>) -> Limit {
    let of = || blockers.iter().filter(|blocker| Severity::of(blocker.severity) == severity);
    let count = of().count();
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2⁵³ findings")]
    let exceeded = most.is_some_and(|most| count as f64 > most);
    Limit {
        severity: word,
        blockers: count,
        sources: of().map(|blocker| blocker.ids.len()).sum(),
        most: most.map(whole),
        exceeded,
    }
}

/// A number as it is written: without a fraction where it has none.
fn whole(number: f64) -> Value {
    format!("{number}").parse::<u64>().map_or_else(|_| Value::from(number), Value::from)
}

#[cfg(test)]
mod tests;
