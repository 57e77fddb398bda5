//! Getting to the server that was approved: connected, and its tools, tenant and profile what they were.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::Map;

use super::applied::{ApplyEnd, Stopped};
use super::apply::Apply;
use super::arguments::read_tool;
use super::channel::Channel;
use super::contract::contract;
use super::event::{Event, Events};
use super::locked::{as_locked, used_by_artifact};
use super::reach::{no_session, no_tools};
use super::result::Conclusion;
use super::target::{Caller, Target, Tools};
use super::tenant::Acting;
use crate::artifact::v1;
use crate::core::text::visible;
use crate::core::{Class, SecretText, ToolAnswer};
use crate::ledger::v1::Connected;
use crate::mcp::{Endpoint, Session};

/// A connection to the server that was approved.
pub(super) struct Arrival {
    pub session: Session,
    pub tools: Tools,
    /// For how long the server says that it keeps a key, where it says so.
    pub retention: Option<SignedDuration>,
    /// The secrets that the artifact names.
    pub secrets: BTreeMap<String, SecretText>,
}

/// Nobody listens: what `apply` does is told by the ledger's events.
pub(super) struct Silent;

impl Events for Silent {
    fn emit(&self, _: &Event) {}
}

/// Connects, and checks that everything that the artifact calls is what it was.
pub(super) async fn arrive(
    apply: &Apply<'_>,
    caller: Caller<'_>,
    endpoint: Endpoint,
) -> Result<(Arrival, Connected), ApplyEnd> {
    let (target, artifact) = (apply.target, apply.artifact);
    if artifact.target().server.identity != target.identity {
        return Err(ApplyEnd::Moved(format!(
            "the artifact is for the server `{}`, and this one is `{}`",
            visible(&artifact.target().server.identity),
            visible(&target.identity)
        )));
    }
    target.tenants.permit(artifact.target().tenant.as_deref())?;
    let limits = apply.options.limits.clone();
    let secrets = (apply.secrets)().map_err(ApplyEnd::Invalid)?;
    let told: Vec<SecretText> = secrets.values().cloned().collect();
    let session = Session::connect_with(endpoint, limits, &told).await;
    let session = session.map_err(|error| no_session(&error))?;
    match checked(apply, caller, &session).await {
        Ok((tools, retention, connected)) => Ok((Arrival { session, tools, retention, secrets }, connected)),
        Err(end) => {
            let closing = session.close().await;
            tracing::debug!(?closing, "closed");
            Err(end)
        }
    }
}

async fn checked(
    apply: &Apply<'_>,
    caller: Caller<'_>,
    session: &Session,
) -> Result<(Tools, Option<SignedDuration>, Connected), ApplyEnd> {
    let target = apply.target;
    // Of several tenants that a token is for, the artifact chooses.
    let claimed = target.tenants.claim.as_ref().and(apply.artifact.target().tenant.as_deref());
    let acting = Acting::by_credential(target, target.tenant.as_deref().or(claimed), session)?;
    if acting.tenant.is_some() {
        same_tenant(apply, acting.tenant.clone())?;
    }
    let listed = session.tools().await.map_err(|error| no_tools(&error))?;
    let used = used_by_artifact(apply.artifact, &target.profile);
    as_locked(target, session.facts(), &listed, used).map_err(ApplyEnd::Moved)?;
    let tools = Tools::survey(target, listed);
    let channel = Channel { session, caller: &caller, tools: &tools, events: &Silent };
    let heard = contract(channel, target, apply.options.limits.call).await?;
    let retention = heard.as_ref().and_then(|(contract, _)| retention(target, &contract.answer));
    let (contract, told) = heard.map_or((None, None), |(contract, told)| (Some(contract.digest), told));
    let acting = acting.hear(target, told)?;
    let tenant = same_tenant(apply, acting.tenant.clone())?;
    acting.suffices(&target.tenants)?;
    same_tools(apply, &tools)?;
    let facts = session.facts();
    let connected = Connected {
        server: v1::Server {
            identity: target.identity.clone(),
            name: facts.name.clone(),
            version: facts.version.clone(),
            protocol: facts.revision.clone(),
        },
        tenant,
        tenant_known_by: acting.known_by(&target.tenants).into(),
        profile: target.profile_fact(),
        contract,
    };
    Ok((tools, retention, connected))
}

/// For how long the contract says that a key is kept: `idempotency_retention_hours` of the profile's mapping.
fn retention(target: &Target, answer: &serde_json::Value) -> Option<SignedDuration> {
    let profile = &target.profile;
    let operation = profile.contract.as_ref().and_then(|name| profile.operation(name))?;
    let answer = ToolAnswer { structured: Some(answer.clone()), text: Vec::new() };
    let reading = profile.read_answer(operation, &Map::new(), &answer);
    let hours = reading.value.get("idempotency_retention_hours")?.as_f64()?;
    SignedDuration::try_from_secs_f64(hours * 3600.0).ok()
}

/// The tenant that artifact, settings and server agree on.
fn same_tenant(apply: &Apply<'_>, known: Option<String>) -> Result<String, ApplyEnd> {
    let planned = apply.artifact.target().tenant.as_deref();
    match (planned, known) {
        (Some(planned), Some(known)) if planned == known => Ok(known),
        (Some(planned), None) => Err(ApplyEnd::SignIn(format!(
            "nobody but the artifact says that this is for tenant `{}`: the server names none, and the settings \
             of `{}` have no `tenant`",
            visible(planned),
            visible(&apply.target.identity)
        ))),
        (None, _) => Err(ApplyEnd::SignIn(
            "the artifact names no tenant, so nobody can say for whom it is; name one when it is planned: \
             `--tenant NAME`, or `tenant` of the server in loopgate.yaml"
                .to_owned(),
        )),
        (Some(planned), Some(known)) => Err(ApplyEnd::SignIn(format!(
            "the artifact is for tenant `{}`, and here it is `{}`",
            visible(planned),
            visible(&known)
        ))),
    }
}

/// Every tool that the artifact calls is there with the schemas and class that it had, and what is called as a read
/// only reads.
fn same_tools(apply: &Apply<'_>, tools: &Tools) -> Result<(), ApplyEnd> {
    let mut moved = Vec::new();
    let document = apply.artifact.document();
    for operation in &document.operations {
        let tool = visible(&operation.tool);
        match tools.get(&operation.tool) {
            None => moved.push(format!("the server no longer offers `{tool}`")),
            Some((definition, _)) if definition.digest(operation.class) != operation.tool_digest => {
                moved.push(format!("`{tool}` is another tool than was approved: its schemas have changed"));
            }
            Some(_) => tools.permitted(&operation.tool).map_err(ApplyEnd::Invalid)?,
        }
    }
    if !moved.is_empty() {
        return Err(ApplyEnd::Moved(moved.join("; ")));
    }
    let lookups = document.operations.iter().filter_map(|operation| {
        let lookup = operation.created.as_ref()?.lookup.as_ref()?;
        Some(&lookup.tool)
    });
    let settling =
        document.operations.iter().filter_map(|operation| Some(&operation.reconcile.as_ref()?.tool));
    for tool in lookups.chain(settling) {
        match tools.get(tool) {
            Some((_, class)) if class.class == Class::Read => {
                tools.permitted(tool).map_err(ApplyEnd::Invalid)?;
            }
            Some((_, class)) => return Err(ApplyEnd::Invalid(tools.not_read(tool, class))),
            None => return Err(ApplyEnd::Moved(format!("the server no longer offers `{}`", visible(tool)))),
        }
    }
    for read in &document.preconditions {
        read_tool(tools, &read.tool, &read.arguments).map(|_| ()).map_err(|why| {
            match tools.get(&read.tool) {
                Some(_) => ApplyEnd::Invalid(why),
                None => ApplyEnd::Moved(why),
            }
        })?;
    }
    Ok(())
}

impl From<Conclusion> for ApplyEnd {
    fn from(conclusion: Conclusion) -> Self {
        let message = conclusion.message();
        match conclusion {
            Conclusion::Moved(_) => Self::Moved(message),
            Conclusion::Undecided(_) | Conclusion::Refused(_) | Conclusion::Unconfirmed(_) => {
                Self::Refused(message)
            }
            Conclusion::NeedsInput(_) => Self::NeedsInput(message),
            Conclusion::Unreachable(_) => Self::Unreachable(message),
            Conclusion::SignIn(_) => Self::SignIn(message),
            Conclusion::Interrupted(signal) => Self::Stopped(Stopped::Interrupted(signal)),
            Conclusion::Done
            | Conclusion::ChangesPlanned
            | Conclusion::NothingToDo
            | Conclusion::GateFails(_)
            | Conclusion::Invalid(_) => Self::Invalid(message),
        }
    }
}
