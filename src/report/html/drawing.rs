//! The evidence as a picture, and as a table for whoever does not see it.

use super::element::{Element, element};
use super::layers::{HEIGHT, Layout, Point, WIDTH, ends, layout};
use super::part::{Section, bounded_text, cell, table};
use crate::core::text::{cut, excerpt};
use crate::evidence::{Picture, Shown, picture};
use crate::report::layout::{count, wrap};
use crate::report::sheet::Gathered;

/// Nodes that are drawn at the most.
const MOST_NODES: usize = 20;
/// Columns of a title's line, and of an ID, in a node.
const TITLE: usize = 27;
const ID: usize = 30;
/// Characters of a title that are looked at.
const MOST_OF_A_TITLE: usize = 120;

/// The section with the picture; none where nothing is joined, of which a picture says no more than a list.
pub(super) fn drawing(gathered: &Gathered<'_>) -> Option<Section> {
    let picture = picture(&gathered.graph, &gathered.findings, MOST_NODES);
    if picture.edges.is_empty() {
        return None;
    }
    let blocking = picture.nodes.iter().any(|node| node.cause.is_some());
    let says = match blocking {
        true => {
            "What blocks, and what it holds back. A line leads from what holds back to what is held back."
        }
        false => "Nothing blocks. A line leads from what something stands on to what stands on it.",
    };
    let mut caption = element("figcaption").text(says);
    if picture.leaves_out() {
        caption = caption.text(&format!(
            " Left out: {} of {} and {} of {}.",
            picture.all_nodes - picture.nodes.len(),
            count(picture.all_nodes, "node", "nodes"),
            picture.all_edges - picture.edges.len(),
            count(picture.all_edges, "edge", "edges"),
        ));
    }
    let sheet = element("section")
        .class("canvas")
        .with("tabindex", 0)
        .with("aria-label", "Picture of the evidence")
        .add(svg(&picture));
    let same = element("details").add(element("summary").text("The same as a table")).add(same(&picture));
    let content = element("figure").add(caption).add(sheet).add(same);
    Some(Section {
        id: "evidence".into(),
        heading: "Evidence".to_owned(),
        count: None,
        content: vec![content],
    })
}

fn svg(picture: &Picture<'_>) -> Element {
    let Layout { nodes, lines, width, height } = layout(picture.nodes.len(), &picture.edges);
    let blocking = picture.nodes.iter().filter(|node| node.cause.is_some()).count();
    let others = picture.nodes.len() - blocking;
    let says = format!(
        "{} that block and {} that they hold back, joined by {}. The table below says the same.",
        count(blocking, "node", "nodes"),
        count(others, "other", "others"),
        count(picture.edges.len(), "line", "lines"),
    );
    let drawn = picture.nodes.iter().zip(nodes).map(|(node, corner)| self::node(node, corner));
    element("svg")
        .with("width", width)
        .with("height", height)
        .with("viewBox", format_args!("0 0 {width} {height}"))
        .with("role", "img")
        .with("aria-labelledby", "picture-title picture-says")
        .add(element("title").with("id", "picture-title").text("What blocks, and what it holds back"))
        .add(element("desc").with("id", "picture-says").text(&says))
        .all(lines.iter().map(|points| line(points)))
        .all(drawn)
}

/// A line with a head at its end, curved between the columns.
fn line(points: &[Point]) -> Element {
    let mut path = String::new();
    let mut before: Option<Point> = None;
    for (index, point) in points.iter().enumerate() {
        let Point { x, y } = *point;
        path.push_str(&match before {
            None => format!("M{x} {y}"),
            // Through a column it is straight.
            Some(_) if index % 2 == 0 => format!("H{x}"),
            Some(Point { x: from, y: level }) => {
                let middle = usize::midpoint(from, x);
                format!("C{middle} {level} {middle} {y} {x} {y}")
            }
        });
        before = Some(*point);
    }
    if let Some(Point { x, y }) = before {
        path.push_str(&format!("m-6 -4L{x} {y}l-6 4"));
    }
    element("path").class("line").with("d", path)
}

fn node(node: &Shown<'_>, Point { x, y }: Point) -> Element {
    let text = |class, down: usize, text: &str| {
        element("text").class(class).with("x", x + 14).with("y", y + down).text(text)
    };
    let title = excerpt(node.title, MOST_OF_A_TITLE);
    let lines = wrap(&title, TITLE);
    let mut shown: Vec<String> = lines.iter().take(2).cloned().collect();
    if let (true, Some(last)) = (lines.len() > 2, shown.last_mut()) {
        *last = format!("{}…", cut(last, TITLE - 1).trim_end_matches('…'));
    }
    let first = if shown.len() == 1 { 42 } else { 35 };
    let titles = shown.iter().zip(0..).map(|(line, number)| text("title", first + number * 15, line));
    element("g")
        .class(if node.cause.is_some() { "node blocks" } else { "node" })
        .add(element("title").text(&format!("{} ({})", title, excerpt(node.id, MOST_OF_A_TITLE))))
        .add(
            element("rect")
                .with("x", x)
                .with("y", y)
                .with("width", WIDTH)
                .with("height", HEIGHT)
                .with("rx", 3),
        )
        .add(element("rect").class("edge").with("x", x).with("y", y).with("width", 4).with("height", HEIGHT))
        .add(text("what", 19, &format!("{} · {}", node.what(), state(node))))
        .all(titles)
        .add(text("id", 65, &excerpt(node.id, ID)))
}

/// The severity of what blocks, the state of anything else.
fn state(node: &Shown<'_>) -> String {
    match (node.cause, node.severity) {
        (Some(_), Some(severity)) => excerpt(severity, 16),
        (Some(_), None) => "severity unknown".to_owned(),
        (None, _) => node.state.word().to_owned(),
    }
}

fn same(picture: &Picture<'_>) -> Element {
    let rows = picture.nodes.iter().enumerate().map(|(index, node)| {
        let held: Vec<String> = picture
            .edges
            .iter()
            .map(ends)
            .filter(|(from, _)| *from == index)
            .filter_map(|(_, to)| picture.nodes.get(to))
            .map(|node| excerpt(node.id, MOST_OF_A_TITLE))
            .collect();
        element("tr")
            .add(cell("ID").add(element("code").text(&excerpt(node.id, MOST_OF_A_TITLE))))
            .add(cell("Title").text(&bounded_text(node.title)))
            .add(cell("What").text(node.what()))
            .add(cell("State").text(&state(node)))
            .add(cell("Leads to").text(&held.join(", ")))
    });
    table("What the picture shows", &["ID", "Title", "What", "State", "Leads to"])
        .class("same")
        .add(element("tbody").all(rows))
}
