//! The state machine, enumerated: every way that answers, crashes, approvals, drift and time can go, at small
//! sizes, through the real `next` and the real fold. The world beside it is a few counters.

use std::collections::{BTreeMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};

use super::next::{Elsewhere, Next, Question, Repeat, Stop, Terms, next};
use crate::approval::{Policy, Verdict};
use crate::artifact::{Artifact, sample};
use crate::core::Digest;
use crate::core::call::RefusalKind;
use crate::ledger::v1::{Began, Call, Command, Doubt, Moved, Result as Came, TryVerdict};
use crate::ledger::{Attempt, Draft, Fact, State, Status};

/// The IDs of the runs: three that anything can happen to, and the one that recovers.
const RUNS: [&str; 5] = ["run 0", "run 1", "run 2", "run 3", "run 4"];

static DIGEST: LazyLock<Digest> = LazyLock::new(|| Digest::of_bytes(b""));

/// How long the modelled server keeps a key.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Approval {
    Valid,
    Expired,
    Revoked,
}

/// Everything outside of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    /// How often each operation took place.
    effects: [u8; 2],
    /// Requests that have left and may still arrive.
    flying: [u8; 2],
    /// Whether the server holds the key.
    kept: [bool; 2],
    approval: Approval,
    moved: bool,
    hours: i64,
    runs: u8,
    /// What may still go wrong besides crashes.
    troubles: u8,
}

#[derive(Clone)]
struct Node {
    world: World,
    state: State,
}

/// What of a node decides what can still happen: no digests, no times but the age of what is unknown.
#[derive(PartialEq, Eq, Hash)]
struct Summary {
    world: World,
    operations: Vec<Happened>,
    /// What the run was told by the policy, and how many records were known then.
    decided: Option<(bool, usize)>,
    /// How much had moved when the run looked.
    compared: Option<usize>,
    records: usize,
}

/// What an attempt came to, and what was seen where that is unknown.
type Word = (Discriminant<Came>, Option<Discriminant<Doubt>>);

/// What happened to an operation; whether the run itself did it, and hours for times.
#[derive(PartialEq, Eq, Hash, Default)]
struct Happened {
    attempts: Vec<(Option<Word>, bool, i64)>,
    settled: bool,
    tried: Option<(bool, Discriminant<TryVerdict>)>,
    looked: Option<(bool, Option<bool>, usize)>,
    read: Option<(bool, bool)>,
}

/// What a server does with a call, and what of that is heard.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Heard,
    LostAfter,
    LostBefore,
    StillFlying,
    Refused,
    NotConnected,
    AtWork,
}

const ANSWERS: [Answer; 7] = [
    Answer::Heard,
    Answer::LostAfter,
    Answer::LostBefore,
    Answer::StillFlying,
    Answer::Refused,
    Answer::NotConnected,
    Answer::AtWork,
];

struct Model<'a> {
    terms: &'a [Terms],
    elsewhere: Elsewhere,
    seen: HashSet<Summary>,
    /// The nodes that every next run was begun from, as the next run finds them.
    left: HashSet<Summary>,
    /// The nodes that were recovered from, as the run that recovers finds them.
    recovered: HashSet<Summary>,
    done: usize,
    unknown: usize,
}

fn keyed() -> Repeat {
    Repeat::UnderKey { kept: Some(KEPT) }
}

fn began() -> Began {
    Began {
        command: Command::Apply,
        program: String::new(),
        trace_id: String::new(),
        file_digest: DIGEST.clone(),
        approval_id: None,
        policy: None::<Policy>,
        ledger: String::new(),
        ci: None,
        outcome_key: None,
    }
}

fn call() -> Call {
    Call { tool: String::new(), request_id: String::new(), payload: DIGEST.clone() }
}

impl World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.hours * 3600).unwrap()
    }

    fn run(&self) -> &'static str {
        RUNS[usize::from(self.runs)]
    }

    /// This world when the next run begins in it.
    fn next_run(self) -> Self {
        Self { runs: self.runs + 1, ..self }
    }
}

impl Node {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn run(&self) -> &'static str {
        self.world.run()
    }

    fn add(&mut self, fact: Fact) {
        let draft = Draft { at: self.now(), run: self.run().to_owned(), fact };
        self.state.take_fact(draft, &DIGEST);
    }

    fn summary(&self, terms: &[Terms]) -> Summary {
        summary(self.world, &self.state, terms)
    }
}

/// The run of `world` need not have begun yet: then it is summed up as if it just had.
fn summary(world: World, state: &State, terms: &[Terms]) -> Summary {
    let run = world.run();
    let happened = |terms: &Terms| {
        let Some(operation) = state.operations.get(&terms.key) else { return Happened::default() };
        let attempt = |attempt: &Attempt| {
            let came = attempt.came.as_ref().map(|came| {
                let doubt = match &came.result {
                    Came::Unknown { doubt, .. } => Some(discriminant(doubt)),
                    Came::Applied { .. } | Came::NotApplied { .. } => None,
                };
                (discriminant(&came.result), doubt)
            });
            (came, attempt.run == run, world.hours - attempt.at.as_second() / 3600)
        };
        let tried = operation.tried.as_ref();
        let looked = operation.looked.as_ref();
        let read = operation.read_back.as_ref();
        Happened {
            attempts: operation.attempts.iter().map(attempt).collect(),
            settled: operation.settled.is_some(),
            tried: tried.map(|trial| (trial.run == run, discriminant(&trial.verdict))),
            looked: looked.map(|look| (look.run == run, look.found, look.after)),
            read: read.map(|read| (read.run == run, read.unread.is_some())),
        }
    };
    let own = state.run(run);
    let decided = own.and_then(|own| own.decided.as_ref());
    Summary {
        world,
        operations: terms.iter().map(happened).collect(),
        decided: decided.map(|(verdict, known)| (verdict.allowed, *known)),
        compared: own.and_then(|own| own.compared.as_ref()).map(Vec::len),
        records: state.records.len(),
    }
}

impl Model<'_> {
    fn explore(&mut self, node: Node) {
        self.holds(node.world, &node.state);
        if self.seen.insert(node.summary(self.terms)) {
            self.go_on(node);
        }
    }

    /// From a node that was not seen before.
    fn go_on(&mut self, node: Node) {
        // Killed here: the next run finds what is recorded, in a world that has gone on.
        self.next_runs(&node);
        let run = node.run();
        let step = next(&Question {
            terms: self.terms,
            state: &node.state,
            command: Command::Apply,
            run,
            now: node.now(),
            at_least: node.now(),
            deadline: SignedDuration::from_secs(60),
            elsewhere: &self.elsewhere,
            found_out: &BTreeMap::new(),
            stopping: false,
        });
        match step {
            Next::Decide => self.explore(decided(node)),
            Next::Compare => {
                let mut then = node;
                let differences = if then.world.moved { vec![a_difference()] } else { Vec::new() };
                then.add(Fact::Compared { calls: Vec::new(), differences });
                self.explore(then);
            }
            Next::TryOut(at) => {
                for verdict in [TryVerdict::Confirmed, TryVerdict::Refused, TryVerdict::Unconfirmed] {
                    let mut then = node.clone();
                    let key = self.terms[at].key.clone();
                    then.add(Fact::Tried { key, call: None, verdict, why: String::new() });
                    self.explore(then);
                }
            }
            Next::Look(at) => {
                for found in [Some(node.world.effects[at] > 0), None] {
                    let mut then = node.clone();
                    let key = self.terms[at].key.clone();
                    then.add(Fact::Looked { key: key.clone(), call: call(), found, why: String::new() });
                    if found == Some(true) {
                        then.add(Fact::Settled { key, by: crate::ledger::v1::Settlement::Read {} });
                    }
                    self.explore(then);
                }
            }
            Next::Send(at, _) => self.send(&node, at),
            Next::ReadBack(at) => {
                for unread in [None, Some("gone".to_owned())] {
                    let mut then = node.clone();
                    let key = self.terms[at].key.clone();
                    then.add(Fact::ReadBack { key, call: call(), differences: Vec::new(), unread });
                    self.explore(then);
                }
            }
            Next::Stop(stop) => self.stopped(&node, &stop),
            Next::TakeWord(_) | Next::TakeOver(_) => panic!("{step:?} in a world without either"),
        }
    }

    fn send(&mut self, node: &Node, at: usize) {
        let terms = &self.terms[at];
        self.may_be_sent(node, at);
        let mut intended = node.clone();
        let operation = intended.state.operations.get(&terms.key);
        let attempt = u32::try_from(operation.map_or(0, |operation| operation.attempts.len())).unwrap() + 1;
        let approval_id = "A".to_owned();
        intended.add(Fact::Intent {
            key: terms.key.clone(),
            attempt,
            approval_id,
            call: call(),
            send_before: None,
        });
        // Killed with the intent recorded and nothing sent.
        self.seen.insert(intended.summary(self.terms));
        self.next_runs(&intended);
        for answer in ANSWERS {
            if intended.world.troubles == 0 && answer != Answer::Heard {
                continue;
            }
            let mut then = intended.clone();
            let result = then.serve(at, answer, terms.repeat);
            if answer != Answer::Heard {
                then.world.troubles -= 1;
            }
            // Killed with the request sent and the answer not recorded.
            self.holds(then.world, &then.state);
            if self.seen.insert(then.summary(self.terms)) {
                self.next_runs(&then);
            }
            then.add(Fact::Outcome { key: terms.key.clone(), attempt, took_ms: 0, result });
            self.explore(then);
        }
    }

    /// What must hold before any byte leaves.
    fn may_be_sent(&self, node: &Node, at: usize) {
        let status = node.state.status(&self.terms[at].key);
        assert!(!matches!(status, Status::Applied { .. }), "sent again although it took place");
        if matches!(status, Status::Unknown { .. }) {
            assert_ne!(self.terms[at].repeat, Repeat::Never, "sent again although nobody may");
            return;
        }
        let own = node.state.run(node.run()).unwrap();
        let (verdict, known) = own.decided.as_ref().unwrap();
        assert!(verdict.allowed && *known == node.state.records.len(), "a first intent nobody allowed");
        assert!(node.world.approval != Approval::Revoked);
        for (other, terms) in self.terms.iter().enumerate() {
            let status = node.state.status(&terms.key);
            assert!(!matches!(status, Status::Unknown { .. }), "sent although {other} is unknown");
            assert!(other >= at || matches!(status, Status::Applied { .. }), "sent out of order");
        }
        if !node.state.is_under_way() {
            assert_eq!(own.compared.as_deref(), Some(&[][..]), "sent without looking whether it is stale");
        }
    }

    /// What must hold always.
    fn holds(&self, world: World, state: &State) {
        for (at, terms) in self.terms.iter().enumerate() {
            let effects = world.effects[at];
            let once = terms.repeat != Repeat::Freely;
            assert!(!once || effects <= 1, "operation {at} took place {effects} times: {world:?}");
            match state.status(&terms.key) {
                Status::Applied { .. } => assert!(effects > 0, "an outcome nobody saw"),
                Status::NotApplied { .. } | Status::Untouched => {
                    assert_eq!(effects + world.flying[at], 0, "an effect that is denied");
                }
                Status::Unknown { .. } => {}
            }
        }
    }

    fn stopped(&mut self, node: &Node, stop: &Stop) {
        match stop {
            Stop::Done => {
                self.done += 1;
                assert!(node.world.effects.iter().take(self.terms.len()).all(|effects| *effects > 0));
            }
            Stop::Unknown(_) => {
                self.unknown += 1;
                assert!(node.state.has_unknown());
            }
            Stop::Denied => assert_ne!(node.world.approval, Approval::Valid),
            Stop::Stale => assert!(node.world.moved),
            _ => {}
        }
        self.next_runs(node);
        self.recovers(node);
    }

    /// From wherever it stopped: with a server that answers, an approval that holds and a world that stood
    /// still, applying again ends. Keys that are kept leave nothing unknown.
    fn recovers(&mut self, node: &Node) {
        let world = World { troubles: 0, approval: Approval::Valid, moved: false, ..node.world };
        if !self.recovered.insert(summary(world.next_run(), &node.state, self.terms)) {
            return;
        }
        let mut node = Node { world, state: node.state.clone() };
        let fresh = node.state.unknown_since().is_none_or(|since| node.now() - KEPT < since);
        node = begin(node);
        for _ in 0..40 {
            let run = node.run();
            let question = Question {
                terms: self.terms,
                state: &node.state,
                command: Command::Apply,
                run,
                now: node.now(),
                at_least: node.now(),
                deadline: SignedDuration::from_secs(60),
                elsewhere: &self.elsewhere,
                found_out: &BTreeMap::new(),
                stopping: false,
            };
            match next(&question) {
                Next::Decide => node = decided(node),
                Next::Compare => node.add(Fact::Compared { calls: Vec::new(), differences: Vec::new() }),
                Next::TryOut(at) => {
                    let key = self.terms[at].key.clone();
                    let verdict = TryVerdict::Confirmed;
                    node.add(Fact::Tried { key, call: None, verdict, why: String::new() });
                }
                Next::Look(at) => {
                    let key = self.terms[at].key.clone();
                    let found = Some(node.world.effects[at] > 0);
                    node.add(Fact::Looked { key: key.clone(), call: call(), found, why: String::new() });
                    if found == Some(true) {
                        node.add(Fact::Settled { key, by: crate::ledger::v1::Settlement::Read {} });
                    }
                }
                Next::Send(at, _) => {
                    self.may_be_sent(&node, at);
                    let key = self.terms[at].key.clone();
                    let attempts = node.state.operations.get(&key).map_or(0, |known| known.attempts.len());
                    let attempt = u32::try_from(attempts).unwrap() + 1;
                    let approval_id = "A".to_owned();
                    node.add(Fact::Intent {
                        key: key.clone(),
                        attempt,
                        approval_id,
                        call: call(),
                        send_before: None,
                    });
                    let result = node.serve(at, Answer::Heard, self.terms[at].repeat);
                    node.add(Fact::Outcome { key, attempt, took_ms: 0, result });
                }
                Next::ReadBack(at) => {
                    let key = self.terms[at].key.clone();
                    node.add(Fact::ReadBack { key, call: call(), differences: Vec::new(), unread: None });
                }
                Next::Stop(stop) => {
                    self.holds(node.world, &node.state);
                    let settles = self.terms.iter().all(|terms| match terms.repeat {
                        Repeat::Freely => true,
                        Repeat::UnderKey { kept } => kept.is_some() && fresh,
                        Repeat::Never => false,
                    });
                    let unknown = matches!(stop, Stop::Unknown(_));
                    assert!(stop == Stop::Done || unknown && !settles, "{stop:?} from {:?}", node.world);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no end");
    }

    /// Every world that the next run may find.
    fn next_runs(&mut self, node: &Node) {
        if node.world.runs >= 3 || !self.left.insert(summary(node.world.next_run(), &node.state, self.terms))
        {
            return;
        }
        let mut worlds = vec![node.world];
        for approval in [Approval::Valid, Approval::Expired, Approval::Revoked] {
            worlds.push(World { approval, ..node.world });
        }
        worlds.push(World { moved: true, ..node.world });
        for world in worlds.clone() {
            // What still flies has arrived by then, and the keys are forgotten.
            let mut later = landed(world, self.terms);
            later.hours += 30;
            later.kept = [false; 2];
            worlds.push(later);
        }
        let arrived: Vec<World> = worlds.iter().map(|world| landed(*world, self.terms)).collect();
        worlds.extend(arrived);
        let mut known = HashSet::new();
        worlds.retain(|world| known.insert(*world));
        for world in worlds {
            // A node that is known need not be made.
            self.holds(world, &node.state);
            if self.seen.insert(summary(world.next_run(), &node.state, self.terms)) {
                self.go_on(begin(Node { world, state: node.state.clone() }));
            }
        }
    }
}

fn begin(mut node: Node) -> Node {
    node.world = node.world.next_run();
    node.add(Fact::Began(Box::new(began())));
    node
}

impl State {
    fn unknown_since(&self) -> Option<Timestamp> {
        self.operations
            .values()
            .filter_map(|operation| match operation.status() {
                Status::Unknown { since } => Some(since),
                _ => None,
            })
            .min()
    }
}

impl Node {
    /// The server does its part, and this is what is heard of it.
    fn serve(&mut self, at: usize, answer: Answer, repeat: Repeat) -> Came {
        let unknown = |doubt| Came::Unknown { doubt, message: String::new() };
        let refused = |refusal| Came::NotApplied { refusal, message: String::new() };
        match answer {
            Answer::Heard => {
                let replayed = self.take_place(at, repeat);
                let created = BTreeMap::from([("parent".to_owned(), vec!["S-1".to_owned()])]);
                let answer = DIGEST.clone();
                Came::Applied { created, unnamed: None, replayed: Some(replayed), answer }
            }
            Answer::LostAfter => {
                self.take_place(at, repeat);
                unknown(Doubt::NoAnswer)
            }
            Answer::AtWork => {
                self.take_place(at, repeat);
                unknown(Doubt::InProgress)
            }
            Answer::LostBefore => unknown(Doubt::NoAnswer),
            Answer::StillFlying => {
                self.world.flying[at] += 1;
                unknown(Doubt::NoAnswer)
            }
            Answer::Refused => refused(RefusalKind::Refused),
            Answer::NotConnected => refused(RefusalKind::NotConnected),
        }
    }

    /// Whether it had taken place before, under its key.
    fn take_place(&mut self, at: usize, repeat: Repeat) -> bool {
        arrive(&mut self.world, at, repeat)
    }
}

fn arrive(world: &mut World, at: usize, repeat: Repeat) -> bool {
    let honours = matches!(repeat, Repeat::UnderKey { .. });
    if honours && world.kept[at] {
        return true;
    }
    world.effects[at] = (world.effects[at] + 1).min(3);
    world.kept[at] = honours;
    false
}

fn landed(mut world: World, terms: &[Terms]) -> World {
    for (at, terms) in terms.iter().enumerate() {
        while world.flying[at] > 0 {
            world.flying[at] -= 1;
            arrive(&mut world, at, terms.repeat);
        }
    }
    world
}

fn a_difference() -> Moved {
    Moved {
        step: String::new(),
        at: String::new(),
        planned: serde_json::Value::Null,
        now: serde_json::Value::Null,
        why: String::new(),
    }
}

/// The policy's answer, in a few lines: an approval that holds, or one that expired after the first intent.
fn decided(mut node: Node) -> Node {
    let tolerated =
        node.state.under_way_since().is_some_and(|since| node.now() - SignedDuration::from_hours(24) < since);
    let allowed = match node.world.approval {
        Approval::Valid => true,
        Approval::Expired => tolerated,
        Approval::Revoked => false,
    };
    node.add(Fact::Decided {
        verdict: Box::new(Verdict {
            allowed,
            reasons: Vec::new(),
            counted: Vec::new(),
            approval_id: Some("A".into()),
            holds_until: None,
            policy_digest: None,
            notes: Vec::new(),
        }),
    });
    node
}

fn enumerate(repeats: &[(Repeat, bool, bool)], troubles: u8) -> (usize, usize, usize) {
    let mut plan = sample::plan();
    plan.preconditions.clear();
    let artifact = Artifact::build(plan).unwrap();
    let terms: Vec<Terms> = repeats
        .iter()
        .zip(artifact.operations())
        .map(|((repeat, has_read, tries), operation)| Terms {
            key: operation.idempotency_key.clone(),
            repeat: *repeat,
            has_read: *has_read,
            tries: *tries,
            reads_back: true,
        })
        .collect();
    let mut model = Model {
        terms: &terms,
        elsewhere: Elsewhere::default(),
        seen: HashSet::new(),
        left: HashSet::new(),
        recovered: HashSet::new(),
        done: 0,
        unknown: 0,
    };
    let world = World {
        effects: [0; 2],
        flying: [0; 2],
        kept: [false; 2],
        approval: Approval::Valid,
        moved: false,
        hours: 0,
        runs: 0,
        troubles,
    };
    let mut first = Node { world, state: State::new(artifact.effect_digest().clone()) };
    first.add(Fact::Opened { artifact: Box::new(artifact.document().clone()) });
    model.next_runs(&first);
    (model.seen.len(), model.done, model.unknown)
}

#[test]
fn whatever_happens_nothing_is_sent_twice_and_no_outcome_is_invented() {
    let mut all = 0;
    for (name, repeats) in [
        ("key", vec![(keyed(), false, false)]),
        ("key, tried out", vec![(keyed(), false, true)]),
        ("key without retention", vec![(Repeat::UnderKey { kept: None }, false, false)]),
        ("no key", vec![(Repeat::Never, false, false)]),
        ("no key, with a read", vec![(Repeat::Never, true, false)]),
        ("natural", vec![(Repeat::Freely, false, false)]),
        ("key, then key", vec![(keyed(), false, false), (keyed(), false, false)]),
        ("key, then no key", vec![(keyed(), false, false), (Repeat::Never, false, false)]),
        ("no key with a read, then key", vec![(Repeat::Never, true, false), (keyed(), false, false)]),
    ] {
        // What goes wrong is counted: a third trouble finds no state of a new kind and takes minutes.
        let troubles = if repeats.len() == 1 && name != "natural" { 2 } else { 1 };
        let (states, done, unknown) = enumerate(&repeats, troubles);
        assert!(done > 0, "{name} never ends well");
        println!(
            "{name}: {states} states, {done} ends with everything done, {unknown} with something unknown"
        );
        all += states;
    }
    println!("{all} states");
}
