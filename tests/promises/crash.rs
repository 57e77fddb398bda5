//! Killed at every sync and every send: the shipped binary under system-call injection, the sandbox as its own
//! process. Whatever is left, the next apply goes on from it.

#![cfg(target_os = "linux")]

use std::net::TcpListener;

use crate::cluster::PASSWORD;
use crate::database::{Shared, ledger};
use crate::governed::{ARTIFACT, DATABASE, Governed, Held, Keys, held};
use crate::killed::{Count, Crash, Killed, Next, Share, calls, has_strace, in_file};
use crate::served::{Relay, Served};
use crate::support::Folder;

/// The tool that the plan calls.
const TOOL: &str = "loopiq_create_remediation_work_package";

/// An apply over standard input and output; nothing where there is no strace.
fn killed(keys: Keys, share: Share) -> Option<Count> {
    has_strace().then(|| {
        let (governed, id) = Governed::ready("", keys);
        killed_everywhere(&governed, &id, keys, share, |_| ())
    })
}

/// An apply over HTTP. The server is nobody's child and goes on.
fn killed_over_http(share: Share) -> Option<Count> {
    has_strace().then(|| {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let relay = Relay::to(nobody);
        let governed = Governed::served(relay.address);
        let serving = |folder: &Folder| {
            let served = Served::start(folder, DATABASE);
            relay.lead_to(served.address);
            served
        };
        let first = serving(&governed.folder);
        governed.plan();
        let id = governed.approve("alice");
        drop(first);
        killed_everywhere(&governed, &id, Keys::Honoured, share, serving)
    })
}

fn killed_everywhere<S>(
    governed: &Governed,
    id: &str,
    keys: Keys,
    share: Share,
    serving: impl Fn(&Folder) -> S,
) -> Count {
    governed.folder.run(&["ledger", "init"]).exits(0);
    let apply = ["apply", ARTIFACT, "--approval-id", id];
    let killed = Killed {
        ready: &governed.folder,
        apply: &apply,
        calls: &calls(1, 4),
        tool: TOOL,
        share,
        moved: &|_| (),
        ledger: &in_file,
    };
    let before = governed.held();
    let done = killed.copied();
    let served = serving(&done);
    done.run(&apply).exits(0);
    let expected = held(&done.path().join(DATABASE));
    drop(served);
    killed.everywhere(serving, |crash| goes_on(crash, &apply, keys, &before, &expected))
}

/// Applies again.
fn goes_on(crash: Crash, apply: &[&str], keys: Keys, before: &Held, expected: &Held) -> Next {
    let Crash { folder, point, in_doubt } = crash;
    let ran = folder.run(apply);
    let held = held(&folder.path().join(DATABASE));
    let outcome = folder.json("loopgate-out/audit.json")["operations"][0]["outcome"].clone();
    match (ran.code, keys) {
        (0, _) => {
            assert_eq!(held, *expected, "{point:?}");
            assert_eq!(outcome, "applied", "{point:?}");
            Next::Settled
        }
        (31, Keys::Forgotten) if in_doubt => {
            assert!(held == *before || held == *expected, "{point:?}: {held:?}");
            assert_eq!(outcome, "unknown", "{point:?}");
            Next::Unknown
        }
        (code, _) => panic!("{point:?}: exit {code}\n{}\n{}", ran.stdout, ran.stderr),
    }
}

/// An apply whose ledger is in a database, killed wherever its main thread waits for it, sends or says something. At what
/// the ledger's own thread sends and hears it is killed in `database_lost`.
#[test]
fn a_killed_apply_with_its_ledger_in_a_database_repeats_no_write_and_loses_none() {
    if !has_strace() {
        return;
    }
    let Some(shared) = Shared::ready("", Keys::Honoured) else { return };
    let before = shared.governed.held();
    let url = |folder: &Folder| folder.json("loopgate.yaml")["ledger"]["at"].as_str().unwrap().to_owned();
    let moved = |folder: &Folder| {
        let database = shared.cluster.copy(&shared.database);
        let mut settings = folder.json("loopgate.yaml");
        settings["ledger"]["at"] = shared.cluster.runner(&database).into();
        folder.write("loopgate.yaml", settings.to_string());
        folder.set("PGPASSWORD", PASSWORD);
    };
    // The server learns of the end of a session a moment later.
    let apply = ["apply", ARTIFACT, "--approval-id", shared.id.as_str(), "--wait", "60s"];
    let calls = [("futex", 5), ("write", 4), ("writev", 4), ("sendto", 4), ("epoll_wait", usize::MAX)];
    let killed = Killed {
        ready: &shared.governed.folder,
        apply: &apply,
        calls: &calls,
        tool: TOOL,
        share: Share::Half,
        moved: &moved,
        ledger: &|folder| ledger(&url(folder)),
    };
    let done = killed.copied();
    done.run(&apply).exits(0);
    let expected = held(&done.path().join(DATABASE));
    let count = killed.everywhere(|_| (), |crash| goes_on(crash, &apply, Keys::Honoured, &before, &expected));
    assert!(count.points > 10 && count.in_doubt > 0 && count.unknown == 0);
}

#[test]
fn a_killed_apply_repeats_no_write_and_loses_none() {
    let Some(count) = killed(Keys::Honoured, Share::Half) else { return };
    assert!(count.points > 0 && count.in_doubt > 0);
}

#[test]
fn a_killed_apply_repeats_no_write_and_loses_none_the_other_half() {
    let Some(count) = killed(Keys::Honoured, Share::OtherHalf) else { return };
    assert!(count.points > 0 && count.in_doubt > 0);
}

#[test]
fn a_killed_apply_without_keys_never_writes_twice() {
    let Some(count) = killed(Keys::Forgotten, Share::Half) else { return };
    assert!(count.points > 0 && count.unknown > 0);
}

#[test]
fn a_killed_apply_without_keys_never_writes_twice_the_other_half() {
    let Some(count) = killed(Keys::Forgotten, Share::OtherHalf) else { return };
    assert!(count.points > 0);
}

#[test]
fn a_killed_apply_over_http_repeats_no_write_and_loses_none() {
    let Some(count) = killed_over_http(Share::Half) else { return };
    assert!(count.points > 0);
}

#[test]
fn a_killed_apply_over_http_repeats_no_write_and_loses_none_the_other_half() {
    let Some(count) = killed_over_http(Share::OtherHalf) else { return };
    assert!(count.points > 0);
}
