//! What a CI platform answered: where its files are, and whether this job may take it for the platform's word.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::ledger_place::is_tracked;
use super::output::Output;
use super::policy::Trusted;
use super::settings::{FILE_NAME, text};
use crate::approval::PlatformFact;
use crate::approval::platform::{
    Answers, EnvironmentFiles, GateFiles, GithubTrust, GitlabTrust, PlatformError, ReviewFiles,
    github_environment, github_review, gitlab,
};
use crate::artifact::Artifact;
use crate::core::file::{ReadError, read_bounded};
use crate::core::text::visible;

/// The largest answer, in bytes.
const LARGEST: usize = 32 << 20;

/// Approvals that a CI platform has.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct PlatformArguments {
    /// Take the approvals that a CI platform has.
    #[arg(long, value_name = "PLATFORM", value_enum, requires = "platform")]
    pub from: Option<Platform>,
    /// The folder with what it answered. github-review: reviews.json, pull.json, commits.json, run.json;
    /// github-environment: approvals.json, run.json; gitlab: id_token.jwt, pipeline.json.
    #[arg(long, value_name = "DIR", requires = "from")]
    pub platform: Option<PathBuf>,
}

/// A CI platform, and what it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Platform {
    /// The reviews of a pull request on GitHub.
    GithubReview,
    /// The reviewers of an environment on GitHub.
    GithubEnvironment,
    /// A manual job on GitLab.
    Gitlab,
}

/// The CI platforms whose approvals count.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatformSettings {
    /// GitHub.
    #[serde(default)]
    pub github: Option<GithubTrust>,
    /// GitLab.
    #[serde(default)]
    pub gitlab: Option<GitlabTrust>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GithubReview => "github-review",
            Self::GithubEnvironment => "github-environment",
            Self::Gitlab => "gitlab",
        })
    }
}

impl From<PlatformError> for Fault {
    fn from(error: PlatformError) -> Self {
        let exit = match &error {
            PlatformError::Shape { .. } => Exit::Invalid,
            PlatformError::Other(_) => Exit::NotApproved,
        };
        Self { exit, error: error.into(), hint: None, problems: None }
    }
}

impl PlatformArguments {
    /// What the platform answered about `artifact`, where one is named.
    pub fn answers(&self, artifact: &Artifact, trusted: Option<&Trusted>) -> Result<Option<Answers>, Fault> {
        let (Some(platform), Some(folder)) = (self.from, &self.platform) else { return Ok(None) };
        let (effect, planned_in) =
            (artifact.effect_digest(), artifact.document().planned_by.pipeline.as_ref());
        let read = |name: &str, what: &str| answer(folder, name, what);
        let answers = match platform {
            Platform::GithubReview => {
                let trust = github(trusted)?;
                let files = ReviewFiles {
                    reviews: &read("reviews.json", "repos/OWNER/NAME/pulls/NUMBER/reviews, every page")?,
                    pull: &read("pull.json", "repos/OWNER/NAME/pulls/NUMBER")?,
                    commits: &read("commits.json", "repos/OWNER/NAME/pulls/NUMBER/commits, every page")?,
                    run: &read("run.json", "repos/OWNER/NAME/actions/runs/ID, of the run that planned")?,
                };
                github_review(&files, effect, planned_in, trust)?
            }
            Platform::GithubEnvironment => {
                let trust = github(trusted)?;
                let files = EnvironmentFiles {
                    approvals: &read("approvals.json", "repos/OWNER/NAME/actions/runs/ID/approvals")?,
                    run: &read("run.json", "repos/OWNER/NAME/actions/runs/ID")?,
                };
                github_environment(&files, planned_in, trust)?
            }
            Platform::Gitlab => {
                let trust = gitlab_trust(trusted)?;
                let token = read("id_token.jwt", "an `id_token` of the job")?;
                let files = GateFiles {
                    token: &String::from_utf8_lossy(&token),
                    pipeline: &read("pipeline.json", "projects/ID/pipelines/ID")?,
                    keys: &text(&trust.keys)?,
                };
                gitlab(&files, planned_in, trust, Timestamp::now())?
            }
        };
        Ok(Some(answers))
    }

    /// What the platform answered, if this job may take it for the platform's word; else why not is told, and
    /// whatever was approved there is as good as asserted.
    pub fn vouched(
        &self,
        artifact: &Artifact,
        trusted: Option<&Trusted>,
        environment: &Environment,
        output: &Output,
    ) -> Result<Option<Answers>, Fault> {
        let answered = match self.answers(artifact, trusted) {
            Err(fault) if fault.exit == Exit::NotApproved => Err(format!("{:#}", fault.error)),
            answered => answered?
                .map(|answers| self.is_the_platforms_word(&answers, trusted, environment).map(|()| answers))
                .transpose(),
        };
        answered.or_else(|why| {
            output.say(&format!("note: nothing counts as the platform's word here: {}", visible(&why)));
            Ok(None)
        })
    }

    /// Whether this is a job whose steps the protected branch decides, in the run that the answers are of; or why not.
    pub fn is_the_platforms_word(
        &self,
        answers: &Answers,
        trusted: Option<&Trusted>,
        environment: &Environment,
    ) -> Result<(), String> {
        let is = |name: &str, wanted: &str| match environment.get(name) {
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(format!("`{name}` is `{found}`, and it must be `{wanted}`")),
            None => Err(format!("`{name}` is not set, and it must be `{wanted}`")),
        };
        if !environment.is_ci() {
            return Err("this is no pipeline".to_owned());
        }
        if let Some(folder) = self.platform.as_deref().filter(|folder| is_tracked(folder)) {
            return Err(format!(
                "git tracks `{}`, so a checkout brought it, and no job fetched it",
                folder.display()
            ));
        }
        let settings = trusted.map(|trusted| &trusted.settings);
        let settings = settings.and_then(|settings| settings.policy.as_ref()).map(|policy| &policy.platform);
        match settings {
            Some(PlatformSettings { github: Some(trust), .. }) if self.from != Some(Platform::Gitlab) => {
                is("GITHUB_ACTIONS", "true")?;
                is("GITHUB_REPOSITORY", &trust.repository)?;
                is("GITHUB_WORKFLOW_REF", &format!("{}/{}", trust.repository, trust.workflow))?;
            }
            Some(PlatformSettings { gitlab: Some(trust), .. }) => {
                is("GITLAB_CI", "true")?;
                is("CI_PROJECT_PATH", &trust.project)?;
            }
            _ => return Err("the trust settings do not name the platform".to_owned()),
        }
        answers.given.iter().try_for_each(|answer| match &answer.fact {
            PlatformFact::GithubReview { .. } => Ok(()),
            PlatformFact::GithubEnvironment { run, .. } => is("GITHUB_RUN_ID", &run.to_string()),
            PlatformFact::Gitlab { pipeline, job, .. } => {
                is("CI_PIPELINE_ID", pipeline)?;
                is("CI_JOB_ID", job)
            }
        })
    }
}

/// A file of the answer; `what` is how it is asked for.
fn answer(folder: &Path, name: &str, what: &str) -> Result<Vec<u8>, Fault> {
    read_bounded(&folder.join(name), LARGEST).map_err(|error| {
        let missing = matches!(error, ReadError::Missing { .. });
        let fault = Fault::invalid(error);
        if missing { fault.hint(format!("it is what the platform answers to: {what}")) } else { fault }
    })
}

fn github(trusted: Option<&Trusted>) -> Result<&GithubTrust, Fault> {
    let found = settings(trusted).and_then(|settings| settings.github.as_ref());
    found.ok_or_else(|| {
        unnamed(
            "github: { repository: OWNER/NAME, workflow: \".github/workflows/apply.yml@refs/heads/main\" }",
        )
    })
}

fn gitlab_trust(trusted: Option<&Trusted>) -> Result<&GitlabTrust, Fault> {
    let found = settings(trusted).and_then(|settings| settings.gitlab.as_ref());
    found.ok_or_else(|| unnamed("gitlab: { issuer, audience, keys, project, workflow, environment }"))
}

fn settings(trusted: Option<&Trusted>) -> Option<&PlatformSettings> {
    Some(&trusted?.settings.policy.as_ref()?.platform)
}

fn unnamed(wanted: &str) -> Fault {
    Fault::new(Exit::Invalid, "the trust settings do not say whose answers count")
        .hint(format!("write `policy: {{ platform: {{ {wanted} }} }}` into {FILE_NAME} in the trust folder"))
}
