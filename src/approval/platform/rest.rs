//! GitHub's REST answers, as far as they are asked for, and what the trust settings say of GitHub.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{PlatformError, quoted};
use super::person::aliases;
use crate::artifact::v1::PlannedIn;

/// The account that commits what is edited on the platform's own pages.
const WEB_FLOW: u64 = 19_864_447;

/// What is known of GitHub, in the trust settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubTrust {
    /// The repository, as `OWNER/NAME`.
    pub repository: String,
    /// The workflow whose jobs may take an answer for the platform's word, as `PATH@REF` with the protected branch:
    /// `.github/workflows/apply.yml@refs/heads/main`.
    pub workflow: String,
    /// The environment whose reviewers count.
    #[serde(default)]
    pub environment: Option<String>,
    /// Who counts, by login or as `LOGIN#ID`; bots only where they stand here [default: people who own the repository,
    /// are members of its organization, or collaborate in it; for an environment, its reviewers].
    #[serde(default)]
    pub approvers: BTreeSet<String>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct User {
    pub login: String,
    pub id: u64,
    #[serde(rename = "type")]
    pub kind: String,
}

/// A repository.
#[derive(Debug, Deserialize)]
pub(super) struct Repository {
    pub full_name: String,
}

/// One end of a pull request.
#[derive(Debug, Deserialize)]
pub(super) struct Tip {
    pub sha: String,
    pub repo: Option<Repository>,
}

/// `GET /repos/{owner}/{repo}/pulls/{number}`.
#[derive(Debug, Deserialize)]
pub(super) struct Pull {
    pub url: String,
    pub number: u64,
    pub state: String,
    pub merged: bool,
    pub user: Option<User>,
    pub commits: usize,
    pub head: Tip,
    pub base: Tip,
}

/// One of `GET /repos/{owner}/{repo}/pulls/{number}/reviews`.
#[derive(Debug, Deserialize)]
pub(super) struct Review {
    pub id: u64,
    pub user: Option<User>,
    pub body: Option<String>,
    pub state: String,
    pub submitted_at: Option<Timestamp>,
    pub commit_id: Option<String>,
    pub pull_request_url: String,
    pub author_association: String,
}

/// One of `GET /repos/{owner}/{repo}/pulls/{number}/commits`.
#[derive(Debug, Deserialize)]
pub(super) struct Commit {
    pub sha: String,
    /// An account; null or empty where no account has the address.
    author: Value,
    committer: Value,
}

/// `GET /repos/{owner}/{repo}/actions/runs/{id}`.
#[derive(Debug, Deserialize)]
pub(super) struct Run {
    pub id: u64,
    pub head_sha: String,
    pub created_at: Timestamp,
    pub actor: Option<User>,
    pub triggering_actor: Option<User>,
    pub repository: Repository,
}

impl User {
    /// The name that records and messages have.
    pub fn name(&self) -> String {
        format!("github:{}#{}", self.login, self.id)
    }

    /// Whether the settings name it as one who counts.
    pub fn is_listed(&self, trust: &GithubTrust) -> bool {
        listed(&self.name(), "github", &trust.approvers)
    }
}

/// Whether `approvers`, logins with or without IDs, have `name`, which is a whole one.
pub(super) fn listed(name: &str, namespace: &str, approvers: &BTreeSet<String>) -> bool {
    let own = aliases(name);
    approvers.iter().any(|entry| match entry.contains('#') {
        true => aliases(&format!("{namespace}:{entry}")).is_subset(&own),
        false => own.contains(&format!("{namespace}:{}", entry.trim().to_lowercase())),
    })
}

impl Commit {
    /// Who made it, and who committed it; or that an account is not known.
    pub fn people(&self) -> Result<Vec<String>, String> {
        let mut people = Vec::new();
        for account in [&self.author, &self.committer] {
            let user: User = serde_json::from_value(account.clone())
                .map_err(|_| format!("the commit {} has no account behind it", quoted(&self.sha)))?;
            if user.id != WEB_FLOW {
                people.push(user.name());
            }
        }
        Ok(people)
    }
}

impl Run {
    /// Who caused it.
    pub fn people(&self) -> Result<Vec<String>, String> {
        let unknown = || format!("the run {} does not say who caused it", self.id);
        [&self.actor, &self.triggering_actor]
            .into_iter()
            .map(|user| user.as_ref().map(User::name).ok_or_else(unknown))
            .collect()
    }

    /// That it is the run that planned, in the repository of the settings.
    pub fn planned(&self, planned_in: Option<&PlannedIn>, trust: &GithubTrust) -> Result<(), PlatformError> {
        in_repository(&self.repository, trust)?;
        let Some(planned) = planned_in.filter(|planned| planned.platform == "github") else {
            return Err(PlatformError::other(
                "the artifact does not say in which GitHub run it was planned: plan it there".to_owned(),
            ));
        };
        if planned.run == self.id.to_string() {
            return Ok(());
        }
        let (planned, found) = (quoted(&planned.run), self.id);
        Err(PlatformError::other(format!("the plan was made in the run {planned}, and this is {found}")))
    }
}

/// That it is the repository of the settings.
pub(super) fn in_repository(found: &Repository, trust: &GithubTrust) -> Result<(), PlatformError> {
    if found.full_name.eq_ignore_ascii_case(&trust.repository) {
        return Ok(());
    }
    let (found, wanted) = (quoted(&found.full_name), quoted(&trust.repository));
    Err(PlatformError::other(format!(
        "the answer is of the repository {found}, and the trust settings name {wanted}"
    )))
}
