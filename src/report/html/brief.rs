//! What analyses have to show.

use std::borrow::Cow;

use serde_json::Value;

use super::element::element;
use super::part::{Room, Section, bounded_text, cell, left_out, table};
use crate::evidence::brief::{View, rows, views};

/// Bytes that a view takes at the most.
const MOST_BYTES: usize = 1 << 20;
/// Views that are shown.
const MOST_VIEWS: usize = 40;

/// A part for each view.
pub(super) fn briefs(briefs: &[&Value]) -> Vec<Section> {
    let views = briefs.iter().flat_map(|brief| views(brief).into_iter().map(move |view| (*brief, view)));
    views.take(MOST_VIEWS).enumerate().map(|(number, (brief, view))| section(number, brief, &view)).collect()
}

fn section(number: usize, brief: &Value, view: &View) -> Section {
    let View::Table { title, of, columns } = view;
    let rows = rows(brief, of, columns);
    let count = Some(rows.len());
    let row = |row: &Vec<Cow<'_, str>>| {
        let cells = columns.iter().zip(row);
        element("tr")
            .all(cells.map(|(column, text)| cell(&bounded_text(&column.head)).text(&bounded_text(text))))
    };
    let (rows, missing) = Room::of(MOST_BYTES).take(rows.iter().map(row));
    let heads: Vec<&str> = columns.iter().map(|column| column.head.as_str()).collect();
    let table = table(&bounded_text(title), &heads).add(element("tbody").all(rows));
    let mut content = vec![element("div").class("canvas").with("tabindex", 0).add(table)];
    content.extend(left_out(missing, "row", "rows"));
    Section { id: format!("view-{number}").into(), heading: bounded_text(title), count, content }
}
