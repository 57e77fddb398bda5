//! What is told of the security of a release.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::{Blocker, Limit, Source};
use crate::evidence::brief::{Brief, View};

/// Blockers that the summary's details name.
const MOST_DETAILS: usize = 6;

/// How many blockers somebody has.
#[derive(Debug, Serialize)]
struct Counted<'a> {
    name: &'a str,
    blockers: usize,
}

/// All that is told.
pub(super) struct Told<'a> {
    pub blockers: Vec<Blocker<'a>>,
    pub limits: Vec<Limit>,
    pub waived: Vec<Source<'a>>,
    pub lacking: Vec<Source<'a>>,
    pub not_classified: Vec<Source<'a>>,
    pub something_else: usize,
}

impl Told<'_> {
    /// As a brief.
    pub fn brief(&self, today: Date, undecided: Vec<String>) -> Result<Brief, String> {
        let blocked = !self.lacking.is_empty() || self.limits.iter().any(|limit| limit.exceeded);
        let verdict = match (undecided.is_empty(), blocked) {
            (false, _) => "undecided",
            (true, true) => "blocked",
            (true, false) => "within limits",
        };
        let mut brief = Brief { undecided, summary: self.summary(verdict), ..Brief::default() };
        brief.put("verdict", verdict)?;
        brief.put("as_of", today.to_string())?;
        brief.put("blockers", &self.blockers)?;
        brief.put("by_severity", &self.limits)?;
        brief.put("by_provider", count(&self.blockers, |blocker| &blocker.providers))?;
        brief.put("by_owner", count(&self.blockers, |blocker| &blocker.owners))?;
        brief.put("overdue", self.overdue())?;
        brief.put("new", self.newly_seen())?;
        brief.put("lacking", &self.lacking)?;
        brief.put("not_classified", &self.not_classified)?;
        brief.put("waived", &self.waived)?;
        brief.put("something_else", self.something_else)?;
        let lines = self.blockers.iter().map(line).chain(self.lacking.iter().map(lacks));
        brief.details = lines.take(MOST_DETAILS).collect();
        let more = (self.blockers.len() + self.lacking.len()).saturating_sub(MOST_DETAILS);
        if more > 0 {
            brief.details.push(format!("and {more} more"));
        }
        if self.blockers.iter().any(|blocker| blocker.new.is_none()) {
            brief
                .not_proven
                .push("which blockers are new: not all of them say when they were first seen".to_owned());
        }
        brief.views = self.views();
        Ok(brief)
    }

    fn overdue(&self) -> usize {
        self.blockers.iter().filter(|blocker| blocker.overdue).count()
    }

    fn newly_seen(&self) -> usize {
        self.blockers.iter().filter(|blocker| blocker.new == Some(true)).count()
    }

    fn summary(&self, verdict: &str) -> String {
        let mut parts: Vec<String> = self
            .limits
            .iter()
            .filter(|limit| limit.blockers > 0)
            .map(|limit| match &limit.most {
                Some(most) => format!("{} {} of at most {most}", limit.blockers, limit.severity),
                None => format!("{} {}", limit.blockers, limit.severity),
            })
            .collect();
        let pieces =
            if self.lacking.len() == 1 { "piece of evidence lacking" } else { "pieces of evidence lacking" };
        for (count, what) in [
            (self.overdue(), "overdue"),
            (self.newly_seen(), "new"),
            (self.lacking.len(), pieces),
            (self.not_classified.len(), "not classified"),
            (self.waived.len(), "waived"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        match parts.is_empty() {
            true => format!("{verdict}: nothing about security is open"),
            false => format!("{verdict}: {}", parts.join(", ")),
        }
    }

    fn views(&self) -> Vec<View> {
        let mut views = vec![
            View::table("Security blockers", "blockers", BLOCKER),
            View::table(
                "By severity",
                "by_severity",
                &[
                    ("Severity", "severity"),
                    ("Blockers", "blockers"),
                    ("At most", "most"),
                    ("Exceeded", "exceeded"),
                    ("Reports of them", "sources"),
                ],
            ),
        ];
        for (list, title, of) in [
            (&self.lacking, "Lacking security evidence", "lacking"),
            (&self.not_classified, "Not classified", "not_classified"),
            (&self.waived, "Waived", "waived"),
        ] {
            if !list.is_empty() {
                views.push(View::table(title, of, SOURCE));
            }
        }
        if !self.blockers.is_empty() {
            let counted = &[("Name", "name"), ("Blockers", "blockers")];
            views.push(View::table("By provider", "by_provider", counted));
            views.push(View::table("By owner", "by_owner", counted));
        }
        views
    }
}

/// How blockers are shown.
const BLOCKER: &[(&str, &str)] = &[
    ("Severity", "severity"),
    ("Title", "title"),
    ("Component", "component"),
    ("Vulnerability", "cve"),
    ("Fixed in", "fixed_in"),
    ("Owner", "owners"),
    ("Due", "due"),
    ("Overdue", "overdue"),
    ("New", "new"),
    ("Providers", "providers"),
    ("IDs", "ids"),
    ("Same by", "same_by"),
];

/// How nodes are shown.
const SOURCE: &[(&str, &str)] = &[
    ("Severity", "severity"),
    ("Title", "title"),
    ("Now", "state"),
    ("Provider", "provider"),
    ("Owner", "owner"),
    ("Due", "due"),
    ("ID", "id"),
];

/// Blockers by name, the most first.
fn count<'a, 'b>(
    blockers: &'b [Blocker<'a>],
    names: impl Fn(&'b Blocker<'a>) -> &'b Vec<&'a str>,
) -> Vec<Counted<'a>> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for blocker in blockers {
        for name in names(blocker) {
            *counted.entry(name).or_default() += 1;
        }
    }
    let mut counted: Vec<_> =
        counted.into_iter().map(|(name, blockers)| Counted { name, blockers }).collect();
    counted.sort_by_key(|counted| std::cmp::Reverse(counted.blockers));
    counted
}

fn line(blocker: &Blocker<'_>) -> String {
    let mut text = blocker.severity.map(|severity| format!("{severity}: ")).unwrap_or_default();
    text.push_str(blocker.title);
    if let Some(cve) = blocker.cve {
        text.push_str(&format!(", {cve}"));
    }
    if let Some(component) = blocker.component {
        text.push_str(&format!(" in {component}"));
    }
    if !blocker.fixed_in.is_empty() {
        text.push_str(&format!(", fixed in {}", blocker.fixed_in.join(", ")));
    }
    let who = if blocker.owners.is_empty() { "nobody owns it".to_owned() } else { blocker.owners.join(", ") };
    let due = match (blocker.due, blocker.overdue) {
        (Some(due), true) => format!(", overdue since {due}"),
        (Some(due), false) => format!(", due {due}"),
        (None, _) => String::new(),
    };
    format!("{text} ({}; {who}{due})", blocker.ids.join(", "))
}

fn lacks(source: &Source<'_>) -> String {
    let owner = source.owner.unwrap_or("nobody owns it");
    let due = source.due.map(|due| format!(", due {due}")).unwrap_or_default();
    format!("lacking: {} is {} ({}; {owner}{due})", source.title, source.state.word(), source.id)
}
