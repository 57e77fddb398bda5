//! The jobs for GitLab: their scripts, run as a runner runs them, with a `curl` that answers from files.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::governed::LEDGER;
use crate::platform_answers::{claims, header, pipeline, token};
use crate::shop::Shop;
use crate::support::{Folder, Ran, has};

const TEMPLATE: &str = ".github/gitlab/loopgate.gitlab-ci.yml";

/// Answers from files and keeps what is uploaded; whoever shows a credential in its arguments gets nothing.
const CURL: &str = r#"#!/bin/sh
printf '%s\n' "$*" >>"$STUB/log"
case "$*" in *canary*) exit 99 ;; esac
cat >"$STUB/config"
output=; upload=; out=
for word; do
  case $previous in --output) output=$word ;; --upload-file) upload=$word ;; --write-out) out=$word ;; esac
  previous=$word
done
case $(cat "$STUB/config") in
  'url = "https://storage.example.com/signed"') cat "$STUB/ledger.tar" >"$output" && exit ;;
  url*) exit 98 ;;
esac
case $word in
  */pipelines/301) cat "$STUB/pipeline.json" >"$output" ;;
  */ledger.tar)
    if [ -n "$upload" ]; then cp "$upload" "$STUB/ledger.tar"
    elif [ ! -f "$STUB/ledger.tar" ]; then exit 22
    elif [ ! -f "$STUB/elsewhere" ]; then cat "$STUB/ledger.tar" >"$output"
    else
      echo moved >"$output"
      [ "$out" != '%{redirect_url}' ] || printf https://storage.example.com/signed
    fi ;;
  *) exit 22 ;;
esac
"#;

pub fn jobs() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TEMPLATE);
    serde_yaml::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

pub fn script(job: &str) -> String {
    jobs()[job]["script"][0].as_str().unwrap().to_owned()
}

pub fn tools() -> bool {
    let found = |program: &str| Command::new(program).arg("--version").output().is_ok();
    ["git", "tar", "jq"].iter().all(|program| has(program, found(program)))
}

pub struct Runner {
    pub shop: Shop,
}

impl Runner {
    pub fn new() -> Self {
        let runner = Self { shop: Shop::on_gitlab() };
        runner.shop.governed.settings(|settings| drop(settings.as_object_mut().unwrap().remove("ledger")));
        runner.shop.program("curl", CURL);
        runner.folder().run(&["init", "remediation-plan"]).exits(0);
        runner.folder().write("stub/pipeline.json", pipeline().to_string());
        runner
    }

    pub fn folder(&self) -> &Folder {
        self.shop.folder()
    }

    /// A script as a job of the default branch runs it, started by alice.
    fn command(&self, script: &str, more: &[(&str, &str)]) -> Command {
        let mut shell = self.folder().process("sh");
        shell.args(["-c", &format!("set -eu\n{script}")]);
        let stub = self.folder().path().join("stub");
        shell.env("PATH", self.shop.path()).env("STUB", stub).env("CI_PROJECT_DIR", self.folder().path());
        let now = jiff::Timestamp::now().as_second();
        shell.env("LOOPGATE_ID_TOKEN", token(&header(), &claims(now), "one"));
        for (name, value) in [
            ("CI", "true"),
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", "https://gitlab.example.com/api/v4"),
            ("CI_PROJECT_ID", "20"),
            ("CI_PROJECT_PATH", "acme/shop"),
            ("CI_PIPELINE_ID", "301"),
            ("CI_JOB_ID", "302"),
            ("CI_DEFAULT_BRANCH", "main"),
            ("CI_JOB_TOKEN", "canary-job"),
            ("LOOPGATE_API_TOKEN", "canary-api"),
            ("GITLAB_USER_LOGIN", "carol"),
            ("LOOPGATE_RECIPE", "recipes/remediation-plan.yaml"),
            ("LOOPGATE_INPUT_RELEASE", "REL-BLOCKED"),
        ]
        .iter()
        .chain(more)
        {
            shell.env(name, value);
        }
        shell
    }

    pub fn shell(&self, script: &str, more: &[(&str, &str)]) -> Ran {
        self.command(script, more).output().unwrap().into()
    }

    pub fn plan(&self) {
        self.shell("loopgate run \"$LOOPGATE_RECIPE\"", &[("LOOPGATE_TRUST", ".")]).exits(0);
    }
}

#[test]
fn the_gate_is_a_manual_job_of_the_protected_branch_with_a_token_for_us() {
    let jobs = jobs();
    let apply = &jobs["loopgate:apply"];
    assert_eq!(apply["id_tokens"]["LOOPGATE_ID_TOKEN"]["aud"], "loopgate");
    assert_eq!(apply["environment"]["name"], "production");
    assert!(apply["resource_group"].is_string());
    for job in ["loopgate:apply", "loopgate:ledger"] {
        let rules = jobs[job]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), 1, "{job}");
        assert_eq!(rules[0]["when"], "manual");
        let condition = rules[0]["if"].as_str().unwrap();
        assert!(condition.contains("$CI_DEFAULT_BRANCH") && condition.contains("CI_COMMIT_REF_PROTECTED"));
    }
    for job in ["loopgate:plan", "loopgate:validate"] {
        assert!(!jobs[job].to_string().contains("WRITE"), "{job}");
        assert!(script(job).lines().last().unwrap().starts_with("exec loopgate "), "{job}");
    }
    let forks = jobs["loopgate:validate"]["rules"][0]["if"].as_str().unwrap();
    assert!(forks.contains("SOURCE_PROJECT_PATH != "), "{forks}");
}

#[test]
fn a_merge_requests_plan_trusts_the_default_branch_alone() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    let git = "git() { command git -c user.name=me -c user.email=me@localhost \"$@\"; }";
    let pushed = format!(
        "{git}\ngit init --quiet --bare origin.git; git init --quiet --initial-branch main; \
         git remote add origin origin.git; git add loopgate.yaml keys.json recipes; git commit --quiet -m x; \
         git push --quiet origin main"
    );
    runner.shell(&pushed, &[]).exits(0);
    let settings = runner.folder().read("loopgate.yaml");
    runner
        .folder()
        .write("loopgate.yaml", "servers: { governed: { command: /bin/false } }\nserver: governed\n");
    runner.shell(&format!("{git}\ngit checkout --quiet -b fix; git commit --quiet --all -m y"), &[]).exits(0);
    runner.shell(&script("loopgate:plan"), &[]).exits(0);
    for name in ["loopgate-out/junit.xml", "loopgate-out/report.html"] {
        assert!(runner.folder().exists(name), "{name}");
    }
    assert_eq!(runner.folder().read(".loopgate/trusted/loopgate.yaml"), settings);
    runner.shell(&script("loopgate:validate"), &[("LOOPGATE_TRUST", ".loopgate/trusted")]).exits(0);
}

#[test]
fn a_manual_job_applies_and_the_ledger_outlives_its_runner() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    runner.plan();
    let apply = script("loopgate:apply");
    let ran = runner.shell(&apply, &[]);
    assert!(
        ran.code != 0 && !runner.folder().exists("loopgate-out/audit.json"),
        "no ledger is made: {ran:?}"
    );
    runner.shell(&script("loopgate:ledger"), &[]).exits(0);
    fs_err::remove_dir_all(runner.folder().path().join(".loopgate/ledger")).unwrap();
    runner.shell(&script("loopgate:ledger"), &[]).exits(40);
    runner.shell(&apply, &[]).exits(0);
    let held = runner.shop.governed.held();
    // Packages may lie with somebody who is not to have the job's token.
    runner.folder().write("stub/elsewhere", "");
    let again = runner.shell(&apply, &[]).exits(0);
    assert!(again.told().contains("every operation took place"), "{}", again.told());
    assert_eq!(runner.shop.governed.held(), held, "a finished plan again makes nothing");
    let statement = runner.folder().json("loopgate-out/statement.json");
    assert_eq!(statement["predicate"]["operations"][0]["outcome"], "applied");
    // Where another ledger is named, it is used and none is uploaded.
    let uploads = || runner.folder().read("stub/log").matches("--upload-file").count();
    let before = uploads();
    runner.shop.make_ledger();
    runner.shell(&apply, &[("LOOPGATE_LEDGER", &format!("sqlite:{LEDGER}"))]);
    assert_eq!(uploads(), before);
    assert!(!runner.folder().read("stub/log").contains("canary"));
}

#[test]
fn a_signal_reaches_the_program_and_the_ledger_is_kept_all_the_same() {
    if !tools() {
        return;
    }
    let runner = Runner::new();
    let program = "#!/bin/sh\ncase $1 in\n  approve) echo lga1-0 ;;\n  apply) trap 'echo told >told; exit 143' TERM\n    \
                   echo ready; for i in $(seq 600); do sleep 0.1; done ;;\nesac\n";
    runner.shop.program("loopgate", program);
    runner.folder().write("made/ledger.db", "");
    runner.shell("tar -cf stub/ledger.tar -C made .", &[]).exits(0);
    let apply = script("loopgate:apply");
    let mut child = runner.command(&apply, &[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    runner.shell(&format!("kill -TERM {}", child.id()), &[]).exits(0);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(runner.folder().read("told"), "told\n");
    assert!(runner.folder().read("stub/log").lines().last().unwrap().contains("--upload-file"));
}
