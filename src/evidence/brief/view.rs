//! How people are shown the data of a brief.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A part of what people are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "show", rename_all = "lowercase", deny_unknown_fields)]
pub enum View {
    /// A list as a table.
    Table {
        /// What it shows.
        title: String,
        /// What has to be known to read it, in a sentence or two of the analysis's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        says: Option<String>,
        /// The member of the brief that is the list.
        of: String,
        /// What is shown of each item.
        columns: Vec<Column>,
    },
    /// Numbers over time, drawn where something can be drawn, and as a table.
    Chart {
        /// What it shows.
        title: String,
        /// The member of the brief that is the list of charts.
        of: String,
        /// Which of them.
        at: usize,
    },
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its heading.
    pub head: String,
    /// The member of the item.
    pub at: String,
}

impl View {
    /// A table of the list `of`, with a heading and the member for each column.
    pub(super) fn table(title: &str, of: &str, columns: &[(&str, &str)]) -> Self {
        let column = |(head, at): &(&str, &str)| Column { head: (*head).to_owned(), at: (*at).to_owned() };
        Self::Table {
            title: title.to_owned(),
            says: None,
            of: of.to_owned(),
            columns: columns.iter().map(column).collect(),
        }
    }

    /// The same with what has to be known to read it.
    pub(super) fn saying(mut self, what: &str) -> Self {
        if let Self::Table { says, .. } = &mut self {
            *says = Some(what.to_owned());
        }
        self
    }
}

/// The views that a brief names; none where it is no brief.
#[must_use]
pub fn views(brief: &Value) -> Vec<View> {
    brief.get("views").and_then(|views| Vec::<View>::deserialize(views).ok()).unwrap_or_default()
}

/// The rows of a table: a text for each column, as it came. Nothing where there is no such list.
pub fn rows<'a>(brief: &'a Value, of: &str, columns: &'a [Column]) -> Vec<Vec<Cow<'a, str>>> {
    let items = brief.get(of).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |item: &'a Value| columns.iter().map(|column| text(item.get(&column.at))).collect();
    items.iter().map(row).collect()
}

/// A value in a cell.
fn text(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        None | Some(Value::Null) => Cow::Borrowed(""),
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Bool(yes)) => Cow::Borrowed(if *yes { "yes" } else { "no" }),
        Some(Value::Array(items)) => {
            let items: Vec<Cow<'_, str>> = items.iter().map(|item| text(Some(item))).collect();
            Cow::Owned(items.join(", "))
        }
        Some(other) => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_view_survives_its_json_and_shows_what_the_data_has() {
        let view = View::table("Things", "things", &[("ID", "id"), ("Of", "of"), ("Late", "late")]);
        let brief = json!({
            "things": [{"id": "a", "of": ["x", "y"], "late": true}, {"id": 1, "late": null}],
            "views": [view],
        });
        assert_eq!(views(&brief), std::slice::from_ref(&view));
        let View::Table { of, columns, .. } = view else { panic!("{view:?}") };
        assert_eq!(rows(&brief, &of, &columns), [["a", "x, y", "yes"], ["1", "", ""]]);
        assert_eq!(rows(&json!({}), &of, &columns).len(), 0);
        assert_eq!(views(&json!({"views": [{"show": "film"}]})), []);
    }
}
