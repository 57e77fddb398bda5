//! From a graph to what it says.

use super::doubt::doubts;
use super::finding::{Cause, Counts, Detail, Finding, FindingKind, Findings, Verdict};
use super::graph::{Graph, Node};
use super::links::{Links, dependency};
use super::reach::Reach;
use super::words::{EdgeKind, NodeKind, Severity, State};

/// IDs or details listed with one finding.
const MOST_LISTED: usize = 20;

/// What `graph` says. Takes time in proportion to nodes and edges, their sorting aside.
#[must_use]
pub fn analyze<'a>(graph: &Graph<'a>) -> Findings<'a> {
    let (below, above) = (Links::below(graph), Links::above(graph));
    let mut blocks = vec![false; graph.nodes.len()];
    for edge in graph.edges.iter().filter(|edge| edge.kind == EdgeKind::Blocks) {
        if let Some(blocks) = blocks.get_mut(edge.from) {
            *blocks = true;
        }
    }
    let undecided = doubts(graph, &below, &above, &blocks);
    let mut judged = Judged::new(graph, &blocks);
    judged.settle_evidence(&above);
    judged.settle_controls(&below);
    let details = judged.settle_findings();
    let mut reach = Reach::new(graph, &above);
    let mut listed: Vec<(Severity, Cause, usize, FindingKind)> = judged
        .own
        .iter()
        .zip(&graph.nodes)
        .enumerate()
        .filter_map(|(place, (own, node))| {
            own.map(|(cause, kind)| (Severity::of(node.severity()), cause, place, kind))
        })
        .collect();
    listed.sort_unstable_by_key(|(severity, cause, place, _)| (*severity, *cause, *place));
    let mut counts = Counts { tolerated: judged.tolerated, ..Counts::of(graph) };
    let mut blocking = Vec::with_capacity(listed.len());
    for (_, cause, place, kind) in listed {
        counts.add(cause);
        let Some(node) = graph.nodes.get(place) else { continue };
        let (blocks, blocks_cut) = reach.held_back_by(place);
        let beneath = below.of(place);
        let parts = details_of(&details, place);
        blocking.push(Finding {
            id: node.id,
            cause,
            kind,
            node: node.kind,
            title: node.title_or_id(),
            severity: node.severity(),
            owner: node.owner(),
            provider: node.provider(),
            due: node.due(),
            link: node.link(),
            blocks,
            depends_on: nodes_at(graph, beneath).map(|node| node.id).collect(),
            details: parts
                .iter()
                .take(MOST_LISTED)
                .filter_map(|(_, p)| graph.nodes.get(*p))
                .map(detail)
                .collect(),
            cut: blocks_cut || beneath.len() > MOST_LISTED || parts.len() > MOST_LISTED,
        });
    }
    let verdict = match (undecided.is_empty(), blocking.is_empty()) {
        (false, _) => Verdict::Undecided,
        (true, false) => Verdict::Blocked,
        (true, true) => Verdict::Clear,
    };
    let certification = graph.certification;
    Findings { certification, verdict, undecided, blocking, counts }
}

/// Which nodes are work of their own.
struct Judged<'g, 'a> {
    graph: &'g Graph<'a>,
    own: Vec<Option<(Cause, FindingKind)>>,
    tolerated: usize,
}

impl<'g, 'a> Judged<'g, 'a> {
    /// Each node by itself.
    fn new(graph: &'g Graph<'a>, blocks: &[bool]) -> Self {
        let own = graph.nodes.iter().zip(blocks).map(|(node, blocks)| judge(node, *blocks)).collect();
        Self { graph, own, tolerated: 0 }
    }

    fn cause(&self, place: usize) -> Option<Cause> {
        self.own.get(place).copied().flatten().map(|(cause, _)| cause)
    }

    fn is(&self, place: usize, kind: NodeKind) -> bool {
        self.graph.nodes.get(place).is_some_and(|node| node.kind == kind)
    }

    fn drop_where(&mut self, drop: impl Fn(&Self, usize) -> bool) {
        let dropped: Vec<usize> = (0..self.own.len()).filter(|place| drop(self, *place)).collect();
        for place in dropped {
            if let Some(own) = self.own.get_mut(place) {
                *own = None;
            }
        }
    }

    /// Failed evidence is part of the failed control that it supports.
    fn settle_evidence(&mut self, above: &Links) {
        self.drop_where(|judged, place| judged.is_part_of_a_failed_control(place, above));
    }

    fn is_part_of_a_failed_control(&self, place: usize, above: &Links) -> bool {
        let failed =
            self.own.get(place).copied().flatten() == Some((Cause::EvidenceGap, FindingKind::Failed));
        failed && above.of(place).iter().any(|control| self.cause(*control) == Some(Cause::FailedControl))
    }

    /// A control that is not decided yet waits for evidence where a gap stands beneath it.
    fn settle_controls(&mut self, below: &Links) {
        self.drop_where(|judged, place| {
            let is_gap = |below: &usize| {
                judged.is(*below, NodeKind::Evidence) && judged.cause(*below) == Some(Cause::EvidenceGap)
            };
            judged.is(place, NodeKind::Control)
                && judged.cause(place) == Some(Cause::EvidenceGap)
                && below.of(place).iter().any(is_gap)
        });
    }

    /// An open finding is part of the controls it violates, as far as they are work of their own. Gives
    /// the details: pairs of the work's and the detail's place, in order.
    fn settle_findings(&mut self) -> Vec<(usize, usize)> {
        let mut details = Vec::new();
        // Whether something that a finding violates is its home, and whether all of it may be violated.
        let mut violations = vec![(false, None); self.own.len()];
        for edge in &self.graph.edges {
            let Some((work, part)) = dependency(edge) else { continue };
            let is_home = self.is(work, NodeKind::Control) && self.cause(work).is_some();
            let violates = edge.kind == EdgeKind::Violates;
            let is_open_finding = violates && self.cause(part) == Some(Cause::OpenFinding);
            if is_home && (is_open_finding || self.is_failed_evidence(part)) {
                details.push((work, part));
            }
            if let (true, Some((homed, tolerable))) = (violates, violations.get_mut(part)) {
                *homed |= is_home;
                *tolerable = Some(tolerable.unwrap_or(true) && self.may_be_violated(work));
            }
        }
        for (own, (homed, tolerable)) in self.own.iter_mut().zip(violations) {
            if !matches!(own, Some((Cause::OpenFinding, _))) {
                continue;
            }
            if homed {
                *own = None;
            } else if tolerable == Some(true) {
                *own = None;
                self.tolerated += 1;
            }
        }
        details.sort_unstable();
        details.dedup();
        details
    }

    fn may_be_violated(&self, place: usize) -> bool {
        let tolerates = |node: &Node<'_>| node.state == State::Waived || !node.is_required();
        self.is(place, NodeKind::Control) && self.graph.nodes.get(place).is_some_and(tolerates)
    }

    /// Failed evidence that is no work of its own.
    fn is_failed_evidence(&self, place: usize) -> bool {
        let failed = self.graph.nodes.get(place).is_some_and(|node| node.state == State::Fail);
        failed && self.is(place, NodeKind::Evidence) && self.cause(place).is_none()
    }
}

/// Why and how a node blocks by itself.
fn judge(node: &Node<'_>, blocks: bool) -> Option<(Cause, FindingKind)> {
    let open = |cause| match node.state {
        State::Fail => Some((cause, FindingKind::Open)),
        State::Pending => Some((cause, FindingKind::Pending)),
        _ => None,
    };
    match node.kind {
        NodeKind::Control | NodeKind::Evidence if !node.is_required() => None,
        NodeKind::Control | NodeKind::Evidence => {
            let kind = match node.state {
                State::Pass | State::Waived => return None,
                // A control of unknown state is no gap that work closes: the graph is undecided.
                State::Unknown if node.kind == NodeKind::Control => return None,
                State::Fail => FindingKind::Failed,
                State::Missing => FindingKind::Missing,
                State::Stale => FindingKind::Stale,
                State::Pending => FindingKind::Pending,
                State::Unknown => FindingKind::Unknown,
            };
            let failed_control = node.kind == NodeKind::Control && kind == FindingKind::Failed;
            Some((if failed_control { Cause::FailedControl } else { Cause::EvidenceGap }, kind))
        }
        NodeKind::ProviderBlocker => open(Cause::ProviderBlocker),
        NodeKind::Finding | NodeKind::Risk if blocks => open(Cause::ProviderBlocker),
        NodeKind::Finding => open(Cause::OpenFinding),
        NodeKind::Risk | NodeKind::Release | NodeKind::Certification | NodeKind::Unknown => None,
    }
}

fn nodes_at<'g, 'a>(graph: &'g Graph<'a>, places: &'g [usize]) -> impl Iterator<Item = &'g Node<'a>> {
    places.iter().take(MOST_LISTED).filter_map(|place| graph.nodes.get(*place))
}

/// The details of the work at `place`, out of all.
fn details_of(details: &[(usize, usize)], place: usize) -> &[(usize, usize)] {
    let start = details.partition_point(|(work, _)| *work < place);
    let end = details.partition_point(|(work, _)| *work <= place);
    details.get(start..end).unwrap_or_default()
}

fn detail<'a>(node: &Node<'a>) -> Detail<'a> {
    Detail {
        id: node.id,
        node: node.kind,
        title: node.title_or_id(),
        severity: node.severity(),
        link: node.link(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{Limits, mermaid};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn findings(value: &Value) -> Findings<'_> {
        analyze(&Graph::read(value, &Limits::default()).unwrap())
    }

    fn verdict(value: &Value) -> Verdict {
        findings(value).verdict
    }

    fn node(id: &str, kind: &str, state: &str) -> Value {
        json!({"id": id, "kind": kind, "title": id, "state": state, "severity": null, "provider": null,
               "owner": null, "required": true, "due": null, "observed": null, "link": null})
    }

    fn edge(from: &str, to: &str, kind: &str) -> Value {
        json!({"from": from, "to": to, "kind": kind})
    }

    /// Two controls on evidence, a settled finding and a settled blocker.
    fn clear() -> Value {
        json!({"certification": "CERT", "nodes": [
            node("REL", "release", "pass"), node("C1", "control", "pass"), node("C2", "control", "pass"),
            node("E1", "evidence", "pass"), node("E2", "evidence", "pass"),
            node("F1", "finding", "pass"), node("B1", "provider_blocker", "pass"),
        ], "edges": [
            edge("REL", "C1", "requires"), edge("REL", "C2", "requires"), edge("E1", "C1", "supports"),
            edge("C2", "E2", "requires"), edge("F1", "C1", "violates"), edge("B1", "REL", "blocks"),
        ]})
    }

    fn with(changes: &[(&str, &str, Value)]) -> Value {
        let mut graph = clear();
        for (id, field, value) in changes {
            let nodes = graph["nodes"].as_array_mut().unwrap();
            nodes.iter_mut().find(|node| node["id"] == *id).unwrap()[*field] = value.clone();
        }
        graph
    }

    fn states(changes: &[(&str, &str)]) -> Value {
        with(&changes.iter().map(|(id, state)| (*id, "state", json!(state))).collect::<Vec<_>>())
    }

    fn adding(mut graph: Value, nodes: &[Value], edges: &[Value]) -> Value {
        graph["nodes"].as_array_mut().unwrap().extend_from_slice(nodes);
        graph["edges"].as_array_mut().unwrap().extend_from_slice(edges);
        graph
    }

    fn blocking(value: &Value) -> Vec<(String, Cause, FindingKind)> {
        let found = findings(value);
        assert_eq!(found.undecided, [""; 0]);
        found
            .blocking
            .into_iter()
            .map(|finding| (finding.id.to_owned(), finding.cause, finding.kind))
            .collect()
    }

    fn undecided(value: &Value, reason: &str) {
        let found = findings(value);
        assert_eq!(found.verdict, Verdict::Undecided);
        assert!(found.undecided.iter().any(|r| r.contains(reason)), "{reason}: {:?}", found.undecided);
    }

    #[test]
    fn good_evidence_is_clear() {
        let graph = clear();
        let found = findings(&graph);
        assert_eq!((found.verdict, found.undecided, found.blocking), (Verdict::Clear, vec![], vec![]));
        assert_eq!(found.counts.controls.pass, 2);
    }

    #[test]
    fn no_evidence_is_not_good_evidence() {
        undecided(&json!({"certification": "C", "nodes": [], "edges": []}), "the graph is empty");
        undecided(&json!({}), "no list of nodes");
        undecided(
            &json!({"certification": "C", "nodes": [node("C1", "control", "waived")]}),
            "no list of edges",
        );
        undecided(&json!({"nodes": [], "edges": []}), "which certification");
        undecided(
            &with(&[("C1", "required", json!(false)), ("C2", "required", json!(false))]),
            "no control is required",
        );
        let unsupported = adding(clear(), &[node("C3", "control", "pass")], &[]);
        undecided(&unsupported, "control `C3` passes without any evidence");
        let optional = with(&[("E1", "required", json!(false)), ("E1", "state", json!("missing"))]);
        undecided(&optional, "control `C1` passes without any evidence");
    }

    #[test]
    fn what_is_not_understood_decides_nothing() {
        undecided(&with(&[("E1", "kind", json!("artefact"))]), "`E1` is of unknown kind `artefact`");
        undecided(&with(&[("E1", "kind", Value::Null)]), "`E1` is of no kind");
        undecided(&with(&[("E1", "id", Value::Null)]), "1 node without an ID");
        undecided(&states(&[("C1", "unknown")]), "whether control `C1` is settled");
        undecided(&with(&[("C1", "state", Value::Null)]), "whether control `C1` is settled");
        undecided(&states(&[("B1", "unknown")]), "whether provider blocker `B1` is settled");
        undecided(&states(&[("F1", "stale")]), "whether finding `F1` is settled");
        undecided(
            &adding(clear(), &[node("C1", "control", "pass")], &[]),
            "more than one node has the ID `C1`",
        );
        undecided(
            &adding(clear(), &[], &[edge("E1", "C9", "supports")]),
            "`E1` → `C9` does not join two nodes",
        );
        undecided(
            &adding(clear(), &[], &[edge("E1", "C2", "praises")]),
            "`E1` → `C2` is of unknown kind `praises`",
        );
        undecided(&adding(clear(), &[], &[edge("E1", " ", "supports")]), "1 edge without two ends");
        undecided(&adding(clear(), &[], &[edge("C1", "C1", "requires")]), "cycle: `C1` → `C1`");
        let cycle = [edge("C1", "C2", "depends_on"), edge("E2", "C1", "requires")];
        undecided(&adding(clear(), &[], &cycle), "cycle: `C1` → `C2` → `E2` → `C1`");
        undecided(&with(&[("E1", "kind", json!("a\u{1b}[2J"))]), "unknown kind `a\\u{1b}[2J`");
    }

    #[test]
    fn reasons_are_bounded() {
        let nodes: Vec<Value> = (0..500).map(|n| node(&format!("X{n:03}"), "thing", "pass")).collect();
        let edges: Vec<Value> = (0..500)
            .map(|n| edge(&format!("X{n:03}"), &format!("X{:03}", (n + 1) % 500), "requires"))
            .collect();
        let graph = adding(clear(), &nodes, &edges);
        let found = findings(&graph);
        assert_eq!(found.undecided.len(), 12);
        assert_eq!(found.undecided[10], "and 490 more like that");
        assert!(found.undecided[11].contains("… 492 more … → `X000`"), "{}", found.undecided[11]);
    }

    #[test]
    fn each_cause_blocks_in_its_own_way() {
        use {Cause::*, FindingKind::*};
        let one = |id: &str, cause, kind| vec![(id.to_owned(), cause, kind)];
        assert_eq!(blocking(&states(&[("C1", "fail")])), one("C1", FailedControl, Failed));
        assert_eq!(blocking(&states(&[("C1", "pending")])), one("C1", EvidenceGap, Pending));
        assert_eq!(blocking(&states(&[("E1", "missing")])), one("E1", EvidenceGap, Missing));
        assert_eq!(blocking(&states(&[("E1", "stale")])), one("E1", EvidenceGap, Stale));
        assert_eq!(blocking(&states(&[("E1", "mauve")])), one("E1", EvidenceGap, Unknown));
        assert_eq!(blocking(&states(&[("E1", "fail")])), one("E1", EvidenceGap, Failed));
        assert_eq!(blocking(&states(&[("B1", "fail")])), one("B1", ProviderBlocker, Open));
        assert_eq!(blocking(&states(&[("B1", "pending")])), one("B1", ProviderBlocker, Pending));
        assert_eq!(blocking(&states(&[("F1", "fail")])), one("F1", OpenFinding, Open));
    }

    #[test]
    fn who_does_not_say_whether_it_is_required_is_required() {
        for id in ["C1", "E1"] {
            let graph = with(&[(id, "required", Value::Null), (id, "state", json!("missing"))]);
            assert_eq!(verdict(&graph), Verdict::Blocked);
        }
        let optional = adding(clear(), &[node("C3", "control", "fail")], &[]);
        let mut graph = optional;
        graph["nodes"][7]["required"] = json!(false);
        assert_eq!(verdict(&graph), Verdict::Clear);
    }

    #[test]
    fn what_is_waived_never_blocks_and_is_counted() {
        let graph = states(&[("C1", "waived"), ("E1", "waived"), ("F1", "fail"), ("B1", "waived")]);
        let found = findings(&graph);
        assert_eq!((found.verdict, found.undecided), (Verdict::Clear, vec![]));
        let counts = found.counts;
        assert_eq!(
            (counts.controls.waived, counts.evidence.waived, counts.provider_blockers.waived),
            (1, 1, 1)
        );
        assert_eq!(counts.tolerated, 1);
    }

    #[test]
    fn nothing_is_proposed_twice() {
        let failed = states(&[("C1", "fail"), ("F1", "fail"), ("E1", "fail")]);
        let found = findings(&failed);
        assert_eq!(found.blocking.len(), 1);
        let details: Vec<&str> = found.blocking[0].details.iter().map(|detail| detail.id).collect();
        assert_eq!(details, ["E1", "F1"]);
        let waiting = states(&[("C2", "pending"), ("E2", "missing")]);
        assert_eq!(blocking(&waiting), [("E2".to_owned(), Cause::EvidenceGap, FindingKind::Missing)]);
        assert_eq!(findings(&waiting).blocking[0].blocks, ["C2", "REL"]);
    }

    #[test]
    fn a_finding_that_blocks_by_an_edge_is_a_blocker_and_so_is_a_risk() {
        let blocks = adding(states(&[("C1", "fail"), ("F1", "fail")]), &[], &[edge("F1", "REL", "blocks")]);
        let causes: Vec<Cause> = findings(&blocks).blocking.iter().map(|finding| finding.cause).collect();
        assert_eq!(causes, [Cause::FailedControl, Cause::ProviderBlocker]);
        let risk = adding(clear(), &[node("R1", "risk", "fail")], &[]);
        assert_eq!(verdict(&risk), Verdict::Clear);
        assert_eq!(verdict(&adding(risk, &[], &[edge("R1", "REL", "blocks")])), Verdict::Blocked);
    }

    #[test]
    fn a_finding_says_what_it_holds_back_and_what_it_needs() {
        let graph = adding(states(&[("C1", "fail")]), &[], &[edge("C2", "C1", "depends_on")]);
        let found = findings(&graph);
        assert_eq!(found.blocking[0].blocks, ["C2", "REL"]);
        assert_eq!(found.blocking[0].depends_on, ["E1", "F1"]);
        assert!(!found.blocking[0].cut);
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let many: Vec<Value> = (0..50).map(|n| node(&format!("X{n:02}"), "control", "pass")).collect();
        let edges: Vec<Value> = (0..50).map(|n| edge(&format!("X{n:02}"), "C1", "requires")).collect();
        let graph = adding(states(&[("C1", "fail")]), &many, &edges);
        let found = findings(&graph);
        assert_eq!((found.blocking[0].blocks.len(), found.blocking[0].cut), (MOST_LISTED, true));
    }

    #[test]
    fn the_worst_comes_first() {
        let severities = [("B1", Some("low")), ("C1", Some("high")), ("C2", None), ("E1", Some("critical"))];
        let changes: Vec<(&str, &str, Value)> = severities
            .iter()
            .flat_map(|(id, severity)| [(*id, "severity", json!(severity)), (*id, "state", json!("fail"))])
            .collect();
        let ids: Vec<String> = blocking(&adding(with(&changes), &[node("E9", "evidence", "stale")], &[]))
            .into_iter()
            .map(|(id, ..)| id)
            .collect();
        assert_eq!(ids, ["C2", "E9", "C1", "B1"]);
    }

    const WORDS: [&str; 8] = ["pass", "fail", "missing", "stale", "waived", "pending", "unknown", "mauve"];
    const KINDS: [&str; 7] =
        ["release", "control", "evidence", "finding", "provider_blocker", "risk", "thing"];
    const EDGES: [&str; 6] = ["requires", "depends_on", "supports", "violates", "blocks", "praises"];

    /// The clear graph with up to six changes, so that every verdict is likely.
    fn any_graph() -> impl Strategy<Value = Value> {
        let change = prop_oneof![
            (0..7usize, 0..8usize).prop_map(|(at, word)| (at, "state", json!(WORDS[word]))),
            (0..7usize, 0..7usize).prop_map(|(at, kind)| (at, "kind", json!(KINDS[kind]))),
            (0..7usize, any::<Option<bool>>()).prop_map(|(at, required)| (at, "required", json!(required))),
            (0..7usize, any::<bool>()).prop_map(|(at, bad)| (
                at,
                "severity",
                json!(bad.then_some("critical"))
            )),
        ];
        let edges = prop::collection::vec((0..7usize, 0..7usize, 0..6usize), 0..3);
        (prop::collection::vec(change, 0..4), edges).prop_map(|(changes, edges)| {
            let mut graph = clear();
            for (at, field, value) in changes {
                graph["nodes"][at][field] = value;
            }
            for (from, to, kind) in edges {
                let id = |at: usize| graph["nodes"][at]["id"].as_str().unwrap().to_owned();
                let new = edge(&id(from), &id(to), EDGES[kind]);
                graph["edges"].as_array_mut().unwrap().push(new);
            }
            graph
        })
    }

    fn everything_said(value: &Value) -> String {
        let graph = Graph::read(value, &Limits::default()).unwrap();
        let found = analyze(&graph);
        serde_json::to_string(&found).unwrap() + &mermaid(&graph, &found, 5)
    }

    proptest! {
        #[test]
        fn the_order_of_the_input_does_not_show(graph in any_graph(), turn in 0..7usize, twice in any::<bool>()) {
            let mut other = graph.clone();
            if twice {
                // Nodes that share an ID and nothing else.
                other["nodes"][0]["id"] = json!("C1");
            }
            let once = everything_said(&other);
            other["nodes"].as_array_mut().unwrap().rotate_left(turn);
            other["nodes"].as_array_mut().unwrap().swap(0, 3);
            other["edges"].as_array_mut().unwrap().reverse();
            prop_assert_eq!(everything_said(&other), once);
        }

        #[test]
        fn weaker_evidence_never_clears(graph in any_graph(), at in 0..7usize, word in 0..8usize) {
            prop_assume!(verdict(&graph) != Verdict::Clear);
            let good = |state: &str| ["pass", "waived"].contains(&state);
            // Only what was good can become weaker: a word that means nothing for its node is not.
            prop_assume!(!good(WORDS[word]) && good(graph["nodes"][at]["state"].as_str().unwrap()));
            let mut weaker = graph;
            weaker["nodes"][at]["state"] = json!(WORDS[word]);
            prop_assert_ne!(verdict(&weaker), Verdict::Clear);
        }

        #[test]
        fn taking_good_evidence_away_never_clears(mut graph in any_graph(), fails in any::<bool>()) {
            if fails {
                graph["nodes"][2] = node("C2", "control", "fail");
            }
            if verdict(&graph) != Verdict::Blocked {
                return Ok(());
            }
            for at in 0..7 {
                let gone = graph["nodes"][at].clone();
                if gone["kind"] != "evidence" || gone["state"] != "pass" {
                    continue;
                }
                let mut less = graph.clone();
                less["nodes"].as_array_mut().unwrap().remove(at);
                prop_assert_eq!(verdict(&less), Verdict::Undecided);
                less["edges"].as_array_mut().unwrap().retain(|e| e["from"] != gone["id"] && e["to"] != gone["id"]);
                prop_assert_ne!(verdict(&less), Verdict::Clear);
            }
        }

        #[test]
        fn an_unknown_word_never_clears(graph in any_graph(), at in 0..7usize, field in 0..3usize) {
            prop_assume!(verdict(&graph) != Verdict::Clear);
            let mut other = graph.clone();
            other["nodes"][at][["kind", "state", "severity"][field]] = json!("zzz");
            prop_assert_ne!(verdict(&other), Verdict::Clear);
            let mut other = graph.clone();
            let edges = graph["edges"].as_array().unwrap().len();
            other["edges"][at % edges]["kind"] = json!("zzz");
            prop_assert_eq!(verdict(&other), Verdict::Undecided);
        }

        #[test]
        fn a_cycle_is_undecided(count in 1..40usize, extra in prop::collection::vec((0..40usize, 0..40usize), 0..40)) {
            let id = |at: usize| format!("N{:02}", at % count);
            let nodes: Vec<Value> = (0..count).map(|at| node(&id(at), "control", "pass")).collect();
            let mut edges: Vec<Value> = (0..count).map(|at| edge(&id(at), &id(at + 1), "requires")).collect();
            edges.extend(extra.iter().map(|(from, to)| edge(&id(*from), &id(*to), "depends_on")));
            undecided(&adding(clear(), &nodes, &edges), "in a cycle");
        }

        #[test]
        fn a_graph_without_a_cycle_is_not_said_to_have_one(pairs in prop::collection::vec((0..40usize, 0..40usize), 0..80)) {
            let nodes: Vec<Value> = (0..40).map(|at| node(&format!("N{at:02}"), "control", "pass")).collect();
            let edges: Vec<Value> = pairs
                .iter()
                .filter(|(from, to)| from != to)
                .map(|(a, b)| edge(&format!("N{:02}", a.min(b)), &format!("N{:02}", a.max(b)), "requires"))
                .collect();
            let graph = adding(clear(), &nodes, &edges);
            let found = findings(&graph);
            prop_assert!(!found.undecided.iter().any(|reason| reason.contains("cycle")));
        }

        #[test]
        fn clear_means_that_everything_required_is_settled(graph in any_graph()) {
            prop_assume!(verdict(&graph) == Verdict::Clear);
            for node in graph["nodes"].as_array().unwrap() {
                let settled = ["pass", "waived"].contains(&node["state"].as_str().unwrap());
                let must = match node["kind"].as_str().unwrap() {
                    "control" | "evidence" => node["required"] != false,
                    "provider_blocker" => true,
                    _ => false,
                };
                prop_assert!(settled || !must, "{node}");
            }
        }
    }
}
