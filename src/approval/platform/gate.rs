//! A manual job of GitLab, by the token that GitLab signed for it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Answers, PlatformError, When, quoted, read};
use super::person::same_person;
use super::rest::listed;
use super::token::claims;
use crate::approval::v1::PlatformFact;
use crate::artifact::v1::PlannedIn;

/// How far two clocks may be apart.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What is known of GitLab, in the trust settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GitlabTrust {
    /// The instance, as it names itself in tokens: `https://gitlab.com`.
    pub issuer: String,
    /// Whom the job asks its token for; a token for anybody else does not count.
    pub audience: String,
    /// A file with the instance's published keys (JSON Web Key Set), relative to the trust folder.
    pub keys: PathBuf,
    /// The project, as `GROUP/NAME`.
    pub project: String,
    /// The configuration that the job is from, at the protected branch:
    /// `gitlab.com/GROUP/NAME//.gitlab-ci.yml@refs/heads/main`.
    pub workflow: String,
    /// The protected environment that the job deploys to.
    pub environment: String,
    /// Who counts, by login or as `LOGIN#ID` [default: whoever GitLab lets start the job].
    #[serde(default)]
    pub approvers: BTreeSet<String>,
}

/// What GitLab answers about a job.
#[derive(Debug, Clone, Copy)]
pub struct GateFiles<'a> {
    /// The job's `id_token`.
    pub token: &'a str,
    /// `GET /projects/:id/pipelines/:pipeline_id`.
    pub pipeline: &'a [u8],
    /// The text of [`GitlabTrust::keys`].
    pub keys: &'a str,
}

/// What GitLab says in an `id_token`.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    project_path: String,
    pipeline_id: String,
    job_id: String,
    sha: String,
    ref_protected: String,
    environment: Option<String>,
    environment_protected: Option<String>,
    ci_config_ref_uri: Option<String>,
    user_login: String,
    user_id: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct Pipeline {
    id: u64,
    sha: String,
    user: PipelineUser,
}

#[derive(Debug, Deserialize)]
struct PipelineUser {
    id: u64,
    username: String,
}

/// Who started the manual job of the pipeline that planned, as GitLab signed it.
///
/// # Errors
/// [`PlatformError`].
pub fn gitlab(
    files: &GateFiles<'_>,
    planned_in: Option<&PlannedIn>,
    trust: &GitlabTrust,
    now: Timestamp,
) -> Result<Answers, PlatformError> {
    let other = PlatformError::other;
    let pipeline: Pipeline = read("pipeline.json", files.pipeline)?;
    let claims: Claims = claims(files.token, files.keys)
        .map_err(|error| other(format!("the `id_token` does not count: {error}")))?;
    let unfit = |why: String| other(format!("the `id_token` does not count: {why}"));
    let issued = timely(&claims, now).map_err(unfit)?;
    agrees(&claims, trust).map_err(unfit)?;
    let planned = planned_in.filter(|planned| planned.platform == "gitlab").ok_or_else(|| {
        other("the artifact does not say in which GitLab pipeline it was planned: plan it there".to_owned())
    })?;
    if planned.run != claims.pipeline_id {
        let (planned, found) = (quoted(&planned.run), quoted(&claims.pipeline_id));
        return Err(other(format!("the plan was made in the pipeline {planned}, and this is {found}")));
    }
    if pipeline.id.to_string() != claims.pipeline_id || pipeline.sha != claims.sha {
        return Err(other("`pipeline.json` is of another pipeline than the token".to_owned()));
    }
    let approver = format!("gitlab:{}#{}", claims.user_login, claims.user_id);
    let caused_by = format!("gitlab:{}#{}", pipeline.user.username, pipeline.user.id);
    let mut answers =
        Answers { given: Vec::new(), refused: Vec::new(), behind: Ok(BTreeSet::from([caused_by.clone()])) };
    // No claim says that a job is a manual one: of one that the pipeline's own user runs, nobody can tell.
    if same_person(&approver) == same_person(&caused_by) {
        let name = quoted(&approver);
        answers
            .refused
            .push(format!("{name} caused the pipeline, so that they started the job shows nothing"));
    } else if trust.approvers.is_empty() || listed(&approver, "gitlab", &trust.approvers) {
        answers.given.push(Answer {
            reason: format!(
                "started job {} of pipeline {} in {}",
                claims.job_id, claims.pipeline_id, trust.project
            ),
            approver,
            when: When::At(issued),
            fact: PlatformFact::Gitlab {
                issuer: trust.issuer.clone(),
                project: trust.project.clone(),
                pipeline: claims.pipeline_id,
                job: claims.job_id,
                environment: trust.environment.clone(),
                commit: claims.sha,
            },
        });
    } else {
        let name = quoted(&approver);
        answers.refused.push(format!("the job was started by {name}, who is none of those who may approve"));
    }
    Ok(answers)
}

/// When it was issued, where it is in force.
fn timely(claims: &Claims, now: Timestamp) -> Result<Timestamp, String> {
    let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| "its times are none".to_owned());
    let (issued, expires) = (time(claims.iat)?, time(claims.exp)?);
    if expires <= now {
        return Err(format!("it expired at {expires}"));
    }
    let begins = claims.nbf.map_or(Ok(issued), time)?.max(issued);
    if begins.duration_since(now) > SKEW {
        return Err(format!("it is good from {begins} on, and it is {now} here: compare the clocks"));
    }
    Ok(issued)
}

/// That it is what the settings trust.
fn agrees(claims: &Claims, trust: &GitlabTrust) -> Result<(), String> {
    let audience = match &claims.aud {
        Audience::One(audience) => audience.clone(),
        Audience::Several(all) => match all.as_slice() {
            [only] => only.clone(),
            _ => all.join(", "),
        },
    };
    let found = |claim: &Option<String>| claim.clone().unwrap_or_default();
    for (what, said, wanted) in [
        ("issuer", claims.iss.clone(), trust.issuer.as_str()),
        ("audience", audience, &trust.audience),
        ("project", claims.project_path.clone(), &trust.project),
        ("environment", found(&claims.environment), &trust.environment),
        ("configuration", found(&claims.ci_config_ref_uri), &trust.workflow),
        ("`ref_protected`", claims.ref_protected.clone(), "true"),
        ("`environment_protected`", found(&claims.environment_protected), "true"),
    ] {
        if said != wanted {
            return Err(format!("its {what} is {}, and it must be {}", quoted(&said), quoted(wanted)));
        }
    }
    Ok(())
}
