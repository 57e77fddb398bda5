//! Reads that do not need each other, at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use super::arguments::{offered, readable};
use super::channel::Channel;
use super::ended::Ended;
use super::given::{Kept, ReadRecord};
use super::read::{ReadCall, ReadEnd, read};
use super::result::{CallFact, Conclusion, StepStatus, TenantKnownBy};
use super::run::RunOptions;
use super::steps::Steps;
use super::target::Caller;
use crate::core::text::visible;
use crate::recipe::{Kind, Step};

impl Steps<'_> {
    /// Makes the reads of `batch`; none of them uses another.
    pub(super) async fn reads(
        &mut self,
        batch: Range<usize>,
        channel: Channel<'_>,
        options: &RunOptions,
    ) -> Result<(), Conclusion> {
        let mut ready = Vec::new();
        for index in batch {
            let Some(step) = self.recipe.steps.get(index) else { continue };
            let Kind::Read(wanted) = &step.kind else { continue };
            self.announce(step, channel.events);
            let scope = self.given.scope(&step.scope);
            let operation = channel.caller.profile.operation(&wanted.operation);
            let prepared = match self.held_back(step) {
                Some(ended) => Err(ended),
                None => match &wanted.optional {
                    Some(unproven) if !offered(operation, &wanted.operation, channel.tools) => {
                        Err(StepStatus::Unavailable(unproven.clone()).into())
                    }
                    _ => readable(
                        step,
                        &wanted.operation,
                        operation,
                        &wanted.arguments,
                        &scope,
                        channel.caller,
                        channel.tools,
                    ),
                },
            };
            match prepared {
                Ok((tool, arguments)) => ready.push((
                    index,
                    ReadCall {
                        step: step.id.to_string(),
                        tool: tool.name.clone(),
                        arguments,
                        operation,
                        pages: operation.and_then(|operation| operation.pages.as_ref()),
                        deadline: wanted.timeout.unwrap_or(options.limits.call),
                        retry: wanted.retry,
                    },
                )),
                Err(ended) => self.end(index, ended, Duration::ZERO, channel.events)?,
            }
        }
        let mut answers: Vec<_> = stream::iter(ready)
            .map(|(index, call)| async move {
                let begun = Instant::now();
                let (end, calls) = read(channel, &call).await;
                (index, call, end, calls, begun.elapsed())
            })
            .buffer_unordered(options.concurrency.max(1))
            .collect()
            .await;
        answers.sort_by_key(|(index, ..)| *index);
        for (index, call, end, calls, took) in answers {
            let ended = self.take(index, call, end, calls, channel.caller);
            self.end(index, ended, took, channel.events)?;
        }
        Ok(())
    }

    /// Takes in what a read came to.
    fn take(
        &mut self,
        index: usize,
        call: ReadCall<'_>,
        end: ReadEnd,
        calls: Vec<CallFact>,
        caller: &Caller<'_>,
    ) -> Ended {
        let Some((step, result)) = self.recipe.steps.get(index).zip(self.results.get_mut(index)) else {
            return StepStatus::NotRun.into();
        };
        result.calls = calls;
        match end {
            ReadEnd::Ends(conclusion) => conclusion.into(),
            ReadEnd::NothingVisible(message) => StepStatus::Undecided(vec![format!(
                "nothing is visible to this caller: `{}` says `{}`",
                call.tool,
                visible(&message)
            )])
            .into(),
            ReadEnd::Answered(answer) => {
                let (value, unknown) = match call.operation {
                    Some(operation) => {
                        let reading = caller.profile.read_answer(operation, &call.arguments, &answer);
                        (reading.value, reading.unknown)
                    }
                    None => (answer.plain(), BTreeMap::new()),
                };
                result.notes.extend(unknown.values().flatten().cloned());
                if is_empty(&value) {
                    result.notes.push(nothing_there(caller.tenant, self.known_by));
                }
                let operation = match &step.kind {
                    Kind::Read(wanted) => call.operation.map(|_| wanted.operation.clone()),
                    _ => None,
                };
                let record = ReadRecord { tool: call.tool, operation, arguments: call.arguments, answer };
                self.given.keep(&step.id, Kept { value: value.into(), unknown, read: Some(record) });
                StepStatus::Done.into()
            }
        }
    }
}

/// Whether an answer has lists, and nothing in them.
fn is_empty(value: &Value) -> bool {
    let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(members) => {
            let mut lists = members.values().filter(|value| value.is_array()).peekable();
            lists.peek().is_some() && lists.all(empty)
        }
        other => empty(other),
    }
}

/// What an empty answer means, which is another thing than the refusal of what is not visible: it depends on whether
/// anybody but the caller says for which tenant it is.
fn nothing_there(tenant: Option<&str>, known_by: TenantKnownBy) -> String {
    let tenant = visible(tenant.unwrap_or_default());
    match known_by {
        TenantKnownBy::Tool => {
            format!("nothing is there that this caller may see: the server answers for the tenant `{tenant}`")
        }
        TenantKnownBy::Claim => {
            format!("nothing is there that this caller may see: the credential is for the tenant `{tenant}`")
        }
        TenantKnownBy::Asserted => format!(
            "nothing is there, or nothing is visible to this caller: for the tenant `{tenant}` stands the caller's word \
             alone"
        ),
        TenantKnownBy::None => {
            "nothing is there, or nothing is visible to this caller: nobody says for which tenant".to_owned()
        }
    }
}

/// The end of the run of reads from `start` that do not use each other.
pub(super) fn independent_reads(steps: &[Step], start: usize) -> usize {
    let mut end = start;
    while let Some(step) = steps.get(end) {
        let batch = steps.get(start..end).unwrap_or_default();
        let needs_batch = step.uses.iter().any(|used| batch.iter().any(|other| other.id == used.step));
        if !matches!(step.kind, Kind::Read(_)) || needs_batch {
            break;
        }
        end += 1;
    }
    end
}
