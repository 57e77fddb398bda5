//! The note on a merge request: what a scheduled job of the protected branch says there, and what it never does.

use std::path::Path;

use serde_json::{Value, json};

use crate::gitlab::{Runner, jobs, script, tools};
use crate::governed::ARTIFACT;

const MARKER: &str = "<!-- loopgate: what is planned -->";
const TOKEN: &str = "canary-note";

/// Answers GET from files, page by page, and keeps what is sent; whoever shows a credential in its arguments, or comes
/// without one, gets nothing.
const CURL: &str = r#"#!/bin/sh
printf '%s\n' "$*" >>"$STUB/log"
case "$*" in *canary*) exit 99 ;; esac
grep -q 'Authorization: Bearer canary-note' || exit 22
output=; method=GET; data=
for word; do
  case $previous in --output) output=$word ;; --request) method=$word ;; --data) data=${word#@} ;; esac
  previous=$word
done
path=${word#https://gitlab.example.com/api/v4/}
if [ "$method" != GET ]; then
  printf '%s %s\n' "$method" "$path" >>"$STUB/sent" && cp "$data" "$STUB/note.json" && echo '{}' >"$output"
  exit
fi
file=$STUB/api/$(printf '%s' "${path%%\?*}" | tr / _)
case $path in *page=1) [ -f "$file" ] || exit 22 ;; *page=*) file=$file.${path##*page=} ;; esac
[ -f "$file" ] || exit 22
cat "$file" >"$output"
"#;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/platform/gitlab").join(name);
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

/// What GitLab answers about the open merge request 5, whose pipeline planned.
struct Project {
    runner: Runner,
    request: Value,
    job: Value,
}

impl Project {
    fn new() -> Self {
        let runner = Runner::new();
        runner.shop.program("curl", CURL);
        runner.plan();
        let project = Self { runner, request: fixture("merge_request.json"), job: fixture("job.json") };
        project.answer("user", &fixture("user.json"));
        project.answer("projects_20_merge_requests_5_notes", &json!([fixture("note.json")]));
        project.keep(&project.runner.folder().read(ARTIFACT));
        project
    }

    fn answer(&self, path: &str, value: &Value) {
        self.runner.folder().write(&format!("stub/api/{path}"), value.to_string());
    }

    /// Makes that the artifact of the job.
    fn keep(&self, artifact: &str) {
        let path = "stub/api/projects_20_jobs_700_artifacts_loopgate-out_artifact.json";
        self.runner.folder().write(path, artifact);
    }

    /// Says it, and gives what was sent and where to, if anything.
    fn says(&self, visibility: &str) -> Option<(String, String)> {
        self.answer("projects_20_merge_requests", &json!([self.request]));
        self.answer("projects_20_merge_requests_5", &self.request);
        self.answer("projects_20_pipelines_299_jobs", &json!([self.job]));
        let folder = self.runner.folder();
        let _ = fs_err::remove_file(folder.path().join("stub/sent"));
        let given = [("LOOPGATE_NOTE_TOKEN", TOKEN), ("CI_PROJECT_VISIBILITY", visibility)];
        self.runner.shell(&script("loopgate:say"), &given).exits(0);
        assert!(!folder.read("stub/log").contains("canary"));
        folder.exists("stub/sent").then(|| {
            let body = folder.json("stub/note.json")["body"].as_str().unwrap().to_owned();
            assert!(body.starts_with(MARKER), "{body}");
            (folder.read("stub/sent").trim_end().to_owned(), body)
        })
    }
}

#[test]
fn only_a_scheduled_job_of_the_protected_branch_has_the_token_that_writes_notes() {
    let jobs = jobs();
    let rules = jobs["loopgate:say"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    let condition = rules[0]["if"].as_str().unwrap();
    for part in [
        "$CI_PIPELINE_SOURCE == \"schedule\"",
        "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
        "$CI_COMMIT_REF_PROTECTED == \"true\"",
        "$LOOPGATE_NOTE_TOKEN",
    ] {
        assert!(condition.contains(part), "{part}");
    }
    assert!(!condition.contains("||"), "{condition}");
    for (name, job) in jobs.as_object().unwrap() {
        assert!(name == "loopgate:say" || !job.to_string().contains("NOTE_TOKEN"), "{name}");
    }
    // On the schedule nothing else runs.
    for name in ["loopgate:plan", "loopgate:ledger", "loopgate:apply"] {
        let rules = jobs[name]["rules"].as_array().unwrap();
        let on_the_branch =
            rules.iter().filter(|rule| rule["if"].as_str().unwrap().contains("$CI_COMMIT_BRANCH"));
        for rule in on_the_branch {
            assert!(rule["if"].as_str().unwrap().contains("!= \"schedule\""), "{name}: {rule}");
        }
    }
}

#[test]
fn a_merge_request_is_told_what_is_planned_in_one_note_that_is_updated_in_place() {
    if !tools() {
        return;
    }
    let mut project = Project::new();
    let effect = project.runner.shop.effect(ARTIFACT).to_string();
    let (sent, body) = project.says("private").unwrap();
    assert_eq!(sent, "POST projects/20/merge_requests/5/notes");
    for said in [
        "1 operation is planned for `6dcb09b5b57875f334f61aebed695e2e4193db5e`",
        "(https://gitlab.example.com/acme/shop/-/pipelines/299)",
        &effect,
        "loopiq_create_remediation_work_package",
        "start the manual job `loopgate:apply`",
    ] {
        assert!(body.contains(said), "{said}: {body}");
    }
    // A stranger's note that looks like ours is none; ours is on the second page.
    let mut notes = vec![fixture("note.json"); 100];
    notes[0]["body"] = json!(body);
    project.answer("projects_20_merge_requests_5_notes", &json!(notes));
    let mut own = fixture("note.json");
    own["author"] = fixture("user.json");
    own["id"] = json!(601);
    own["body"] = json!(body);
    project.answer("projects_20_merge_requests_5_notes.2", &json!([own]));
    assert_eq!(project.says("private"), None, "it says so already");
    project.job["status"] = json!("failed");
    let (sent, body) = project.says("private").unwrap();
    assert_eq!(sent, "PUT projects/20/merge_requests/5/notes/601");
    assert!(body.contains("ended as `failed`") && !body.contains(&effect), "{body}");
    // A plan that is not over is told once it is.
    project.job["status"] = json!("running");
    assert_eq!(project.says("private"), None);
}

#[test]
fn what_a_merge_request_left_is_not_believed_and_a_public_project_shows_no_titles() {
    if !tools() {
        return;
    }
    let mut project = Project::new();
    for visibility in ["public", ""] {
        let (_, body) = project.says(visibility).unwrap();
        assert!(body.contains(&project.runner.shop.effect(ARTIFACT).to_string()), "{body}");
        for hidden in ["REL-BLOCKED", "loopiq_create", "Unblock"] {
            assert!(!body.contains(hidden), "{hidden}: {body}");
        }
    }
    let written = project.runner.folder().read(ARTIFACT);
    for artifact in [&written.replace("REL-BLOCKED", "REL-OTHER"), "/merge\n", ""] {
        project.keep(artifact);
        let (_, body) = project.says("private").unwrap();
        assert!(body.contains("left no artifact that can be read"), "{body}");
        assert!(!body.contains("REL-OTHER") && !body.contains("/merge"), "{body}");
    }
    // Whatever a plan says, no line of a note is a command to GitLab.
    let mut plan = loopgate::artifact::Plan::from(
        serde_json::from_str::<loopgate::artifact::v1::Document>(&written).unwrap(),
    );
    plan.operations[0].reason = "x\n/merge\n /approve".to_owned();
    plan.operations[0].arguments["parent"]["title"] = json!("/close\n/merge");
    let hostile = loopgate::artifact::Artifact::build(plan).unwrap();
    project.keep(std::str::from_utf8(hostile.bytes()).unwrap());
    let (_, body) = project.says("private").unwrap();
    assert!(body.contains("merge") && !body.lines().any(|line| line.trim_start().starts_with('/')), "{body}");
    // Not even where `show` let one through.
    let program =
        "#!/bin/sh\ncase \"$*\" in *json) echo '{\"operations\":[]}' ;; *) printf 'x\\n /merge\\n' ;; esac\n";
    project.runner.shop.program("loopgate", program);
    let (_, body) = project.says("private").unwrap();
    assert!(body.contains("It is never cut") && !body.contains("/merge"), "{body}");
    project.request["source_project_id"] = json!(21);
    let (_, body) = project.says("private").unwrap();
    assert!(body.contains("a fork's merge request gets no credential") && body.len() < 200, "{body}");
    project.request["target_branch"] = json!("release");
    assert_eq!(project.says("private"), None, "it goes somewhere else");
}
