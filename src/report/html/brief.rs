//! What analyses have to show.

use serde_json::Value;

use super::chart::drawn;
use super::element::{Element, element};
use super::part::{Room, Section, bounded_text, cell, left_out, table};
use crate::evidence::brief::{View, chart, rows, views};

/// Bytes that a view takes at the most.
const MOST_BYTES: usize = 1 << 20;
/// Views that are shown.
const MOST_VIEWS: usize = 40;

/// A part for each view.
pub(super) fn briefs(briefs: &[&Value]) -> Vec<Section> {
    let views = briefs.iter().flat_map(|brief| views(brief).into_iter().map(move |view| (*brief, view)));
    views
        .take(MOST_VIEWS)
        .enumerate()
        .filter_map(|(number, (brief, view))| section(number, brief, &view))
        .collect()
}

fn section(number: usize, brief: &Value, view: &View) -> Option<Section> {
    let id = format!("view-{number}").into();
    match view {
        View::Table { title, says, of, columns } => {
            let rows = rows(brief, of, columns);
            let heads: Vec<&str> = columns.iter().map(|column| column.head.as_str()).collect();
            let says = says.iter().map(|says| element("p").class("says").text(&bounded_text(says)));
            let content = says.chain(numbers(title, &heads, &rows)).collect();
            Some(Section { id, heading: bounded_text(title), count: Some(rows.len()), content })
        }
        View::Chart { title, of, at } => {
            let chart = chart(brief, of, *at)?;
            let (heads, rows) = chart.rows();
            let table = numbers(title, &heads, &rows);
            let content =
                match drawn(number, title, &chart) {
                    Some(drawn) => vec![element("figure").all(drawn).add(
                        element("details").add(element("summary").text("The same as a table")).all(table),
                    )],
                    None => table,
                };
            Some(Section { id, heading: bounded_text(title), count: None, content })
        }
    }
}

/// A table of texts as they came.
fn numbers<T: AsRef<str>>(title: &str, heads: &[impl AsRef<str>], rows: &[Vec<T>]) -> Vec<Element> {
    let heads: Vec<String> = heads.iter().map(|head| bounded_text(head.as_ref())).collect();
    let row = |row: &Vec<T>| {
        let cells = heads.iter().zip(row);
        element("tr").all(cells.map(|(head, text)| cell(head).text(&bounded_text(text.as_ref()))))
    };
    let (rows, missing) = Room::of(MOST_BYTES).take(rows.iter().map(row));
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let table = table(&bounded_text(title), &heads).add(element("tbody").all(rows));
    let mut content = vec![element("div").class("canvas").with("tabindex", 0).add(table)];
    content.extend(left_out(missing, "row", "rows"));
    content
}
