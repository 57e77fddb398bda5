//! Trying a planned write out: only where a dry run is allowed, told by its switch, and confirmed by the
//! answer. Anything else is not called, or ends the run.

use serde_json::Value;

use super::arguments::read_tool;
use super::channel::{Channel, Letter, in_words};
use super::event::{Event, Events};
use super::plan::Write;
use super::read::conclusion;
use super::result::{CallFact, Conclusion};
use super::run::RunOptions;
use crate::artifact::v1::Slot;
use crate::artifact::{Filling, fill};
use crate::catalog::{Created, Operation, Profile, confirms_dry_run, created_ids};
use crate::core::call::{Refusal, RefusalKind};
use crate::core::text::visible;
use crate::core::{Outcome, ToolAnswer};

/// What the server said of a planned write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub validated: bool,
    pub why: String,
}

/// Tries a write out on `way`, or says why there is none.
///
/// # Errors
/// The server refuses the payload, does not answer, or nobody can be sure that it was a dry run.
pub(super) async fn dry_run(
    way: Result<Channel<'_>, String>,
    write: &Write<'_>,
    options: &RunOptions,
    events: &dyn Events,
    calls: &mut Vec<CallFact>,
) -> Result<Verdict, Conclusion> {
    let can = possible(write).and_then(|what| Ok((what, way?)));
    let verdict = match can {
        Err(why) => Verdict { validated: false, why: format!("not tried out: {why}") },
        Ok(((operation, created), channel)) => {
            attempt(channel, write, operation, created, options, calls).await?
        }
    };
    events.emit(&Event::DryRun {
        operation: write.id.clone(),
        validated: verdict.validated,
        why: verdict.why.clone(),
    });
    Ok(verdict)
}

/// What a dry run needs, or why there is none.
pub(super) fn possible<'a>(write: &Write<'a>) -> Result<(&'a Operation, &'a Created), String> {
    let operation = write.operation.ok_or("no profile describes the tool")?;
    if operation.control.dry_run.is_none() {
        return Err("the profile names no dry run for the tool".to_owned());
    }
    if operation.dry_run_confirmed.is_empty() {
        return Err("the profile does not say how an answer confirms a dry run".to_owned());
    }
    if write.slots.iter().any(|slot| matches!(slot, Slot::Secret { .. })) {
        return Err("a secret goes with it, which only `apply` has".to_owned());
    }
    let created = operation.created.as_ref().ok_or("the profile does not say where created IDs stand")?;
    Ok((operation, created))
}

async fn attempt(
    channel: Channel<'_>,
    write: &Write<'_>,
    operation: &Operation,
    created: &Created,
    options: &RunOptions,
    calls: &mut Vec<CallFact>,
) -> Result<Verdict, Conclusion> {
    let invalid = |problem: String| Conclusion::Invalid(format!("step `{}`: {problem}", write.id));
    let arguments = fill(&write.id, &write.arguments, &write.slots, &write.key, Filling::Dry)
        .map_err(|error| invalid(error.to_string()))?;
    let letter = Letter {
        step: &write.id,
        tool: &write.tool.name,
        arguments: &arguments,
        operation: Some(operation),
        deadline: options.limits.call,
    };
    let (outcome, fact) = channel.send(letter).await.map_err(invalid)?;
    calls.push(fact);
    match outcome {
        Outcome::Applied(answer) if !confirms_dry_run(operation, &answer) => {
            Err(unconfirmed(write, "the answer to the dry run does not say that it was one"))
        }
        Outcome::Applied(answer) => {
            nothing_was_created(channel, write, created, &answer, options, calls).await?;
            Ok(Verdict { validated: true, why: "the server confirmed a dry run".to_owned() })
        }
        Outcome::NotApplied(Refusal { kind: RefusalKind::SignIn, message }) => Ok(Verdict {
            validated: false,
            why: format!("not tried out: the credential may not: {}", visible(&message)),
        }),
        // What the payload refers to is not there: the payload is refused.
        Outcome::NotApplied(Refusal { kind: RefusalKind::NothingVisible, message }) => {
            Err(Conclusion::Refused(format!("`{}`: {message}", write.tool.name)))
        }
        refused @ Outcome::NotApplied(_) => Err(conclusion(refused, &write.tool.name)),
        Outcome::Unknown(doubt) if doubt.kind == crate::core::call::DoubtKind::NeedsInput => {
            Err(conclusion(Outcome::Unknown(doubt), &write.tool.name))
        }
        Outcome::Unknown(doubt) => {
            Err(unconfirmed(write, &format!("the dry run has no usable answer: {}", visible(&doubt.message))))
        }
    }
}

/// IDs in the answer to a dry run are looked up: a record that exists was created.
async fn nothing_was_created(
    channel: Channel<'_>,
    write: &Write<'_>,
    created: &Created,
    answer: &ToolAnswer,
    options: &RunOptions,
    calls: &mut Vec<CallFact>,
) -> Result<(), Conclusion> {
    let named = created_ids(created, answer).map_err(|what| {
        unconfirmed(write, &format!("the answer to the dry run has no created ID where one belongs: {what}"))
    })?;
    let ids: Vec<String> = named.into_values().flatten().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let named = ids.iter().take(5).map(|id| format!("`{}`", visible(id))).collect::<Vec<_>>().join(", ");
    let doubt = |why: &str| {
        unconfirmed(write, &format!("the answer to the dry run names created IDs ({named}), {why}"))
    };
    let (operation, lookup) = lookup_of(channel.caller.profile, created)
        .ok_or_else(|| doubt("and the profile has no way to look them up"))?;
    let given = [(lookup.argument.clone(), Value::from(ids.clone()))].into_iter().collect();
    let arguments = operation.tool_arguments(&given).map_err(|problems| {
        doubt(&problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let arguments = channel.caller.settled(arguments).map_err(|problem| doubt(&problem))?;
    read_tool(channel.tools, &operation.tool, &arguments)
        .map_err(|problem| doubt(&format!("and they cannot be looked up: {problem}")))?;
    let letter = Letter {
        step: &write.id,
        tool: &operation.tool,
        arguments: &arguments,
        operation: Some(operation),
        deadline: options.limits.call,
    };
    let (outcome, fact) = channel.send(letter).await.map_err(|problem| doubt(&problem))?;
    calls.push(fact);
    match outcome {
        Outcome::Applied(answer) => {
            let reading = channel.caller.profile.read_answer(operation, &arguments, &answer);
            match reading.value.get(&lookup.found).and_then(Value::as_array) {
                Some(found) if found.is_empty() && reading.unknown.is_empty() => Ok(()),
                Some(found) if !found.is_empty() => Err(doubt("and they exist")),
                _ => Err(doubt("and the look-up gives no list")),
            }
        }
        other => Err(doubt(&format!("and looking them up failed: {}", visible(&in_words(&other))))),
    }
}

fn lookup_of<'p>(
    profile: &'p Profile,
    created: &'p Created,
) -> Option<(&'p Operation, &'p crate::catalog::Lookup)> {
    let lookup = created.lookup.as_ref()?;
    Some((profile.operation(&lookup.operation)?, lookup))
}

fn unconfirmed(write: &Write<'_>, why: &str) -> Conclusion {
    Conclusion::Unconfirmed(format!(
        "step `{}`: {why}; `{}` may have written something, so there is no artifact",
        write.id, write.tool.name
    ))
}
