//! The shell parts of GitHub's workflows, with event payloads and answers that have every member of recorded ones, and
//! a `gh` that answers from files.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::github_answers::{
    GitHub, MERGED, OLD, RUN, approval, comments, forks_run_is_over, listed, of_the_merge, run_is_over, runs,
    user,
};
use crate::governed::ARTIFACT;
use crate::shop::{Shop, lately};
use crate::support::{Folder, Ran, has};

const MARKER: &str = "<!-- loopgate: what is planned -->";

/// Answers GET from files, keeps what is sent, and hands out the artifact of a run.
const GH: &str = r#"#!/usr/bin/env bash
printf '%s\n' "$*" >>"$STUB/log"
dir=; path=; method=GET
for ((i = 1; i <= $#; i++)); do
  next=$((i + 1))
  case ${!i} in
    --dir) dir=${!next} ;;
    --method) method=${!next} ;;
    repos/*) path=${!i%%\?*} ;;
  esac
done
case "$1 $2" in
  "run download" | "release download")
    [ -d "$STUB/download" ] || exit 1
    mkdir -p "$dir" && cp -R "$STUB/download/." "$dir" ;;
  "attestation verify") exit 1 ;;
  "release create") ;;
  *)
    case "$*" in *"X-GitHub-Api-Version: 2022-11-28"*) ;; *) exit 1 ;; esac
    case $method in
      GET) cat "$STUB/api/${path//\//_}.json" ;;
      *) printf '%s %s\n' "$method" "$path" >>"$STUB/sent" && cat >"$STUB/body.json" ;;
    esac ;;
esac
"#;

fn tools() -> bool {
    let found = |program: &str| Command::new(program).arg("--version").output().is_ok();
    ["bash", "jq", "git"].iter().all(|program| has(program, found(program)))
}

/// A repository with a planned release, and a runner beside it.
struct Runner {
    shop: Shop,
}

impl Runner {
    fn new() -> Self {
        let runner = Self { shop: Shop::on_github(".github/workflows/loopgate.yml") };
        runner.shop.program("gh", GH);
        fs_err::create_dir_all(runner.folder().path().join("temp")).unwrap();
        runner.answers("repos_acme_shop_pulls", &json!([listed()]));
        runner.answers(&format!("repos_acme_shop_commits_{MERGED}_pulls"), &of_the_merge());
        runner.answers("repos_acme_shop_actions_workflows_loopgate.yml_runs", &runs());
        runner.answers("repos_acme_shop_issues_5_comments", &comments());
        runner
    }

    fn folder(&self) -> &Folder {
        self.shop.folder()
    }

    fn answers(&self, path: &str, value: &Value) {
        self.folder().write(&format!("stub/api/{path}.json"), value.to_string());
    }

    /// A part of the workflows, as a step of a job runs it.
    fn part(&self, name: &str, more: &[(&str, &str)]) -> Command {
        let mut command = self.folder().process("bash");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/actions/loopgate").join(name));
        let here = |name: &str| self.folder().path().join(name);
        command.env("PATH", self.shop.path()).env("STUB", here("stub")).env("RUNNER_TEMP", here("temp"));
        command.env("GITHUB_OUTPUT", here("output")).env("GITHUB_STEP_SUMMARY", here("summary"));
        command.env("GITHUB_ENV", here("env")).env("GITHUB_PATH", here("path"));
        command.env("GITHUB_EVENT_PATH", here("event.json"));
        for (name, value) in [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_RUN_ID", "1"),
            ("GITHUB_SHA", MERGED),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_REF_PROTECTED", "true"),
            ("GITHUB_WORKFLOW_REF", "acme/shop/.github/workflows/loopgate.yml@refs/heads/main"),
            ("LOOPGATE_TRUST", "."),
        ]
        .iter()
        .chain(more)
        {
            command.env(name, value);
        }
        command
    }

    fn run(&self, name: &str, more: &[(&str, &str)]) -> Ran {
        self.part(name, more).output().unwrap().into()
    }

    /// Plans as the pull request's run does, and hands the artifact to whoever downloads it.
    fn plan(&self) {
        let plan = [
            ("RECIPE", "remediation-plan"),
            ("INPUTS", "release=REL-BLOCKED\nowner=platform\n"),
            ("REPORTS", "json=loopgate-out/result.json\n"),
            ("LOOPGATE_SERVER", ""),
            ("LOOPGATE_TENANT", ""),
            ("GITHUB_RUN_ID", RUN),
            ("GITHUB_ACTOR", "carol"),
            ("GITHUB_WORKFLOW_REF", "acme/shop/.github/workflows/loopgate.yml@refs/pull/5/merge"),
        ];
        self.run("plan.sh", &plan).exits(0);
        self.folder().write("stub/download/artifact.json", self.folder().read(ARTIFACT));
        fs_err::remove_dir_all(self.folder().path().join("loopgate-out")).unwrap();
    }

    fn effect(&self) -> String {
        self.shop.effect("stub/download/artifact.json").to_string()
    }

    /// What the platform answers about the merged pull request, reviewed a moment ago.
    fn reviewed(&self) {
        let answer = GitHub::new(&self.effect().parse().unwrap())
            .merged()
            .with(|answer| answer.reviews[0]["submitted_at"] = json!(lately()));
        for (path, value) in [
            ("repos_acme_shop_pulls_5_reviews", json!([answer.reviews])),
            ("repos_acme_shop_pulls_5", answer.pull),
            ("repos_acme_shop_pulls_5_commits", json!([answer.commits])),
            (&format!("repos_acme_shop_actions_runs_{RUN}"), answer.run),
        ] {
            self.answers(path, &value);
        }
    }

    /// Comments, and gives what was sent and where to.
    fn comment(&self, event: &Value, more: &[(&str, &str)]) -> (String, String) {
        self.folder().write("event.json", event.to_string());
        self.run("comment.sh", more).exits(0);
        let sent = self.folder().read("stub/sent");
        let body = self.folder().json("stub/body.json")["body"].as_str().unwrap().to_owned();
        (sent.lines().last().unwrap().to_owned(), body)
    }
}

#[test]
fn each_part_becomes_the_program_so_that_a_signal_reaches_it() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.shop.program("loopgate", "#!/bin/sh\necho $$ $*\n");
    for (part, says) in [("plan.sh", "run r.yaml --input=a=b c"), ("validate.sh", "validate r.yaml")] {
        let child = runner
            .part(part, &[("RECIPE", "r.yaml"), ("INPUTS", "a=b c")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id();
        let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert!(told.lines().any(|line| line == format!("{id} {says}")), "{id}: {told}");
    }
}

#[test]
fn a_forks_pull_request_is_validated_and_told_so() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.folder().run(&["init", "remediation-plan"]).exits(0);
    let recipe = ("RECIPE", "recipes/remediation-plan.yaml");
    // Without trust settings, as in the workflow: what needs none asks for none.
    let ran: Ran =
        runner.part("validate.sh", &[recipe]).env_remove("LOOPGATE_TRUST").output().unwrap().into();
    let ran = ran.exits(0);
    assert!(ran.stdout.contains("::notice title=loopgate::A fork's pull request gets no credential"));
    assert!(runner.folder().read("summary").contains("nothing was planned"));
    assert!(!runner.folder().exists("loopgate-out"));
    runner.folder().write("recipes/remediation-plan.yaml", "recipe: x\nsteps: 1\n");
    runner.run("validate.sh", &[recipe]).exits(3);

    let (event, pull) = forks_run_is_over();
    runner.answers("repos_acme_shop_pulls", &json!([pull]));
    let (sent, body) = runner.comment(&event, &[]);
    assert_eq!(sent.split(' ').next(), Some("POST"));
    assert!(body.starts_with(MARKER) && body.contains("a fork's pull request gets no credential"), "{body}");
    assert!(!runner.folder().read("stub/log").contains("run download"), "nothing of a fork is fetched");
}

#[test]
fn a_comment_says_what_is_planned_and_is_updated_in_place() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.plan();
    let (event, effect) = (run_is_over(), runner.effect());
    let short = &effect["sha256:".len()..][..16];
    let (sent, body) = runner.comment(&event, &[("APPROVAL", "review")]);
    assert_eq!(sent, "POST repos/acme/shop/issues/5/comments");
    for said in [MARKER, &effect, "loopiq_create_remediation_work_package", short, "/actions/runs/30433642"] {
        assert!(body.contains(said), "{said}: {body}");
    }
    let mut comments = comments();
    comments[1].as_array_mut().unwrap().push(json!({
        "id": 44, "user": user("github-actions[bot]", 41_898_282), "body": body, "author_association": "NONE"
    }));
    runner.answers("repos_acme_shop_issues_5_comments", &comments);
    let (sent, body) = runner.comment(&event, &[("APPROVAL", "armor")]);
    assert_eq!(
        sent, "PATCH repos/acme/shop/issues/comments/44",
        "a stranger's with the marker is not taken for it"
    );
    let command = format!("loopgate approve --sign --reason TEXT --digest {short} --armor");
    assert!(body.contains(&command), "{body}");
    // A run that failed leaves nothing that could be approved.
    let mut failed = event.clone();
    failed["workflow_run"]["conclusion"] = json!("failure");
    let (_, body) = runner.comment(&failed, &[]);
    assert!(body.contains("ended as `failure`") && !body.contains(short), "{body}");
    // An artifact that is not what was written is not shown.
    let edited = runner.folder().read("stub/download/artifact.json").replace("REL-BLOCKED", "REL-OTHER");
    runner.folder().write("stub/download/artifact.json", edited);
    let (_, body) = runner.comment(&event, &[]);
    assert!(body.contains("left no artifact that can be read") && !body.contains("REL-OTHER"), "{body}");
}

#[test]
fn a_public_repository_gets_digests_and_counts_and_no_titles() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.plan();
    let mut event = run_is_over();
    event["repository"]["private"] = json!(false);
    let (_, body) = runner.comment(&event, &[]);
    assert!(body.contains(&runner.effect()) && body.contains("| operations | 1 |"), "{body}");
    for hidden in ["REL-BLOCKED", "loopiq_create", "Unblock"] {
        assert!(!body.contains(hidden), "{hidden}: {body}");
    }
    runner.folder().write("loopgate-out/artifact.json", runner.folder().read("stub/download/artifact.json"));
    runner.folder().write("loopgate-out/summary.md", "Unblock REL-BLOCKED\n");
    runner.run("summary.sh", &[]).exits(0);
    assert!(!runner.folder().read("summary").contains("REL-BLOCKED"));
    let outputs = format!("effect-digest={}\noperations=1\n", runner.effect());
    assert_eq!(runner.folder().read("output"), outputs);
    runner.folder().write("event.json", run_is_over().to_string());
    runner.run("summary.sh", &[]).exits(0);
    assert!(runner.folder().read("summary").contains("Unblock REL-BLOCKED"));
}

#[test]
fn a_plan_that_does_not_fit_is_not_cut_and_a_commit_of_no_open_pull_request_is_nothing() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.plan();
    let document: loopgate::artifact::v1::Document =
        serde_json::from_str(&runner.folder().read("stub/download/artifact.json")).unwrap();
    let mut plan = loopgate::artifact::Plan::from(document);
    plan.operations[0].arguments["parent"]["description"] = json!("long ".repeat(20_000));
    let artifact = loopgate::artifact::Artifact::build(plan).unwrap();
    runner.folder().write("stub/download/artifact.json", artifact.bytes());
    let (_, body) = runner.comment(&run_is_over(), &[]);
    assert!(body.len() < 60_000 && body.contains("does not fit into a comment"), "{}", body.len());
    assert!(!body.contains("long long"));
    let mut other = run_is_over();
    other["workflow_run"]["head_sha"] = json!(OLD);
    fs_err::remove_file(runner.folder().path().join("stub/sent")).unwrap();
    runner.folder().write("event.json", other.to_string());
    let ran = runner.run("comment.sh", &[]).exits(0);
    assert!(ran.stdout.contains("nothing to say") && !runner.folder().exists("stub/sent"));
}

#[test]
fn what_was_reviewed_is_applied_once_it_is_merged_and_accounted_for() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.shop.make_ledger();
    runner.plan();
    runner.reviewed();
    runner.run("fetch.sh", &[]).exits(0);
    assert_eq!(runner.folder().read("output"), format!("found=true\nrun={RUN}\n"));
    let ran = runner.run("apply.sh", &[("GITHUB_REF_PROTECTED", "false")]).exits(3);
    assert!(ran.stdout.contains("is not protected"), "{}", ran.stdout);
    let elsewhere = ("GITHUB_WORKFLOW_REF", "acme/shop/.github/workflows/loopgate.yml@refs/pull/5/merge");
    runner.run("apply.sh", &[elsewhere]).exits(20);
    runner.run("apply.sh", &[]).exits(0);
    runner.run("account.sh", &[]).exits(0);
    let account = runner.folder().json("temp/loopgate/account/audit.json");
    assert_eq!(account["operations"][0]["outcome"], "applied");
    let statement = runner.folder().json("temp/loopgate/account/statement.json");
    assert_eq!(statement["predicateType"], "urn:loopgate:audit:1");
}

#[test]
fn what_the_environments_reviewers_approved_is_applied_in_the_run_that_planned() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.shop.make_ledger();
    runner.plan();
    runner.reviewed();
    let answer = GitHub::new(&runner.effect().parse().unwrap())
        .with(|answer| answer.run["created_at"] = json!(lately()));
    let approvals = json!([approval("production", "approved")]);
    for run in [RUN, "1"] {
        runner.answers(&format!("repos_acme_shop_actions_runs_{run}"), &answer.run);
        runner.answers(&format!("repos_acme_shop_actions_runs_{run}_approvals"), &approvals);
    }
    let environment = ("APPROVAL", "environment");
    runner.run("fetch.sh", &[environment]).exits(0);
    runner.run("apply.sh", &[environment]).exits(20);
    runner.run("fetch.sh", &[environment, ("GITHUB_RUN_ID", RUN)]).exits(0);
    runner.run("apply.sh", &[environment, ("GITHUB_RUN_ID", RUN)]).exits(0);
    runner.run("apply.sh", &[("APPROVAL", "asked nicely")]).exits(2);
}

#[test]
fn a_merge_of_nothing_that_was_planned_applies_nothing() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.plan();
    runner.reviewed();
    let nothing = |why: &str| {
        let _ = fs_err::remove_file(runner.folder().path().join("output"));
        let ran = runner.run("fetch.sh", &[]).exits(0);
        assert!(ran.stdout.contains(why), "{why}: {}", ran.stdout);
        assert_eq!(runner.folder().read("output"), "found=false\n");
    };
    let mut runs = runs();
    runs["workflow_runs"].as_array_mut().unwrap().drain(..2);
    runner.answers("repos_acme_shop_actions_workflows_loopgate.yml_runs", &runs);
    nothing("no run planned");
    runner.answers(&format!("repos_acme_shop_commits_{MERGED}_pulls"), &json!([[]]));
    nothing("no pull request was merged as");
}

#[test]
fn a_block_in_a_comment_of_somebody_who_belongs_here_is_what_apply_takes() {
    if !tools() {
        return;
    }
    let keygen = Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).output().is_ok();
    if !has("ssh-keygen", keygen) {
        return;
    }
    let runner = Runner::new();
    let folder = runner.folder();
    let mut made = folder.process("ssh-keygen");
    assert!(made.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "key"]).status().unwrap().success());
    folder.write("allowed_signers", format!("alice {}", folder.read("key.pub")));
    runner.shop.governed.settings(|settings| {
        settings["policy"] = json!({"approvals": {"accept": ["signed"], "signers": "allowed_signers",
                                                  "four_eyes": false}});
    });
    runner.shop.make_ledger();
    runner.plan();
    runner.reviewed();
    let approve = ["approve", "stub/download/artifact.json", "--sign", "key", "--reason", "fine", "--armor"];
    let digest = ["--approvals", "laptop", "--digest", &runner.effect()];
    let block = folder.run(&[&approve[..], &digest].concat()).exits(0).stdout;
    let armor = [("APPROVAL", "armor")];
    let said = |association: &str| {
        let mut comments = comments();
        comments[0][0]["body"] = json!(format!("{{\r\n> {}", block.replace('\n', "\r\n> ")));
        comments[0][0]["author_association"] = json!(association);
        runner.answers("repos_acme_shop_issues_5_comments", &comments);
        runner.run("fetch.sh", &armor).exits(0);
        runner.run("apply.sh", &armor)
    };
    let ran = said("NONE").exits(20);
    assert!(ran.stdout.contains("no comment has an approval of this effect that verifies"), "{}", ran.stdout);
    said("MEMBER").exits(0);
    folder.run(&["audit", "verify", "temp/loopgate/audit.json"]).exits(0);
}

#[test]
fn the_ledger_is_kept_on_a_branch_and_never_overwritten() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    let git = |arguments: &[&str]| {
        let mut git = runner.folder().process("git");
        let output = git.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet", "--bare", "origin.git"]);
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", "origin.git"]);
    let ran = runner.run("ledger.sh", &[]).exits(2);
    assert!(ran.stderr.contains("init|fetch|keep"));
    let fetch = [("GITHUB_SERVER_URL", "https://github.com"), ("GH_TOKEN", "canary")];
    let mut fetched = runner.part("ledger.sh", &fetch);
    let ran: Ran = fetched.arg("fetch").output().unwrap().into();
    assert!(ran.exits(40).stdout.contains("ledger.sh init"));
    let step = |name: &str| Ran::from(runner.part("ledger.sh", &fetch).arg(name).output().unwrap());
    step("init").exits(0);
    let ledger = runner.folder().path().join("temp/ledger");
    fs_err::remove_dir_all(&ledger).unwrap();
    step("fetch").exits(0);
    let place = format!("sqlite:{}", ledger.join("ledger.db").display());
    assert_eq!(runner.folder().read("env"), format!("LOOPGATE_LEDGER={place}\n"));
    runner.folder().run(&["ledger", "verify", "--ledger", &place]).exits(0);
    step("keep").exits(0);
    // Two runners fetched the same; the second to be done is refused, and nothing is lost.
    runner.folder().write("temp/ledger/ledger.db-wal", "of another run");
    let ran = step("keep");
    assert!(ran.code != 0 && ran.stderr.contains("rejected"), "{}", ran.stderr);
    step("fetch").exits(0);
    assert!(!runner.folder().exists("temp/ledger/ledger.db-wal"));
    step("keep").exits(0);
    // A ledger that outlives the runner is not kept here.
    let mut elsewhere = runner.part("ledger.sh", &[("LOOPGATE_LEDGER", "sqlite:elsewhere.db")]);
    Ran::from(elsewhere.arg("fetch").output().unwrap()).exits(0);
    let config = runner.folder().read(".git/config");
    assert!(!config.contains("canary") && !config.contains("AUTHORIZATION"), "{config}");
}

#[test]
fn a_release_has_the_digests_of_all_that_is_in_it() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.folder().write("stub/download/one/loopgate-x.tar.gz", "one");
    runner.folder().write("stub/download/sbom/loopgate.cdx.json", "{}");
    let mut publish = runner.folder().process("bash");
    publish.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/release/publish.sh"));
    publish.env("PATH", runner.shop.path()).env("STUB", runner.folder().path().join("stub"));
    publish
        .env("GITHUB_RUN_ID", "1")
        .env("GITHUB_REPOSITORY", "acme/loopgate")
        .env("GITHUB_REF_NAME", "v9.9.9");
    Ran::from(publish.output().unwrap()).exits(0);
    let digest = |text: &str| loopgate::core::Digest::of_bytes(text.as_bytes()).hex().to_owned();
    let expected = format!("{}  loopgate-x.tar.gz\n{}  loopgate.cdx.json\n", digest("one"), digest("{}"));
    assert_eq!(runner.folder().read("dist/SHA256SUMS"), expected);
    let log = runner.folder().read("stub/log");
    let created = log.lines().last().unwrap();
    for word in ["release create v9.9.9", "--verify-tag", "dist/SHA256SUMS", "dist/loopgate-x.tar.gz"] {
        assert!(created.contains(word), "{word}: {created}");
    }
}

#[test]
fn what_github_does_not_know_to_be_secret_is_masked_line_by_line_or_the_job_ends() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.folder().write("key.json", "{\r\n  \"token\": \"100%\"\r\n}\r\n\r\nlast");
    let mask =
        |lines: &str| runner.run("mask.sh", &[("MASK", lines), ("VAULT_TOKEN", "s3cr3t%0A::error::x")]);
    let ran = mask("env: VAULT_TOKEN\n\nfile: key.json\n").exits(0);
    assert_eq!(
        ran.stdout,
        "::add-mask::s3cr3t%250A::error::x\n::add-mask::  \"token\": \"100%25\"\n::add-mask::last\n"
    );
    for (lines, exit) in [
        ("env: VAULT_TOKEN\nenv: NOBODY", 3),
        ("file: nothing", 3),
        ("env: x[$(touch was-here)]", 3),
        ("VAULT_TOKEN", 2),
    ] {
        let ran = mask(lines).exits(exit);
        assert!(ran.stdout.contains("::error title=loopgate::mask"), "{lines}: {}", ran.stdout);
    }
    assert!(!runner.folder().path().join("was-here").exists());
}

#[test]
fn a_release_is_used_once_its_digest_or_its_provenance_holds() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.folder().write("made/loopgate", "#!/bin/sh\necho loopgate 9.9.9\n");
    let mut make = runner.folder().process("sh");
    let script = "chmod +x made/loopgate; mkdir -p stub/download; for t in x86_64 aarch64; do tar -czf \
                  stub/download/loopgate-$t-unknown-linux-musl.tar.gz -C made loopgate; done";
    assert!(make.args(["-c", script]).status().unwrap().success());
    let archive = format!("stub/download/loopgate-{}-unknown-linux-musl.tar.gz", std::env::consts::ARCH);
    let bytes = fs_err::read(runner.folder().path().join(&archive)).unwrap();
    let digest = loopgate::core::Digest::of_bytes(&bytes).hex().to_owned();
    let release = [("VERSION", "v9.9.9"), ("REPOSITORY", "acme/loopgate"), ("SHA256", &digest)];
    runner.run("install.sh", &release).exits(0);
    assert_eq!(runner.folder().read("output"), "version=loopgate 9.9.9\n");
    assert!(runner.folder().read("path").trim_end().ends_with("/temp/loopgate-bin"));
    let other = "0".repeat(64);
    let ran = runner.run("install.sh", &[release[0], release[1], ("SHA256", &other)]).exits(22);
    assert!(ran.stdout.contains("not the one that was named"), "{}", ran.stdout);
    assert_ne!(runner.run("install.sh", &release[..2]).code, 0, "nobody attests it");
    assert!(runner.folder().read("stub/log").contains("attestation verify"));
}
