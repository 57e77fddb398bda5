//! A session is recorded without its secrets, and its recording stands in for the server: strictly, for everybody to
//! see, and for nothing that writes.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::foreign;
use crate::hostile::Hostile;
use crate::secrets::shapes_of;
use crate::served::{Served, TOKEN};
use crate::support::{Folder, Ran};

const REPORT: &str = "loopgate-out/run.json";

/// A folder with nothing but a recording.
fn elsewhere(recording: &str) -> Folder {
    let folder = Folder::new();
    folder.write("rec.json", recording);
    folder
}

/// A recording of the sandbox.
fn of_sandbox(recipe: &str, release: &str) -> Folder {
    let folder = Folder::new();
    folder.sandbox(recipe, release, &["--record", "rec.json", "--out", "first"]).exits(0);
    elsewhere(&folder.read("rec.json"))
}

fn replayed(folder: &Folder, recipe: &str, release: &str) -> Ran {
    folder.run(&[recipe, "--server", "replay:rec.json", "--release", release])
}

/// A run report without what no two runs have in common, and what a replay says of itself.
fn comparable(mut report: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for own in ["id", "started", "ended", "took_ms", "request_id", "trace_id"] {
                    // Steps have IDs, too, and they are the same.
                    if own != "id" || members.contains_key("trace_id") {
                        members.remove(own);
                    }
                }
                members.values_mut().for_each(walk);
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    let members = report.as_object_mut().unwrap();
    for own in ["id", "sandbox", "replay"] {
        members.remove(own);
    }
    members["target"].as_object_mut().unwrap().remove("identity");
    // Both name the server.
    if let Some(plan) = members["plan"].as_object_mut() {
        plan.remove("effect_digest");
        for operation in plan["operations"].as_array_mut().unwrap() {
            operation.as_object_mut().unwrap().remove("idempotency_key");
        }
    }
    for file in members["files"].as_array_mut().unwrap() {
        if file["kind"] == "artifact" {
            file["digest"].take();
            file["bytes"].take();
        }
    }
    walk(&mut report);
    report
}

#[test]
fn a_replay_comes_to_the_same_as_the_recorded_run_in_both_eras_over_http() {
    let backstage = Folder::new();
    let served = Served::start(&backstage, "sandbox.db");
    for protocol in ["2025-11-25", "2026-07-28"] {
        let folder = Folder::new();
        folder.write("token", TOKEN);
        folder.write("loopgate.yaml", Served::settings(served.address, protocol).to_string());
        folder.run(&["remediation-plan", "--release", "REL-BLOCKED", "--record", "rec.json"]).exits(0);
        let recording = folder.read("rec.json");
        assert!(!recording.contains("canary"), "the token is in the recording");

        // Neither settings nor a token are there, nor is the server asked.
        let alone = elsewhere(&recording);
        let ran = replayed(&alone, "remediation-plan", "REL-BLOCKED").exits(0);
        let (first, second) = (folder.json(REPORT), alone.json(REPORT));
        assert_eq!(second["replay"]["not_made"], json!([]));
        assert_eq!(second["target"]["protocol"], protocol);
        assert_eq!(second["replay"]["recorded"], first["target"]["identity"]);
        let validated = &second["plan"]["operations"][0]["server_validated"];
        assert_eq!(*validated, true, "writes are tried out as they were: {}", ran.stdout);
        assert_eq!(comparable(first), comparable(second));
        for file in ["evidence-graph.json", "findings.json", "work.json"] {
            let file = format!("loopgate-out/{file}");
            assert_eq!(folder.read(&file), alone.read(&file), "{file}");
        }
    }
}

#[test]
fn a_replay_comes_to_the_same_as_the_recorded_run_of_a_program_that_nobody_here_wrote() {
    let Some(command) = foreign::python("mcp_server_time") else { return };
    for protocol in ["2025-11-25", "2026-07-28"] {
        let mut server = foreign::program(&command, &[]);
        server["protocol"] = json!(protocol);
        let folder = foreign::folder("time", server);
        let zone = |zone: &str| format!("zone={zone}");
        let run = ["run", "time.recipe.yaml", "--input"];
        folder.run(&[&run[..], &[&zone("Asia/Kolkata"), "--record", "rec.json"]].concat()).exits(0);
        // The profile is a file of theirs, and comes along.
        let alone = elsewhere(&folder.read("rec.json"));
        alone.write("time.recipe.yaml", folder.read("time.recipe.yaml"));
        let replay = ["--server", "replay:rec.json"];
        alone.run(&[&run[..], &[&zone("Asia/Kolkata")], &replay].concat()).exits(0);
        assert_eq!(comparable(folder.json(REPORT)), comparable(alone.json(REPORT)));
        let ran = alone.run(&[&run[..], &[&zone("Asia/Tokyo")], &replay].concat()).exits(3);
        assert!(ran.told().contains("\"Asia/Kolkata\"` and not `\"Asia/Tokyo\"`"), "{}", ran.told());
        // The error of a tool is an answer as well.
        folder.run(&[&run[..], &[&zone("Asia/Nowhere"), "--record", "rec.json"]].concat()).exits(30);
        alone.write("rec.json", folder.read("rec.json"));
        alone.run(&[&run[..], &[&zone("Asia/Nowhere")], &replay].concat()).exits(30);
        assert_eq!(comparable(folder.json(REPORT)), comparable(alone.json(REPORT)));
    }
}

#[test]
fn whatever_went_wrong_goes_wrong_again() {
    for fault in [
        "look:status=404",
        "look:status=401",
        "look:status=503*1",
        "look:cut=request",
        "look:cut=half",
        "look:stall=head",
        "look:html",
        "look:huge",
        "look:rpc=-32602",
        "look:input",
        "look:no-items",
        "list:status=403",
        "list:rpc=-32603",
        "look:task,task:polled=completed",
    ] {
        let hostile = Hostile::new(fault, "2026-07-28");
        let folder = &hostile.folder;
        let recorded = folder.run(&["run", "read.yaml", "--record", "rec.json", "--out", "first"]);
        let asked = hostile.log().len();
        let again = folder.run(&["run", "read.yaml", "--server", "replay:rec.json", "--out", "second"]);
        assert_eq!(recorded.code, again.code, "{fault}: {}\n{}", recorded.told(), again.told());
        assert_eq!(hostile.log().len(), asked, "{fault}: the server was asked");
        let report = |out: &str| {
            let text = folder.read(&format!("{out}/run.json")).replace(&format!("\"{out}/"), "\"");
            comparable(serde_json::from_str(&text).unwrap())
        };
        assert_eq!(report("first"), report("second"), "{fault}");
    }
}

#[test]
fn a_token_that_the_server_echoes_is_not_recorded() {
    for fault in ["echo", "echo=error", "echo=answer", "echo=header"] {
        let hostile = Hostile::new(&format!("look:{fault}"), "auto");
        let folder = &hostile.folder;
        let recorded = folder.run(&["run", "read.yaml", "--record", "rec.json"]);
        let recording = folder.read("rec.json");
        for shape in shapes_of("canary-token-3") {
            assert!(!recording.contains(&shape), "{fault}: {shape}");
        }
        assert!(recording.contains("(the token)"), "{fault}: it was echoed, and concealed");
        // Nor are headers of the settings.
        assert!(!recording.contains("X-Team"), "{fault}");
        let again = folder.run(&["run", "read.yaml", "--server", "replay:rec.json"]);
        assert_eq!(recorded.code, again.code, "{fault}: {}", again.told());
    }
}

#[test]
fn a_secret_of_the_settings_is_not_recorded_whoever_says_it() {
    const SECRET: &str = "kanarie/of-the-mine+\"ü\"\nsecond-line-of-it";
    for how in ["answers", "fails", "refuses", "breaks", "babbles", "ends"] {
        let folder = Folder::new();
        let profile = "profile: hooks
summary: A server with webhooks
operations:
  hook:
    summary: Look at a webhook
    tool: create_hook
    class: read
    basis: { tool: assumed, arguments: assumed, result: assumed }
    arguments: { name: { at: /name }, key: { at: /auth/key } }
";
        let recipe = "recipe: hook
summary: Looks at a webhook
inputs:
  key: { type: string, required: true, help: The key }
steps:
  - id: hook
    read: hook
    with: { name: builds, key: '{{ inputs.key }}' }
    emit: hook.json
";
        folder.write("hooks.yaml", profile);
        folder.write("hook.yaml", recipe);
        let settings = json!({
            "server": "peer",
            "servers": {"peer": {
                "command": crate::support::peer(), "arguments": ["gossip", how, "saw"], "profile": "hooks.yaml",
                "tenant": "acme", "environment": ["HANDED"],
                "time_limits": {"connect": "5s", "list": "5s", "call": "5s", "close": "2s"},
            }},
            "secrets": {"deploy_key": {"environment": "DEPLOY_KEY", "to": []}},
        });
        folder.write("loopgate.yaml", settings.to_string());
        // Once as a secret that the settings name, once as what they hand to the program.
        for variable in ["DEPLOY_KEY", "HANDED"] {
            let mut command = folder.command(&["run", "hook.yaml", "--record", "rec.json"]);
            let recorded: Ran = command
                .args(["--input", &format!("key={SECRET}")])
                .env(variable, SECRET)
                .output()
                .unwrap()
                .into();
            let recording = folder.read("rec.json");
            for shape in [SECRET, "of-the-mine", "second-line"].into_iter().flat_map(shapes_of) {
                assert!(!recording.contains(&shape), "{how} {variable}: {shape}\n{recording}");
            }
            // Nobody can know any more what it was: whatever stands there will do.
            let key = format!("key={SECRET}");
            let again = folder.run(&["run", "hook.yaml", "--server", "replay:rec.json", "--input", &key]);
            assert_eq!(recorded.code, again.code, "{how} {variable}: {}\n{}", recorded.told(), again.told());
        }
    }
}

#[test]
fn a_call_that_was_not_recorded_ends_the_run_and_one_that_is_not_made_is_told() {
    let folder = of_sandbox("remediation-plan", "REL-BLOCKED");
    let ran = replayed(&folder, "remediation-plan", "REL-READY").exits(3);
    let told = ran.told();
    for says in ["does not have this call", "`\"REL-BLOCKED\"` and not `\"REL-READY\"`", "record anew"] {
        assert!(told.contains(says), "{told}");
    }
    assert!(!folder.exists("loopgate-out/artifact.json"));
    // Another recipe makes some of its calls.
    let ran = replayed(&folder, "certify-release", "REL-BLOCKED").exits(4);
    assert!(ran.stderr.contains("2 recorded calls were not made"), "{}", ran.stderr);
    let unmade = folder.json(REPORT)["replay"]["not_made"].clone();
    assert_eq!(unmade[1]["tool"], "loopiq_create_remediation_work_package");
    let ran = folder.run(&[
        "certify-release",
        "--server",
        "replay:rec.json",
        "--release",
        "REL-BLOCKED",
        "--tenant",
        "globex",
    ]);
    assert!(ran.exits(51).stderr.contains("is of tenant `acme`, and not of `globex`"));
}

#[test]
fn every_output_of_a_replay_says_that_it_is_one() {
    let folder = of_sandbox("remediation-plan", "REL-BLOCKED");
    let forms = ["json", "events", "junit", "sarif", "markdown", "html"];
    let reports: Vec<String> = forms.iter().map(|form| format!("{form}={form}.out")).collect();
    let mut run = vec!["remediation-plan", "--server", "replay:rec.json", "--release", "REL-BLOCKED"];
    reports.iter().for_each(|report| run.extend(["--report", report]));
    let ran = folder.run(&run).exits(0);
    assert!(ran.stdout.contains("acme on a replay") && ran.told().contains("no server was asked"));
    assert!(ran.stderr.contains("on a replay"), "{}", ran.stderr);
    for form in forms {
        assert!(folder.read(&format!("{form}.out")).contains("replay"), "{form}");
    }
    for shown in ["text", "json", "markdown"] {
        let ran = folder.run(&["show", "loopgate-out/artifact.json", "--format", shown]).exits(0);
        assert!(ran.stdout.contains("replay"), "{shown}");
    }
    let ran = folder.run(&["diff", "loopgate-out/artifact.json", "loopgate-out/artifact.json"]).exits(0);
    assert!(ran.told().contains("from the replay of a recording"), "{}", ran.told());
    let ran = folder.run(&["doctor", "--server", "replay:rec.json"]).exits(0);
    assert!(ran.told().contains("this was the replay of a recording"), "{}", ran.told());
}

#[test]
fn nothing_of_a_replay_is_approved_or_applied() {
    let folder = of_sandbox("remediation-plan", "REL-BLOCKED");
    replayed(&folder, "remediation-plan", "REL-BLOCKED").exits(0);
    let artifact = "loopgate-out/artifact.json";
    for command in [
        &["approve", artifact, "--as", "me", "--reason", "r"][..],
        &["apply", artifact, "--approval-id", "x"],
        &["apply", artifact, "--approval-id", "x", "--server", "sandbox"],
        &["reconcile", artifact],
        &["status", artifact],
    ] {
        let ran = folder.run(command).exits(3);
        assert!(ran.told().contains("is from the replay of a recording"), "{}", ran.told());
    }
    assert!(!folder.exists("loopgate-out/approvals"));
    // Neither is what was planned elsewhere applied to one.
    folder.sandbox("remediation-plan", "REL-BLOCKED", &[]).exits(0);
    let ran = folder.run(&["apply", artifact, "--approval-id", "x", "--server", "replay:rec.json"]);
    assert_ne!(ran.code, 0, "{}", ran.told());
    let ran = folder.run(&["doctor", "--server", "replay:rec.json", "--allow-writes"]);
    assert_eq!(ran.code, 3, "{}", ran.told());
}

#[test]
fn only_the_command_line_names_a_recording() {
    let folder = of_sandbox("certify-release", "REL-READY");
    let recipe = folder.run(&["show", "certify-release"]);
    assert_eq!(recipe.code, 0);
    let text = "recipe: r\nsummary: s\nserver: replay:rec.json\nsteps:\n  - id: c\n    read: certification\n    with: { release: R }\n    emit: c.json\n";
    folder.write("r.yaml", text);
    let ran = folder.run(&["run", "r.yaml"]).exits(3);
    assert!(ran.stderr.contains("the recipe names a recording"), "{}", ran.stderr);
    folder.write("loopgate.yaml", "server: replay:rec.json\n");
    let ran = folder.run(&["certify-release", "--release", "REL-READY"]).exits(3);
    assert!(ran.stderr.contains("the settings name `replay:rec.json`"), "{}", ran.stderr);
}

#[test]
fn a_recording_is_for_its_owner_and_takes_no_other_files_place() {
    let folder = Folder::new();
    let record = |to: &str| folder.sandbox("certify-release", "REL-READY", &["--record", to]);
    record("rec.json").exits(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join("rec.json");
        let mode = || fs_err::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        // One that everybody may read is replaced by one that nobody else may.
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        record("rec.json").exits(0);
        assert_eq!(mode(), 0o600);
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        record("link").exits(3);
    }
    folder.write("mine.json", "{\"format\": \"mine/1\"}");
    let ran = record("mine.json").exits(3);
    assert!(ran.told().contains("what is there is no recording"), "{}", ran.told());
    assert_eq!(folder.read("mine.json"), "{\"format\": \"mine/1\"}");
    // Results are published.
    for inside in ["loopgate-out/rec.json", "./loopgate-out/../loopgate-out/rec.json"] {
        let ran = record(inside).exits(2);
        assert!(ran.told().contains("which pipelines publish"), "{}", ran.told());
    }
    record("nowhere/rec.json").exits(3);
    let again =
        ["certify-release", "--server", "replay:rec.json", "--release", "REL-READY", "--record", "x.json"];
    let ran = folder.run(&again).exits(2);
    assert!(ran.told().contains("the server is a recording itself"), "{}", ran.told());
}

#[cfg(unix)]
#[test]
fn what_ends_a_run_half_way_leaves_the_recording_that_was_there() {
    let hostile = Hostile::new("", "auto");
    let folder = &hostile.folder;
    folder.run(&["run", "read.yaml", "--record", "rec.json"]).exits(0);
    let before = folder.read("rec.json");
    // Nobody is there: nothing is recorded.
    hostile.settings(|server| server["url"] = json!("http://127.0.0.1:9/mcp"));
    let ran = folder.run(&["run", "read.yaml", "--record", "rec.json"]).exits(50);
    assert!(ran.stderr.contains("nothing was recorded"), "{}", ran.stderr);
    assert_eq!(folder.read("rec.json"), before);

    // Killed while it waits.
    let stalling = Hostile::new("look:stall=request", "auto");
    stalling.settings(|server| server["time_limits"]["call"] = json!("60s"));
    stalling.folder.write("rec.json", &before);
    let begun = |signal: &str| {
        let seen = stalling.calls("look");
        let mut run = stalling.folder.process(env!("CARGO_BIN_EXE_loopgate"));
        let run = run.args(["run", "read.yaml", "--record", "rec.json"]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while stalling.calls("look") == seen {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let id = run.id().to_string();
        assert!(stalling.folder.process("kill").args([signal, &id]).status().unwrap().success());
        run.wait().unwrap()
    };
    begun("-KILL");
    assert_eq!(stalling.folder.read("rec.json"), before);
    // Told to end, it keeps what it has.
    assert_eq!(begun("-TERM").code(), Some(143));
    let call = stalling.folder.json("rec.json")["calls"][0].clone();
    assert_eq!((&call["tool"], &call["seen"]), (&json!("look"), &json!("cancelled")));
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_recording_that_was_there() {
    let folder = Folder::new();
    let run = ["certify-release", "--server", "sandbox:memory", "--tenant", "acme", "--release"];
    folder.run(&[&run[..], &["REL-READY", "--record", "rec.json"]].concat()).exits(0);
    let before = folder.read("rec.json");
    let loopgate = env!("CARGO_BIN_EXE_loopgate");
    let mut kept = 0;
    // In blocks of 512 bytes, as POSIX has it.
    for blocks in [48, 64, 80, 96] {
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {loopgate} {} REL-BLOCKED --record rec.json",
            run.join(" ")
        );
        let ran: Ran = folder.process("sh").args(["-c", &script]).output().unwrap().into();
        let now = folder.read("rec.json");
        if now == before {
            kept += 1;
            // What the run found outranks it.
            assert!(ran.code == 4 && ran.stderr.contains("was not kept"), "{blocks}: {}", ran.told());
        }
        serde_json::from_str::<Value>(&now).unwrap();
    }
    assert!(kept > 0, "no limit was small enough");
    let left = fs_err::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".loopgate-")));
}

#[test]
fn a_recording_that_is_damaged_or_hostile_is_refused() {
    let folder = of_sandbox("certify-release", "REL-READY");
    let whole = folder.read("rec.json");
    let refused = |content: &str, code: i32, says: &str| {
        folder.write("rec.json", content);
        let ran = replayed(&folder, "certify-release", "REL-READY").exits(code);
        assert!(ran.told().contains(says), "{says}: {}", ran.told());
        folder.run(&["diff", "rec.json", "rec.json"]).code
    };
    assert_eq!(refused(&whole.replace("certified", "blocked"), 22, "is not what was recorded"), 22);
    refused(&whole[..whole.len() / 2], 3, "line");
    refused("", 3, "`rec.json`");
    refused("{\"format\": \"loopgate.run/1\"}", 3, "has the format `loopgate.run/1`");
    refused(&"[".repeat(1000), 3, "`rec.json`");
    refused(&format!("{}{}", &whole[..whole.len() - 3], ",\"calls\": []}"), 3, "stands here twice");
    fs_err::remove_file(folder.path().join("rec.json")).unwrap();
    let ran = replayed(&folder, "certify-release", "REL-READY").exits(3);
    assert!(ran.told().contains("there is no file `rec.json`"), "{}", ran.told());
}

#[test]
fn the_lock_and_the_profile_are_held_against_a_recording() {
    let folder = Folder::new();
    folder.sandbox("certify-release", "REL-READY", &["--record", "rec.json"]).exits(0);
    folder.run(&["lock", "--server", "sandbox"]).exits(0);
    let check = ["lock", "--server", "replay:rec.json", "--check"];
    let ran = folder.run(&check).exits(0);
    assert!(ran.stderr.contains("the replay of a recording of `sandbox`"), "{}", ran.stderr);
    folder.run(&["lock", "--server", "replay:rec.json"]).exits(2);
    folder
        .run(&[
            "profile",
            "check",
            "--server",
            "replay:rec.json",
            "--sample",
            r#"certification={"release":"REL-READY"}"#,
        ])
        .exits(0);
    let ran = folder
        .run(&[
            "doctor",
            "--server",
            "replay:rec.json",
            "--sample",
            r#"certification={"release":"REL-READY"}"#,
        ])
        .exits(0);
    assert!(ran.told().contains("lock: "), "{}", ran.told());
    // What the lock says of a tool that is used must be so in the recording as well.
    let mut lock = folder.json("loopgate.lock");
    let tool = &mut lock["servers"]["sandbox"]["tools"]["loopiq_get_release_certification"];
    tool["class"] = json!("write");
    tool["class_by"] = json!("person");
    folder.write("loopgate.lock", lock.to_string());
    let ran = replayed(&folder, "certify-release", "REL-READY").exits(3);
    assert!(ran.told().contains("loopiq_get_release_certification"), "{}", ran.told());
}

#[test]
fn a_recipe_is_tested_on_what_a_real_server_answered() {
    let backstage = Folder::new();
    let served = Served::start(&backstage, "sandbox.db");
    let folder = Folder::new();
    folder.write("token", TOKEN);
    folder.write("loopgate.yaml", Served::settings(served.address, "auto").to_string());
    fs_err::create_dir(folder.path().join("cases")).unwrap();
    folder.run(&["certify-release", "--release", "REL-BLOCKED", "--record", "cases/served.json"]).exits(4);
    drop(served);
    fs_err::remove_file(folder.path().join("loopgate.yaml")).unwrap();
    fs_err::remove_file(folder.path().join("token")).unwrap();
    let cases = |more: &str| {
        let cases = format!(
            "recipe: certify-release\ncases:\n  - case: recorded\n    recording: served.json\n    inputs: {{ release: REL-BLOCKED }}\n    \
             {more}\n    expect: {{ verdict: gate-fails, says: is blocked }}\n"
        );
        folder.write("cases/served.cases.yaml", cases);
        folder.run(&["test", "cases", "--format", "json"])
    };
    let result = cases("").exits(0).json();
    assert_eq!(result["cases"][0]["recording"], "served.json");
    assert_eq!(result["sandbox"], false);
    cases("tenant: acme").exits(0);
    let ran = cases("tenant: globex").exits(51);
    assert!(ran.stderr.contains("case `recorded`") && ran.stderr.contains("`globex`"), "{}", ran.stderr);
    cases("evidence: [{ release: R, files: [x.xml] }]").exits(3);
    folder.write("cases/served.json", folder.read("cases/served.json").replace("blocked", "certified"));
    let ran = cases("").exits(22);
    assert!(ran.stderr.contains("is not what was recorded"), "{}", ran.stderr);
    folder.write(
        "cases/served.cases.yaml",
        "recipe: certify-release\ncases:\n  - { case: c, recording: ../x.json, expect: { verdict: done } }\n",
    );
    folder.run(&["test", "cases"]).exits(3);

    // The same with a program that nobody here wrote.
    let Some(command) = foreign::node("server-everything") else { return };
    let folder = foreign::folder("everything", foreign::program(&command, &[]));
    let run = ["run", "everything.recipe.yaml", "--input", "city=Chicago", "--record", "chicago.json"];
    folder.run(&run).exits(0);
    fs_err::remove_file(folder.path().join("loopgate.yaml")).unwrap();
    fs_err::remove_file(folder.path().join("everything.profile.yaml")).unwrap();
    let case = |city: &str| {
        folder.write(
            "everything.cases.yaml",
            format!(
                "recipe: everything.recipe.yaml\ncases:\n  - case: recorded\n    recording: chicago.json\n    \
                 inputs: {{ city: {city} }}\n    expect: {{ verdict: done, steps: {{ reckoned: holds }} }}\n"
            ),
        );
        folder.run(&["test", "everything.cases.yaml"])
    };
    case("Chicago").exits(0);
    let ran = case("New York").exits(4);
    assert!(ran.told().contains("does not have this call"), "{}", ran.told());
}

#[test]
fn the_shapes_of_two_recordings_are_compared() {
    let backstage = Folder::new();
    let served = Served::start(&backstage, "sandbox.db");
    let folder = Folder::new();
    folder.write("token", TOKEN);
    folder.write("loopgate.yaml", Served::settings(served.address, "auto").to_string());
    folder.run(&["certify-release", "--release", "REL-READY", "--record", "served.json"]).exits(0);
    folder.sandbox("certify-release", "REL-READY", &["--record", "sandbox.json"]).exits(0);
    let diff = |before: &str, after: &str| {
        folder.run(&["diff", before, after, "--detailed-exitcode", "--format", "json"])
    };
    assert_eq!(diff("sandbox.json", "served.json").exits(0).json()["same"], true);
    folder.sandbox("certify-release", "REL-BLOCKED", &["--record", "blocked.json"]).exits(4);
    let result = diff("sandbox.json", "blocked.json").exits(10).json();
    let graph =
        result["tools"].as_array().unwrap().iter().find(|tool| tool["differences"] != json!([])).unwrap();
    assert_eq!(graph["tool"], "loopiq_get_release_certification_evidence_graph");
    assert!(graph["differences"][0]["at"].as_str().unwrap().starts_with("/graph/nodes/*/"), "{graph}");
    folder.write("plan.json", "{}");
    diff("sandbox.json", "plan.json").exits(2);
}

#[test]
fn the_schema_of_recordings_is_that_of_what_is_recorded() {
    let folder = of_sandbox("remediation-plan", "REL-BLOCKED");
    let schema = folder.run(&["schema", "recording"]).exits(0).json();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&folder.json("rec.json")));
    assert!(!validator.is_valid(&json!({"format": "loopgate.recording/1"})));
}
