//! Briefs: what records say to somebody who has to act on them, as data for templates and files, and with the tables
//! that people are shown of it.
//!
//! An analysis of this kind is a function from what steps read to a [`Brief`]. No clock: whatever depends on the day
//! is told which day it is.

mod chart;
mod compliance;
mod dashboard;
mod gaps;
mod given;
mod instant;
mod listing;
mod near;
pub mod package_v1;
mod page;
mod points;
mod readiness;
mod recommendation;
mod room;
mod security;
mod sprint;
mod trend;
mod triage;
mod view;

use serde::Serialize;
use serde_json::{Map, Value};

pub use chart::{Axis, Chart, ChartKind, Point, Series, chart, short, when};
pub use compliance::{compliance, manifest};
pub use dashboard::dashboard;
pub use gaps::gaps;
pub use given::Given;
pub use page::page;
pub use readiness::readiness;
pub use recommendation::recommendation;
pub use security::security;
pub use sprint::sprint;
pub use triage::triage;
pub use view::{Column, View, rows, views};

/// What an analysis makes of records.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Brief {
    /// The data. IDs, titles and the like are hostile text as it came.
    pub data: Map<String, Value>,
    /// Why it decides nothing; bounded, safe to print, empty where it does.
    pub undecided: Vec<String>,
    /// What nobody could check; safe to print.
    pub not_proven: Vec<String>,
    /// In one line; safe to print.
    pub summary: String,
    /// What stands out, a line each; may hold hostile text.
    pub details: Vec<String>,
    /// How people are shown the data.
    pub views: Vec<View>,
}

/// The first of so many lines, and how many there are besides, such as `and 3 more metrics`.
pub(crate) fn first(lines: impl ExactSizeIterator<Item = String>, most: usize, what: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(most);
    let rest = (more > 0).then(|| format!("and {more} more{what}"));
    lines.take(most).chain(rest).collect()
}

impl Brief {
    /// Adds a member to the data.
    ///
    /// # Errors
    /// It is no JSON, in words.
    pub(crate) fn put(&mut self, name: &str, value: impl Serialize) -> Result<(), String> {
        let value = serde_json::to_value(value).map_err(|error| error.to_string())?;
        self.data.insert(name.to_owned(), value);
        Ok(())
    }

    /// The brief as templates and files see it: the data, with `undecided`, `summary` and `views`.
    ///
    /// # Errors
    /// It is no JSON, in words.
    pub fn into_value(mut self) -> Result<Value, String> {
        let (undecided, summary, views) = (
            std::mem::take(&mut self.undecided),
            std::mem::take(&mut self.summary),
            std::mem::take(&mut self.views),
        );
        self.put("undecided", undecided)?;
        self.put("summary", summary)?;
        self.put("views", views)?;
        Ok(Value::Object(self.data))
    }
}
