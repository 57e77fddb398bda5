//! A ledger's server that is lost at any step of an apply, and a holder that is stopped while another takes over.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, PASSWORD};
use crate::database::Shared;
use crate::database_faults::is_recorded;
use crate::governed::{ARTIFACT, DATABASE, Held, Keys, held};
use crate::support::{Folder, Ran};

/// A way to a server that ends at one of the messages to it.
struct Wire {
    address: SocketAddr,
    rules: Arc<Mutex<Rules>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The message is lost.
    Before,
    /// The answer to it is.
    After,
}

/// Which message.
#[derive(Clone, Copy)]
enum At {
    Number(usize),
    /// The first with that text in it.
    Text(&'static str),
}

struct Rules {
    /// How many messages there were.
    messages: usize,
    at: Option<(At, Cut)>,
    /// Whether nobody comes through any more once it was cut.
    for_good: bool,
    was_cut: bool,
}

impl Wire {
    fn to(port: u16, at: Option<(At, Cut)>, for_good: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let rules = Arc::new(Mutex::new(Rules { messages: 0, at, for_good, was_cut: false }));
        let known = Arc::clone(&rules);
        thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let closed = {
                    let rules = known.lock().unwrap();
                    rules.was_cut && rules.for_good
                };
                if let (false, Ok(there)) = (closed, TcpStream::connect(("127.0.0.1", port))) {
                    connect(&here, &there, &known);
                }
            }
        });
        Self { address, rules }
    }

    fn messages(&self) -> usize {
        self.rules.lock().unwrap().messages
    }

    fn was_cut(&self) -> bool {
        self.rules.lock().unwrap().was_cut
    }
}

fn connect(here: &TcpStream, there: &TcpStream, rules: &Arc<Mutex<Rules>>) {
    let _ = (here.set_nodelay(true), there.set_nodelay(true));
    let deaf = Arc::new(Mutex::new(false));
    let both = || (here.try_clone().unwrap(), there.try_clone().unwrap());
    let ((mut here_in, mut there_out), (mut here_out, mut there_in)) = (both(), both());
    let (rules, is_deaf) = (Arc::clone(rules), Arc::clone(&deaf));
    let end = |one: &TcpStream, other: &TcpStream| {
        let _ = (one.shutdown(Shutdown::Both), other.shutdown(Shutdown::Both));
    };
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(size @ 1..) = here_in.read(&mut buffer) {
            let cut = {
                let mut rules = rules.lock().unwrap();
                rules.messages += 1;
                let is_it = rules.at.is_some_and(|(at, _)| match at {
                    At::Number(number) => number == rules.messages,
                    At::Text(text) => String::from_utf8_lossy(&buffer[..size]).contains(text),
                });
                let cut = rules.at.filter(|_| is_it && !rules.was_cut).map(|(_, cut)| cut);
                rules.was_cut |= cut.is_some();
                cut
            };
            if cut == Some(Cut::Before) {
                break;
            }
            if cut == Some(Cut::After) {
                *is_deaf.lock().unwrap() = true;
            }
            if there_out.write_all(&buffer[..size]).is_err() {
                break;
            }
        }
        end(&here_in, &there_out);
    });
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(size @ 1..) = there_in.read(&mut buffer) {
            if *deaf.lock().unwrap() || here_out.write_all(&buffer[..size]).is_err() {
                break;
            }
        }
        end(&here_out, &there_in);
    });
}

/// An apply whose way to the ledger is cut, and the next one.
struct Lost {
    ready: Shared,
    expected: Held,
    messages: usize,
}

impl Lost {
    fn ready() -> Option<Self> {
        let ready = Shared::ready("", Keys::Honoured)?;
        let (folder, database) = ready.copied();
        let wire = Wire::to(ready.cluster.port, None, false);
        through(&wire, &database, &folder, &ready.id).exits(0);
        Some(Self { expected: held(&folder.path().join(DATABASE)), messages: wire.messages(), ready })
    }

    /// The exit code of an apply that is cut there, after which the next one finds out everything; none where it ended
    /// before it got there. Whether it left a file, too.
    fn cut(&self, at: At, cut: Cut, for_good: bool) -> Option<(i32, bool)> {
        let Self { ready, expected, .. } = self;
        let (folder, database) = ready.copied();
        let wire = Wire::to(ready.cluster.port, Some((at, cut)), for_good);
        let ran = through(&wire, &database, &folder, &ready.id);
        let held = || held(&folder.path().join(DATABASE));
        let left = folder.exists("loopgate-out/artifact.outcome.json");
        match ran.code {
            _ if !wire.was_cut() => return None,
            0 => assert_eq!(held(), *expected, "{}", ran.told()),
            31 => assert!(for_good, "{}", ran.told()),
            40 if is_recorded(ready, &database) => assert_eq!(held(), *expected, "{}", ran.told()),
            40 => assert_eq!(held(), ready.governed.held(), "{}", ran.told()),
            code => panic!("exit {code}: {}", ran.told()),
        }
        let url = ready.cluster.runner(&database);
        folder.run(&["apply", ARTIFACT, "--approval-id", &ready.id, "--ledger", &url]).exits(0);
        assert_eq!(held(), *expected);
        assert!(!folder.exists("loopgate-out/artifact.outcome.json"));
        folder.run(&["ledger", "verify", "--ledger", &url]).exits(0);
        assert!(is_recorded(ready, &database), "an outcome is lost or doubled");
        Some((ran.code, left))
    }
}

fn through(wire: &Wire, database: &str, folder: &Folder, id: &str) -> Ran {
    let url = format!("postgres://ci@{}/{database}?connect_timeout=2", wire.address);
    folder.run(&["apply", ARTIFACT, "--approval-id", id, "--ledger", &url])
}

#[test]
fn a_connection_that_is_lost_for_a_moment_costs_nothing_at_any_step() {
    let Some(lost) = Lost::ready() else { return };
    let mut codes = BTreeMap::new();
    for number in (6..=lost.messages).step_by(5) {
        let cut = if number % 2 == 0 { Cut::Before } else { Cut::After };
        if let Some((code, left)) = lost.cut(At::Number(number), cut, false) {
            assert!(!left, "{number}");
            *codes.entry(code).or_insert(0) += 1;
        }
    }
    println!("{} messages; exit codes: {codes:?}", lost.messages);
    assert!(codes[&0] > 3);
}

#[test]
fn once_the_locks_are_held_a_connection_that_is_lost_for_a_moment_stops_nobody() {
    let Some(lost) = Lost::ready() else { return };
    for text in ["\"kind\":\"began\"", "\"kind\":\"intent\"", "\"kind\":\"outcome\"", "\"kind\":\"ended\""] {
        for cut in [Cut::Before, Cut::After] {
            assert_eq!(lost.cut(At::Text(text), cut, false), Some((0, false)), "{text}");
        }
    }
}

#[test]
fn a_ledger_that_is_lost_for_good_is_told_by_the_next_run_what_it_missed() {
    let Some(lost) = Lost::ready() else { return };
    for (text, cut, expected) in [
        ("\"kind\":\"began\"", Cut::After, (40, false)),
        ("\"kind\":\"intent\"", Cut::Before, (40, false)),
        ("\"kind\":\"intent\"", Cut::After, (40, false)),
        ("\"kind\":\"outcome\"", Cut::Before, (31, true)),
        ("\"kind\":\"outcome\"", Cut::After, (31, true)),
        ("\"kind\":\"ended\"", Cut::Before, (40, false)),
    ] {
        assert_eq!(lost.cut(At::Text(text), cut, true), Some(expected), "{text}");
    }
}

/// The tool that a plan is compared by, before its first intent.
const READ: &str = "loopiq_get_release_certification";
const WRITE: &str = "loopiq_create_remediation_work_package";

/// Applies until the server hears of `tool`; there the run is stopped, its session ended, another run lets do all, and
/// it is woken.
fn stopped_at(tool: &str) -> Option<(Ran, Ran)> {
    let faults = format!("runs:{tool}=touch reached; until test -e gone-on; do sleep 0.05; done");
    let ready = Shared::ready("", Keys::Honoured)?;
    ready.governed.settings(|settings| settings["servers"]["governed"]["arguments"][1] = faults.into());
    let folder = &ready.governed.folder;
    let before = ready.governed.held();
    let mut first = folder.process(env!("CARGO_BIN_EXE_loopgate"));
    let first = first
        .args(["apply", ARTIFACT, "--approval-id", &ready.id, "--audit", "first.json"])
        .env("PGPASSWORD", PASSWORD)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !folder.exists("reached") {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody got to `{tool}`");
        thread::sleep(Duration::from_millis(10));
    }
    signal(first.id(), "STOP");
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'loopgate'";
    assert_eq!(ready.cluster.sql(&ready.database, end), "1");
    folder.write("gone-on", "");
    let second = ready.apply(&[]);
    signal(first.id(), "CONT");
    let first = Ran::from(first.wait_with_output().unwrap());
    let after = "SELECT count(*) FROM loopgate.events e WHERE e.text LIKE '%\"run\":\"' ||
        (SELECT holder::json ->> 'run' FROM loopgate.epochs ORDER BY epoch LIMIT 1) || '%' AND e.sequence >
        (SELECT min(sequence) FROM loopgate.events WHERE text LIKE '%\"run\":\"' ||
          (SELECT holder::json ->> 'run' FROM loopgate.epochs ORDER BY epoch DESC LIMIT 1) || '%')";
    assert_eq!(ready.cluster.sql(&ready.database, after), "0", "the woken one added something");
    let made = ready.governed.held().stories.len() - before.stories.len();
    assert_eq!(made, 1);
    let sent = folder.read("memory").lines().filter(|line| *line == "sent").count();
    assert_eq!(sent, if tool == WRITE { 2 } else { 1 }, "the woken one sent it");
    folder.run(&["ledger", "verify"]).exits(0);
    Some((first, second))
}

fn signal(process: u32, signal: &str) {
    let sent =
        std::process::Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_holder_that_slept_while_another_took_over_sends_and_adds_nothing() {
    let Some((first, second)) = stopped_at(READ) else { return };
    second.exits(0);
    let first = first.exits(42);
    assert!(first.told().contains("taken over"), "{}", first.told());
}

#[test]
fn a_holder_that_slept_over_its_answer_adds_nothing_and_leaves_it_in_a_file() {
    let Some((first, second)) = stopped_at(WRITE) else { return };
    second.exits(0);
    let first = first.exits(31);
    assert!(first.told().contains("artifact.outcome.json"), "{}", first.told());
}

/// Kills the server while an apply is at work, where it has recorded something, and starts it again at once.
#[test]
fn a_server_that_is_killed_and_starts_again_loses_and_doubles_nothing() {
    if crate::database::there().is_none() {
        return;
    }
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start("").unwrap()));
    let (governed, id) = crate::governed::Governed::ready("", Keys::Honoured);
    let database = cluster.database();
    crate::database::init(&governed.folder, cluster, &database).exits(0);
    governed.folder.set("PGPASSWORD", PASSWORD);
    let ready = Shared { cluster, database, governed, id };
    for at in ["\"kind\":\"began\"", "\"kind\":\"intent\"", "\"kind\":\"outcome\""] {
        let (folder, database) = ready.copied();
        let wire = Wire::to(cluster.port, Some((At::Text(at), Cut::After)), false);
        let url = format!("postgres://ci@{}/{database}?connect_timeout=30", wire.address);
        let apply = ["apply", ARTIFACT, "--approval-id", ready.id.as_str(), "--ledger", url.as_str()];
        let runner = {
            let mut process = folder.process(env!("CARGO_BIN_EXE_loopgate"));
            process.args(apply).env("PGPASSWORD", PASSWORD);
            process.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        let begun = Instant::now();
        while !wire.was_cut() && begun.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(1));
        }
        // Without a checkpoint: it recovers as after a crash.
        cluster.tell("QUIT");
        cluster.start_again();
        let ran = Ran::from(runner.wait_with_output().unwrap());
        assert!([0, 31, 40].contains(&ran.code), "{at}: {}", ran.told());
        let url = cluster.runner(&database);
        folder.run(&["apply", ARTIFACT, "--approval-id", &ready.id, "--ledger", &url]).exits(0);
        folder.run(&["ledger", "verify", "--ledger", &url]).exits(0);
        assert!(is_recorded(&ready, &database), "{at}: an outcome is lost or doubled");
    }
}

impl Cluster {
    /// Starts it again, and waits until it answers.
    fn start_again(&self) {
        self.tell("start");
        self.wait();
    }

    /// A signal for the server, such as `QUIT`, or `start`.
    fn tell(&self, word: &str) {
        let mut words = self.words.lock().unwrap();
        writeln!(words.as_mut().unwrap(), "{word}").unwrap();
    }

    /// A copy of a database, by its name.
    pub fn copy(&self, database: &str) -> String {
        let name = self.new_name();
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {database}"));
        name
    }
}
