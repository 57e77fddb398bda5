//! The one place where a write leaves: its intent is durable before, its outcome after.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::applied::{ApplyEnd, Stopped};
use super::apply::{Course, note, record};
use super::arrival::Silent;
use super::channel::{Channel, Letter, payload};
use super::journal::{Committed, Journal};
use super::reach::no_token;
use super::tenant::Acting;
use super::terms::Termed;
use crate::artifact::v1::{Operation, Slot};
use crate::artifact::{Filling, filled};
use crate::catalog::{self, confirms_dry_run, created_ids};
use crate::core::call::{RefusalKind, Silence, TaskHandle};
use crate::core::id::RequestId;
use crate::core::text::{excerpt, visible};
use crate::core::{Digest, Outcome, Pointer, SecretText, Seen, ToolAnswer, ToolCall};
use crate::ledger::v1::{Call, Doubt, Result as Came};
use crate::ledger::{Fact, LedgerError};
use crate::mcp::classify;

/// How much of a task's name is recorded, in characters.
const LONGEST_TASK: usize = 500;

impl Course<'_> {
    /// Pauses, connects where there is no connection, and sees to it that the credential lasts for the call: once the
    /// intent is recorded, nothing but the call follows.
    pub(super) async fn ready(&mut self, journal: &mut Journal<'_>, pause: Duration) -> Result<(), ApplyEnd> {
        if !pause.is_zero() {
            tokio::select! {
                biased;
                _ = self.told.clone() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.arrived(journal).await?;
        let Some(arrival) = &self.arrival else { return Ok(()) };
        tokio::select! {
            biased;
            signal = self.told.clone() => return Err(ApplyEnd::Stopped(Stopped::Interrupted(signal))),
            signed_in = arrival.session.stays_signed_in(self.apply.options.limits.call) => {
                signed_in.map_err(|why| no_token(&why))?;
            }
        }
        // A token that was renewed meanwhile is for the same tenant still.
        let planned = self.apply.artifact.target().tenant.as_deref();
        Acting::by_credential(self.apply.target, planned, &arrival.session)?;
        Ok(())
    }

    /// Sends an operation, for the first time or again under its key.
    pub(super) async fn send(
        &mut self,
        journal: &mut Journal<'_>,
        termed: &Termed<'_>,
        operation: &Operation,
    ) -> Result<(), ApplyEnd> {
        let (approval_id, attempt) = self.approval_and_attempt(journal, operation)?;
        let arguments = filled(operation, Filling::Real { approval_id: &approval_id })
            .map_err(|error| ApplyEnd::Invalid(error.to_string()))?;
        let (call, request_id) =
            self.caller().address(&operation.tool, arguments).map_err(ApplyEnd::Invalid)?;
        let call = ToolCall { secrets: self.secrets(operation)?, ..call };
        let send_before = journal.send_before();
        let intent = Fact::Intent {
            key: operation.idempotency_key.clone(),
            attempt,
            approval_id,
            call: written(&call, &request_id),
            send_before,
        };
        if record(journal, intent)? == Committed::AllButTheIntent {
            return Ok(());
        }
        let clock = Instant::now();
        let unrecorded = |end: ApplyEnd, what: &str| match end {
            // Whatever the server said: it stands nowhere.
            ApplyEnd::Ledger(error) => ApplyEnd::Stopped(Stopped::Unknown {
                operations: vec![operation.id.clone()],
                why: Some(format!("its {what} cannot be recorded: {}", super::run::with_causes(&error))),
            }),
            other => other,
        };
        // Right before it is sent: whether it still may be.
        let may = send_before.map_or(Ok(()), |before| journal.ledger().may_send(before));
        let noting = |task: &TaskHandle| {
            let task = excerpt(&task.id, LONGEST_TASK);
            let accepted = Fact::Accepted { key: operation.idempotency_key.clone(), attempt, task };
            record(journal, accepted).map(|_| ()).map_err(|end| unrecorded(end, "task"))
        };
        let outcome = match may {
            Ok(()) => self.delivered(termed.known, operation, call, &request_id, noting).await?,
            // Certainly not sent, and never will be.
            Err(late @ LedgerError::Late { .. }) => classify(Seen::NeverSent(late.to_string()), None, None),
            Err(error) => return Err(ApplyEnd::Ledger(error)),
        };
        let answer = match &outcome {
            Outcome::Applied(answer) => Some(answer.clone()),
            Outcome::NotApplied(_) | Outcome::Unknown(_) => None,
        };
        let result = judged(self.caller().profile, termed.known, operation, outcome);
        let took_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = Fact::Outcome { key: operation.idempotency_key.clone(), attempt, took_ms, result };
        record(journal, outcome).map_err(|end| unrecorded(end, "outcome"))?;
        answer.iter().for_each(|answer| journal.answered(&operation.idempotency_key, answer));
        Ok(())
    }

    /// The secrets of an operation by their places in its arguments.
    fn secrets(&self, operation: &Operation) -> Result<BTreeMap<Pointer, SecretText>, ApplyEnd> {
        let known = self.arrival.as_ref().map(|arrival| &arrival.secrets);
        let mut secrets = BTreeMap::new();
        for slot in &operation.slots {
            let Slot::Secret { at, name } = slot else { continue };
            let secret = known.and_then(|known| known.get(name)).ok_or_else(|| {
                ApplyEnd::Invalid(format!("the secret `{}` is not there to be sent", visible(name)))
            })?;
            secrets.insert(at.clone(), secret.clone());
        }
        Ok(secrets)
    }

    /// The approval ID of the first attempt, or of the verdict that allows one; and which attempt this is.
    fn approval_and_attempt(
        &self,
        journal: &Journal<'_>,
        operation: &Operation,
    ) -> Result<(String, u32), ApplyEnd> {
        let state = journal.state();
        let known = state.operations.get(&operation.idempotency_key);
        let attempts = known.map(|known| known.attempts.as_slice()).unwrap_or_default();
        let decided = || {
            let (verdict, _) = state.run(journal.run())?.decided.as_ref()?;
            verdict.approval_id.clone().filter(|_| verdict.allowed)
        };
        let approval_id = attempts
            .first()
            .map(|first| first.approval_id.clone())
            .or_else(decided)
            .ok_or_else(|| ApplyEnd::Invalid("no approval's ID is there to be sent".to_owned()))?;
        let number = u32::try_from(attempts.len()).ok().and_then(|count| count.checked_add(1));
        let number = number.ok_or_else(|| ApplyEnd::Invalid("too many attempts".to_owned()))?;
        Ok((approval_id, number))
    }

    /// What came of the call; a signal leaves it its grace. `noting` is told of a task before it is waited for.
    async fn delivered(
        &self,
        known: Option<&catalog::Operation>,
        operation: &Operation,
        call: ToolCall,
        request_id: &RequestId,
        noting: impl FnOnce(&TaskHandle) -> Result<(), ApplyEnd>,
    ) -> Result<Outcome, ApplyEnd> {
        let caller = self.caller();
        let Some(arrival) = &self.arrival else {
            return Ok(classify(Seen::NeverSent("there is no connection".to_owned()), None, None));
        };
        let channel =
            Channel { session: &arrival.session, caller: &caller, tools: &arrival.tools, events: &Silent };
        let arguments = call.arguments.clone();
        let letter = Letter {
            step: &operation.id,
            tool: &operation.tool,
            arguments: &arguments,
            operation: known,
            deadline: self.apply.options.limits.call,
        };
        let grace = async {
            let _ = self.told.clone().await;
            tokio::time::sleep(self.apply.options.grace).await;
        };
        tokio::select! {
            biased;
            delivered = channel.deliver_noting(letter, call, request_id, noting) => {
                delivered.map(|(outcome, _)| outcome)
            }
            () = grace => Ok(classify(Seen::Silence(Silence::Cancelled), None, None)),
        }
    }

    /// Tries an operation out with its dry-run switch set.
    pub(super) async fn try_out(
        &mut self,
        journal: &mut Journal<'_>,
        termed: &Termed<'_>,
        operation: &Operation,
    ) -> Result<(), ApplyEnd> {
        use crate::ledger::v1::TryVerdict;
        self.arrived(journal).await?;
        let arguments =
            filled(operation, Filling::Dry).map_err(|error| ApplyEnd::Invalid(error.to_string()))?;
        let (call, request_id) =
            self.caller().address(&operation.tool, arguments).map_err(ApplyEnd::Invalid)?;
        let call = ToolCall { secrets: self.secrets(operation)?, ..call };
        let sent = written(&call, &request_id);
        let outcome = self.delivered(termed.known, operation, call, &request_id, |_| Ok(())).await?;
        let refused_by = |kind: RefusalKind| matches!(kind, RefusalKind::SignIn | RefusalKind::Tenant);
        let (verdict, why) = match outcome {
            Outcome::NotApplied(refusal) if refused_by(refusal.kind) => {
                return Err(ApplyEnd::SignIn(refusal.message));
            }
            Outcome::NotApplied(refusal) if refusal.kind == RefusalKind::NotConnected => {
                return Err(ApplyEnd::Unreachable(refusal.message));
            }
            Outcome::NotApplied(refusal) => (TryVerdict::Refused, refusal.message),
            Outcome::Unknown(doubt) => {
                (TryVerdict::Unconfirmed, format!("the dry run has no usable answer: {}", doubt.message))
            }
            Outcome::Applied(answer) => {
                let confirmed = termed.known.is_some_and(|known| confirms_dry_run(known, &answer));
                match (confirmed, named(termed.known, &answer)) {
                    (false, _) => (
                        TryVerdict::Unconfirmed,
                        "the answer to the dry run does not say that it was one".to_owned(),
                    ),
                    (true, Err(what)) => (TryVerdict::Unconfirmed, what),
                    (true, Ok(ids)) => match self.exists(operation, &ids).await {
                        None => (TryVerdict::Confirmed, "the server confirmed a dry run".to_owned()),
                        Some(why) => (TryVerdict::Unconfirmed, why),
                    },
                }
            }
        };
        let key = operation.idempotency_key.clone();
        note(journal, Fact::Tried { key, call: Some(sent), verdict, why: visible(&why).into_owned() })
    }

    /// Why created IDs in the answer to a dry run leave a doubt, if they do.
    async fn exists(&self, operation: &Operation, ids: &[String]) -> Option<String> {
        if ids.is_empty() {
            return None;
        }
        let named: Vec<String> = ids.iter().take(5).map(|id| format!("`{}`", visible(id))).collect();
        let doubt = |why: &str| {
            Some(format!("the answer to the dry run names created IDs ({}), {why}", named.join(", ")))
        };
        match self.found(operation, ids).await {
            Ok((items, _)) if items.is_empty() => None,
            Ok(_) => doubt("and they exist"),
            Err(why) => doubt(&format!("and they cannot be looked up: {why}")),
        }
    }
}

/// A call as the ledger writes it down.
pub(super) fn written(call: &ToolCall, request_id: &RequestId) -> Call {
    Call { tool: call.tool.clone(), request_id: request_id.to_string(), payload: payload(&call.arguments) }
}

fn named(known: Option<&catalog::Operation>, answer: &ToolAnswer) -> Result<Vec<String>, String> {
    let Some(created) = known.and_then(|known| known.created.as_ref()) else { return Ok(Vec::new()) };
    created_ids(created, answer)
        .map(|named| named.into_values().flatten().collect())
        .map_err(|what| format!("the answer to the dry run has no created ID where one belongs: {what}"))
}

/// What an answer to a write means.
fn judged(
    profile: &catalog::Profile,
    known: Option<&catalog::Operation>,
    operation: &Operation,
    outcome: Outcome,
) -> Came {
    match outcome {
        Outcome::Applied(answer) if known.is_some_and(|known| confirms_dry_run(known, &answer)) => {
            Came::Unknown {
                doubt: Doubt::DryRun,
                message: "the server says that it was a dry run, which was not asked for".to_owned(),
            }
        }
        Outcome::Applied(answer) => applied(profile, known, operation, &answer),
        // The server holds the key and has not finished: this call did nothing, an earlier one may have.
        Outcome::NotApplied(refusal) if refusal.kind == RefusalKind::InProgress => {
            Came::Unknown { doubt: Doubt::InProgress, message: refusal.message }
        }
        Outcome::NotApplied(refusal) => Came::NotApplied { refusal: refusal.kind, message: refusal.message },
        Outcome::Unknown(doubt) => Came::Unknown { doubt: doubt.kind.into(), message: doubt.message },
    }
}

fn applied(
    profile: &catalog::Profile,
    known: Option<&catalog::Operation>,
    operation: &Operation,
    answer: &ToolAnswer,
) -> Came {
    let expected = known.and_then(|known| known.created.as_ref());
    let (created, unnamed) = match expected.map(|created| created_ids(created, answer)) {
        None => (Default::default(), None),
        Some(Err(what)) => (Default::default(), Some(what)),
        Some(Ok(named)) => {
            let expected = expected.iter().flat_map(|created| created.ids.keys());
            let missing: Vec<String> = expected
                .filter(|name| !named.contains_key(*name))
                .map(|name| format!("the answer names no `{}`", visible(name)))
                .collect();
            (named, (!missing.is_empty()).then(|| missing.join("; ")))
        }
    };
    let replayed = known.and_then(|known| {
        let reading = profile.read_answer(known, &operation.arguments, answer);
        reading.value.get("replayed")?.as_bool()
    });
    let content = answer.content().unwrap_or_else(|| Cow::Owned(answer.plain()));
    let answer = Digest::of_foreign_json("loopgate.answer/1", &content);
    Came::Applied { created, unnamed, replayed, answer }
}
