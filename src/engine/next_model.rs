//! The state machine, enumerated: every way that answers, crashes, approvals, drift and time can go, at small
//! sizes, through the real `next` and the real fold. The world beside it is a few counters.

use std::collections::{BTreeMap, HashSet};
use std::mem::{Discriminant, discriminant};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};

use super::next::{Elsewhere, Next, Question, Repeat, Stop, Terms, next};
use crate::approval::{Decision, Policy, Record, Resolution, Verdict};
use crate::artifact::{Artifact, Key, sample};
use crate::core::Digest;
use crate::core::call::RefusalKind;
use crate::ledger::v1::{Began, Call, Command, Doubt, Moved, Result as Came, Settlement, TryVerdict};
use crate::ledger::{Attempt, Draft, Fact, State, Status, sample as ledger};

/// The IDs of the runs: three that anything can happen to, and the one that recovers.
const RUNS: [&str; 5] = ["run 0", "run 1", "run 2", "run 3", "run 4"];

static DIGEST: LazyLock<Digest> = LazyLock::new(|| Digest::of_bytes(b""));

/// How long the modelled server keeps a key.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long a call may take, and how long after it was recorded it may leave where many share the ledger, in seconds.
const DEADLINE: i64 = 60;
const SEND_WITHIN: i64 = 30;

/// How much later the next run may begin, in seconds.
const LATER: i64 = 30 * 3600;
/// The same where many share the ledger: before what was recorded had to leave, before it had to arrive, and behind both.
const LATER_SHARED: [i64; 4] = [0, 40, 100, LATER];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Approval {
    Valid,
    Expired,
    Revoked,
}

/// What becomes of an intent whose run was stopped before it sent, and may wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sleeper {
    Nobody,
    /// It sends, where it wakes before that second.
    Asleep(i64),
    /// It woke and sent before that second: what it sent arrives within the call's deadline.
    Sent(i64),
}

/// Everything outside of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct World {
    /// How often each operation took place.
    effects: [u8; 2],
    /// Requests that have left and may still arrive.
    flying: [u8; 2],
    sleepers: [Sleeper; 2],
    /// Whether the server holds the key.
    kept: [bool; 2],
    approval: Approval,
    moved: bool,
    /// Whether somebody looks before the run, and says of what is unknown and not there that it did not take place.
    word: bool,
    seconds: i64,
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

/// What happened to an operation; whether the run itself did it, and its age for times.
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
    /// Whether many share the ledger: then a run that is stopped may wake beside the next one.
    shared: bool,
    /// The policy's answer to people's word.
    people: Verdict,
    seen: HashSet<Summary>,
    /// The nodes that every next run was begun from, as the next run finds them.
    left: HashSet<Summary>,
    /// The nodes that were recovered from, as the run that recovers finds them.
    recovered: HashSet<Summary>,
    done: usize,
    unknown: usize,
    /// How often people's word was taken, and how often it came too early.
    words: [usize; 2],
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
        Timestamp::from_second(self.seconds).unwrap()
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
            (came, attempt.run == run, world.seconds - attempt.at.as_second())
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
        let found_out = self.found_out(&node);
        let step = next(&self.question(&node, &found_out));
        if !found_out.is_empty() {
            self.words[usize::from(!matches!(step, Next::TakeWord(_)))] += 1;
        }
        match step {
            Next::TakeWord(at) => {
                let mut then = node;
                let (resolution, verdict) = (Resolution::NotApplied {}, Box::new(self.people.clone()));
                let by = Settlement::People { resolution, verdict };
                then.add(Fact::Settled { key: self.terms[at].key.clone(), by });
                self.explore(then);
            }
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
                        then.add(Fact::Settled { key, by: Settlement::Read {} });
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
            Next::TakeOver(_) => panic!("{step:?} in a world without another effect"),
        }
    }

    fn question<'q>(
        &'q self,
        node: &'q Node,
        found_out: &'q BTreeMap<Key, (Verdict, Resolution)>,
    ) -> Question<'q> {
        Question {
            terms: self.terms,
            state: &node.state,
            command: Command::Apply,
            run: node.run(),
            now: node.now(),
            at_least: node.now(),
            deadline: SignedDuration::from_secs(DEADLINE),
            elsewhere: &self.elsewhere,
            found_out,
            stopping: false,
        }
    }

    /// What people say: of what is unknown, is not there and is not on its way as far as anybody can know.
    fn found_out(&self, node: &Node) -> BTreeMap<Key, (Verdict, Resolution)> {
        let World { word, effects, flying, .. } = node.world;
        let said = self.terms.iter().enumerate().filter(|(at, terms)| {
            let is_unknown = matches!(node.state.status(&terms.key), Status::Unknown { .. });
            word && is_unknown && effects[*at] + flying[*at] == 0
        });
        said.map(|(_, terms)| (terms.key.clone(), (self.people.clone(), Resolution::NotApplied {}))).collect()
    }

    fn intend(&self, node: &mut Node, at: usize) -> u32 {
        let key = self.terms[at].key.clone();
        let attempts = node.state.operations.get(&key).map_or(0, |known| known.attempts.len());
        let attempt = u32::try_from(attempts).unwrap() + 1;
        let before = Timestamp::from_second(node.world.seconds + SEND_WITHIN).unwrap();
        let send_before = self.shared.then_some(before);
        node.add(Fact::Intent { key, attempt, approval_id: "A".to_owned(), call: call(), send_before });
        attempt
    }

    fn send(&mut self, node: &Node, at: usize) {
        let terms = &self.terms[at];
        self.may_be_sent(node, at);
        let mut intended = node.clone();
        let attempt = self.intend(&mut intended, at);
        // Killed with the intent recorded and nothing sent.
        self.seen.insert(intended.summary(self.terms));
        self.next_runs(&intended);
        if self.shared && intended.world.sleepers[at] == Sleeper::Nobody {
            let mut stopped = intended.clone();
            stopped.world.sleepers[at] = Sleeper::Asleep(stopped.world.seconds + SEND_WITHIN);
            self.next_runs(&stopped);
        }
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
                    assert_eq!(
                        world.sleepers[at],
                        Sleeper::Nobody,
                        "denied, and may still be sent or arrive"
                    );
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
        let world = World { troubles: 0, approval: Approval::Valid, moved: false, word: false, ..node.world };
        if !self.recovered.insert(summary(world.next_run(), &node.state, self.terms)) {
            return;
        }
        let mut node = Node { world, state: node.state.clone() };
        let fresh = node.state.unknown_since().is_none_or(|since| node.now() - KEPT < since);
        node = self.begin(node);
        for _ in 0..40 {
            match next(&self.question(&node, &BTreeMap::new())) {
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
                        node.add(Fact::Settled { key, by: Settlement::Read {} });
                    }
                }
                Next::Send(at, _) => {
                    self.may_be_sent(&node, at);
                    let key = self.terms[at].key.clone();
                    let attempt = self.intend(&mut node, at);
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
        let mut worlds = if self.shared { self.shared_worlds(node) } else { self.own_worlds(node.world) };
        let mut known = HashSet::new();
        worlds.retain(|world| known.insert(*world));
        for world in worlds {
            // A node that is known need not be made.
            self.holds(world, &node.state);
            if self.seen.insert(summary(world.next_run(), &node.state, self.terms)) {
                self.go_on(self.begin(Node { world, state: node.state.clone() }));
            }
        }
    }

    /// Where one run writes at a time: approvals, the plan's reads, what flies and what is kept have gone on.
    fn own_worlds(&self, world: World) -> Vec<World> {
        let mut worlds = vec![world];
        for approval in [Approval::Valid, Approval::Expired, Approval::Revoked] {
            worlds.push(World { approval, ..world });
        }
        worlds.push(World { moved: true, ..world });
        for world in worlds.clone() {
            // What still flies has arrived by then, and the keys are forgotten.
            let mut later = landed(world, self.terms);
            later.seconds += LATER;
            later.kept = [false; 2];
            worlds.push(later);
        }
        let arrived: Vec<World> = worlds.iter().map(|world| landed(*world, self.terms)).collect();
        worlds.extend(arrived);
        worlds
    }

    /// Where many share the ledger: time has passed, whoever sleeps may have woken, and somebody may have looked.
    fn shared_worlds(&self, node: &Node) -> Vec<World> {
        let mut worlds = Vec::new();
        for passed in LATER_SHARED {
            let world = World { seconds: node.world.seconds + passed, ..node.world };
            let mut then = vec![landed(world, self.terms)];
            if passed < LATER {
                then.push(world);
            }
            for at in 0..self.terms.len() {
                then = then.iter().flat_map(|world| self.woken(*world, at)).collect();
            }
            if passed == LATER {
                then.iter_mut().for_each(|world| world.kept = [false; 2]);
            }
            worlds.extend(then);
        }
        let said = worlds.iter().map(|world| World { word: true, ..*world });
        said.chain(worlds.iter().map(|world| World { word: false, ..*world })).collect()
    }

    /// What whoever slept at `at` may have done by now.
    fn woken(&self, world: World, at: usize) -> Vec<World> {
        let is = |sleeper| {
            let mut world = world;
            world.sleepers[at] = sleeper;
            world
        };
        let arrived = || {
            let mut world = is(Sleeper::Nobody);
            arrive(&mut world, at, self.terms[at].repeat);
            world
        };
        let (asleep, before) = match world.sleepers[at] {
            Sleeper::Nobody => return vec![world],
            Sleeper::Asleep(before) => (true, before),
            Sleeper::Sent(before) => (false, before),
        };
        let mut worlds = vec![arrived()];
        if world.seconds <= before + DEADLINE {
            worlds.push(is(Sleeper::Sent(before)));
        }
        if asleep {
            // Who wakes too late sends nothing.
            let still = world.seconds < before;
            worlds.push(is(if still { Sleeper::Asleep(before) } else { Sleeper::Nobody }));
        }
        worlds
    }

    fn begin(&self, mut node: Node) -> Node {
        node.world = node.world.next_run();
        node.add(Fact::Began(Box::new(began())));
        if node.world.word && node.state.records.is_empty() {
            node.add(ledger::recorded(people(&node.state.chain)));
        }
        node
    }
}

/// The record of what people say.
fn people(effect: &Digest) -> Record {
    ledger::record(effect, "carol", Decision::Reject {})
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

fn enumerate(repeats: &[(Repeat, bool, bool)], troubles: u8, shared: bool) -> Ends {
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
        shared,
        people: ledger::word_of(&[&people(artifact.effect_digest())]),
        seen: HashSet::new(),
        left: HashSet::new(),
        recovered: HashSet::new(),
        done: 0,
        unknown: 0,
        words: [0; 2],
    };
    let world = World {
        effects: [0; 2],
        flying: [0; 2],
        sleepers: [Sleeper::Nobody; 2],
        kept: [false; 2],
        approval: Approval::Valid,
        moved: false,
        word: false,
        seconds: 0,
        runs: 0,
        troubles,
    };
    let mut first = Node { world, state: State::new(artifact.effect_digest().clone()) };
    first.add(Fact::Opened { artifact: Box::new(artifact.document().clone()) });
    model.next_runs(&first);
    let Model { done, unknown, words, .. } = model;
    Ends { states: model.seen.len(), done, unknown, words }
}

/// How many states there are, and how many ends.
struct Ends {
    states: usize,
    done: usize,
    unknown: usize,
    words: [usize; 2],
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
        let Ends { states, done, unknown, .. } = enumerate(&repeats, troubles, false);
        assert!(done > 0, "{name} never ends well");
        println!(
            "{name}: {states} states, {done} ends with everything done, {unknown} with something unknown"
        );
        all += states;
    }
    println!("{all} states");
}

#[test]
fn where_many_share_a_ledger_nobody_denies_what_one_who_sleeps_may_still_send() {
    for (name, repeats) in [
        ("no key", vec![(Repeat::Never, false, false)]),
        ("no key, with a read", vec![(Repeat::Never, true, false)]),
        ("key", vec![(keyed(), false, false)]),
        ("key without retention", vec![(Repeat::UnderKey { kept: None }, false, false)]),
    ] {
        let Ends { states, done, unknown, words: [taken, early] } = enumerate(&repeats, 1, true);
        println!(
            "{name}: {states} states, {done} ends with everything done, {unknown} with something unknown; people's \
             word was taken {taken} times and came too early {early} times"
        );
        assert!(done > 0 && taken > 0 && early > 0, "{name}");
    }
}
