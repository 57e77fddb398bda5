//! The reviewers of an environment, in the run that planned.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::answer::{Answer, Answers, PlatformError, When, quoted, read};
use super::rest::{GithubTrust, Run, User};
use crate::approval::v1::PlatformFact;
use crate::artifact::v1::PlannedIn;
use crate::core::text::excerpt;

/// What GitHub answers about the environments of a run.
#[derive(Debug, Clone, Copy)]
pub struct EnvironmentFiles<'a> {
    /// `GET /repos/{owner}/{repo}/actions/runs/{id}/approvals`.
    pub approvals: &'a [u8],
    /// `GET /repos/{owner}/{repo}/actions/runs/{id}`.
    pub run: &'a [u8],
}

#[derive(Debug, Deserialize)]
struct Approval {
    state: String,
    comment: Option<String>,
    user: Option<User>,
    environments: Vec<Environment>,
}

#[derive(Debug, Deserialize)]
struct Environment {
    name: String,
}

/// Who let the run that planned pass into the environment of the settings.
///
/// # Errors
/// [`PlatformError`]; that somebody refused it is one.
pub fn github_environment(
    files: &EnvironmentFiles<'_>,
    planned_in: Option<&PlannedIn>,
    trust: &GithubTrust,
) -> Result<Answers, PlatformError> {
    let approvals: Vec<Approval> = read("approvals.json", files.approvals)?;
    let run: Run = read("run.json", files.run)?;
    run.planned(planned_in, trust)?;
    let Some(environment) = &trust.environment else {
        return Err(PlatformError::other(
            "the trust settings do not say which environment counts: \
             `policy.platform.github.environment`"
                .to_owned(),
        ));
    };
    let (mut people, mut refused) = (BTreeMap::new(), Vec::new());
    for Approval { state, comment, user, environments } in approvals {
        if !environments.iter().any(|found| found.name.eq_ignore_ascii_case(environment)) {
            continue;
        }
        let name = user.as_ref().map_or_else(|| "somebody".to_owned(), User::name);
        if state != "approved" {
            let (name, environment, state) = (quoted(&name), quoted(environment), quoted(&state));
            return Err(PlatformError::other(format!("for {environment}, {name} answered {state}")));
        }
        match user {
            Some(user) if trust.approvers.is_empty() && user.kind == "User" || user.is_listed(trust) => {
                people.insert(user.id, (user, comment.unwrap_or_default()));
            }
            _ => refused.push(format!(
                "the approval by {} does not count: the trust settings do not name it",
                quoted(&name)
            )),
        }
    }
    let repository = &trust.repository;
    let given = people.into_values().map(|(user, comment)| Answer {
        approver: user.name(),
        reason: format!(
            "environment {} in run {} of {repository}: {}",
            excerpt(environment, 100),
            run.id,
            excerpt(comment.trim(), 500)
        ),
        when: When::Since(run.created_at),
        fact: PlatformFact::GithubEnvironment {
            repository: repository.clone(),
            run: run.id,
            environment: environment.clone(),
        },
    });
    Ok(Answers {
        given: given.collect(),
        refused,
        behind: run.people().map(|people| people.into_iter().collect()),
    })
}
