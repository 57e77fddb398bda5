//! The pages of one answer, put together. A server that never ends, or repeats itself, has given no answer.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::core::text::excerpt;
use crate::core::{Pages, ToolAnswer};

/// Pages of one answer at the most.
const MOST_PAGES: usize = 1000;
/// Items of one answer at the most.
const MOST_ITEMS: usize = 200_000;

/// What the pages so far have given.
pub(super) struct Gathered<'a> {
    pages: &'a Pages,
    taken: usize,
    cursors: BTreeSet<String>,
    items: Vec<Value>,
    last: Value,
}

impl<'a> Gathered<'a> {
    pub fn new(pages: &'a Pages) -> Self {
        Self { pages, taken: 0, cursors: BTreeSet::new(), items: Vec::new(), last: Value::Null }
    }

    /// Takes in a page. The cursor of the next one; none where it is the last.
    ///
    /// # Errors
    /// It is no page, or the pages do not end, in words.
    pub fn take(&mut self, answer: &ToolAnswer) -> Result<Option<Value>, String> {
        self.taken += 1;
        let Pages { next, items, .. } = self.pages;
        let mut content = answer.content().ok_or_else(|| self.wrong("is no JSON object"))?.into_owned();
        let list = items.get_mut(&mut content).and_then(Value::as_array_mut).map(std::mem::take);
        self.items.extend(list.ok_or_else(|| self.wrong(&format!("has no list at `{items}`")))?);
        let cursor = match next.get(&content) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(cursor @ (Value::String(_) | Value::Number(_))) => Some(cursor.clone()),
            Some(_) => return Err(self.wrong(&format!("has no cursor at `{next}`"))),
        };
        self.last = content;
        if let Some(cursor) = &cursor {
            if !self.cursors.insert(cursor.to_string()) {
                let shown = excerpt(&cursor.to_string(), 80);
                return Err(
                    self.wrong(&format!("leads back to one before: it names the cursor {shown} again"))
                );
            }
            if self.taken >= MOST_PAGES || self.items.len() >= MOST_ITEMS {
                return Err(self.wrong(&format!(
                    "is not the last, and {} items are more than is taken in; narrow what is asked for",
                    self.items.len()
                )));
            }
        }
        Ok(cursor)
    }

    /// The last page with the items of all.
    ///
    /// # Errors
    /// There is no place for them, in words.
    pub fn whole(mut self) -> Result<ToolAnswer, String> {
        let Some(place) = self.pages.items.get_mut(&mut self.last) else {
            return Err(self.wrong("has no place for the list"));
        };
        *place = Value::Array(self.items);
        Ok(ToolAnswer { structured: Some(self.last), text: Vec::new() })
    }

    fn wrong(&self, what: &str) -> String {
        format!("page {} of the answer {what}", self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pages() -> Pages {
        let at = |text: &str| text.parse().unwrap();
        Pages { cursor: at("/cursor"), next: at("/next"), items: at("/found/items") }
    }

    fn page(items: Value, next: Value) -> ToolAnswer {
        let content = json!({"found": {"items": items}, "next": next, "complete": next.is_null()});
        ToolAnswer { structured: Some(content), text: vec!["for people".to_owned()] }
    }

    #[test]
    fn the_items_of_all_pages_stand_in_the_last_one() {
        let pages = pages();
        let mut gathered = Gathered::new(&pages);
        assert_eq!(gathered.take(&page(json!([1, 2]), json!("b"))), Ok(Some(json!("b"))));
        assert_eq!(gathered.take(&page(json!([]), json!(7))), Ok(Some(json!(7))));
        assert_eq!(gathered.take(&page(json!([3]), Value::Null)), Ok(None));
        let whole = gathered.whole().unwrap();
        let expected = json!({"found": {"items": [1, 2, 3]}, "next": null, "complete": true});
        assert_eq!((whole.structured, whole.text.len()), (Some(expected), 0));
    }

    #[test]
    fn a_repeated_cursor_and_what_is_no_page_are_no_answer() {
        let pages = pages();
        let mut gathered = Gathered::new(&pages);
        gathered.take(&page(json!([1]), json!("b"))).unwrap();
        let error = gathered.take(&page(json!([2]), json!("b"))).unwrap_err();
        assert_eq!(error, "page 2 of the answer leads back to one before: it names the cursor \"b\" again");
        for wrong in [page(json!("x"), Value::Null), page(json!([]), json!({})), ToolAnswer::default()] {
            assert!(Gathered::new(&pages).take(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn pages_that_do_not_end_are_no_answer() {
        let pages = pages();
        let mut gathered = Gathered::new(&pages);
        let taken = (0..).map_while(|number| gathered.take(&page(json!([1]), json!(number))).ok()).count();
        assert_eq!(taken, MOST_PAGES - 1);
        let many: Vec<Value> = vec![Value::Null; MOST_ITEMS];
        let error = Gathered::new(&pages).take(&page(many.into(), json!("b"))).unwrap_err();
        assert!(error.contains("200000 items"), "{error}");
    }
}
