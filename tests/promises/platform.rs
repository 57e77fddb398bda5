//! Approvals that a CI platform has: what counts, where, and for whom.

use assert_cmd::Command;
use loopgate::core::Digest;
use serde_json::{Value, json};

use crate::github_answers::{GitHub, HEAD, RUN, approval, review, user};
use crate::governed::{ARTIFACT, Governed};
use crate::platform_answers::{claims, header, pipeline, token};
use crate::shop::{Shop, lately};
use crate::support::Ran;

const PROTECTED: &str = "acme/shop/.github/workflows/apply.yml@refs/heads/main";
const FROM: [&str; 4] = ["--from", "github-review", "--platform", "answers"];

/// A shop with a plan that carol's run made.
fn planned() -> Shop {
    let shop = Shop::on_github(".github/workflows/apply.yml");
    shop.make_ledger();
    let mut plan =
        shop.job(&["remediation-plan", "--release", "REL-BLOCKED"], RUN, "acme/shop/plan@refs/pull/5/merge");
    Ran::from(plan.env("GITHUB_ACTOR", "carol").output().unwrap()).exits(0);
    shop
}

impl Shop {
    /// A job of a workflow.
    fn job(&self, arguments: &[&str], run: &str, workflow: &str) -> Command {
        let mut command = self.folder().command(arguments);
        command.env("CI", "true").env("LOOPGATE_TRUST", ".").env("GITHUB_ACTIONS", "true");
        command.env("GITHUB_REPOSITORY", "acme/shop").env("GITHUB_RUN_ID", run);
        command.env("GITHUB_WORKFLOW_REF", workflow);
        command
    }

    /// Puts the platform's answer where a job leaves what it fetched.
    fn answer(&self, change: impl FnOnce(&mut GitHub)) {
        let answer = GitHub::new(&self.effect(ARTIFACT)).with(change);
        for (name, value) in [
            ("reviews", answer.reviews),
            ("pull", answer.pull),
            ("commits", answer.commits),
            ("run", answer.run),
        ] {
            self.folder().write(&format!("answers/{name}.json"), value.to_string());
        }
    }

    fn approve(&self) -> Ran {
        let arguments = [["approve", ARTIFACT].as_slice(), &FROM, &["--expires-in", "30d"]].concat();
        self.job(&arguments, "1", PROTECTED).output().unwrap().into()
    }

    fn apply_in(&self, workflow: &str, id: &str, from: &[&str]) -> Ran {
        let arguments = [["apply", ARTIFACT, "--approval-id", id].as_slice(), from].concat();
        self.job(&arguments, "1", workflow).output().unwrap().into()
    }

    fn is_untouched(&self) {
        let before = self.governed.held();
        let fresh = Governed::new("");
        fresh.plan();
        assert_eq!(before, fresh.held(), "something was written");
    }
}

fn approved_lately(answer: &mut GitHub) {
    answer.reviews[0]["submitted_at"] = json!(lately());
}

#[test]
fn a_review_counts_where_a_job_of_the_protected_branch_fetched_it() {
    let shop = planned();
    shop.answer(approved_lately);
    let ran = shop.approve().exits(0);
    assert!(!ran.stderr.contains("note:"), "{}", ran.stderr);
    let id = ran.stdout.trim();
    let record = shop.folder().json(&format!("loopgate-out/approvals/{id}.json"));
    assert_eq!(record["approver"], json!({"name": "github:alice#17", "assurance": "asserted"}));
    assert_eq!(record["platform"]["kind"], "github-review");
    assert_eq!(shop.approve().exits(0).stdout.trim(), id, "the same answer is the same record");

    for (workflow, from, why) in [
        (PROTECTED, &[][..], "policy accepts `platform`"),
        ("acme/shop/.github/workflows/apply.yml@refs/pull/5/merge", &FROM, "`GITHUB_WORKFLOW_REF` is"),
        ("mallory/shop/.github/workflows/apply.yml@refs/heads/main", &FROM, "`GITHUB_WORKFLOW_REF` is"),
        ("acme/shop/.github/workflows/other.yml@refs/heads/main", &FROM, "`GITHUB_WORKFLOW_REF` is"),
    ] {
        let ran = shop.apply_in(workflow, id, from).exits(20);
        assert!(ran.told().contains(why), "{why}: {}", ran.told());
    }
    let at_home = shop.governed.apply(id, &FROM).exits(20);
    assert!(at_home.stderr.contains("this is no pipeline"), "{}", at_home.stderr);
    shop.is_untouched();
    shop.apply_in(PROTECTED, id, &FROM).exits(0);
    let audit = shop.governed.audit();
    let counted = &audit["runs"].as_array().unwrap().last().unwrap()["decision"]["counted"][0];
    assert_eq!(*counted, json!({"id": id, "approver": "github:alice#17", "assurance": "platform"}));
    shop.folder().run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
    // Finished is finished, without anybody being asked again.
    shop.apply_in(PROTECTED, id, &[]).exits(0);
}

#[test]
fn an_approval_that_the_platform_took_back_is_none_at_apply() {
    let shop = planned();
    shop.answer(approved_lately);
    let id = shop.approve().exits(0).stdout.trim().to_owned();
    for change in [
        (|answer| answer.reviews[0]["state"] = json!("DISMISSED")) as fn(&mut GitHub),
        |answer| answer.reviews[0]["user"] = user("mallory", 9),
        |answer| answer.reviews[0]["body"] = json!("LGTM"),
        |answer| answer.pull["head"]["sha"] = json!("ecdddd80bb57125d7ba9641ffaa4d7d2c19d3f3a"),
        |answer| answer.run["id"] = json!(7),
        |answer| answer.pull["base"]["repo"]["full_name"] = json!("mallory/shop"),
    ] {
        shop.answer(|answer| {
            approved_lately(answer);
            change(answer);
        });
        shop.apply_in(PROTECTED, &id, &FROM).exits(20);
    }
    shop.is_untouched();
}

#[test]
fn a_file_that_claims_the_platforms_word_shows_nothing() {
    let shop = planned();
    shop.answer(|answer| {
        approved_lately(answer);
        answer.reviews = json!([]);
    });
    let ran = shop.approve().exits(20);
    assert!(ran.stderr.contains("nobody approved it there"), "{}", ran.stderr);
    let forged = |assurance: &str| {
        let mut record = json!({
            "format": "loopgate.approval/1", "effect_digest": shop.effect(ARTIFACT), "file_digest": null,
            "decision": {"kind": "approve", "external_id": null}, "planner": null, "policy_digest": null,
            "approver": {"name": "github:alice#17", "assurance": assurance}, "reason": "forged",
            "time": lately(), "expires": "2099-01-01T00:00:00Z",
            "platform": {"kind": "github-review", "repository": "acme/shop", "pull": 5, "review": 80,
                         "commit": HEAD},
        });
        let digest = Digest::of_json("loopgate.approval/1", &record).unwrap();
        let id = format!("lga1-{}", digest.hex());
        record["id"] = json!(id);
        shop.folder().write(&format!("loopgate-out/approvals/{id}.json"), record.to_string());
        id
    };
    for assurance in ["platform", "asserted"] {
        let id = forged(assurance);
        shop.apply_in(PROTECTED, &id, &FROM).exits(20);
    }
    // Even beside a real review, a record of it that says more is another's.
    shop.answer(approved_lately);
    let id = forged("asserted");
    shop.apply_in(PROTECTED, &id, &FROM).exits(20);
    shop.is_untouched();
}

#[test]
fn nobody_behind_the_plan_approves_it_on_the_platform() {
    let shop = planned();
    for change in [
        (|answer| answer.pull["user"] = user("alice", 17)) as fn(&mut GitHub),
        |answer| answer.commits[0]["committer"] = user("alice", 17),
        |answer| answer.run["triggering_actor"] = user("alice", 17),
    ] {
        shop.answer(|answer| {
            approved_lately(answer);
            change(answer);
        });
        let id = shop.approve().exits(0).stdout.trim().to_owned();
        let ran = shop.apply_in(PROTECTED, &id, &FROM).exits(20);
        assert!(ran.told().contains("by who planned it"), "{}", ran.told());
    }
    shop.answer(|answer| {
        approved_lately(answer);
        answer.commits[0]["author"] = Value::Null;
    });
    let id = shop.approve().exits(0).stdout.trim().to_owned();
    let ran = shop.apply_in(PROTECTED, &id, &FROM).exits(20);
    assert!(ran.told().contains("no account behind it"), "{}", ran.told());
    shop.is_untouched();
}

#[test]
fn an_answer_that_a_checkout_brings_along_was_fetched_by_nobody() {
    let shop = planned();
    shop.answer(approved_lately);
    let id = shop.approve().exits(0).stdout.trim().to_owned();
    for arguments in [&["init", "--quiet"][..], &["add", "answers"]] {
        assert!(shop.folder().process("git").args(arguments).status().unwrap().success());
    }
    let ran = shop.apply_in(PROTECTED, &id, &FROM).exits(20);
    assert!(ran.stderr.contains("git tracks `answers`"), "{}", ran.stderr);
    shop.is_untouched();
}

#[test]
fn an_environments_approval_is_used_in_its_own_run_alone() {
    let shop = planned();
    shop.answer(|answer| answer.run["created_at"] = json!(lately()));
    let approvals = json!([approval("production", "approved")]);
    shop.folder().write("answers/approvals.json", approvals.to_string());
    let from = ["--from", "github-environment", "--platform", "answers"];
    let approve = [["approve", ARTIFACT].as_slice(), &from].concat();
    let ran: Ran = shop.job(&approve, "1", PROTECTED).output().unwrap().into();
    let id = ran.exits(0).stdout.trim().to_owned();
    let apply = [["apply", ARTIFACT, "--approval-id", &id].as_slice(), &from].concat();
    let ran: Ran = shop.job(&apply, "1", PROTECTED).output().unwrap().into();
    assert!(ran.exits(20).stderr.contains("`GITHUB_RUN_ID` is `1`"));
    shop.is_untouched();
    let ran: Ran = shop.job(&apply, RUN, PROTECTED).output().unwrap().into();
    ran.exits(0);
}

#[test]
fn a_manual_job_counts_in_that_job() {
    let shop = Shop::on_gitlab();
    shop.make_ledger();
    let folder = shop.folder();
    let job = |arguments: &[&str], job: &str| {
        let mut command = folder.command(arguments);
        command.env("CI", "true").env("LOOPGATE_TRUST", ".").env("GITLAB_CI", "true");
        command.env("CI_PIPELINE_ID", "301").env("CI_JOB_ID", job).env("CI_PROJECT_PATH", "acme/shop");
        command.env("GITLAB_USER_LOGIN", "carol");
        Ran::from(command.output().unwrap())
    };
    job(&["remediation-plan", "--release", "REL-BLOCKED"], "300").exits(0);
    let now = jiff::Timestamp::now().as_second();
    let token = token(&header(), &claims(now), "one");
    folder.write("answers/id_token.jwt", format!("{token}\n"));
    folder.write("answers/pipeline.json", pipeline().to_string());
    let from = ["--from", "gitlab", "--platform", "answers"];
    let id =
        job(&[["approve", ARTIFACT].as_slice(), &from].concat(), "302").exits(0).stdout.trim().to_owned();
    let apply = [["apply", ARTIFACT, "--approval-id", &id].as_slice(), &from].concat();
    let ran = job(&apply, "303").exits(20);
    assert!(ran.stderr.contains("`CI_JOB_ID` is `303`"), "{}", ran.stderr);
    job(&apply, "302").exits(0);
    for file in ["loopgate-out/audit.json", &format!("loopgate-out/approvals/{id}.json")] {
        assert!(!folder.read(file).contains(&token), "the token stands in {file}");
    }
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let shop = planned();
    let from = |kind: &str| {
        let arguments = ["approve", ARTIFACT, "--from", kind, "--platform", "answers"];
        Ran::from(shop.job(&arguments, "1", PROTECTED).output().unwrap())
    };
    let ran = from("github-review").exits(3);
    assert!(
        ran.stderr.contains("answers/reviews.json") && ran.stderr.contains("pulls/NUMBER/reviews"),
        "{}",
        ran.stderr
    );
    let ran = from("gitlab").exits(3);
    assert!(ran.stderr.contains("policy: { platform: { gitlab:"), "{}", ran.stderr);
    shop.answer(approved_lately);
    shop.folder().write("answers/pull.json", "{\"url\": 1,\n\"url\": 2}");
    let ran = from("github-review").exits(3);
    assert!(ran.stderr.contains("`pull.json` is not what the platform answers: line 2"), "{}", ran.stderr);
    for more in [
        &["--as", "me"][..],
        &["--reason", "x"],
        &["--external-id", "APR-1"],
        &["--digest", "0"],
        &["--sign", "k"],
    ] {
        let arguments = [["approve", ARTIFACT].as_slice(), &FROM, more].concat();
        shop.folder().run(&arguments).exits(2);
    }
    shop.folder().run(&[["approve", ARTIFACT].as_slice(), &FROM, &["--expires-in", "31d"]].concat()).exits(2);
    shop.folder().run(&["approve", ARTIFACT, "--from", "github-review"]).exits(2);
    shop.folder().run(&["approve", ARTIFACT, "--platform", "answers"]).exits(2);
    assert!(!shop.folder().exists("loopgate-out/approvals"));
}

#[test]
fn two_reviewers_are_two_people_and_a_rejected_effect_stays_rejected() {
    let shop = planned();
    shop.governed.settings(|settings| settings["policy"]["approvals"]["minimum"] = json!(2));
    let body = shop.effect(ARTIFACT).hex().to_owned();
    shop.answer(approved_lately);
    let alone = shop.approve().exits(0);
    assert!(alone.stderr.contains("1 of 2 different people"), "{}", alone.stderr);
    shop.answer(|answer| {
        approved_lately(answer);
        answer.reviews.as_array_mut().unwrap().push(review(81, &user("bob", 18), &body, &lately()));
    });
    let ran = shop.approve().exits(0);
    let ids: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(ids.len(), 2);
    shop.folder().run(&["reject", ARTIFACT, "--as", "dave", "--reason", "no"]).exits(0);
    shop.approve().exits(23);
    shop.apply_in(PROTECTED, ids[0], &FROM).exits(23);
    shop.is_untouched();
}

/// The commands of the README's chapter, with a `gh` that answers as the platform does.
#[test]
fn its_chapter_of_the_readme_is_true() {
    let readme = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let chapter = readme.split("### Approved on the CI platform\n").nth(1).unwrap();
    let block = |language: &str| {
        let rest = chapter.split(&format!("```{language}\n")).nth(1).unwrap();
        rest.split("\n```").next().unwrap().to_owned()
    };
    let shop = planned();
    let written: Value = serde_yaml::from_str(&block("yaml")).unwrap();
    shop.governed.settings(|settings| settings["policy"] = written["policy"].clone());
    shop.answer(approved_lately);
    for name in ["reviews", "pull", "commits", "run"] {
        let answer = shop.folder().read(&format!("answers/{name}.json"));
        shop.folder().write(&format!("api/{name}"), answer);
    }
    fs_err::remove_dir_all(shop.folder().path().join("answers")).unwrap();
    let gh = r#"gh() {
        for path; do :; done
        case "$path" in
            repos/acme/shop/pulls/5/reviews\?per_page=100) cat api/reviews ;;
            repos/acme/shop/pulls/5) cat api/pull ;;
            repos/acme/shop/pulls/5/commits\?per_page=100) cat api/commits ;;
            repos/acme/shop/actions/runs/30433642) cat api/run ;;
            *) return 1 ;;
        esac
    }"#;
    let script = format!("set -eu\n{gh}\n{}", block("sh"));
    let mut shell = shop.folder().process("sh");
    shell.args(["-c", &script]).env("PATH", shop.path()).env("pull", "5").env("planned_run", RUN);
    for (name, value) in [
        ("CI", "true"),
        ("LOOPGATE_TRUST", "."),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_RUN_ID", "1"),
        ("GITHUB_WORKFLOW_REF", PROTECTED),
    ] {
        shell.env(name, value);
    }
    Ran::from(shell.output().unwrap()).exits(0);
    shop.folder().run(&["audit", "verify", "loopgate-out/audit.json"]).exits(0);
}
