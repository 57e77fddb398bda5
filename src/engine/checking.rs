//! The reads of `apply`: whether the plan is stale, whether an operation took place, what it created.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::applied::{ApplyEnd, Stopped};
use super::apply::{Course, note};
use super::arguments::read_tool;
use super::arrival::Silent;
use super::channel::Channel;
use super::journal::Journal;
use super::read::{ReadCall, ReadEnd, read};
use super::result::CallFact;
use super::terms::Termed;
use crate::artifact::v1::{Expectation, Operation, Precondition};
use crate::core::difference::{Difference, differences};
use crate::core::json::same;
use crate::core::projection::{Verbatim, project_fields};
use crate::core::text::{excerpt, visible};
use crate::core::{Pages, Pointer, ToolAnswer};
use crate::ledger::v1::{Call, Moved, Settlement};
use crate::ledger::{Fact, Status};
use crate::recipe::Retry;

/// The most differences that are told; whoever has more has enough to begin with.
const MOST: usize = 50;

impl Course<'_> {
    /// Makes the plan's reads again, and compares what they give.
    pub(super) async fn compare(&mut self, journal: &mut Journal<'_>) -> Result<(), ApplyEnd> {
        let reads = &self.apply.artifact.document().preconditions;
        let (mut calls, mut differences) = (Vec::new(), Vec::new());
        if !reads.is_empty() {
            self.arrived(journal).await?;
        }
        for precondition in reads {
            let Precondition { step, tool, arguments, pages, .. } = precondition;
            let (end, mut made) = self.ask(step, tool, arguments, pages.as_ref()).await?;
            calls.append(&mut made);
            match end {
                ReadEnd::Answered(answer) => differences.extend(moved(precondition, &answer)),
                ReadEnd::NothingVisible(message) => differences.push(Moved {
                    step: step.clone(),
                    at: String::new(),
                    planned: Value::Object(precondition.values.clone()),
                    now: Value::Null,
                    why: excerpt(&message, 200),
                }),
                ReadEnd::Ends(conclusion) => return Err(conclusion.into()),
            }
        }
        differences.truncate(MOST);
        note(journal, Fact::Compared { calls, differences })
    }

    /// Makes the read that says whether an operation took place, and settles it if it did.
    pub(super) async fn look(
        &mut self,
        journal: &mut Journal<'_>,
        termed: &Termed<'_>,
        operation: &Operation,
    ) -> Result<(), ApplyEnd> {
        let Some(reconcile) = &operation.reconcile else {
            return Err(ApplyEnd::Invalid("an operation without a read is to be looked for".to_owned()));
        };
        self.arrived(journal).await?;
        let (end, calls) = self.ask(&operation.id, &reconcile.tool, &reconcile.arguments, None).await?;
        let (found, why) = match end {
            ReadEnd::Answered(answer) => match says_so(&reconcile.found, &answer) {
                true => (Some(true), "the read finds it".to_owned()),
                false => (Some(false), "the read does not find it".to_owned()),
            },
            ReadEnd::NothingVisible(message) => (Some(false), excerpt(&message, 500)),
            ReadEnd::Ends(conclusion) => (None, excerpt(&conclusion.message(), 500)),
        };
        let Some(call) = calls.into_iter().next_back() else {
            return Err(ApplyEnd::Invalid(why));
        };
        let key = termed.terms.key.clone();
        note(journal, Fact::Looked { key: key.clone(), call, found, why })?;
        if found == Some(true) {
            note(journal, Fact::Settled { key, by: Settlement::Read {} })?;
        }
        Ok(())
    }

    /// Reads what an operation created, and compares it with the plan.
    pub(super) async fn read_back(
        &mut self,
        journal: &mut Journal<'_>,
        termed: &Termed<'_>,
        operation: &Operation,
    ) -> Result<(), ApplyEnd> {
        let key = &termed.terms.key;
        let Status::Applied { created, .. } = journal.state().status(key) else {
            return Err(ApplyEnd::Invalid("what did not take place is to be read back".to_owned()));
        };
        let unnamed = journal.state().operations.get(key).and_then(|known| known.unnamed());
        self.arrived(journal).await?;
        let ids: Vec<String> = created.values().flatten().cloned().collect();
        let (call, mut differences, unread) = match self.found(operation, &ids).await {
            Ok((items, Some(call))) => (call, compared(operation, &created, &items), None),
            Ok((_, None)) => return Err(ApplyEnd::Invalid("a read was not made".to_owned())),
            Err(why) => {
                let lookup = operation.created.as_ref().and_then(|created| created.lookup.as_ref());
                let tool = lookup.map(|lookup| lookup.tool.clone()).unwrap_or_default();
                let payload = super::channel::payload(&Map::new());
                (Call { tool, request_id: String::new(), payload }, Vec::new(), Some(why))
            }
        };
        differences.extend(unnamed);
        if self.stopped_by().is_some() && unread.is_some() {
            return Ok(());
        }
        note(journal, Fact::ReadBack { key: key.clone(), call, differences, unread })
    }

    /// The records of those IDs, as the artifact says that they are found.
    ///
    /// # Errors
    /// They cannot be looked up, in words.
    pub(super) async fn found(
        &self,
        operation: &Operation,
        ids: &[String],
    ) -> Result<(Vec<Value>, Option<Call>), String> {
        let created = operation.created.as_ref();
        let lookup = created.and_then(|created| created.lookup.as_ref()).ok_or("nobody says how")?;
        if ids.is_empty() {
            return Err("no ID is known".to_owned());
        }
        let mut arguments = lookup.arguments.clone();
        lookup.ids_at.set(&mut arguments, Value::from(ids.to_vec())).map_err(|error| error.to_string())?;
        let asked = self.ask(&operation.id, &lookup.tool, &arguments, None).await;
        let (end, mut calls) = asked.map_err(|end| end.message())?;
        match end {
            ReadEnd::Answered(answer) => {
                let content = answer.content().unwrap_or_default();
                let mut missing = Vec::new();
                let records = lookup.found.project(&content, &Verbatim, &mut missing);
                match records {
                    Value::Array(items) if missing.is_empty() => Ok((items, calls.pop())),
                    _ => Err("the look-up gives no list of records".to_owned()),
                }
            }
            ReadEnd::NothingVisible(message) => Err(excerpt(&message, 500)),
            ReadEnd::Ends(conclusion) => Err(excerpt(&conclusion.message(), 500)),
        }
    }

    /// Makes a read; a signal ends it at once.
    async fn ask(
        &self,
        step: &str,
        tool: &str,
        arguments: &Map<String, Value>,
        pages: Option<&Pages>,
    ) -> Result<(ReadEnd, Vec<Call>), ApplyEnd> {
        let Some(arrival) = &self.arrival else {
            return Err(ApplyEnd::Unreachable("there is no connection".to_owned()));
        };
        read_tool(&arrival.tools, tool, arguments).map_err(ApplyEnd::Invalid)?;
        let caller = self.caller();
        let channel =
            Channel { session: &arrival.session, caller: &caller, tools: &arrival.tools, events: &Silent };
        let call = ReadCall {
            step: step.to_owned(),
            tool: tool.to_owned(),
            arguments: arguments.clone(),
            operation: None,
            pages,
            deadline: self.apply.options.limits.call,
            retry: Retry::default(),
        };
        let (end, facts) = tokio::select! {
            biased;
            signal = self.told.clone() => return Err(ApplyEnd::Stopped(Stopped::Interrupted(signal))),
            made = read(channel, &call) => made,
        };
        let calls = facts.into_iter().map(|CallFact { tool, request_id, payload, .. }| Call {
            tool,
            request_id,
            payload,
        });
        Ok((end, calls.collect()))
    }
}

/// Whether an answer has all that is expected of it; one that is only text has that as `text`.
pub(super) fn says_so(expected: &[Expectation], answer: &ToolAnswer) -> bool {
    let content = answer.content().unwrap_or_else(|| Cow::Owned(answer.plain()));
    expected
        .iter()
        .all(|expected| expected.at.get(&content).is_some_and(|value| same(value, &expected.equals)))
}

/// Where the answer to a precondition's read is another than when it was planned.
fn moved(Precondition { step, fields, values, .. }: &Precondition, answer: &ToolAnswer) -> Vec<Moved> {
    let now = if fields.is_empty() {
        match answer.plain() {
            Value::Object(plain) => plain,
            other => Map::from_iter([(String::new(), other)]),
        }
    } else {
        let content = answer.content().unwrap_or(Cow::Owned(Value::Null));
        project_fields(fields, &content, &Verbatim, &mut Vec::new())
    };
    let planned = Value::Object(values.clone());
    differences(&planned, &Value::Object(now), MOST)
        .into_iter()
        .map(|Difference { at, one, other }| Moved {
            step: step.clone(),
            at,
            planned: one.unwrap_or_default(),
            now: other.unwrap_or_default(),
            why: "read again".into(),
        })
        .collect()
}

/// Where the records that were found differ from what was planned.
fn compared(operation: &Operation, created: &BTreeMap<String, Vec<String>>, items: &[Value]) -> Vec<String> {
    let id_of = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_owned);
    let mut by_id: BTreeMap<String, &Value> = BTreeMap::new();
    for item in items {
        by_id.extend(id_of(item).map(|id| (id, item)));
    }
    let mut found = Vec::new();
    for (name, ids) in created {
        for id in ids.iter().filter(|id| !by_id.contains_key(*id)) {
            found.push(format!("`{}` is not there: {}", visible(id), visible(name)));
        }
    }
    let lookup = operation.created.as_ref().and_then(|created| created.lookup.as_ref());
    let arguments = Value::Object(operation.arguments.clone());
    for (name, fields) in lookup.iter().flat_map(|lookup| &lookup.compare) {
        let ids = created.get(name).map(Vec::as_slice).unwrap_or_default();
        for (field, at) in fields {
            let planned = at_every(&arguments, at);
            let there: Vec<Value> = ids
                .iter()
                .filter_map(|id| Some(by_id.get(id)?.get(field).cloned().unwrap_or_default()))
                .collect();
            if sorted(&planned) != sorted(&there) {
                found.push(format!(
                    "{} `{}`: planned {}, there are {}",
                    visible(name),
                    visible(field),
                    excerpt(&Value::Array(planned).to_string(), 300),
                    excerpt(&Value::Array(there).to_string(), 300)
                ));
            }
        }
    }
    found
}

fn sorted(values: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> = values.iter().map(Value::to_string).collect();
    texts.sort();
    texts
}

/// The values at a pointer whose `*` stands for every item of a list; what is not there is left out.
fn at_every(value: &Value, at: &str) -> Vec<Value> {
    let Ok(pointer) = at.parse::<Pointer>() else { return Vec::new() };
    let mut here = vec![value];
    for token in pointer.tokens() {
        here = here
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(items) if token == "*" => items.iter().collect(),
                Value::Array(items) => {
                    token.parse().ok().and_then(|index: usize| items.get(index)).into_iter().collect()
                }
                Value::Object(members) => members.get(&token).into_iter().collect(),
                _ => Vec::new(),
            })
            .collect();
    }
    here.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::sample;
    use serde_json::json;

    fn package() -> Operation {
        let mut operation = sample::artifact().operations()[0].clone();
        let lookup = operation.created.as_mut().unwrap().lookup.as_mut().unwrap();
        lookup.compare = serde_json::from_value(json!({
            "parent": {"title": "/parent/title"}, "children": {"title": "/children/*/title"}
        }))
        .unwrap();
        operation.arguments["children"] = json!([{"title": "a"}, {"title": "b"}]);
        operation
    }

    fn created(children: &[&str]) -> BTreeMap<String, Vec<String>> {
        let children = children.iter().map(|id| (*id).to_owned()).collect();
        BTreeMap::from([("parent".into(), vec!["S-1".into()]), ("children".into(), children)])
    }

    #[test]
    fn a_read_finds_what_stands_in_structured_content_or_else_in_text() {
        let text = |text: &str| ToolAnswer { structured: None, text: vec![text.to_owned()] };
        let expected = |at: &str, equals: Value| vec![Expectation { at: at.parse().unwrap(), equals }];
        let staged = expected("/text", json!("nothing is staged\n"));
        assert!(says_so(&staged, &text("nothing is staged\n")));
        for other in ["nothing is staged", "", r#"{"a": 1}"#] {
            assert!(!says_so(&staged, &text(other)), "{other}");
        }
        let release = expected("/release", json!("1.4.2"));
        assert!(says_so(&release, &text(r#"{"release": "1.4.2"}"#)));
        let structured = |value| ToolAnswer { structured: Some(value), ..text("nothing is staged\n") };
        assert!(says_so(&release, &structured(json!({"release": "1.4.2"}))));
        assert!(!says_so(&staged, &structured(json!({"release": "1.4.2"}))), "text beside it is for people");
        assert!(!says_so(&expected("", Value::Null), &text("an answer")), "an answer is not nothing");
    }

    fn item(id: &str, title: &str) -> Value {
        json!({"id": id, "title": title})
    }

    #[test]
    fn what_is_there_is_compared_with_what_was_planned() {
        let (operation, named) = (package(), created(&["T-1", "T-2"]));
        let parent = item("S-1", "Unblock REL-BLOCKED");
        let all = [parent.clone(), item("T-2", "b"), item("T-1", "a")];
        assert_eq!(compared(&operation, &named, &all), Vec::<String>::new());
        for (what, items) in [
            ("a missing record", vec![parent.clone(), item("T-1", "a")]),
            ("another title", vec![parent.clone(), item("T-1", "a"), item("T-2", "c")]),
            ("another parent", vec![item("S-1", "x"), item("T-1", "a"), item("T-2", "b")]),
            ("no title", vec![parent.clone(), item("T-1", "a"), json!({"id": "T-2"})]),
        ] {
            assert_ne!(compared(&operation, &named, &items), Vec::<String>::new(), "{what}");
        }
        let fewer = compared(&operation, &created(&["T-1"]), &[parent, item("T-1", "a")]);
        assert_eq!(fewer.len(), 1, "{fewer:?}");
    }

    #[test]
    fn what_moved_is_told_by_its_smallest_place() {
        let artifact = sample::artifact();
        let reads = &artifact.document().preconditions;
        let read = reads.iter().find(|read| read.fields.contains_key("nodes")).unwrap();
        let answer = |state: &str| ToolAnswer {
            structured: Some(json!({"graph": {"nodes": [{"id": "NODE-7", "status": state}]}})),
            text: Vec::new(),
        };
        assert_eq!(moved(read, &answer("open")), []);
        let found = moved(read, &answer("closed"));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].at.as_str(), &found[0].now), ("/nodes/0/state", &json!("closed")));
        assert!(!moved(read, &ToolAnswer::default()).is_empty());
    }
}
