//! What a CI platform answers when it is asked who approved: read from files, and judged against one plan.
//!
//! An answer is a file, and a file proves nothing. Whoever fetched it by itself, in a job that nobody but the
//! protected branch decides about, may take it for the platform's word; for everybody else it is a claim. Which of
//! the two holds is decided by the caller, who hands the [`Answers`] to [`decide`](super::decide) or does not.
//!
//! - [`github_review`]: reviews of a pull request that name the effect.
//! - [`github_environment`]: the reviewers of an environment, in the run that planned.
//! - [`gitlab`]: a manual job, by the token that GitLab signed for it.

mod answer;
mod environment;
mod gate;
mod person;
mod rest;
mod review;
mod token;

pub use answer::{Answer, Answers, MOST_DAYS, PlatformError, When};
pub use environment::{EnvironmentFiles, github_environment};
pub use gate::{GateFiles, GitlabTrust, gitlab};
pub(super) use person::{aliases, namespace, same_person};
pub use rest::GithubTrust;
pub use review::{ReviewFiles, github_review};
