//! What a server must refuse: another's tenant, and a token that is none.

use super::chart::Heard;
use super::judge::{self, Heeded};
use super::reads::WORKFLOW;
use super::result::{Called, Check, Examination, Outcome};
use super::{Doctor, Way, Ways};
use crate::core;
use crate::core::call::RefusalKind;
use crate::core::id::RunId;
use crate::core::text::visible;
use crate::engine::arrival::Silent;
use crate::engine::channel::{Channel, Letter, in_words};
use crate::engine::read::ReadCall;
use crate::engine::run::with_causes;
use crate::engine::survey::{Sample, sample_call};
use crate::engine::target::{Caller, Tools};
use crate::mcp::{ConnectError, Credential, Endpoint, HttpServer, ListError, Session, Token};

/// A tenant that nobody has.
const NOBODY: &str = "loopgate-doctor-no-such-tenant";

/// Makes reads for a tenant that is not the caller's, until one is refused as that or answered. They are those that were
/// `answered` to the caller. The allow-list, which keeps everything else within itself, is no bar to being refused.
pub(super) async fn foreign_tenants(
    doctor: &Doctor<'_>,
    channel: Channel<'_>,
    answered: &[&Sample],
    heard: &Heard,
) -> Examination {
    let not_checked = |why: &str| Examination::not_checked(Check::ForeignTenants, why);
    if doctor.target.profile.context.tenant.is_none() {
        return not_checked("the profile knows of no place for a tenant in a call");
    }
    let foreign = doctor.foreign.unwrap_or(NOBODY);
    if channel.caller.tenant == Some(foreign) {
        return not_checked("the tenant that was named as foreign is the one that this is for");
    }
    let caller = Caller { tenant: Some(foreign), ..*channel.caller };
    let channel = Channel { caller: &caller, ..channel };
    let mut examination =
        not_checked("no read was answered with records, so that none can be made for another tenant");
    for sample in answered {
        let Ok((_, call)) = sample_call(channel, sample, doctor.limits.call) else { continue };
        examination = match channel.send(letter(&call)).await {
            Ok((outcome, _)) => judge::foreign_tenant(foreign, &outcome),
            Err(why) => Examination::undecided(Check::ForeignTenants, why),
        };
        if examination.outcome != Outcome::Undecided {
            break;
        }
    }
    let examination = examination.by(heard.take());
    match doctor.foreign {
        None if examination.outcome != Outcome::NotChecked => examination
            .but("how a tenant is treated that exists and is another's: only one that nobody has was tried"),
        None | Some(_) => examination,
    }
}

/// A read, to be sent once.
fn letter<'c>(call: &'c ReadCall<'c>) -> Letter<'c> {
    Letter {
        step: &call.step,
        tool: &call.tool,
        arguments: &call.arguments,
        operation: call.operation,
        deadline: call.deadline,
    }
}

/// Comes with a token that is certainly not valid.
pub(super) async fn stale_tokens(
    doctor: &Doctor<'_>,
    ways: &Ways<'_>,
    sample: Option<(&Sample, &Caller<'_>)>,
) -> Examination {
    let not_checked = |why: &str| Examination::not_checked(Check::StaleTokens, why);
    let endpoint = match (ways.reads)() {
        Ok(endpoint) => endpoint,
        Err(why) => return not_checked(&why),
    };
    let server = match (Way::of(&endpoint), endpoint) {
        (Way::Http { token: true }, Endpoint::Http(server)) => server,
        (Way::Http { .. }, _) => return not_checked("the settings name no token for this server"),
        (Way::Recording, _) => return not_checked("a recording has no door to come to"),
        (Way::Inside, _) => return not_checked("a program acts for whoever starts it and takes no token"),
    };
    // As long and as random as one that is real, and no one's.
    let token = match Token::new(&format!("loopgate-doctor-{}", RunId::new())) {
        Ok(token) => token,
        Err(error) => return not_checked(&error.to_string()),
    };
    let server = HttpServer { token: Some(Credential::Token(token)), ..server };
    let (heeded, called) = heeded(doctor, server, sample).await;
    judge::stale_token(&heeded)
        .but("what becomes of a token that was valid and expired: one that never was valid was shown")
        .by(called)
}

/// How far somebody comes with that credential.
async fn heeded(
    doctor: &Doctor<'_>,
    server: HttpServer,
    sample: Option<(&Sample, &Caller<'_>)>,
) -> (Heeded, Vec<Called>) {
    let mut called = Vec::new();
    let session = match Session::connect(Endpoint::Http(server), doctor.limits.clone()).await {
        Ok(session) => session,
        Err(error) => {
            called.push(Called::method("the handshake", with_causes(&error)));
            return match error {
                ConnectError::SignIn { status, .. } => (Heeded::Refused(Some(status)), called),
                other => (Heeded::Otherwise(with_causes(&other)), called),
            };
        }
    };
    called.push(Called::method("the handshake", "answered"));
    let heeded = beyond_the_door(doctor, &session, sample, &mut called).await;
    let closing = session.close().await;
    tracing::debug!(?closing, "closed");
    (heeded, called)
}

async fn beyond_the_door(
    doctor: &Doctor<'_>,
    session: &Session,
    sample: Option<(&Sample, &Caller<'_>)>,
    called: &mut Vec<Called>,
) -> Heeded {
    let listed = match session.tools().await {
        Ok(listed) => listed,
        Err(error) => {
            called.push(Called::method("tools/list", with_causes(&error)));
            return match error {
                ListError::SignIn { status, .. } => Heeded::Refused(Some(status)),
                other => Heeded::Otherwise(with_causes(&other)),
            };
        }
    };
    called.push(Called::method("tools/list", format!("{} tools", listed.len())));
    let Some((sample, caller)) = sample else { return Heeded::Listed };
    let tools = Tools::survey(doctor.target, listed);
    let caller = Caller { workflow: WORKFLOW, ..*caller };
    let channel = Channel { session, caller: &caller, tools: &tools, events: &Silent };
    let Ok((_, call)) = sample_call(channel, sample, doctor.limits.call) else { return Heeded::Listed };
    match channel.send(letter(&call)).await {
        Ok((outcome, fact)) => {
            called.push(fact.into());
            Heeded::called(&call.tool, &outcome)
        }
        Err(why) => Heeded::Otherwise(visible(&why).into_owned()),
    }
}

impl Heeded {
    /// By what came of a call.
    fn called(tool: &str, outcome: &core::Outcome) -> Self {
        match outcome {
            core::Outcome::Applied(_) => Self::Answered(tool.to_owned()),
            core::Outcome::NotApplied(refusal) if refusal.kind == RefusalKind::SignIn => Self::Refused(None),
            other => Self::Otherwise(in_words(other)),
        }
    }
}
