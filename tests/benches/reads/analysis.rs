//! From an evidence graph to findings, beside parsing the answer that it came in.

#![expect(clippy::indexing_slicing, reason = "a member that is not there is null")]

use loopgate::catalog::{Operation, Profile, Reading};
use loopgate::core::ToolAnswer;
use loopgate::evidence::{self, Graph, Limits};
use loopgate::recipe::{StepId, Values};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::process::Command;

use crate::measure::{Outcome, float, median, micros, say, timed};
use crate::pairs::{Pairs, heads};

/// Nodes of a graph, and how often it is measured.
const GRAPHS: [(usize, usize); 3] = [(1_000, 51), (10_000, 21), (100_000, 9)];
const CERTIFICATION: &str = "CERT-1";

pub fn measure() -> Outcome<()> {
    let profile = Profile::loopiq()?;
    let operation = profile.operation("evidence_graph").ok_or("the profile knows no evidence graph")?;
    heads("analysis, three edges a node", "serde_json")?;
    let mut times = Vec::new();
    let mut whole = Vec::new();
    for (nodes, rounds) in GRAPHS {
        let text = text(nodes)?;
        let answer = ToolAnswer { structured: Some(serde_json::from_str(&text)?), text: Vec::new() };
        let value = read(&profile, operation, &answer).value;
        let parsed = || Ok(timed(|| Ok(serde_json::from_str::<Value>(&text)?))?.0);
        let mut ours = Vec::new();
        let pairs = Pairs::of(
            rounds,
            || {
                let time = timed(|| analyzed(&value))?.0;
                ours.push(micros(time) / float(nodes));
                Ok(time)
            },
            parsed,
        )?;
        pairs.tell(&format!("{nodes} nodes, {} kB", text.len() / 1000), 1.0)?;
        times.push((nodes, median(ours)));
        // What comes before it in a run: the answer as the profile reads it, for templates, too.
        let before = || {
            Ok(timed(|| {
                let mut values = Values::default();
                let reading = read(&profile, operation, &answer);
                values.set(&StepId::new(&[], "graph"), reading.value);
                Ok(values)
            })?
            .0)
        };
        whole.push((nodes, Pairs::of(rounds, before, parsed)?));
    }
    heads("the answer read before it, by the profile", "serde_json")?;
    for (nodes, pairs) in whole {
        pairs.tell(&format!("{nodes} nodes"), 1.0)?;
    }
    let first = times.first().map_or(f64::NAN, |(_, time)| *time);
    for (nodes, time) in times {
        let memory = |what: &str| -> Outcome<String> {
            let mut child = Command::new(std::env::current_exe()?);
            let output = child.args(["memory", what, &nodes.to_string()]).output()?;
            let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if output.status.success() { Ok(told) } else { Err(format!("no {what} of {nodes} nodes").into()) }
        };
        say(&format!(
            "{nodes:>7} nodes: {time:.2} µs a node, {:.2} of the first; peak memory {}, of parsing alone {}",
            time / first,
            memory("findings")?,
            memory("parsing")?
        ))?;
    }
    say("")
}

/// What the process `memory` does: it says the most memory that it ever had.
pub fn memory(what: &str, nodes: usize) -> Outcome<()> {
    let structured = serde_json::from_str(&text(nodes)?)?;
    if what == "findings" {
        let profile = Profile::loopiq()?;
        let operation = profile.operation("evidence_graph").ok_or("the profile knows no evidence graph")?;
        analyzed(
            &read(&profile, operation, &ToolAnswer { structured: Some(structured), text: Vec::new() }).value,
        )?;
    }
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    say(peak.map_or("not measured: there is no /proc", str::trim))
}

/// The answer as the profile reads it.
fn read(profile: &Profile, operation: &Operation, answer: &ToolAnswer) -> Reading {
    let given = Map::from_iter([("certificationId".to_owned(), json!(CERTIFICATION))]);
    profile.read_answer(operation, &given, answer)
}

/// What the step `analyze: evidence` does with what was read.
fn analyzed(value: &Value) -> Outcome<()> {
    let graph = Graph::read(value, &Limits::default())?;
    let findings = serde_json::to_value(evidence::analyze(&graph))?;
    let decided = findings["undecided"].as_array().is_some_and(Vec::is_empty);
    let blocking = findings["blocking"].as_array().is_some_and(|blocking| !blocking.is_empty());
    if decided && blocking { Ok(()) } else { Err("the graph is not the one that was meant".into()) }
}

/// The answer about a certification of so many nodes. Each node but the first has three edges to others before
/// it; one in fifty is not as it should be.
fn text(nodes: usize) -> Outcome<String> {
    let mut text = format!(r#"{{"graph":{{"certificationId":"{CERTIFICATION}","nodes":["#);
    for place in 0..nodes {
        let (kind, good, bad) = match place % 4 {
            0 => ("control", "passed", "failed"),
            1 | 2 => ("evidence", "present", "missing"),
            _ => ("finding", "resolved", "open"),
        };
        let comma = if place == 0 { "" } else { "," };
        let id = id(place);
        let status = if place % 50 == 49 { bad } else { good };
        write!(
            text,
            r#"{comma}{{"id":"{id}","type":"{kind}","title":"The {kind} {place} of this release","status":"{status}","#,
        )?;
        write!(
            text,
            r#""required":true,"severity":"high","provider":"scanner-{}","owner":"team-{}","#,
            place % 7,
            place % 13
        )?;
        write!(text, r#""observedAt":"2026-11-20T09:12:00Z","url":"https://evidence.example.com/{id}"}}"#)?;
    }
    text.push_str(r#"],"edges":["#);
    let mut random = 1_u64;
    for place in 1..nodes {
        let kind = match place % 4 {
            0 => "depends_on",
            1 | 2 => "supports",
            _ => "violates",
        };
        for edge in 0..3 {
            // Knuth's MMIX; only controls, every fourth node, are depended on.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let before = u64::try_from(place)?.div_ceil(4);
            let to = usize::try_from((random >> 33) % before)? * 4;
            let comma = if place == 1 && edge == 0 { "" } else { "," };
            write!(text, r#"{comma}{{"from":"{}","to":"{}","type":"{kind}"}}"#, id(place), id(to))?;
        }
    }
    text.push_str("]}}");
    Ok(text)
}

fn id(place: usize) -> String {
    let kind = match place % 4 {
        0 => "CTL",
        1 | 2 => "EVD",
        _ => "FND",
    };
    format!("{kind}-{place:06}")
}
