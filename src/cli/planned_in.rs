//! The pipeline that a plan is made in, and who is behind it, in the runner's own words.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::environment::Environment;
use crate::artifact::v1::PlannedIn;
use crate::core::file::read_bounded;
use crate::core::json::parse_strict;

/// The largest event payload, in bytes; GitHub's own limit is 25 MiB.
const LARGEST: usize = 26 << 20;

impl Environment {
    /// The run that a plan made now belongs to, where this is a pipeline of a platform that is asked for approvals.
    pub fn planned_in(&self) -> Option<PlannedIn> {
        if !self.is_ci() {
            return None;
        }
        let (platform, run, people) = if self.get("GITHUB_ACTIONS").is_some() {
            let mut people = vec![self.get("GITHUB_ACTOR"), self.get("GITHUB_TRIGGERING_ACTOR")];
            let author = self.get("GITHUB_EVENT_PATH").and_then(|path| author(Path::new(path)));
            people.push(author.as_deref());
            ("github", self.get("GITHUB_RUN_ID")?, named("github", &people))
        } else if self.get("GITLAB_CI").is_some() {
            ("gitlab", self.get("CI_PIPELINE_ID")?, named("gitlab", &[self.get("GITLAB_USER_LOGIN")]))
        } else {
            return None;
        };
        Some(PlannedIn { platform: platform.to_owned(), run: run.to_owned(), people })
    }
}

fn named(platform: &str, people: &[Option<&str>]) -> Vec<String> {
    let people: BTreeSet<String> =
        people.iter().flatten().map(|login| format!("{platform}:{login}")).collect();
    people.into_iter().collect()
}

/// The author of the pull request that the run is about, where it is about one.
fn author(event: &Path) -> Option<String> {
    let event: Value = parse_strict(&read_bounded(event, LARGEST).ok()?).ok()?;
    event.pointer("/pull_request/user/login")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::file::replace;

    fn planned(variables: &[(&str, &str)]) -> Option<PlannedIn> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment { variables: variables.collect(), ..Environment::default() }.planned_in()
    }

    #[test]
    fn everybody_that_the_runner_names_is_behind_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        let event = folder.path().join("event.json");
        replace(&event, br#"{"pull_request": {"user": {"login": "carol"}}}"#).unwrap();
        let github = [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_ACTOR", "alice"),
            ("GITHUB_TRIGGERING_ACTOR", "bob"),
            ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ];
        let found = planned(&github).unwrap();
        assert_eq!((found.platform.as_str(), found.run.as_str()), ("github", "7"));
        assert_eq!(found.people, ["github:alice", "github:bob", "github:carol"]);
        replace(&event, b"no event").unwrap();
        assert_eq!(planned(&github).unwrap().people, ["github:alice", "github:bob"]);
        assert_eq!(planned(&github[1..]), None);
        assert_eq!(planned(&[("CI", "true"), ("GITHUB_ACTIONS", "true")]), None);
        let gitlab =
            [("CI", "true"), ("GITLAB_CI", "true"), ("CI_PIPELINE_ID", "9"), ("GITLAB_USER_LOGIN", "dave")];
        assert_eq!(planned(&gitlab).unwrap().people, ["gitlab:dave"]);
        assert_eq!(planned(&[("CI", "true"), ("BUILDKITE", "true")]), None);
    }
}
