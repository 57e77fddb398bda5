//! The commands around a run: list, init, validate, show, diff, schema, completions, man, import.

use crate::support::Folder;

const SHIPPED: [&str; 3] = ["certify-release", "evidence-graph", "remediation-plan"];

#[test]
fn a_shipped_recipe_is_a_subcommand_whose_flags_are_its_inputs() {
    let folder = Folder::new();
    for recipe in SHIPPED {
        let help = folder.run(&[recipe, "--help"]).exits(0).stdout;
        assert!(help.contains("--release <TEXT>") && help.contains("LOOPGATE_INPUT_RELEASE"), "{help}");
        assert!(folder.run(&["list"]).exits(0).stdout.contains(recipe));
    }
    let help = folder.run(&["remediation-plan", "--help"]).exits(0).stdout;
    assert!(help.contains("--owner <TEXT>") && help.contains("[default: platform]"), "{help}");
    folder.run(&["certify-release", "--owner", "x"]).exits(2);
    folder.run(&["no-such-recipe"]).exits(2);
    folder.run(&[]).exits(2);
}

#[test]
fn the_report_says_where_each_input_came_from() {
    let folder = Folder::new();
    folder.write("inputs.yaml", "release: REL-READY\nowner: from-file\n");
    let origin = |folder: &Folder, name: &str| {
        let inputs = folder.json("loopgate-out/run.json")["inputs"].clone();
        let input = inputs.as_array().unwrap().iter().find(|input| input["name"] == name).unwrap().clone();
        (input["value"].as_str().unwrap().to_owned(), input["origin"].as_str().unwrap().to_owned())
    };
    let base = ["remediation-plan", "--server", "sandbox", "--tenant", "acme", "--inputs", "inputs.yaml"];
    folder.run(&base).exits(0);
    assert_eq!(origin(&folder, "owner"), ("from-file".into(), "file `inputs.yaml`".into()));
    let run = |more: &[&str]| {
        let mut arguments = base.to_vec();
        arguments.extend(more);
        folder.command(&arguments).env("LOOPGATE_INPUT_OWNER", "from-environment").assert().code(0);
        origin(&folder, "owner")
    };
    assert_eq!(run(&[]).0, "from-file");
    assert_eq!(run(&["--input", "owner=from-option"]), ("from-option".into(), "--input".into()));
    assert_eq!(run(&["--input", "owner=x", "--owner", "from-flag"]), ("from-flag".into(), "flag".into()));
    folder.write("inputs.yaml", "release: REL-READY\n");
    assert_eq!(run(&[]).0, "from-environment");
    folder.run(&base).exits(0);
    assert_eq!(origin(&folder, "owner"), ("platform".into(), "default".into()));
}

#[test]
fn every_shipped_recipe_can_be_copied_validated_shown_and_run() {
    let folder = Folder::new();
    for recipe in SHIPPED {
        let path = folder.run(&["init", recipe]).exits(0).stdout.trim().to_owned();
        assert_eq!(path, format!("recipes/{recipe}.yaml"));
        assert!(
            folder.read(&path).starts_with("# yaml-language-server: $schema=loopgate-recipe.schema.json\n")
        );
        folder.run(&["init", recipe]).exits(3);
        folder.run(&["init", recipe, "--force"]).exits(0);
        folder.run(&["validate", &path]).exits(0);
        for format in ["text", "json", "markdown"] {
            let by_file = folder.run(&["show", &path, "--format", format]).exits(0).stdout;
            let by_name = folder.run(&["show", recipe, "--format", format]).exits(0).stdout;
            assert!(by_file.contains("certification") && by_name.contains("certification"), "{by_file}");
        }
        let run = ["run", &path, "--server", "sandbox", "--tenant", "acme", "--input", "release=REL-READY"];
        folder.run(&run).exits(0);
    }
    assert!(folder.exists("recipes/loopgate-recipe.schema.json"));
    folder.run(&["init", "no-such-recipe"]).exits(3);
    let path = folder.run(&["init", "--profile", "loopiq", "--to", "."]).exits(0).stdout.trim().to_owned();
    assert_eq!(folder.read(&path), loopgate::catalog::Profile::shipped("loopiq").unwrap());
}

#[test]
fn show_says_what_a_recipe_would_write() {
    let folder = Folder::new();
    let shown = folder.run(&["show", "remediation-plan"]).exits(0).stdout;
    for word in ["loopiq_create_remediation_work_package", "write", "assumed", "documented", "package"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

#[test]
fn artifacts_are_compared_by_what_would_happen() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--out", "a"]).exits(0);
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--out", "b"]).exits(0);
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--out", "c", "--owner", "payments"]).exits(0);
    let diff = |a: &str, b: &str, code: i32| {
        let (a, b) = (format!("{a}/artifact.json"), format!("{b}/artifact.json"));
        folder.run(&["diff", &a, &b, "--detailed-exitcode"]).exits(code).stdout
    };
    diff("a", "b", 0);
    let text = diff("a", "c", 10);
    assert!(text.contains("payments") && text.contains("platform"), "{text}");
    let json =
        folder.run(&["diff", "a/artifact.json", "c/artifact.json", "--format", "json"]).exits(0).json();
    assert_eq!(json["same_effect"], false);
}

#[test]
fn a_damaged_artifact_is_refused() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let text = folder.read("loopgate-out/artifact.json");
    folder.write("changed.json", text.replace("Unblock REL-BLOCKED", "Unblock REL-BLOCKEE"));
    folder.run(&["show", "changed.json"]).exits(22);
    folder.write("cut.json", &text[..text.len() / 2]);
    folder.run(&["show", "cut.json"]).exits(3);
    folder.run(&["show", "no-such.json"]).exits(3);
}

#[test]
fn every_schema_is_a_json_schema_and_what_we_leave_fits_it() {
    let folder = Folder::new();
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--report", "events=events.ndjson"]).exits(0);
    let all = folder.run(&["schema"]).exits(0).json();
    for (name, file) in [("artifact", "loopgate-out/artifact.json"), ("run", "loopgate-out/run.json")] {
        let schema = loopgate::catalog::Schema::compile(&all[name]).unwrap();
        assert!(
            schema.problems(&folder.json(file)).is_empty(),
            "{name}: {:?}",
            schema.problems(&folder.json(file))
        );
    }
    let events = loopgate::catalog::Schema::compile(&all["run-event"]).unwrap();
    for line in folder.read("events.ndjson").lines() {
        let event = serde_json::from_str(line).unwrap();
        assert!(events.problems(&event).is_empty(), "{line}: {:?}", events.problems(&event));
    }
    for name in ["recipe", "profile", "settings"] {
        loopgate::catalog::Schema::compile(&all[name]).unwrap();
        assert_eq!(folder.run(&["schema", name]).exits(0).json(), all[name]);
    }
}

#[test]
fn completions_and_manual_pages_come_from_the_binary() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(folder.run(&["completions", shell]).exits(0).stdout.contains("remediation-plan"), "{shell}");
    }
    assert!(folder.run(&["man"]).exits(0).stdout.contains(".TH"));
    folder.run(&["man", "--to", "man"]).exits(0);
    assert!(folder.exists("man/loopgate.1") && folder.exists("man/loopgate-remediation-plan.1"));
}

#[test]
fn a_projects_own_results_become_evidence() {
    let folder = Folder::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/evidence");
    let mut imported = 0;
    for entry in fs_err::read_dir(&fixtures).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        folder
            .run(&["sandbox", "import", path.to_str().unwrap(), "--release", "REL-OURS", "--tenant", "acme"])
            .exits(0);
        imported += 1;
    }
    assert!(imported >= 4, "two producers a format");
    let ran = folder.sandbox("certify-release", "REL-OURS", &[]).exits(4);
    assert!(ran.stdout.contains("REL-OURS"), "{}", ran.stdout);
    folder.write("broken.sarif", "{\"version\": \"2.1.0\", \"runs\": [");
    let ran = folder
        .run(&["sandbox", "import", "broken.sarif", "--release", "REL-NEW", "--tenant", "acme"])
        .exits(3);
    assert!(ran.stderr.contains("broken.sarif") && ran.stderr.contains(":1:30"), "{}", ran.stderr);
    folder.sandbox("certify-release", "REL-NEW", &[]).exits(5);
    let good = fixtures.join("bandit.sarif");
    folder
        .run(&[
            "sandbox",
            "import",
            good.to_str().unwrap(),
            "broken.sarif",
            "--release",
            "REL-NEW",
            "--tenant",
            "acme",
        ])
        .exits(3);
    folder.sandbox("certify-release", "REL-NEW", &[]).exits(5);
}

#[test]
fn a_url_with_a_password_on_the_command_line_is_refused_before_anything_and_not_repeated() {
    let folder = Folder::new();
    for arguments in [
        ["certify-release", "--server", "https://me:canary@ai.example.com/mcp"].as_slice(),
        &["certify-release", "--server=https://canary@ai.example.com/mcp", "--format", "json"],
        &["apply", "--approval-id", "x", "--ledger", "postgres://me:canary@h/d"],
        &["certify-release", "--ledger", "postgres://h/d?user=me&password=canary"],
        &["certify-release", "--servr", "https://me:canary@ai.example.com/mcp"],
        &["https://me:canary@ai.example.com/mcp"],
    ] {
        let told = folder.run(arguments).exits(2).told();
        assert!(told.contains("has a name or a password before its host"), "{arguments:?}: {told}");
        assert!(!told.contains("canary"), "{arguments:?}: {told}");
    }
    for (variable, url) in
        [("LOOPGATE_SERVER", "https://me:canary@h/mcp"), ("LOOPGATE_LEDGER", "postgres://me:canary@h/d")]
    {
        let mut command = folder.command(&["certify-release", "--release", "REL-READY"]);
        let output = command.env(variable, url).output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!told.contains("canary"), "{variable}: {told}");
        let help = folder.command(&["certify-release", "--help"]).env(variable, url).output().unwrap();
        assert!(!String::from_utf8(help.stdout).unwrap().contains("canary"), "{variable}");
    }
    let mut command = folder.command(&["certify-release", "--release", "REL-READY"]);
    let output = command.env("LOOPGATE_SERVER", "https://me:canary@h/mcp").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    folder.write("r.yaml", "recipe: r\nsummary: s\nserver: https://me:canary@h/mcp\nsteps: []\n");
    let told = folder.run(&["run", "r.yaml"]).exits(3).told();
    assert!(!told.contains("canary"), "{told}");
}
