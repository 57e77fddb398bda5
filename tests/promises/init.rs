//! What `init --ci` writes, what it leaves alone, and what it says to do next.

use std::path::Path;

use crate::support::{Folder, has};

fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found.sort();
    found
}

#[test]
fn what_it_says_to_do_next_works_and_what_that_leaves_is_ignored() {
    let git = std::process::Command::new("git").arg("--version").output().is_ok();
    if !has("git", git) {
        return;
    }
    for platform in ["github", "gitlab"] {
        let folder = Folder::new();
        assert!(folder.process("git").args(["init", "--quiet"]).status().unwrap().success());
        let written = folder.run(&["init", "--ci", platform]).exits(0);
        for line in written.stdout.lines() {
            assert!(folder.exists(line), "{line}");
        }
        let next = written.stderr.lines().find_map(|line| line.strip_prefix("next: loopgate ")).unwrap();
        folder.run(&next.split(' ').collect::<Vec<_>>()).exits(0);
        assert!(folder.exists("loopgate-out/artifact.json"));
        let mut status = folder.process("git");
        let status = status.args(["status", "--porcelain", "--untracked-files=all"]).output().unwrap();
        let status = String::from_utf8(status.stdout).unwrap();
        assert!(!status.contains("loopgate-out") && !status.contains(".loopgate/"), "{status}");
    }
}

#[test]
fn what_it_writes_for_github_is_what_the_repository_has() {
    let folder = Folder::new();
    folder.run(&["init", "--ci", "github"]).exits(0);
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github");
    let mut same = 0;
    for path in [files(&ours.join("actions/loopgate")), files(&ours.join("workflows"))].concat() {
        let name = Path::new(&path).strip_prefix(ours.parent().unwrap()).unwrap().to_str().unwrap();
        if name.contains("workflows/") && !name.contains("workflows/loopgate-") {
            continue;
        }
        assert_eq!(folder.read(name), fs_err::read_to_string(&path).unwrap(), "{name}");
        same += 1;
    }
    assert_eq!(same, 14);
}

#[test]
fn nothing_that_is_there_is_changed() {
    for (platform, kept) in [("github", ".github/workflows/loopgate.yml"), ("gitlab", ".gitlab-ci.yml")] {
        let folder = Folder::new();
        folder.write(kept, "mine\n");
        folder.write("loopgate.yaml", "mine: 1\n");
        folder.write(".gitignore", "/target");
        let ran = folder.run(&["init", "--ci", platform]).exits(0);
        assert_eq!(
            (folder.read(kept), folder.read("loopgate.yaml")),
            ("mine\n".to_owned(), "mine: 1\n".to_owned())
        );
        assert!(ran.stderr.contains(&format!("kept as it is: {kept}")), "{}", ran.stderr);
        assert_eq!(folder.read(".gitignore"), "/target\n/.loopgate/\n/loopgate-out/\n");
        let before: Vec<_> =
            files(folder.path()).into_iter().map(|path| fs_err::read(path).unwrap()).collect();
        let again = folder.run(&["init", "--ci", platform]).exits(0);
        let after: Vec<_> =
            files(folder.path()).into_iter().map(|path| fs_err::read(path).unwrap()).collect();
        assert!(again.stdout.is_empty() && before == after, "{}", again.stdout);
        folder.run(&["init", "--ci", platform, "--force"]).exits(2);
    }
}

#[test]
fn its_settings_are_settings_with_and_without_the_comments() {
    for platform in ["github", "gitlab"] {
        let folder = Folder::new();
        folder.run(&["init", "--ci", platform]).exits(0);
        folder.run(&["config", "show"]).exits(0);
        let text = folder.read("loopgate.yaml").replace("\n# ", "\n");
        let text = text.replace("HOST", "ai.example.com").replace("GITLAB", "gitlab.example.com");
        folder.write("loopgate.yaml", text.split_once('\n').unwrap().1);
        folder.write("gitlab-keys.json", "{}");
        let shown = folder.run(&["config", "show"]).exits(0);
        assert!(
            shown.stdout.contains("LOOPGATE_WRITE_TOKEN") && shown.stdout.contains("platform"),
            "{}",
            shown.stdout
        );
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let (folder, outside) = (Folder::new(), Folder::new());
    std::os::unix::fs::symlink(outside.path(), folder.path().join("recipes")).unwrap();
    folder.run(&["init", "--ci", "gitlab"]).exits(3);
    assert!(files(outside.path()).is_empty());
}
