//! The trust folder: pinned, shared, and only ever tightened.

use serde_json::Value;

use crate::support::Folder;

/// A folder `own` that extends `org`, with a server of each.
fn shared() -> Folder {
    let folder = Folder::new();
    folder.write(
        "org/loopgate.yaml",
        "server: one\nservers:\n  one: { command: \"false\", profile: p.yaml }\npolicy: { approvals: { minimum: 2 } }\n",
    );
    folder.write("org/p.yaml", loopgate::catalog::Profile::shipped("plain").unwrap());
    folder.write(
        "own/loopgate.yaml",
        "extends: ../org\nserver: two\nservers: { two: { command: \"false\", profile: loopiq } }\n",
    );
    folder
}

fn shown(folder: &Folder, trust: &str) -> Value {
    folder.run(&["config", "show", "--trust", trust, "--format", "json"]).exits(0).json()
}

fn from(config: &Value, key: &str) -> Vec<String> {
    let all = config["values"].as_array().unwrap().iter().filter(|setting| setting["key"] == key);
    all.map(|setting| {
        format!("{} {}:{}", setting["value"], setting["from"].as_str().unwrap(), setting["line"])
    })
    .collect()
}

#[test]
fn config_show_says_where_each_value_comes_from() {
    let folder = shared();
    let config = shown(&folder, "own");
    assert_eq!(from(&config, "/server"), ["\"two\" own/loopgate.yaml:2"], "who extends chooses");
    assert_eq!(from(&config, "/servers/one/profile"), ["\"p.yaml\" own/../org/loopgate.yaml:3"]);
    assert_eq!(from(&config, "/policy/approvals/minimum"), ["2 own/../org/loopgate.yaml:4"]);
    let ran = folder
        .command(&["config", "show", "--trust", "own"])
        .env("LOOPGATE_SERVER", "three")
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(text.contains("\"three\"  (LOOPGATE_SERVER)"), "{text}");
    assert!(
        text.starts_with("trusted: own@sha256:") && text.contains("\nextended: own/../org@sha256:"),
        "{text}"
    );
    folder.run(&["config", "show", "--trust", "nowhere"]).exits(3);
    let ci = folder.command(&["config", "show"]).env("CI", "true").output().unwrap();
    assert_eq!(ci.status.code(), Some(3));
}

#[test]
fn a_pinned_trust_folder_is_refused_once_it_or_its_bundle_says_anything_else() {
    let folder = shared();
    let digest = shown(&folder, "own")["folders"][0]["digest"].as_str().unwrap().to_owned();
    let pinned = format!("own@{digest}");
    // The server ends at once, so 50 says that the settings were taken.
    let run =
        |trust: &str| folder.run(&["evidence-graph", "--release", "R", "--tenant", "t", "--trust", trust]);
    run(&pinned).exits(50);
    folder.write("own/notes.md", "nobody reads it");
    run(&pinned).exits(50);
    for (name, text) in [
        (
            "own/loopgate.yaml",
            "extends: ../org\nserver: two\nservers: { two: { command: \"true\", profile: loopiq } }\n",
        ),
        ("org/loopgate.yaml", "server: one\nservers: { one: { command: \"false\", profile: p.yaml } }\n"),
        ("org/p.yaml", "profile: plain\nsummary: another\noperations: {}\n"),
        ("own/loopgate.lock", "{}"),
    ] {
        let before = folder.exists(name).then(|| folder.read(name));
        folder.write(name, text);
        let ran = run(&pinned).exits(22);
        assert!(ran.told().contains("was asked for"), "{name}: {}", ran.told());
        match before {
            Some(before) => drop(folder.write(name, before)),
            None => fs_err::remove_file(folder.path().join(name)).unwrap(),
        }
        run(&pinned).exits(50);
    }
    let other = format!("own@sha256:{}", "0".repeat(64));
    for arguments in [vec!["config", "show"], vec!["ledger", "log"]] {
        folder.run(&[arguments.as_slice(), &["--trust", &other]].concat()).exits(22);
    }
}

#[test]
fn a_folder_that_contradicts_what_it_extends_is_refused_by_whatever_reads_it() {
    let folder = shared();
    folder.write("own/loopgate.yaml", "extends: ../org\nservers: { one: { command: \"true\" } }\n");
    for arguments in [
        vec!["config", "show"],
        vec!["evidence-graph", "--release", "R", "--tenant", "t"],
        vec!["ledger", "log"],
    ] {
        let ran = folder.run(&[arguments.as_slice(), &["--trust", "own"]].concat()).exits(3);
        assert!(ran.told().contains("`servers.one` is said by what it extends"), "{}", ran.told());
    }
}
