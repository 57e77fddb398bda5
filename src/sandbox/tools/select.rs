//! A list of records that fit filters: the one way in which the sandbox's own tools answer.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use schemars::JsonSchema;
use serde::Serialize;

use crate::sandbox::refusal::{Failure, Refusal};

/// Most items of one answer.
pub(super) const MOST: usize = 20_000;

/// Items that fit.
#[derive(Serialize, JsonSchema)]
pub(super) struct Items<T> {
    pub items: Vec<T>,
    /// False where more fit than an answer holds.
    pub complete: bool,
}

/// Most items of one page.
const PAGE: usize = 1000;

/// A page of the items that fit.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    items: Vec<T>,
    /// False where more fit than have been given so far.
    complete: bool,
    /// For `cursor` in the same call again, which gives the items behind these.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A query for the records of one tenant. Only filters that are given stand in it, so that each finds its index.
pub(super) struct Select {
    sql: String,
    values: Vec<Value>,
}

impl Select {
    /// Records of the tenant, from `SELECT … FROM …`.
    pub fn of(select: &str, tenant: &str) -> Self {
        Self { sql: format!("{select} WHERE tenant_id = ?1"), values: vec![tenant.to_owned().into()] }
    }

    /// Those for which the condition holds; each `@` in it is the value, and `?1` the tenant.
    pub fn and(mut self, condition: &str, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let place = format!("?{}", self.values.len());
        self.sql.push_str(&format!(" AND ({})", condition.replace('@', &place)));
        self
    }

    /// The same, if there is a value.
    pub fn and_if<V: Into<Value>>(self, condition: &str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.and(condition, value),
            None => self,
        }
    }

    /// Those for which it holds, where `wanted` is true, or does not, where it is false.
    pub fn and_whether(mut self, condition: &str, wanted: Option<bool>) -> Self {
        match wanted {
            Some(true) => self.sql.push_str(&format!(" AND ({condition})")),
            Some(false) => self.sql.push_str(&format!(" AND NOT ({condition})")),
            None => {}
        }
        self
    }

    /// Those of which the text in one of the columns, a date or an instant, lies between the two; a date as `to` takes
    /// in that day.
    pub fn between(mut self, columns: &[&str], from: Option<&str>, to: Option<&str>) -> Self {
        if from.is_none() && to.is_none() {
            return self;
        }
        self.values.push(from.unwrap_or_default().to_owned().into());
        self.values.push(end(to).into());
        let (from, to) = (self.values.len() - 1, self.values.len());
        let each: Vec<String> =
            columns.iter().map(|column| format!("{column} BETWEEN ?{from} AND ?{to}")).collect();
        self.sql.push_str(&format!(" AND ({})", each.join(" OR ")));
        self
    }

    /// Those with one of these IDs.
    pub fn among(self, ids: Option<&Vec<String>>) -> Self {
        self.and_if("id IN (SELECT value FROM json_each(@))", ids.map(|ids| list(ids)))
    }

    /// The records in this order, those of the page that the cursor names; the first without one.
    pub fn page<T>(
        mut self,
        connection: &Connection,
        order: &str,
        cursor: Option<&str>,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Page<T>, Failure> {
        let unknown = || Refusal::argument("/cursor", "no answer has given this cursor");
        let skipped: u32 = cursor.map_or(Ok(0), str::parse).map_err(|_| unknown())?;
        self.values.push(skipped.into());
        let (sql, place) = (&self.sql, self.values.len());
        let sql = format!("{sql} ORDER BY {order} LIMIT {} OFFSET ?{place}", PAGE + 1);
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(self.values), read)?;
        let mut items: Vec<T> = rows.collect::<Result<_, _>>()?;
        let complete = items.len() <= PAGE;
        items.truncate(PAGE);
        let next = usize::try_from(skipped).unwrap_or(usize::MAX).saturating_add(PAGE);
        Ok(Page { items, complete, next_cursor: (!complete).then(|| next.to_string()) })
    }

    /// The records in this order, as many as an answer holds.
    pub fn items<T>(
        self,
        connection: &Connection,
        order: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Items<T>> {
        let Self { sql, values } = self;
        let mut statement =
            connection.prepare_cached(&format!("{sql} ORDER BY {order} LIMIT {}", MOST + 1))?;
        let rows = statement.query_map(params_from_iter(values), read)?;
        let mut items: Vec<T> = rows.collect::<Result<_, _>>()?;
        let complete = items.len() <= MOST;
        items.truncate(MOST);
        Ok(Items { items, complete })
    }
}

/// The texts as one value that `json_each` takes apart.
pub(super) fn list(texts: &[String]) -> Value {
    serde_json::Value::from(texts.to_vec()).to_string().into()
}

/// What comes after every instant of that day; `~` comes after the `T` that divides date and time.
fn end(to: Option<&str>) -> String {
    match to {
        Some(date) if date.len() == "2026-11-20".len() => format!("{date}~"),
        Some(instant) => instant.to_owned(),
        None => "~".to_owned(),
    }
}

/// A whole number as one, another as it is.
pub(super) fn number(value: f64) -> serde_json::Number {
    #[expect(clippy::cast_possible_truncation, reason = "only what is whole and small is cast")]
    let whole = (value.fract() == 0.0 && value.abs() < 1e15).then(|| (value as i64).into());
    whole.or_else(|| serde_json::Number::from_f64(value)).unwrap_or_else(|| 0.into())
}
