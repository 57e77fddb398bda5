//! The workflows by what can be said of them without a runner: what they use, may do, and hand to a shell.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Folder, Ran, has};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yml")).collect()
}

/// Every workflow: the shared ones, and those that `init` writes.
fn workflows() -> Vec<(String, Value)> {
    let files = [yaml_in(".github/workflows"), yaml_in("src/cli/init")].concat();
    let read = files.into_iter().map(|path| (path.clone(), fs_err::read_to_string(path).unwrap()));
    let all: Vec<_> = read
        .filter(|(path, _)| !path.to_string_lossy().contains("gitlab"))
        .map(|(path, text)| (path.display().to_string(), serde_yaml::from_str(&text).unwrap()))
        .collect();
    assert!(all.len() > 4, "{}", all.len());
    all
}

fn jobs(workflow: &Value) -> impl Iterator<Item = (&String, &Value)> {
    workflow["jobs"].as_object().unwrap().iter()
}

fn steps(workflow: &Value) -> impl Iterator<Item = &Value> {
    jobs(workflow).flat_map(|(_, job)| job["steps"].as_array().into_iter().flatten())
}

#[test]
fn every_action_is_pinned_by_its_commit_with_the_version_beside_it() {
    let mut pinned = 0;
    let files =
        [yaml_in(".github/workflows"), yaml_in("src/cli/init"), yaml_in(".github/actions/loopgate")].concat();
    for path in files {
        for line in fs_err::read_to_string(&path).unwrap().lines() {
            let Some(used) = line.trim().trim_start_matches("- ").strip_prefix("uses: ") else { continue };
            if used.starts_with("./.github/") {
                continue;
            }
            let (action, version) = used.split_once(" # v").unwrap_or((used, ""));
            let commit = action.split_once('@').unwrap().1;
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && version.contains('.'), "{}: {used}", path.display());
            pinned += 1;
        }
    }
    assert!(pinned > 5);
}

#[test]
fn no_expression_stands_in_a_script() {
    let action = fs_err::read_to_string(root().join(".github/actions/loopgate/action.yml")).unwrap();
    let action: Value = serde_yaml::from_str(&action).unwrap();
    let all = workflows();
    let of_the_action = action["runs"]["steps"].as_array().unwrap().iter();
    let scripts: Vec<&str> = all
        .iter()
        .flat_map(|(_, workflow)| steps(workflow))
        .chain(of_the_action)
        .filter_map(|step| step["run"].as_str())
        .collect();
    assert!(scripts.len() > 8);
    for script in scripts {
        assert!(!script.contains("${{"), "{script}");
    }
}

#[test]
fn a_part_is_there_and_is_executed_in_the_shells_place() {
    for (file, workflow) in workflows() {
        for script in steps(&workflow).filter_map(|step| step["run"].as_str()) {
            let Some(part) = script.split(".github/actions/loopgate/").nth(1) else { continue };
            assert!(script.starts_with("exec bash "), "{file}: {script}");
            let name = part.split_whitespace().next().unwrap();
            assert!(root().join(".github/actions/loopgate").join(name).exists(), "{file}: {script}");
        }
    }
}

#[test]
fn a_workflow_may_do_nothing_and_a_job_only_what_it_names() {
    for (file, workflow) in workflows() {
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{file}");
        for (name, job) in jobs(&workflow) {
            assert!(job["permissions"].is_object(), "{file}: {name}");
        }
    }
}

#[test]
fn the_credential_for_writes_is_where_the_protected_branch_applies_and_nowhere_else() {
    for (file, workflow) in workflows() {
        for (name, job) in jobs(&workflow) {
            if job.to_string().contains("LOOPGATE_WRITE_TOKEN") {
                assert!(file.ends_with("loopgate-apply.yml"), "{file}: {name}");
                let condition = job["if"].as_str().unwrap();
                assert!(condition.contains("'push'") && condition.contains("default_branch"), "{condition}");
                assert!(job["environment"].is_string());
            }
            let writes = ["contents", "pull-requests", "issues", "id-token"]
                .iter()
                .any(|scope| job["permissions"][scope] == "write");
            let on_pull_request =
                job["if"].as_str().is_some_and(|condition| condition.contains("== 'pull_request'"));
            assert!(!writes || !on_pull_request || file.contains("comment"), "{file}: {name}");
        }
    }
}

#[test]
fn a_release_has_what_an_install_asks_for() {
    let read = |name: &str| fs_err::read_to_string(root().join(name)).unwrap();
    let workflow: Value = serde_yaml::from_str(&read(".github/workflows/release.yml")).unwrap();
    let install = read(".github/actions/loopgate/install.sh");
    let built = workflow["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    let targets: Vec<&str> = built.iter().map(|one| one["target"].as_str().unwrap()).collect();
    assert_eq!(targets.len(), 5);
    let asked = install.lines().filter_map(|line| line.split("target=").nth(1)?.split(' ').next());
    for target in asked.filter(|target| target.contains('-')) {
        assert!(targets.contains(&target), "no release has {target}");
    }
    let archive = "loopgate-$target.tar.gz";
    assert!(install.contains(archive));
    assert!(read(".github/release/package.sh").contains(&archive.replace("$target", "$TARGET")));
    let metadata = archive.replace("$target", "{ target }");
    assert!(read("Cargo.toml").contains(&format!("/releases/download/v{{ version }}/{metadata}")));
}

/// With this very program, as if it had been built for the target.
#[test]
fn an_archive_is_made_of_a_program_that_was_seen_to_run() {
    let there = ["bash", "tar", "file"]
        .iter()
        .all(|program| std::process::Command::new(program).arg("--version").output().is_ok());
    if !has("bash, tar or file", there) {
        return;
    }
    let folder = Folder::new();
    folder.write("LICENSE", "");
    folder.write("README.md", "");
    let program = Path::new(env!("CARGO_BIN_EXE_loopgate"));
    let package = |target: &str| -> Ran {
        let built = folder.path().join("target").join(target).join("release");
        fs_err::create_dir_all(&built).unwrap();
        let link = built.join("loopgate");
        if !link.exists() {
            fs_err::hard_link(program, &link).or_else(|_| fs_err::copy(program, &link).map(drop)).unwrap();
        }
        let mut script = folder.process("bash");
        script.arg(root().join(".github/release/package.sh")).env("TARGET", target);
        script.output().unwrap().into()
    };
    package("x86_64-apple-darwin").exits(0);
    let archive = "dist/loopgate-x86_64-apple-darwin.tar.gz";
    let listed = folder.process("tar").args(["-tzf", archive]).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "loopgate\nLICENSE\nREADME.md\n");
    // This one is linked to the system's library.
    let ran = package("x86_64-unknown-linux-musl").exits(1);
    assert!(ran.stdout.contains("is not static"), "{}", ran.stdout);
    folder.write("target/broken/release/loopgate", "");
    assert_ne!(package("broken").code, 0);
    assert!(!folder.exists("dist/loopgate-broken.tar.gz"));
}
