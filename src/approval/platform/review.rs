//! Reviews of a pull request that name the effect.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, Answers, PlatformError, When, quoted, read, read_pages};
use super::rest::{Commit, GithubTrust, Pull, Review, Run, User, in_repository};
use crate::approval::v1::PlatformFact;
use crate::artifact::v1::PlannedIn;
use crate::core::Digest;
use crate::core::text::excerpt;

/// The fewest hex digits of an effect digest that name it in a review.
const FEWEST: usize = 16;

/// What GitHub answers about the reviews of a pull request.
#[derive(Debug, Clone, Copy)]
pub struct ReviewFiles<'a> {
    /// `GET /repos/{owner}/{repo}/pulls/{number}/reviews`, all pages in one array, or an array of them.
    pub reviews: &'a [u8],
    /// `GET /repos/{owner}/{repo}/pulls/{number}`.
    pub pull: &'a [u8],
    /// `GET /repos/{owner}/{repo}/pulls/{number}/commits`, as `reviews`.
    pub commits: &'a [u8],
    /// `GET /repos/{owner}/{repo}/actions/runs/{id}` of the run that planned.
    pub run: &'a [u8],
}

/// The reviews that approve `effect`: the last word of each reviewer, in a body that holds at least 16 hex digits of
/// its digest, after the run that planned it began, and for the commit that the pull request ends with.
///
/// # Errors
/// [`PlatformError`].
pub fn github_review(
    files: &ReviewFiles<'_>,
    effect: &Digest,
    planned_in: Option<&PlannedIn>,
    trust: &GithubTrust,
) -> Result<Answers, PlatformError> {
    let pull: Pull = read("pull.json", files.pull)?;
    let reviews: Vec<Review> = read_pages("reviews.json", files.reviews)?;
    let commits: Vec<Commit> = read_pages("commits.json", files.commits)?;
    let run: Run = read("run.json", files.run)?;
    is_ours(&pull, trust)?;
    run.planned(planned_in, trust)?;
    if run.head_sha != pull.head.sha {
        let (run, pull) = (quoted(&run.head_sha), quoted(&pull.head.sha));
        return Err(PlatformError::other(format!(
            "the plan was made at the commit {run}, and the pull request ends with {pull}: plan it again"
        )));
    }
    let mut last: BTreeMap<u64, (User, Review)> = BTreeMap::new();
    for review in reviews {
        let Some(user) = review.user.clone() else { continue };
        if !matches!(review.state.as_str(), "APPROVED" | "CHANGES_REQUESTED" | "DISMISSED") {
            continue;
        }
        let order = |review: &Review| (review.submitted_at, review.id);
        if last.get(&user.id).is_none_or(|(_, before)| order(&review) > order(before)) {
            last.insert(user.id, (user, review));
        }
    }
    let (mut given, mut refused) = (Vec::new(), Vec::new());
    for (user, review) in last.into_values() {
        match judged(&user, &review, &pull, &run, effect, trust) {
            Ok(answer) => given.push(answer),
            Err(why) => refused.push(format!(
                "the review {} by `{}` does not count: {why}",
                review.id,
                excerpt(&user.name(), 100)
            )),
        }
    }
    Ok(Answers { given, refused, behind: behind(&pull, &commits, &run) })
}

/// That it is of the repository in the settings, from one of its own branches, and not given up.
fn is_ours(pull: &Pull, trust: &GithubTrust) -> Result<(), PlatformError> {
    let number = pull.number;
    let gone = || PlatformError::other(format!("the pull request {number} is of a repository that is gone"));
    in_repository(pull.base.repo.as_ref().ok_or_else(gone)?, trust)?;
    let head = pull.head.repo.as_ref().ok_or_else(gone)?;
    if !head.full_name.eq_ignore_ascii_case(&trust.repository) {
        let head = quoted(&head.full_name);
        return Err(PlatformError::other(format!("the pull request {number} is from a fork, {head}")));
    }
    if pull.state != "open" && !pull.merged {
        return Err(PlatformError::other(format!("the pull request {number} was closed without a merge")));
    }
    Ok(())
}

fn judged(
    user: &User,
    review: &Review,
    pull: &Pull,
    run: &Run,
    effect: &Digest,
    trust: &GithubTrust,
) -> Result<Answer, String> {
    let body = review.body.as_deref().unwrap_or_default();
    match review.state.as_str() {
        "APPROVED" => {}
        "DISMISSED" => return Err("it was dismissed".to_owned()),
        _ => return Err("it asks for changes".to_owned()),
    }
    if review.pull_request_url != pull.url {
        return Err(format!("it is of {}", quoted(&review.pull_request_url)));
    }
    if !names(body, effect) {
        return Err(format!(
            "its text does not hold {FEWEST} hex digits or more of the effect digest, {}",
            effect.short()
        ));
    }
    if review.commit_id.as_ref() != Some(&pull.head.sha) {
        return Err("it is of another commit than the pull request ends with".to_owned());
    }
    let time = review.submitted_at.ok_or("it does not say when it was given")?;
    if time < run.created_at {
        return Err(format!("it is of {time}, before the run that planned began"));
    }
    let belongs = matches!(review.author_association.as_str(), "OWNER" | "MEMBER" | "COLLABORATOR");
    let counts = match trust.approvers.is_empty() {
        true => belongs && user.kind == "User",
        false => user.is_listed(trust),
    };
    if !counts {
        return Err(match user.kind.as_str() {
            "User" => "they are none of those who may approve".to_owned(),
            _ => "it is by a program, and the trust settings do not name it".to_owned(),
        });
    }
    let repository = trust.repository.clone();
    Ok(Answer {
        approver: user.name(),
        reason: format!(
            "review {} of {repository}#{}: {}",
            review.id,
            pull.number,
            excerpt(body.trim(), 500)
        ),
        when: When::At(time),
        fact: PlatformFact::GithubReview {
            repository,
            pull: pull.number,
            review: review.id,
            commit: pull.head.sha.clone(),
        },
    })
}

/// Whether a text holds enough of a digest, from its beginning, as a word of its own.
fn names(text: &str, digest: &Digest) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| word.len() >= FEWEST && digest.hex().starts_with(&word.to_ascii_lowercase()))
}

/// Author, everybody whose commits it has, and who caused the run that planned.
fn behind(pull: &Pull, commits: &[Commit], run: &Run) -> Result<BTreeSet<String>, String> {
    if commits.len() != pull.commits {
        return Err(format!(
            "`commits.json` has {} of the pull request's {} commits: fetch every page",
            commits.len(),
            pull.commits
        ));
    }
    let author = pull.user.as_ref().map(User::name).ok_or("the pull request has no author any more")?;
    let mut people = BTreeSet::from([author]);
    for commit in commits {
        people.extend(commit.people()?);
    }
    people.extend(run.people()?);
    Ok(people)
}
