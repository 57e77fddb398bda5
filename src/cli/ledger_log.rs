//! The rows of `loopgate ledger log`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::fault::Fault;
use crate::approval::{Decision, Resolution};
use crate::artifact::Key;
use crate::artifact::v1::Document;
use crate::core::Digest;
use crate::ledger::v1::{Ci, Result as Came, Settlement};
use crate::ledger::{Event, Fact, Ledger};
use crate::report::LogRow;

/// Which events are listed.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Of effects of which an input has this text.
    pub release: Option<String>,
    /// That this person recorded, or was counted for.
    pub approver: Option<String>,
    /// From then on.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
}

/// What a plan is about.
#[derive(Debug, Default)]
struct About {
    recipe: String,
    inputs: String,
    operations: BTreeMap<Key, String>,
}

/// Gives the events worth a row to `f`, in the order in which they were added. The ledger is read twice, and no more of
/// it is held than what its plans are about: a record may have been taken in before anybody knew what its effect is.
pub(super) fn each_row(
    ledger: &Ledger,
    wanted: &Wanted,
    mut f: impl FnMut(LogRow) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut about: BTreeMap<Digest, About> = BTreeMap::new();
    ledger.each_event(|event| {
        if let Fact::Opened { artifact } = &event.fact {
            about.insert(event.chain.clone(), About::of(artifact));
        }
        Ok::<_, Fault>(())
    })?;
    let mut runs: BTreeMap<Digest, (String, String)> = BTreeMap::new();
    ledger.each_event(|event| {
        if let Fact::Began(began) = &event.fact {
            let pipeline = began.ci.as_ref().map(pipeline).unwrap_or_default();
            runs.insert(event.chain.clone(), (event.run.clone(), pipeline));
        }
        let run = runs.get(&event.chain).filter(|(run, _)| *run == event.run).map(|(_, pipeline)| pipeline);
        let about = about.get(&event.chain);
        let is_of = |release: &String| about.is_some_and(|about| about.inputs.contains(release.as_str()));
        if wanted.takes(event)
            && wanted.release.as_ref().is_none_or(is_of)
            && let Some(row) = row(event, about, run)
        {
            f(row)?;
        }
        Ok::<_, Fault>(())
    })?;
    Ok(())
}

impl Wanted {
    fn takes(&self, event: &Event) -> bool {
        let by = self.approver.as_deref().is_none_or(|name| match &event.fact {
            Fact::Recorded { filed } => same(&filed.record.approver.name, name),
            Fact::Decided { verdict } => verdict.counted.iter().any(|counted| same(&counted.approver, name)),
            _ => false,
        });
        by && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

impl About {
    fn of(document: &Document) -> Self {
        let inputs: Vec<String> = document.recipe.inputs.values().map(input).collect();
        let operations = document.operations.iter();
        Self {
            recipe: document.recipe.name.clone(),
            inputs: inputs.join(", "),
            operations: operations.map(|one| (one.idempotency_key.clone(), one.id.clone())).collect(),
        }
    }
}

fn input(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn pipeline(Ci { provider, job, actor, .. }: &Ci) -> String {
    let parts = [Some(provider), job.as_ref(), actor.as_ref()];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The row of an event; none for one that says nothing that another does not.
fn row(event: &Event, about: Option<&About>, run: Option<&String>) -> Option<LogRow> {
    let named = |key: &Key| {
        let id = about.and_then(|about| about.operations.get(key));
        id.map_or_else(|| key.to_string(), Clone::clone)
    };
    let mut who = run.cloned().unwrap_or_default();
    let (word, detail) = match &event.fact {
        Fact::Recorded { filed } => {
            who.clone_from(&filed.record.approver.name);
            let of = match &filed.record.decision {
                Decision::Approve { .. } => "approval".to_owned(),
                Decision::Revoke { approval } => format!("revocation of {}", approval.short()),
                Decision::Reject {} => "rejection".to_owned(),
                Decision::Resolve { .. } => "resolution".to_owned(),
            };
            ("recorded", format!("{of} {}: {}", filed.record.id, filed.record.reason))
        }
        Fact::Decided { verdict } => {
            let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.message.as_str()).collect();
            let counted: Vec<&str> =
                verdict.counted.iter().map(|counted| counted.approver.as_str()).collect();
            match verdict.allowed {
                true => ("allowed", format!("counted: {}", counted.join(", "))),
                false => ("refused", reasons.join("; ")),
            }
        }
        Fact::Intent { key, attempt, approval_id, .. } => {
            ("intent", format!("{}: attempt {attempt} under {approval_id}", named(key)))
        }
        Fact::Accepted { key, attempt: _, task } => {
            ("accepted", format!("{}: as the task {task}", named(key)))
        }
        Fact::Outcome { key, attempt: _, took_ms: _, result } => {
            ("outcome", format!("{}: {}", named(key), came(result)))
        }
        Fact::Settled { key, by } => ("settled", format!("{}: {}", named(key), settled(by))),
        Fact::ReadBack { key, differences, unread, .. } => {
            let found = match (unread, differences.as_slice()) {
                (Some(why), _) => format!("could not be read: {why}"),
                (None, []) => "as planned".to_owned(),
                (None, differences) => format!("differs: {}", differences.join("; ")),
            };
            ("read-back", format!("{}: {found}", named(key)))
        }
        Fact::Ended { conclusion, message } => ("ended", format!("{conclusion}: {message}")),
        Fact::Opened { .. }
        | Fact::Began(_)
        | Fact::Connected(_)
        | Fact::Tried { .. }
        | Fact::Compared { .. }
        | Fact::Looked { .. } => return None,
    };
    Some(LogRow {
        at: event.at,
        effect: event.chain.clone(),
        recipe: about.map(|about| about.recipe.clone()).unwrap_or_default(),
        inputs: about.map(|about| about.inputs.clone()).unwrap_or_default(),
        event: word.to_owned(),
        who,
        detail,
    })
}

fn came(result: &Came) -> String {
    match result {
        Came::Applied { created, .. } => match ids(created) {
            ids if ids.is_empty() => "applied".to_owned(),
            ids => format!("applied, created {ids}"),
        },
        Came::NotApplied { message, .. } => format!("not applied: {message}"),
        Came::Unknown { message, .. } => format!("unknown: {message}"),
    }
}

fn settled(by: &Settlement) -> String {
    match by {
        Settlement::Read {} => "applied, as a read found".to_owned(),
        Settlement::People { resolution: Resolution::Applied { created }, .. } => {
            format!("applied, as people found: {}", ids(created))
        }
        Settlement::People { resolution: Resolution::NotApplied {}, .. } => {
            "not applied, as people found".to_owned()
        }
        Settlement::Earlier { chain, .. } => format!("applied before, by effect {}", chain.short()),
    }
}

fn ids(created: &BTreeMap<String, Vec<String>>) -> String {
    let each = created.iter().map(|(name, ids)| format!("{name} {}", ids.join(", ")));
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample;
    use crate::artifact::{Artifact, sample as plans};
    use crate::ledger::Draft;

    /// A rejection that came before its artifact, and approvals of an effect that nobody knows.
    fn ledger(folder: &std::path::Path) -> Ledger {
        let mut ledger = Ledger::create(&folder.join("a.db")).unwrap();
        let artifact = Artifact::build(plans::plan()).unwrap();
        let effect = artifact.effect_digest().clone();
        let rejection = crate::approval::Record::new(crate::approval::Draft {
            effect_digest: effect.clone(),
            decision: Decision::Reject {},
            expires: None,
            platform: None,
            ..sample::draft("bob")
        });
        let recorded = |record| Fact::Recorded { filed: Box::new(sample::filed(record)) };
        let draft = |at: &str, fact| Draft { at: sample::at(at), run: "r".into(), fact };
        let opened = Fact::Opened { artifact: Box::new(artifact.document().clone()) };
        let events = vec![
            draft("2026-01-01T00:00:00Z", recorded(rejection.unwrap())),
            draft("2026-01-02T00:00:00Z", opened),
        ];
        ledger.append(&effect, None, events).unwrap();
        let others = vec![
            draft("2026-01-03T00:00:00Z", recorded(sample::approve("Alice"))),
            draft("2026-01-04T00:00:00Z", recorded(sample::approve("carol"))),
        ];
        ledger.append(&sample::effect(), None, others).unwrap();
        ledger
    }

    fn who(wanted: Wanted) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut who = Vec::new();
        let listed = each_row(&ledger(folder.path()), &wanted, |row| {
            who.push(row.who);
            Ok(())
        });
        listed.unwrap();
        who
    }

    #[test]
    fn what_is_asked_for_is_listed_and_nothing_else() {
        assert_eq!(who(Wanted::default()), ["bob", "Alice", "carol"]);
        assert_eq!(who(Wanted { approver: Some("alice ".into()), ..Wanted::default() }), ["Alice"]);
        let since = Some(sample::at("2026-01-03T00:00:00Z"));
        assert_eq!(who(Wanted { since, ..Wanted::default() }), ["Alice", "carol"]);
        let until = Some(sample::at("2026-01-04T00:00:00Z"));
        assert_eq!(who(Wanted { since, until, ..Wanted::default() }), ["Alice"]);
    }

    #[test]
    fn a_record_is_listed_with_a_plan_that_came_after_it() {
        let plan = Artifact::build(plans::plan()).unwrap();
        let release = About::of(plan.document()).inputs;
        assert!(!release.is_empty());
        assert_eq!(who(Wanted { release: Some(release), ..Wanted::default() }), ["bob"]);
    }
}
