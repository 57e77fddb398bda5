//! A pull request that changes whatever a checkout has, in every combination: nothing is written, started or told.
//!
//! The pipeline is the one that README.md describes: `CI` is set, trust settings and ledger are outside of the checkout
//! and named, artifact and approvals travel as files that the pull request can change, too. Who may approve is decided
//! by signatures alone here, so that no other protection hides what a forged one does.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use loopgate::approval::{Filed, write_record};
use serde_json::json;

use crate::governed::{Held, held};
use crate::pull_request_edits::{APPROVALS, ARTIFACTS, CARRIED, CHECKOUT, Edit, Keys, approval, gates_hold};
use crate::secrets::shapes_of;
use crate::served::{Served, TOKEN};
use crate::support::{Folder, Ran, environment, has};

/// What the trust settings' secret is, in a file beside them.
const SECRET: &str = "canary-secret-of-the-deployment";
/// The recipe of the protected branch.
pub const RECIPE: &str = include_str!("../../recipes/remediation-plan.yaml");

/// What a pull request cannot change, and a plan that was made from the protected branch.
pub struct Backstage {
    pub folder: Folder,
    pub keys: Keys,
    /// Where an attacker listens.
    pub attacker: SocketAddr,
    /// The plan, as bytes.
    pub artifact: Vec<u8>,
    /// Alice's approval of that plan.
    pub genuine: Filed,
    /// Alice's approval of something else.
    pub other: Filed,
    /// The tool lock of the trust settings.
    pub lock: String,
    /// A ledger that nothing stands in.
    pub ledger: Vec<u8>,
    visitors: Arc<AtomicUsize>,
    before: Held,
    trust: BTreeMap<PathBuf, Vec<u8>>,
    _served: Served,
}

/// A set of edits: those of the checkout, and several sets of those of what travels, one after another.
#[derive(Default)]
pub struct Set<'e> {
    checkout: Vec<&'e Edit>,
    carried: Vec<Vec<&'e Edit>>,
}

/// A job's folder.
pub struct Checkout<'a> {
    pub folder: Folder,
    pub backstage: &'a Backstage,
    ledger: String,
}

/// What stands on the `PATH` before the programs of those names, and notes what they are started with.
const NOTED: [&str; 2] = ["git", "ssh-keygen"];

impl Backstage {
    fn new() -> Option<Self> {
        if !has("ssh-keygen", std::process::Command::new("ssh-keygen").arg("-?").output().is_ok()) {
            return None;
        }
        let folder = Folder::new();
        let served = Served::start(&folder, "served.db");
        let keys = Keys::new(&folder);
        folder.write("trust/signers", keys.line("alice"));
        folder.write("trust/deploy", SECRET);
        let mut settings = Served::settings(served.address, "auto");
        settings["servers"]["served"]["token"] = json!({"environment": "LOOPIQ_TOKEN"});
        settings["policy"] =
            json!({"approvals": {"accept": ["signed"], "signers": "signers", "four_eyes": false}});
        settings["secrets"] = json!({"deploy": {"file": "deploy", "to": []}});
        folder.write("trust/loopgate.yaml", settings.to_string());
        let run = |arguments: &[&str]| {
            let ran = folder.command(arguments).env("LOOPIQ_TOKEN", TOKEN).output().unwrap();
            Ran::from(ran).exits(0);
        };
        run(&["lock", "--server", "served", "--trust", "trust"]);
        run(&["ledger", "init", "--ledger", "sqlite:empty.db"]);
        let plan = ["remediation-plan", "--release", "REL-BLOCKED", "--trust", "trust"];
        run(&[&plan[..], &["--out", "planned"]].concat());
        run(&[&plan[..], &["--out", "else", "--owner", "another"]].concat());
        let effect = |file: &str| folder.json(file)["effect_digest"].as_str().unwrap().parse().unwrap();
        let sign = |file: &str| keys.signed(approval(&effect(file)), "alice", "loopgate-approval");
        let (genuine, other) = (sign("planned/artifact.json"), sign("else/artifact.json"));
        for program in NOTED {
            let noted = folder.path().join("started");
            let shell = format!(
                "#!/bin/sh\nprintf '%s\\n' \"{program} $*\" >> '{}'\nPATH=${{PATH#*:}}\nexec {program} \"$@\"\n",
                noted.display()
            );
            let path = folder.write(&format!("noted/{program}"), shell);
            fs_err::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let visitors = Arc::new(AtomicUsize::new(0));
        let attacker = listen(Arc::clone(&visitors));
        Some(Self {
            artifact: folder.read("planned/artifact.json").into_bytes(),
            lock: folder.read("trust/loopgate.lock"),
            ledger: fs_err::read(folder.path().join("empty.db")).unwrap(),
            before: held(&folder.path().join("served.db")),
            trust: trust(&folder),
            folder,
            keys,
            attacker,
            genuine,
            other,
            visitors,
            _served: served,
        })
    }

    fn held(&self) -> Held {
        held(&self.folder.path().join("served.db"))
    }

    /// A checkout of the protected branch, with what travels; `name` is that of its ledger.
    fn checkout(&self, name: &str) -> Checkout<'_> {
        let folder = Folder::new();
        folder.write("recipe.yaml", RECIPE);
        let mut checkout = Checkout { folder, backstage: self, ledger: String::new() };
        checkout.carries(name);
        checkout
    }

    /// Whether the edits lead to nothing, in the words of whoever finds that they do.
    fn withstands(&self, number: usize, set: &Set<'_>) -> Result<(), String> {
        let mut checkout = self.checkout(&number.to_string());
        set.checkout.iter().for_each(|edit| (edit.make)(&checkout));
        let mut told = checkout.told(&["validate", "recipe.yaml"], &[]);
        // The job of a fork has no trust settings.
        let run = ["run", "recipe.yaml", "--input", "release=REL-BLOCKED", "--out", "fresh"];
        let (fork, named) = (checkout.told(&run, &[]), checkout.trust());
        told.extend(checkout.told(&run, &["--trust", &named]));
        let mut applied = Vec::new();
        for (place, edits) in set.carried.iter().enumerate() {
            checkout.carries(&format!("{number}-{place}"));
            edits.iter().for_each(|edit| (edit.make)(&checkout));
            if set.checkout.is_empty() {
                // It reads nothing else.
                told.extend(checkout.told(&["show", "carried/artifact.json"], &[]));
            }
            applied.extend(checkout.apply("carried/artifact.json"));
            // What alice approved is hers, whoever plans it once more.
            let effect = json!(self.genuine.record.effect_digest);
            let fresh = "fresh/artifact.json";
            if checkout.folder.exists(fresh) && checkout.folder.json(fresh)["effect_digest"] != effect {
                applied.extend(checkout.apply("fresh/artifact.json"));
            }
        }
        let all = [told, fork.clone(), applied.clone()].concat();
        let broke = |ran: &Ran| [1, -1].contains(&ran.code);
        let wrong = if applied.iter().any(|ran| ![3, 20, 21, 22, 23].contains(&ran.code)) {
            "apply did not refuse".to_owned()
        } else if fork.iter().any(|ran| ran.code == 0) {
            "a run without trust settings found a server".to_owned()
        } else if all.iter().any(broke) {
            "it broke".to_owned()
        } else if let Some(place) = checkout.shows(&all) {
            format!("a secret shows in {place}")
        } else if checkout.folder.exists("marker") {
            "a program of the pull request ran".to_owned()
        } else if trust(&self.folder) != self.trust {
            "the trust settings were changed".to_owned()
        } else {
            return Ok(());
        };
        Err(format!("{wrong}:\n{all:#?}"))
    }

    /// Checks many sets of edits, a few at a time, and that none of them led to anything.
    #[track_caller]
    fn withstand(&self, sets: &[Set<'_>]) {
        let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let number = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(set) = sets.get(number)
                    {
                        if let Err(why) = self.withstands(number, set) {
                            let edits = set.checkout.iter().chain(set.carried.iter().flatten());
                            let names: Vec<&str> = edits.map(|edit| edit.name).collect();
                            wrong.lock().unwrap().push(format!("{names:?}: {why}"));
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{} of {}, such as {}", wrong.len(), sets.len(), wrong[0]);
        assert_eq!(self.held(), self.before, "something was written");
        assert_eq!(self.visitors.load(Ordering::SeqCst), 0, "the attacker was called");
        let started = self.folder.read("started");
        assert!(started.contains("git "), "{started}");
        assert_eq!(shown_in(started.as_bytes()), None, "{started}");
    }
}

impl Checkout<'_> {
    /// Puts an approval where they travel, and makes it the one that is asked for.
    pub fn file(&self, filed: &Filed) {
        write_record(&self.folder.path().join("carried/approvals"), filed).unwrap();
        self.folder.write("carried/approval-id", filed.record.id.to_string());
    }

    /// Puts the plan and an approval of another one where they travel, and takes a ledger of that name.
    fn carries(&mut self, ledger: &str) {
        let _ = fs_err::remove_dir_all(self.folder.path().join("carried"));
        self.folder.write("carried/artifact.json", &self.backstage.artifact);
        self.file(&self.backstage.other);
        let ledger = self.backstage.folder.write(&format!("ledgers/{ledger}.db"), &self.backstage.ledger);
        self.ledger = format!("sqlite:{}", ledger.display());
    }

    fn trust(&self) -> String {
        self.backstage.folder.path().join("trust").display().to_string()
    }

    fn told(&self, command: &[&str], more: &[&str]) -> Vec<Ran> {
        let mut command = self.folder.command(&[command, more].concat());
        let noted = self.backstage.folder.path().join("noted").display().to_string();
        command.env("PATH", format!("{noted}:{}", environment("PATH").unwrap_or_default()));
        vec![command.env("CI", "true").env("LOOPIQ_TOKEN", TOKEN).output().unwrap().into()]
    }

    fn apply(&self, artifact: &str) -> Vec<Ran> {
        let id = self.folder.read("carried/approval-id");
        let trust = self.trust();
        let approvals = ["--approvals", "carried/approvals", "--ledger", &self.ledger];
        self.told(&["apply", artifact, "--approval-id", &id, "--trust", &trust], &approvals)
    }

    /// Which stream or file of the job has a secret, if one has.
    fn shows(&self, told: &[Ran]) -> Option<String> {
        let mut all: Vec<(String, Vec<u8>)> =
            told.iter().map(|ran| (ran.told(), ran.told().into_bytes())).collect();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    all.push((entry.path().display().to_string(), fs_err::read(entry.path()).unwrap()));
                }
            }
        }
        let shows = |(name, bytes): &(String, Vec<u8>)| match shown_in(bytes) {
            // The pull request's own.
            Some("kanarie") => !name.ends_with("recipe.yaml"),
            word => word.is_some(),
        };
        all.iter().find(|one| shows(one)).map(|(name, _)| name.clone())
    }
}

/// Which secret is in `bytes`, in whatever shape.
fn shown_in(bytes: &[u8]) -> Option<&'static str> {
    static SHAPES: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
        let shapes = |secret| shapes_of(secret).into_iter().map(move |shape| (secret, shape));
        // Their beginnings are enough to know them by.
        ["canary-token", "canary-secret", "kanarie"].into_iter().flat_map(shapes).collect()
    });
    let text = String::from_utf8_lossy(bytes);
    SHAPES.iter().find(|(_, shape)| text.contains(shape)).map(|(secret, _)| *secret)
}

/// Counts whoever connects, and answers nothing.
fn listen(visitors: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            visitors.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    address
}

/// Every file of the trust folder.
fn trust(folder: &Folder) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs_err::read_dir(folder.path().join("trust")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs_err::read(path).unwrap()))
        .collect()
}

/// The control: what alice signed is written once, and what the pull request says besides changes nothing of it.
#[test]
fn what_was_approved_is_written_whatever_the_checkout_says_besides() {
    let Some(first) = Backstage::new() else { return };
    let unedited = first.checkout("unedited");
    unedited.file(&first.genuine);
    assert_eq!(unedited.apply("carried/artifact.json")[0].code, 0);
    let Some(second) = Backstage::new() else { return };
    let edited = second.checkout("edited");
    edited.folder.write("carried/artifact.json", gates_hold(&edited).bytes());
    edited.file(&second.genuine);
    let mut edits = 0;
    for Edit { make, .. } in CHECKOUT.iter().flat_map(|group| group.iter()) {
        make(&edited);
        edits += 1;
    }
    assert!(edits > 15, "{edits}");
    let ran = edited.apply("carried/artifact.json");
    assert_eq!(ran[0].code, 0, "{ran:?}");
    assert_eq!(first.held(), second.held());
    assert_eq!(first.held().stories.len(), first.before.stories.len() + 1);
    assert_eq!(second.visitors.load(Ordering::SeqCst), 0);
    assert_eq!(edited.shows(&ran), None);
}

#[test]
fn no_edit_of_a_pull_request_leads_to_a_write_a_program_or_a_secret() {
    let Some(backstage) = Backstage::new() else { return };
    let checkout = CHECKOUT.iter().flat_map(|group| group.iter());
    let checkout = checkout.map(|edit| Set { checkout: vec![edit], carried: vec![Vec::new()] });
    let carried = CARRIED.iter().flat_map(|group| group.iter());
    let carried = carried.map(|edit| Set { carried: vec![vec![edit]], ..Set::default() });
    backstage.withstand(&checkout.chain(carried).collect::<Vec<_>>());
}

#[test]
fn no_approval_of_a_pull_requests_own_makes_its_artifact_one_that_is_applied() {
    let Some(backstage) = Backstage::new() else { return };
    let with_each = |artifact| APPROVALS.iter().map(move |forged| vec![artifact, forged]).collect();
    let sets = ARTIFACTS.iter().map(|artifact| Set { carried: with_each(artifact), ..Set::default() });
    backstage.withstand(&sets.collect::<Vec<_>>());
}

/// Every set of the groups, with one edit of each: another one each time, so that each edit stands in many sets. What is
/// planned does not read what travels, so that is planned once for each set of the groups of the checkout.
#[test]
fn no_combination_of_edits_leads_to_a_write_a_program_or_a_secret() {
    let Some(backstage) = Backstage::new() else { return };
    let of = |groups: &[&'static [Edit]], set: usize, before: usize| -> Vec<&'static Edit> {
        let taken = groups.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
        let edit = |(bit, group): (usize, &&'static [Edit])| {
            // How many sets before this one have the group, which begins elsewhere each time that it was gone through.
            let turn = before + (set >> (bit + 1) << bit | set & ((1 << bit) - 1));
            &group[(turn + turn / group.len()) % group.len()]
        };
        taken.map(edit).collect()
    };
    let sets: Vec<Set<'_>> = (0..1_usize << CHECKOUT.len())
        .map(|set| {
            let carried = 0..1_usize << CARRIED.len();
            let carried = carried.filter(|carried| set + carried > 0);
            let carried = carried.map(|carried| of(&CARRIED, carried, set << (CARRIED.len() - 1)));
            Set { checkout: of(&CHECKOUT, set, set), carried: carried.collect() }
        })
        .collect();
    assert_eq!(sets.iter().map(|set| set.carried.len()).sum::<usize>(), 255);
    for edit in CHECKOUT.iter().chain(&CARRIED).flat_map(|group| group.iter()) {
        let stands = |set: &&Set<'_>| {
            set.checkout.iter().chain(set.carried.iter().flatten()).any(|one| one.name == edit.name)
        };
        assert!(sets.iter().filter(stands).count() > 1, "{}", edit.name);
    }
    backstage.withstand(&sets);
}
