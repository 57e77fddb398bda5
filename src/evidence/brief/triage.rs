//! Open incidents: the worst and oldest first, with what was changed shortly before each.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::instant::{end, instant};
use super::listing::{Record, records, told, word};
use super::near::{Changed, Moment, Near, near};
use super::{Brief, Given, View, first};
use crate::core::text::excerpt;
use crate::evidence::doubt::Doubts;
use crate::evidence::words::Severity;

/// Incidents that the details name.
const MOST_DETAILS: usize = 8;

/// How near something is, for whoever reads the table.
const RULE: &str = "The score is 0 to 99 for how short before the incident it ended (99: it was still going on), 100 more for \
                    the same application, or 200 more for the same service. It says what to look at first, not what caused it.";

/// An open incident.
#[derive(Debug, Serialize)]
struct Incident<'a> {
    id: &'a str,
    title: &'a str,
    impact: Option<&'a str>,
    status: Option<&'a str>,
    opened: Option<&'a str>,
    age_hours: Option<i64>,
    old: bool,
    application: Option<&'a str>,
    service: Option<&'a str>,
    team: Option<&'a str>,
    owner: Option<&'a str>,
    link: Option<&'a str>,
    version: Option<u64>,
    /// IDs of what was changed shortly before and is near enough for a link, the nearest first.
    near: Vec<&'a str>,
}

/// Something that was changed shortly before an incident.
#[derive(Debug, Serialize)]
struct Suspect<'a> {
    incident: &'a str,
    kind: &'static str,
    title: Option<&'a str>,
    status: Option<&'a str>,
    #[serde(flatten)]
    near: Near<'a>,
}

/// What is proposed for one incident.
#[derive(Debug, Serialize)]
struct Proposal<'a> {
    incident: &'a str,
    version: u64,
    /// None where it has one.
    owner: Option<&'a str>,
    /// All that it is to be linked with, with those of before; none where that does not change.
    releases: Option<Vec<&'a str>>,
    changes: Option<Vec<&'a str>>,
    reason: String,
}

/// A list of what was changed, one kind of it.
struct Changes<'a> {
    kind: &'static str,
    records: Vec<Record<'a>>,
    near: Vec<Vec<Near<'a>>>,
}

/// The open incidents under `of`, with the `releases` and `changes` within `hours_before` each. Ages are counted to `as_of`,
/// a day as a whole or an instant. For the one with the ID `incident` it proposes an `owner` and links to what scores at
/// least `link_from`.
///
/// # Errors
/// What the recipe says is lacking or has the wrong type.
pub fn triage(given: &Given<'_>) -> Result<Brief, String> {
    let said = |name: &str| given.with.get(name).and_then(Value::as_str);
    let now = said("as_of")
        .and_then(end)
        .ok_or("`as_of` is no day and no instant, such as 2026-11-20T09:00:00Z")?;
    let hours = whole(given, "hours_before")?;
    let old_after = whole(given, "old_after_hours")?;
    let link_from = whole(given, "link_from")?;
    let mut doubts = Doubts::default();
    let all = records("incidents", given.of()?, &mut doubts);
    let mut open: Vec<Record<'_>> = all.into_iter().filter(|one| one.text("state") != Some("pass")).collect();
    open.sort_by_key(|one| {
        let opened = one.text("opened").and_then(instant);
        (Severity::of(one.text("impact")), opened.is_none(), opened, one.id)
    });
    let moments = moments(&open, now, &mut doubts);
    let mut brief = Brief::default();
    let mut changed = Vec::new();
    for (kind, name) in [("release", "releases"), ("change", "changes")] {
        let Some(answer) = given.from.get(name) else {
            brief.not_proven.push(format!("no {name} were looked at: the server does not offer them"));
            continue;
        };
        let records = records(name, answer, &mut doubts);
        let spans: Vec<Changed<'_>> = records.iter().filter_map(|record| span(kind, record)).collect();
        let near = near(&spans, &moments, hours);
        changed.push(Changes { kind, records, near });
    }
    if let Some(since) = said("since").and_then(instant) {
        let first = moments.iter().map(|moment| moment.at).min();
        let looked = |first: Timestamp| first.duration_since(since).as_hours() >= hours;
        if first.is_some_and(|first| !looked(first)) {
            brief.not_proven.push(format!("what was changed before {since:.0} was not looked at"));
        }
    }
    let suspects = suspects(&open, &changed);
    let near = suspects.iter().filter(|suspect| suspect.near.score >= link_from);
    let incidents = incidents(&open, near, now, old_after);
    let proposal = match said("incident") {
        None => None,
        Some(wanted) => match open.iter().find(|one| one.id == wanted) {
            None => {
                doubts.push(format!("no open incident {} is visible", word(wanted)));
                None
            }
            Some(one) => {
                Some((one, propose(one, said("owner"), link_from, &suspects, &changed, &mut doubts)))
            }
        },
    };
    let proposals: Vec<&Proposal<'_>> =
        proposal.iter().filter_map(|(_, proposal)| proposal.as_ref()).collect();
    brief.put("is_open", proposal.is_some())?;
    brief.put("proposal", proposals.first())?;
    brief.put("proposals", &proposals)?;
    brief.put("suspects", &suspects)?;
    tell(brief, &incidents, &proposals, doubts)
}

fn tell(
    mut brief: Brief,
    incidents: &[Incident<'_>],
    proposals: &[&Proposal<'_>],
    doubts: Doubts,
) -> Result<Brief, String> {
    let worst = |severity| incidents.iter().filter(|one| Severity::of(one.impact) == severity).count();
    let (critical, unknown) = (worst(Severity::Critical), worst(Severity::Unknown));
    let old = incidents.iter().filter(|one| one.old).count();
    let without = incidents.iter().filter(|one| one.owner.is_none()).count();
    brief.put("incidents", incidents)?;
    brief.put("critical", critical)?;
    brief.put("unknown_impact", unknown)?;
    brief.put("old", old)?;
    brief.put("without_owner", without)?;
    brief.undecided = told(doubts);
    brief.summary = match incidents.len() {
        0 => "no incident is open".to_owned(),
        open => format!("{open} open: {critical} critical, {old} old, {without} without an owner"),
    };
    if let Some(proposal) = proposals.first() {
        brief.details.push(format!("proposed for {}: {}", proposal.incident, proposal.reason));
    }
    brief.details.extend(first(incidents.iter().map(line), MOST_DETAILS, ""));
    brief.views = views(!proposals.is_empty());
    Ok(brief)
}

fn whole(given: &Given<'_>, name: &str) -> Result<i64, String> {
    let whole = given.with.get(name).and_then(Value::as_i64).filter(|number| *number >= 0);
    whole.ok_or_else(|| format!("`{name}` is no whole number from 0"))
}

/// When each incident began; where nobody can say, it counts as now, and nothing is decided.
fn moments<'a>(open: &[Record<'a>], now: Timestamp, doubts: &mut Doubts) -> Vec<Moment<'a>> {
    let moment = |one: &Record<'a>| {
        if one.text("state") != Some("pending") {
            let status = one.text("status").unwrap_or("nothing");
            doubts.push(format!(
                "the incident {} has a state that nobody knows: {}",
                word(one.id),
                word(status)
            ));
        }
        let opened = one.text("opened").and_then(instant);
        if opened.is_none() {
            doubts.push(format!("the incident {} does not say when it was opened", word(one.id)));
        }
        Moment {
            at: opened.unwrap_or(now),
            application: one.text("application"),
            service: one.text("service"),
        }
    };
    open.iter().map(moment).collect()
}

/// From when to when something was changed; none where that is not known.
fn span<'a>(kind: &str, record: &Record<'a>) -> Option<Changed<'a>> {
    let (begins, ends) = match kind {
        "release" => ("released", "released"),
        _ => ("starts", "ends"),
    };
    let begins = record.text(begins).and_then(instant)?;
    let ends = record.text(ends).and_then(instant).filter(|ends| *ends >= begins).unwrap_or(begins);
    let (application, service) = (record.text("application"), record.text("service"));
    Some(Changed { id: record.id, begins, ends, application, service })
}

/// What is near each incident, in the incidents' order, the nearest first.
fn suspects<'a>(open: &[Record<'a>], changed: &[Changes<'a>]) -> Vec<Suspect<'a>> {
    let named: Vec<HashMap<&str, &Record<'a>>> =
        changed.iter().map(|one| one.records.iter().map(|record| (record.id, record)).collect()).collect();
    let mut suspects = Vec::new();
    for (place, incident) in open.iter().enumerate() {
        let begin = suspects.len();
        for (Changes { kind, near, .. }, named) in changed.iter().zip(&named) {
            for near in near.get(place).into_iter().flatten() {
                let of = |name| named.get(near.id).and_then(|record| record.text(name));
                let title = of("title").or_else(|| of("name"));
                suspects.push(Suspect {
                    incident: incident.id,
                    kind,
                    title,
                    status: of("status"),
                    near: *near,
                });
            }
        }
        if let Some(theirs) = suspects.get_mut(begin..) {
            theirs.sort_by_key(|one: &Suspect<'_>| {
                (std::cmp::Reverse(one.near.score), one.near.hours_before, one.near.id)
            });
        }
    }
    suspects
}

fn incidents<'s, 'a: 's>(
    open: &[Record<'a>],
    suspects: impl Iterator<Item = &'s Suspect<'a>>,
    now: Timestamp,
    old_after: i64,
) -> Vec<Incident<'a>> {
    let mut near: HashMap<&str, Vec<&'a str>> = HashMap::new();
    for suspect in suspects {
        near.entry(suspect.incident).or_default().push(suspect.near.id);
    }
    let incident = |one: &Record<'a>| {
        let opened = one.text("opened");
        let age = opened.and_then(instant).map(|opened| now.duration_since(opened));
        Incident {
            id: one.id,
            title: one.text("title").unwrap_or(one.id),
            impact: one.text("impact"),
            status: one.text("status"),
            opened,
            age_hours: age.map(|age| age.as_hours()),
            old: age.is_some_and(|age| age.as_secs() > old_after.saturating_mul(3600)),
            application: one.text("application"),
            service: one.text("service"),
            team: one.text("team"),
            owner: one.text("owner"),
            link: one.text("link"),
            version: one.whole("version"),
            near: near.remove(one.id).unwrap_or_default(),
        }
    };
    open.iter().map(incident).collect()
}

/// Owner and links for one incident; none where it has both.
fn propose<'a>(
    one: &Record<'a>,
    owner: Option<&'a str>,
    link_from: i64,
    suspects: &[Suspect<'a>],
    changed: &[Changes<'a>],
    doubts: &mut Doubts,
) -> Option<Proposal<'a>> {
    let Some(version) = one.whole("version") else {
        doubts.push(format!("the incident {} has no version that could be read", word(one.id)));
        return None;
    };
    let mut reasons = Vec::new();
    let mut linked = |kind: &str, present: &str| {
        let mut links = one.texts(present);
        let nearest = suspects.iter().find(|suspect| {
            let known = changed.iter().filter(|one| one.kind == kind).flat_map(|one| &one.records);
            let state = || known.clone().find(|record| record.id == suspect.near.id)?.text("state");
            let understood = || state().is_some_and(|state| state != "unknown");
            suspect.incident == one.id
                && suspect.kind == kind
                && suspect.near.score >= link_from
                && understood()
        })?;
        if links.contains(&nearest.near.id) {
            return None;
        }
        links.push(nearest.near.id);
        let Near { id, score, hours_before, same } = nearest.near;
        let same = if same.is_empty() { String::new() } else { format!("the same {same}, ") };
        reasons.push(format!("{kind} {} ({same}{hours_before} hours before, score {score})", word(id)));
        Some(links)
    };
    let (releases, changes) = (linked("release", "releases"), linked("change", "changes"));
    let application = one.text("application");
    let owns = || {
        let releases = changed.iter().filter(|one| one.kind == "release").flat_map(|one| &one.records);
        let theirs =
            releases.filter(|release| application.is_some() && release.text("application") == application);
        let when =
            |release: &Record<'_>| release.text("released").or(release.text("planned")).and_then(instant);
        theirs
            .filter(|release| release.text("team").is_some())
            .max_by_key(|release| (when(release), release.id))
    };
    let (owner, why) = match (owner, one.text("owner")) {
        (Some(owner), Some(present)) if owner == present => (None, ""),
        (Some(owner), _) => (Some(owner), "was named"),
        (None, Some(_)) => (None, ""),
        (None, None) => match owns().and_then(|release| release.text("team")) {
            Some(team) => (Some(team), "releases the application"),
            None => (one.text("team"), "has the incident"),
        },
    };
    reasons.extend(owner.map(|owner| format!("owner {}, who {why}", word(owner))));
    let changes_nothing = reasons.is_empty();
    let reason = reasons.join("; ");
    (!changes_nothing).then_some(Proposal { incident: one.id, version, owner, releases, changes, reason })
}

fn line(one: &Incident<'_>) -> String {
    let impact = one.impact.unwrap_or("unknown impact");
    let age = one.age_hours.map(|age| format!(", {age} h old")).unwrap_or_default();
    let owner = one.owner.unwrap_or("nobody");
    let near = match one.near.first() {
        Some(near) => format!("; nearest: {}", excerpt(near, 60)),
        None => String::new(),
    };
    format!("{impact}{age}: {} ({}, {owner}){near}", one.title, one.id)
}

fn views(proposes: bool) -> Vec<View> {
    let incidents = View::table(
        "Open incidents",
        "incidents",
        &[
            ("Impact", "impact"),
            ("Age in hours", "age_hours"),
            ("Title", "title"),
            ("ID", "id"),
            ("Status", "status"),
            ("Application", "application"),
            ("Owner", "owner"),
            ("Near", "near"),
        ],
    );
    let suspects = View::table(
        "What was changed shortly before",
        "suspects",
        &[
            ("Incident", "incident"),
            ("Score", "score"),
            ("What", "kind"),
            ("ID", "id"),
            ("Title", "title"),
            ("Hours before", "hours_before"),
            ("Same", "same"),
            ("Status", "status"),
        ],
    );
    let proposals = View::table(
        "Proposed",
        "proposals",
        &[
            ("Incident", "incident"),
            ("Owner", "owner"),
            ("Releases", "releases"),
            ("Changes", "changes"),
            ("Why", "reason"),
        ],
    );
    let first = proposes.then_some(proposals);
    first.into_iter().chain([incidents, suspects.saying(RULE)]).collect()
}

#[cfg(test)]
mod tests;
