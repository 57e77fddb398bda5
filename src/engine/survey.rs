//! `profile`: what a server offers now, and what it answers to a few reads.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde_json::Value;

use super::arguments::read_tool;
use super::arrival::Silent;
use super::channel::Channel;
use super::contract::contract;
use super::reach::{no_session, no_tools};
use super::read::{ReadCall, ReadEnd, read};
use super::result::{Conclusion, Signal};
use super::target::{Caller, Target, Tools};
use super::tenant::{Acting, tenant_lacking};
use crate::catalog::{Operation, ToolClass};
use crate::core::ToolDefinition;
use crate::core::id::Trace;
use crate::mcp::{Endpoint, Limits, ServerFacts, Session};
use crate::recipe::Retry;

/// What is asked of a server.
#[derive(Debug)]
pub struct Survey<'a> {
    /// Whom, and for which tenant.
    pub target: &'a Target,
    /// Time and size limits of the connection.
    pub limits: Limits,
    /// The trace that the reads belong to.
    pub trace: Trace,
    /// Reads to make.
    pub samples: &'a [Sample],
}

/// A read of one of the profile's operations.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The operation.
    pub operation: String,
    /// By the operation's argument names.
    pub arguments: BTreeMap<String, Value>,
}

/// What a server offers and answers.
#[derive(Debug)]
pub struct Surveyed {
    /// What it says of itself; hostile text.
    pub server: ServerFacts,
    /// Its tools, by name.
    pub tools: Vec<ToolDefinition>,
    /// The class that each has for us, by its name.
    pub classes: BTreeMap<String, ToolClass>,
    /// What each sample came to, in their order.
    pub samples: Vec<Sampled>,
}

/// What a sample came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// The operation.
    pub operation: String,
    /// What of the answer the profile does not understand, by result as [`crate::catalog::Reading::unknown`] has
    /// it; or why there is no answer, in words.
    pub lacks: Result<BTreeMap<String, Vec<String>>, String>,
}

/// Connects, lists the tools and makes the reads. Nothing is written.
///
/// # Errors
/// What a run would come to as well: the server cannot be reached, refuses, or `stop` ended it.
pub async fn survey(
    survey: Survey<'_>,
    endpoint: Endpoint,
    stop: impl Future<Output = Signal>,
) -> Result<Surveyed, Conclusion> {
    if !survey.samples.is_empty() {
        let tenant = survey.target.tenant.as_deref();
        if survey.target.tenants.claim.is_none() {
            tenant_lacking(survey.target, tenant).map_or(Ok(()), Err)?;
        }
    }
    let mut stop = std::pin::pin!(stop);
    let connected = tokio::select! {
        biased;
        signal = &mut stop => return Err(Conclusion::Interrupted(signal)),
        connected = Session::connect(endpoint, survey.limits.clone()) => connected,
    };
    let session = connected.map_err(|error| no_session(&error))?;
    let ended = tokio::select! {
        biased;
        signal = &mut stop => Err(Conclusion::Interrupted(signal)),
        ended = asked(&survey, &session) => ended,
    };
    let closing = session.close().await;
    tracing::debug!(?closing, "closed");
    ended
}

async fn asked(survey: &Survey<'_>, session: &Session) -> Result<Surveyed, Conclusion> {
    let target = survey.target;
    let listed = session.tools().await.map_err(|error| no_tools(&error))?;
    let tools = Tools::survey(target, listed.clone());
    let mut samples = Vec::new();
    if !survey.samples.is_empty() {
        let acting = Acting::by_credential(target, target.tenant.as_deref(), session)?;
        let asking = Caller {
            profile: &target.profile,
            tenant: acting.tenant.as_deref(),
            workflow: "profile-check",
            trace: &survey.trace,
        };
        let channel = Channel { session, caller: &asking, tools: &tools, events: &Silent };
        let heard = contract(channel, target, survey.limits.call).await?;
        let acting = acting.clone().hear(target, heard.and_then(|(_, told)| told))?;
        let caller = Caller { tenant: acting.tenant.as_deref(), ..asking };
        let channel = Channel { caller: &caller, ..channel };
        for sample in survey.samples {
            let operation = sample.operation.clone();
            samples.push(Sampled { operation, lacks: sampled(survey, channel, sample).await? });
        }
    }
    let classes = tools.classes();
    Ok(Surveyed { server: session.facts().clone(), tools: listed, classes, samples })
}

/// Makes one read. What is wrong with the sample itself is no answer either: the words say so.
async fn sampled(
    survey: &Survey<'_>,
    channel: Channel<'_>,
    sample: &Sample,
) -> Result<Result<BTreeMap<String, Vec<String>>, String>, Conclusion> {
    let profile = &survey.target.profile;
    let (operation, call) = match sample_call(channel, sample, survey.limits.call) {
        Ok(ready) => ready,
        Err(Unready::Sample(why)) => return Ok(Err(why)),
        Err(Unready::Profile(why)) => return Err(Conclusion::Invalid(why)),
    };
    match read(channel, &call).await.0 {
        ReadEnd::Answered(answer) => Ok(Ok(profile.read_answer(operation, &call.arguments, &answer).unknown)),
        ReadEnd::NothingVisible(why) => Ok(Err(why)),
        ReadEnd::Ends(Conclusion::Refused(why)) => Ok(Err(why)),
        ReadEnd::Ends(conclusion) => Err(conclusion),
    }
}

/// Why a sample cannot be asked for, in words.
#[derive(Debug)]
pub(super) enum Unready {
    /// Something is wrong with it, or with what the server offers for it.
    Sample(String),
    /// The profile sets the arguments that it gives.
    Profile(String),
}

/// The read that a sample is, ready to be sent.
pub(super) fn sample_call<'a>(
    channel: Channel<'a>,
    sample: &Sample,
    deadline: Duration,
) -> Result<(&'a Operation, ReadCall<'a>), Unready> {
    let operation = channel
        .caller
        .profile
        .operation(&sample.operation)
        .ok_or_else(|| Unready::Sample("the profile has no such operation".to_owned()))?;
    let given = operation.tool_arguments(&sample.arguments).map_err(|problems| {
        Unready::Sample(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let arguments = channel.caller.settled(given).map_err(Unready::Profile)?;
    read_tool(channel.tools, &operation.tool, &arguments).map_err(Unready::Sample)?;
    let call = ReadCall {
        step: sample.operation.clone(),
        tool: operation.tool.clone(),
        arguments,
        operation: Some(operation),
        pages: operation.pages.as_ref(),
        deadline,
        retry: Retry::default(),
    };
    Ok((operation, call))
}
