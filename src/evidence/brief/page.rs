//! A brief as a page of Markdown.

use std::fmt::Write as _;

use serde_json::Value;

use super::chart::chart;
use super::view::{View, rows, views};
use crate::core::text::cut;
use crate::recipe::markdown;

/// Rows of a table; the rest is counted.
const MOST_ROWS: usize = 500;
/// Characters of a cell.
const MOST_OF_A_CELL: usize = 300;

/// The page: the summary, what keeps it from deciding, and a table for each view. The same brief gives the same bytes.
///
/// # Errors
/// `brief` has nothing to show, in words.
pub fn page(brief: &Value) -> Result<String, String> {
    let summary = brief.get("summary").and_then(Value::as_str).ok_or("it has no summary")?;
    let mut page = format!("**{}**\n", markdown(summary));
    let undecided = brief.get("undecided").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for reason in undecided.iter().filter_map(Value::as_str) {
        // Writing to a string does not fail.
        let _ = write!(page, "\n- undecided: {}", markdown(reason));
    }
    if !undecided.is_empty() {
        page.push('\n');
    }
    for view in views(brief) {
        match view {
            View::Table { title, says, of, columns } => {
                let rows = rows(brief, &of, &columns);
                let _ = write!(page, "\n## {}: {}\n", markdown(&title), rows.len());
                if let Some(says) = says {
                    let _ = write!(page, "\n{}\n", markdown(&says));
                }
                let heads: Vec<&str> = columns.iter().map(|column| column.head.as_str()).collect();
                table(&mut page, &heads, &rows);
            }
            View::Chart { title, of, at } => {
                let Some(chart) = chart(brief, &of, at) else { continue };
                let _ = write!(page, "\n## {}\n", markdown(&title));
                if let Some(drawn) = chart.mermaid() {
                    let _ = write!(page, "\n```mermaid\n{drawn}```\n");
                }
                let (heads, rows) = chart.rows();
                table(&mut page, &heads, &rows);
            }
        }
    }
    Ok(page)
}

fn table<T: AsRef<str>>(page: &mut String, heads: &[impl AsRef<str>], rows: &[Vec<T>]) {
    if rows.is_empty() {
        return;
    }
    let heads: Vec<String> = heads.iter().map(|head| markdown(&cut(head.as_ref(), MOST_OF_A_CELL))).collect();
    let _ = write!(page, "\n| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
    for row in rows.iter().take(MOST_ROWS) {
        let cells: Vec<String> =
            row.iter().map(|text| markdown(&cut(text.as_ref(), MOST_OF_A_CELL))).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    if rows.len() > MOST_ROWS {
        let _ = writeln!(page, "\n{} more rows stand in the data.", rows.len() - MOST_ROWS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_says_the_summary_the_doubts_and_each_table_and_text_of_others_is_text() {
        let view = View::table("Things", "things", &[("ID", "id"), ("Title", "title")]);
        let hostile = "a | b\n| c <img src=x> @all [x](y)";
        let brief = json!({"summary": "1 thing", "undecided": ["`x` is unknown"],
            "things": [{"id": "A-1", "title": hostile}], "views": [view]});
        insta::assert_snapshot!(page(&brief).unwrap(), @r#"
        **1 thing**

        - undecided: \`x\` is unknown

        ## Things: 1

        | ID | Title |
        | --- | --- |
        | A\-1 | a \| b\\n\| c &lt;img src\=x&gt; &#64;all \[x\]\(y\) |
        "#);
        assert!(page(&json!({})).is_err());
    }

    #[test]
    fn a_long_table_is_cut_and_the_rest_counted() {
        let things: Vec<Value> = (0..MOST_ROWS + 3).map(|id| json!({ "id": id })).collect();
        let view = View::table("Things", "things", &[("ID", "id")]);
        let page = page(&json!({"summary": "s", "things": things, "views": [view]})).unwrap();
        assert!(page.contains("## Things: 503\n") && page.ends_with("\n3 more rows stand in the data.\n"));
    }
}
