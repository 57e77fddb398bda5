//! What GitHub sends and answers about one pull request and its run, with every member that recorded ones have (the
//! fixtures' README says how they were compared).

use std::path::Path;

use loopgate::core::Digest;
use serde_json::{Value, json};

pub const HEAD: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";
pub const OLD: &str = "ecdddd80bb57125d7ba9641ffaa4d7d2c19d3f3a";
/// As what the pull request was merged.
pub const MERGED: &str = "9049f1265b7d61be4a8904a9a27120d2064dab3b";
/// The run that planned.
pub const RUN: &str = "30433642";
/// When it was merged.
const WHEN: &str = "2026-03-01T13:00:00Z";

/// What only the answer about a single pull request has, and no list of them.
const ALONE: [&str; 12] = [
    "merged",
    "mergeable",
    "rebaseable",
    "mergeable_state",
    "merged_by",
    "comments",
    "review_comments",
    "maintainer_can_modify",
    "commits",
    "additions",
    "deletions",
    "changed_files",
];

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/platform/github").join(name);
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

/// `value`, with one name for another wherever it stands.
fn renamed(value: &Value, from: &str, to: &str) -> Value {
    serde_json::from_str(&value.to_string().replace(from, to)).unwrap()
}

/// An account.
pub fn user(login: &str, id: u64) -> Value {
    let mut user = renamed(&fixture("reviews.json")[0]["user"], "alice", login);
    user["id"] = json!(id);
    user
}

/// A review by somebody who approves the pull request's head.
pub fn review(id: u64, who: &Value, body: &str, at: &str) -> Value {
    let mut review = fixture("reviews.json")[0].clone();
    for (member, value) in
        [("id", json!(id)), ("user", who.clone()), ("body", json!(body)), ("submitted_at", json!(at))]
    {
        review[member] = value;
    }
    review
}

/// The pull request 5 in a list of those that are open.
pub fn listed() -> Value {
    let mut pull = fixture("pull.json");
    pull.as_object_mut().unwrap().retain(|member, _| !ALONE.contains(&member.as_str()));
    pull
}

/// The pull requests of the commit that the merge made: an older one, and 5.
pub fn of_the_merge() -> Value {
    let mut merged = listed();
    for (member, value) in
        [("state", json!("closed")), ("merged_at", json!(WHEN)), ("closed_at", json!(WHEN))]
    {
        merged[member] = value;
    }
    let mut older = renamed(&merged, "pulls/5", "pulls/4");
    older["number"] = json!(4);
    older["merge_commit_sha"] = json!(OLD);
    json!([[older, merged]])
}

/// The runs of the workflow for the pull request's head: the newest that planned, an older one, one that failed, and
/// one of a fork.
pub fn runs() -> Value {
    let run = |id: u64, conclusion: &str| {
        let mut run = fixture("run.json");
        run["id"] = json!(id);
        run["conclusion"] = json!(conclusion);
        run
    };
    let mut forks = run(30_433_651, "success");
    forks["head_repository"] = fork(&forks["head_repository"]);
    let runs = [run(30_433_642, "success"), run(30_433_641, "success"), run(30_433_650, "failure"), forks];
    json!({"total_count": runs.len(), "workflow_runs": runs})
}

/// Mallory's fork of a repository.
fn fork(repository: &Value) -> Value {
    let mut fork = renamed(repository, "acme", "mallory");
    fork["id"] = json!(2);
    fork["fork"] = json!(true);
    fork
}

/// Comments in two pages: somebody's, a stranger's that looks like ours, and another program's.
pub fn comments() -> Value {
    let all = fixture("comments.json");
    json!([[all[0], all[1]], [all[2]]])
}

/// Who let the run into the environments `environment`, as alice, with `state`.
pub fn approval(environment: &str, state: &str) -> Value {
    let mut approval = renamed(&fixture("approvals.json")[0], "production", environment);
    approval["state"] = json!(state);
    approval
}

/// The event that the run of the pull request's own branch is over.
pub fn run_is_over() -> Value {
    fixture("workflow_run.json")
}

/// The same of a fork's run, which names no pull request, and the pull request as it is listed.
pub fn forks_run_is_over() -> (Value, Value) {
    let (mut event, mut pull) = (run_is_over(), listed());
    event["workflow_run"]["head_repository"] = fork(&event["workflow_run"]["head_repository"]);
    event["workflow_run"]["pull_requests"] = json!([]);
    pull["head"]["repo"] = fork(&pull["head"]["repo"]);
    (event, pull)
}

/// All that GitHub answers about the pull request 5, opened and pushed by carol, and its run.
pub struct GitHub {
    pub reviews: Value,
    pub pull: Value,
    pub commits: Value,
    pub run: Value,
}

impl GitHub {
    pub fn new(effect: &Digest) -> Self {
        let body = format!("Fine: {}", &effect.hex()[..16]);
        Self {
            reviews: json!([review(80, &user("alice", 17), &body, "2026-03-01T12:00:00Z")]),
            pull: fixture("pull.json"),
            commits: fixture("commits.json"),
            run: fixture("run.json"),
        }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Once the pull request was merged.
    pub fn merged(self) -> Self {
        self.with(|answer| {
            let pull = &mut answer.pull;
            pull["merged_by"] = pull["user"].clone();
            for (member, value) in [
                ("state", json!("closed")),
                ("merged", json!(true)),
                ("merged_at", json!(WHEN)),
                ("closed_at", json!(WHEN)),
            ] {
                pull[member] = value;
            }
        })
    }
}
