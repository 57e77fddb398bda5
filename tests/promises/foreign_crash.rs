//! Killed at every sync and every send, on servers that nobody here wrote: a file whose writing may be repeated, and
//! a commit that may not.

#![cfg(target_os = "linux")]

use std::process::Stdio;

use serde_json::Value;

use crate::foreign::{node, program, python};
use crate::foreign_writes::{
    MESSAGE, NOTES, accounted_for, approved_commit, approved_files, files, frozen, made, repository, stage,
    unconfigured,
};
use crate::governed::ARTIFACT;
use crate::killed::{Count, Crash, Killed, Next, Share, calls, has_strace, in_file};
use crate::support::{Folder, has};

/// The file that a server holds locked for as long as it runs.
const ALIVE: &str = "alive";

/// The settings of a server of which can be told when it is over.
fn watched(command: &[String]) -> Value {
    let flock = ["flock", "--no-fork", "--shared", ALIVE];
    let all: Vec<String> = flock.into_iter().map(str::to_owned).chain(command.iter().cloned()).collect();
    program(&all, &[])
}

/// Waits until every server of the folder is over: what a killed apply sent may still be on its way.
fn over(folder: &Folder) {
    let waited = folder.process("flock").args(["--timeout", "60", ALIVE, "true"]).status().unwrap();
    assert!(waited.success());
}

fn can_kill() -> bool {
    let flock = std::process::Command::new("flock")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    has_strace() && has("flock", flock)
}

fn killed_while_writing(share: Share) -> Option<Count> {
    let command = node("server-filesystem").filter(|_| can_kill())?;
    let ready = files(watched(&command));
    let id = approved_files(&ready);
    ready.run(&["ledger", "init"]).exits(0);
    let apply = ["apply", ARTIFACT, "--quiet", "--approval-id", &id];
    let killed = Killed {
        ready: &ready,
        apply: &apply,
        calls: &calls(1, 16),
        tool: "write_file",
        share,
        moved: &|_| (),
        ledger: &in_file,
    };
    let count = killed.everywhere(
        |_| (),
        |Crash { folder, point, in_doubt }| {
            over(&folder);
            let there = frozen(&folder);
            assert!(there.is_none() || there.as_deref() == Some(NOTES), "{point:?}: {there:?}");
            if in_doubt {
                // A read settles what it finds, and nothing else.
                let code = if there.is_some() { 0 } else { 31 };
                folder.run(&["reconcile", ARTIFACT]).exits(code);
                assert_eq!(frozen(&folder), there, "{point:?}");
            }
            folder.run(&apply).exits(0);
            assert_eq!(frozen(&folder).as_deref(), Some(NOTES), "{point:?}");
            accounted_for(&folder);
            Next::Settled
        },
    );
    Some(count)
}

/// Whether the recipe has a read that finds the commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Finds,
    Lacks,
}

/// A commit that is planned and approved, and the approval's ID.
fn ready_to_commit(read: Read) -> Option<(Folder, String)> {
    let command = python("mcp_server_git").filter(|_| can_kill())?;
    let ready = repository(watched(&unconfigured(&command)));
    if read == Read::Lacks {
        let recipe = ready.read("git.recipe.yaml");
        let (before, _) = recipe.split_once("    reconcile:\n").unwrap();
        ready.write("git.recipe.yaml", before);
    }
    let id = approved_commit(&ready);
    ready.run(&["ledger", "init"]).exits(0);
    Some((ready, id))
}

fn killed_while_committing(read: Read, calls: &[(&'static str, usize)], share: Share) -> Option<Count> {
    let (ready, id) = ready_to_commit(read)?;
    let apply = ["apply", ARTIFACT, "--quiet", "--approval-id", &id];
    let killed = Killed {
        ready: &ready,
        apply: &apply,
        calls,
        tool: "git_commit",
        share,
        moved: &|_| (),
        ledger: &in_file,
    };
    let count = killed.everywhere(|_| (), |crash| goes_on(&crash, &apply, read));
    Some(count)
}

/// Applies again; where nobody can say whether the commit was made, until a person does.
fn goes_on(Crash { folder, point, in_doubt }: &Crash, apply: &[&str], read: Read) -> Next {
    over(folder);
    let there = made(folder);
    if there > 0 {
        stage(folder, "next.txt", "a commit is possible again");
    }
    let settled = !in_doubt || (read == Read::Finds && there == 1);
    let ran = folder.run(apply);
    assert_eq!(ran.code, if settled { 0 } else { 31 }, "{point:?}: {}\n{}", ran.stdout, ran.stderr);
    if !settled {
        folder.run(&["reconcile", ARTIFACT]).exits(31);
        folder.run(apply).exits(31);
        assert_eq!(made(folder), there, "{point:?}: somebody sent it again");
        let found_out = if there == 1 { "applied" } else { "not-applied" };
        let word = ["--resolve", found_out, "--as", "bob", "--reason", "looked into the log"];
        folder.run(&[["reconcile", ARTIFACT, "--op", "commit"].as_slice(), &word].concat()).exits(0);
        folder.run(apply).exits(0);
    }
    assert_eq!(made(folder), 1, "{point:?}");
    accounted_for(folder);
    if settled { Next::Settled } else { Next::Unknown }
}

#[test]
fn a_killed_apply_leaves_the_planned_file_or_none() {
    let Some(count) = killed_while_writing(Share::Half) else { return };
    assert!(count.in_doubt > 0);
}

#[test]
fn a_killed_apply_leaves_the_planned_file_or_none_the_other_half() {
    let Some(count) = killed_while_writing(Share::OtherHalf) else { return };
    assert!(count.in_doubt > 0);
}

#[test]
fn a_killed_apply_never_commits_twice() {
    let Some(count) = killed_while_committing(Read::Finds, &calls(1, 16), Share::Half) else { return };
    assert!(count.in_doubt > count.unknown);
}

#[test]
fn a_killed_apply_never_commits_twice_the_other_half() {
    let Some(count) = killed_while_committing(Read::Finds, &calls(1, 16), Share::OtherHalf) else { return };
    assert!(count.in_doubt > count.unknown);
}

#[test]
fn a_killed_commit_that_no_read_finds_waits_for_a_person() {
    // None but around the one that commits.
    let calls = calls(usize::MAX, usize::MAX);
    let Some(count) = killed_while_committing(Read::Lacks, &calls, Share::Whole) else { return };
    assert!(count.in_doubt > 0 && count.unknown == count.in_doubt);
}

/// What the tests above look for is there to be found: under a profile that lies, a crash makes two commits.
#[test]
fn a_second_commit_is_seen_where_the_profile_says_that_there_is_none() {
    let Some((ready, _)) = ready_to_commit(Read::Lacks) else { return };
    let profile = ready.read("git.profile.yaml");
    ready.write("git.profile.yaml", profile.replace("idempotency: none", "idempotency: natural"));
    let id = approved_commit(&ready);
    let apply = ["apply", ARTIFACT, "--quiet", "--approval-id", &id];
    // None but around the one that commits.
    let calls = calls(usize::MAX, usize::MAX);
    let killed = Killed {
        ready: &ready,
        apply: &apply,
        calls: &calls,
        tool: "git_commit",
        share: Share::Whole,
        moved: &|_| (),
        ledger: &in_file,
    };
    let twice = killed.points(|_| ()).into_iter().any(|point| {
        let Some(crash) = killed.at(point, killed.copied()) else { return false };
        over(&crash.folder);
        if !crash.in_doubt || made(&crash.folder) == 0 {
            return false;
        }
        stage(&crash.folder, "next.txt", "a commit is possible again");
        crash.folder.run(&apply).exits(0);
        made(&crash.folder) == 2
    });
    assert!(twice, "no kill led to a second `{MESSAGE}`");
}
