//! An evidence graph, read out of JSON without copying a text.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Map, Value};
use thiserror::Error;

use super::words::{EdgeKind, NodeKind, State};

/// Edges that are read before the ends of any are looked for: a look into the index between two reads would keep the
/// processor from fetching the next one meanwhile.
const READ_AHEAD: usize = 32;

/// How large a graph may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes.
    pub nodes: usize,
    /// Edges.
    pub edges: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 200_000, edges: 1_000_000 }
    }
}

/// Why a value is no evidence graph.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GraphError {
    /// A value of another type than belongs there.
    #[error("`{pointer}` is {found}, where {expected} belongs")]
    WrongType {
        /// JSON pointer into the value.
        pointer: String,
        /// With its article.
        expected: &'static str,
        /// With its article.
        found: &'static str,
    },
    /// More than the limit.
    #[error("the graph has {count} {what}, more than the limit of {limit}")]
    TooLarge {
        /// `nodes` or `edges`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

/// The members of a node that are text, if they are there.
const TEXTS: &[&str] = &["id", "kind", "title", "state", "severity", "provider", "owner", "due", "link"];

/// The evidence of one certification. Borrows every text from the value it was read from.
#[derive(Debug)]
pub struct Graph<'a> {
    pub(super) certification: Option<&'a str>,
    /// Those with an ID, in the order of their IDs.
    pub(super) nodes: Vec<Node<'a>>,
    /// Those with two ends among the nodes, each once, in the order of their ends.
    pub(super) edges: Vec<Edge>,
    pub(super) gaps: Gaps<'a>,
}

/// What was in the value and is not in the graph, or should have been and was not.
#[derive(Debug, Default)]
pub(super) struct Gaps<'a> {
    pub no_nodes: bool,
    pub no_edges: bool,
    pub nodes_without_id: usize,
    pub edges_without_end: usize,
    /// IDs that more than one node has, each once.
    pub duplicates: Vec<&'a str>,
    /// Edges whose ends are not both nodes.
    pub dangling: Vec<(&'a str, &'a str)>,
    /// Edges whose kind is not known: its word and the ends.
    pub unknown_edges: Vec<(Option<&'a str>, &'a str, &'a str)>,
}

/// A node: what every analysis asks for, and the record that it came in, for what is asked of a few.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    pub id: &'a str,
    pub kind: NodeKind,
    pub state: State,
    required: Option<bool>,
    record: &'a Map<String, Value>,
}

impl<'a> Node<'a> {
    /// Who does not say is required: no evidence is not good evidence.
    pub fn is_required(&self) -> bool {
        self.required != Some(false)
    }

    /// A member that is text and not blank.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        said(self.record.get(name)?)
    }

    pub fn title(&self) -> Option<&'a str> {
        self.text("title")
    }

    /// The title; the ID where there is none, because work needs a title.
    pub fn title_or_id(&self) -> &'a str {
        self.title().unwrap_or(self.id)
    }

    pub fn severity(&self) -> Option<&'a str> {
        self.text("severity")
    }

    pub fn provider(&self) -> Option<&'a str> {
        self.text("provider")
    }

    pub fn owner(&self) -> Option<&'a str> {
        self.text("owner")
    }

    pub fn due(&self) -> Option<&'a str> {
        self.text("due")
    }

    pub fn link(&self) -> Option<&'a str> {
        self.text("link")
    }

    /// By ID; of those with one ID, by all that they say.
    fn order(&self, other: &Self) -> Ordering {
        let all = |node: &Self| node.record.iter().map(|(name, value)| (name, rank(value)));
        self.id.cmp(other.id).then_with(|| all(self).cmp(all(other)))
    }
}

/// An edge between two nodes, by their places in [`Graph::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub from: usize,
    pub to: usize,
    pub kind: EdgeKind,
}

impl<'a> Graph<'a> {
    /// Reads the projected value of a profile's `evidence_graph`:
    /// `{certification, nodes: [{id, kind, title, state, severity, provider, owner, required, due, link}],
    /// edges: [{from, to, kind}]}`. Null and absent are the same, blank text is absent, other members are
    /// ignored. What is lacking is no error here; [`super::analyze`] finds it.
    ///
    /// # Errors
    /// A value of a wrong type, or more nodes or edges than `limits` allow.
    pub fn read(value: &'a Value, limits: &Limits) -> Result<Self, GraphError> {
        let root = value.as_object().ok_or_else(|| wrong(String::new(), "an object", value))?;
        let mut gaps = Gaps::default();
        let certification = match root.get("certification") {
            Some(id) => text(id, || "/certification".to_owned())?,
            None => None,
        };
        let nodes = read_nodes(list(root, "nodes", limits.nodes)?, &mut gaps)?;
        let edges = read_edges(list(root, "edges", limits.edges)?, &nodes, &mut gaps)?;
        Ok(Self { certification, nodes, edges, gaps })
    }

    /// The controls with their titles, in the order of their IDs; hostile text.
    pub fn controls(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let controls = self.nodes.iter().filter(|node| node.kind == NodeKind::Control);
        controls.map(|node| (node.id, node.title_or_id()))
    }

    /// Whether there is a control with that ID.
    #[must_use]
    pub fn has_control(&self, id: &str) -> bool {
        self.place_of(id)
            .and_then(|place| self.nodes.get(place))
            .is_some_and(|node| node.kind == NodeKind::Control)
    }

    pub(super) fn place_of(&self, id: &str) -> Option<usize> {
        let place = self.nodes.partition_point(|node| node.id < id);
        self.nodes.get(place).is_some_and(|node| node.id == id).then_some(place)
    }
}

fn read_nodes<'a>(values: Option<&'a Vec<Value>>, gaps: &mut Gaps<'a>) -> Result<Vec<Node<'a>>, GraphError> {
    let Some(values) = values else {
        gaps.no_nodes = true;
        return Ok(Vec::new());
    };
    let mut nodes = Vec::with_capacity(values.len());
    for (place, value) in values.iter().enumerate() {
        let members =
            value.as_object().ok_or_else(|| wrong(format!("/nodes/{place}"), "an object", value))?;
        match read_node(members, place)? {
            Some(node) => nodes.push(node),
            None => gaps.nodes_without_id += 1,
        }
    }
    let nodes = sorted(nodes);
    for (one, next) in nodes.iter().zip(nodes.iter().skip(1)) {
        if one.id == next.id && gaps.duplicates.last() != Some(&one.id) {
            gaps.duplicates.push(one.id);
        }
    }
    Ok(nodes)
}

/// By ID, and by all the rest where IDs are equal. IDs lie far apart in memory: what is compared first is the sixteen
/// bytes that follow what all IDs begin with.
fn sorted(nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    if nodes.is_sorted_by(|one, next| one.order(next).is_le()) {
        return nodes;
    }
    let first = nodes.first().map_or("", |node| node.id).as_bytes();
    let shared = |id: &str| first.iter().zip(id.as_bytes()).take_while(|(a, b)| a == b).count();
    let prefix = nodes.iter().map(|node| shared(node.id)).min().unwrap_or_default();
    let key = |id: &str| {
        id.bytes().skip(prefix).chain([0; 16]).take(16).fold(0, |key, byte| key << 8 | u128::from(byte))
    };
    let mut keyed: Vec<(u128, Node<'_>)> = nodes.iter().map(|node| (key(node.id), *node)).collect();
    keyed.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.order(other)));
    keyed.into_iter().map(|(_, node)| node).collect()
}

/// One pass over the members: there are more than a dozen of them, most of them text that few ask for, or null.
fn read_node(record: &Map<String, Value>, place: usize) -> Result<Option<Node<'_>>, GraphError> {
    let (mut id, mut kind, mut state, mut required) = (None, None, None, None);
    for (name, value) in record {
        let refused = |expected| Err(wrong(format!("/nodes/{place}/{name}"), expected, value));
        match value {
            Value::Null => {}
            Value::String(text) => match name.as_str() {
                "id" => id = said(value),
                "kind" => kind = Some(text.as_str()),
                "state" => state = Some(text.as_str()),
                "required" => return refused("a boolean"),
                _ => {}
            },
            other => match (name.as_str(), other) {
                ("required", Value::Bool(value)) => required = Some(*value),
                ("required", _) => return refused("a boolean"),
                (name, _) if TEXTS.contains(&name) => return refused("text"),
                _ => {}
            },
        }
    }
    let (kind, state) = (NodeKind::of(kind), State::of(state));
    Ok(id.map(|id| Node { id, kind, state, required, record }))
}

fn read_edges<'a>(
    values: Option<&'a Vec<Value>>,
    nodes: &[Node<'a>],
    gaps: &mut Gaps<'a>,
) -> Result<Vec<Edge>, GraphError> {
    let Some(values) = values else {
        gaps.no_edges = true;
        return Ok(Vec::new());
    };
    let ids: String = nodes.iter().map(|node| node.id).collect();
    let index = index(&ids, nodes);
    let mut edges = Vec::with_capacity(values.len());
    // Edges mostly come grouped by where they start, which saves every other look into the index.
    let mut last: (&str, Option<&usize>) = ("", None);
    let mut ahead = Vec::with_capacity(READ_AHEAD);
    for (group, values) in values.chunks(READ_AHEAD).enumerate() {
        for (place, value) in values.iter().enumerate() {
            ahead.push(read_edge(value, group * READ_AHEAD + place)?);
        }
        for said in ahead.drain(..) {
            let (Some(from), Some(to)) = (said.from, said.to) else {
                gaps.edges_without_end += 1;
                continue;
            };
            let kind = EdgeKind::of(said.kind);
            if kind == EdgeKind::Unknown {
                gaps.unknown_edges.push((said.kind, from, to));
            }
            if last.0 != from {
                last = (from, index.get(from));
            }
            match (last.1, index.get(to)) {
                (Some(from), Some(to)) => edges.push(Edge { from: *from, to: *to, kind }),
                _ => gaps.dangling.push((from, to)),
            }
        }
    }
    edges.sort_unstable();
    edges.dedup();
    gaps.dangling.sort_unstable();
    gaps.unknown_edges.sort_unstable();
    Ok(edges)
}

/// What an edge says; blank text is none.
struct SaidEdge<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
    kind: Option<&'a str>,
}

fn read_edge(value: &Value, place: usize) -> Result<SaidEdge<'_>, GraphError> {
    let record = value.as_object().ok_or_else(|| wrong(format!("/edges/{place}"), "an object", value))?;
    let mut said = SaidEdge { from: None, to: None, kind: None };
    for (name, value) in record {
        let at = || format!("/edges/{place}/{name}");
        match name.as_str() {
            "from" => said.from = text(value, at)?,
            "to" => said.to = text(value, at)?,
            "kind" => said.kind = text(value, at)?,
            _ => {}
        }
    }
    Ok(said)
}

/// The place of each ID. `ids` are all IDs one after the other: nodes lie far apart in memory, and an index that is
/// asked so often compares with what lies together.
fn index<'i>(ids: &'i str, nodes: &[Node<'_>]) -> HashMap<&'i str, usize> {
    let mut index = HashMap::with_capacity(nodes.len());
    let mut rest = ids;
    for (place, node) in nodes.iter().enumerate() {
        let (id, after) = rest.split_at_checked(node.id.len()).unwrap_or((rest, ""));
        rest = after;
        // The first of several with one ID; the graph is undecided then in any case.
        index.entry(id).or_insert(place);
    }
    index
}

fn list<'a>(
    root: &'a Map<String, Value>,
    name: &'static str,
    limit: usize,
) -> Result<Option<&'a Vec<Value>>, GraphError> {
    match root.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) if items.len() > limit => {
            Err(GraphError::TooLarge { what: name, count: items.len(), limit })
        }
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(other) => Err(wrong(format!("/{name}"), "a list", other)),
    }
}

fn text(value: &Value, at: impl FnOnce() -> String) -> Result<Option<&str>, GraphError> {
    match value {
        Value::Null | Value::String(_) => Ok(said(value)),
        other => Err(wrong(at(), "text", other)),
    }
}

/// What of a value a node can say, for an order of it: text, and whether it is required.
fn rank(value: &Value) -> (Option<bool>, &str) {
    (value.as_bool(), value.as_str().unwrap_or_default())
}

/// The text that a value is. Blank text says nothing, so it is none.
pub(super) fn said(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty())
}

pub(super) fn wrong(pointer: String, expected: &'static str, found: &Value) -> GraphError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    GraphError::WrongType { pointer, expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(value: Value) -> String {
        Graph::read(&value, &Limits { nodes: 2, edges: 2 }).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_type_is_refused_with_its_place() {
        assert_eq!(refused(json!([])), "`` is a list, where an object belongs");
        assert_eq!(refused(json!({"nodes": "none"})), "`/nodes` is text, where a list belongs");
        assert_eq!(refused(json!({"nodes": [7]})), "`/nodes/0` is a number, where an object belongs");
        assert_eq!(
            refused(json!({"nodes": [{}, {"id": 7}]})),
            "`/nodes/1/id` is a number, where text belongs"
        );
        assert_eq!(
            refused(json!({"nodes": [{"required": "yes"}]})),
            "`/nodes/0/required` is text, where a boolean belongs"
        );
        assert_eq!(refused(json!({"edges": [{"to": {}}]})), "`/edges/0/to` is an object, where text belongs");
        assert_eq!(refused(json!({"certification": 1})), "`/certification` is a number, where text belongs");
    }

    #[test]
    fn a_graph_above_the_limit_is_refused() {
        let three = json!([{}, {}, {}]);
        assert_eq!(refused(json!({"nodes": three})), "the graph has 3 nodes, more than the limit of 2");
        assert_eq!(refused(json!({"edges": three})), "the graph has 3 edges, more than the limit of 2");
    }

    #[test]
    fn nodes_stand_in_the_order_of_their_ids() {
        let ids = ["N-10", "N-", "N-1", "N-1\u{0}", "N-100000000b", "N-100000000a", "N-2", "M", "é", "N-10"];
        let nodes: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        for ids in [&ids[..], &ids[..7]] {
            let value = json!({"nodes": nodes[..ids.len()]});
            let graph = Graph::read(&value, &Limits { nodes: 10, edges: 0 }).unwrap();
            let mut expected = ids.to_vec();
            expected.sort_unstable();
            assert_eq!(graph.nodes.iter().map(|node| node.id).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn nodes_of_one_id_stand_in_an_order_of_their_own() {
        let says = |owner: Value| json!({"id": "N", "kind": "evidence", "owner": owner, "cve": owner});
        let nodes = [says(json!("b")), says(json!("a")), says(Value::Null), json!({"id": "N", "cve": 7})];
        let order = |nodes: Vec<&Value>| {
            let value = json!({"nodes": nodes});
            let graph = Graph::read(&value, &Limits::default()).unwrap();
            graph.nodes.iter().map(|node| json!(node.record).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(order(nodes.iter().collect()), order(nodes.iter().rev().collect()));
    }

    #[test]
    fn blank_text_and_null_are_absent() {
        let value =
            json!({"certification": " ", "nodes": [{"id": "a", "title": ""}, {"id": null}], "edges": []});
        let graph = Graph::read(&value, &Limits::default()).unwrap();
        assert_eq!((graph.certification, graph.gaps.nodes_without_id), (None, 1));
        assert_eq!(graph.nodes[0].title_or_id(), "a");
    }
}
