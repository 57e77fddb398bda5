//! The checks that only read: the list of tools, the lock, the tenant, the samples.

use super::chart::{Chart, Heard};
use super::refusals::{foreign_tenants, stale_tokens};
use super::result::{Called, Check, Examination};
use super::{Doctor, Ways, judge};
use crate::catalog::lock::{Asked, Listed, Role, compare};
use crate::core::text::visible;
use crate::core::{ToolAnswer, ToolDefinition};
use crate::engine::channel::Channel;
use crate::engine::contract::contract;
use crate::engine::reach::no_tools;
use crate::engine::read::{ReadEnd, read};
use crate::engine::result::Conclusion;
use crate::engine::survey::{Sample, Unready, sample_call};
use crate::engine::target::{Caller, Target, Tools};
use crate::engine::tenant::{Acting, tenant_lacking};
use crate::mcp::{ListError, Session};

/// The workflow that the calls carry.
pub(super) const WORKFLOW: &str = "doctor";
/// Problems that a sentence names at most; whoever has more has enough to begin with.
const MOST: usize = 5;

/// What the checks that write go on with.
pub(super) struct Ready {
    pub tools: Option<Tools>,
    pub tenant: Option<String>,
}

/// Makes them.
///
/// # Errors
/// The server cannot be spoken to any more, or the settings do not fit it.
pub(super) async fn reads(
    doctor: &Doctor<'_>,
    ways: &Ways<'_>,
    session: &Session,
    chart: &mut Chart,
) -> Result<Ready, Conclusion> {
    let target = doctor.target;
    let heard = Heard::default();
    let listed = match session.tools().await {
        Ok(listed) => listed,
        Err(error) => {
            let conclusion = no_tools(&error);
            let (check, row) = match error {
                ListError::SignIn { .. } | ListError::NoToken(_) => (Check::SignIn, Err(conclusion)),
                _ => (Check::ToolDiscovery, Ok(conclusion)),
            };
            let message = row.as_ref().map_or_else(Conclusion::message, Conclusion::message);
            chart.put(
                Examination::failed(check, &message).by([Called::method("tools/list", message.clone())]),
            );
            row?;
            chart.put(stale_tokens(doctor, ways, None).await);
            chart.skip(&Check::ALL, "without the list of tools nothing can be called");
            return Ok(Ready { tools: None, tenant: None });
        }
    };
    chart.put(discovery(doctor, &listed));
    chart.put(lock(target, session, &listed));
    let tools = Tools::survey(target, listed);
    chart.put(permitted(doctor, &tools));

    let asking = Caller {
        profile: &target.profile,
        tenant: target.tenant.as_deref(),
        workflow: WORKFLOW,
        trace: &doctor.trace,
    };
    let channel = Channel { session, caller: &asking, tools: &tools, events: &heard };
    let acting = tenant(doctor, channel, &heard, chart).await?;
    let Some(acting) = acting else {
        chart.put(stale_tokens(doctor, ways, None).await);
        let why = "for which tenant this is, is not certain";
        chart.skip(&[Check::Reads, Check::ForeignTenants], why);
        return Ok(Ready { tools: Some(tools), tenant: None });
    };
    let caller = Caller { tenant: acting.tenant.as_deref(), ..asking };
    let channel = Channel { caller: &caller, ..channel };
    let answered = samples(doctor, channel, &heard, chart).await?;
    chart.put(foreign_tenants(doctor, channel, &answered, &heard).await);
    chart.put(stale_tokens(doctor, ways, answered.first().map(|sample| (*sample, &caller))).await);
    let tenant = acting.tenant.clone();
    Ok(Ready { tools: Some(tools), tenant })
}

/// Whether the list has what is needed.
fn discovery(doctor: &Doctor<'_>, listed: &[ToolDefinition]) -> Examination {
    let fit = doctor.target.profile.fit(listed, doctor.required);
    let called = [Called::method("tools/list", format!("{} tools", listed.len()))];
    let problems: Vec<&str> = fit.misfits.iter().map(|misfit| misfit.message.as_str()).collect();
    let found = match (listed.is_empty(), problems.is_empty()) {
        (true, _) => Examination::failed(Check::ToolDiscovery, "the list is whole and empty"),
        (false, false) => Examination::failed(Check::ToolDiscovery, few(&problems)),
        (false, true) => {
            let needed = match doctor.required.len() {
                0 => "no operation is named that is needed".to_owned(),
                all => format!("the operations that are needed, {all}, are offered and fit"),
            };
            let saw = format!("the list is whole, {} tools; {needed}", listed.len());
            Examination::passed(Check::ToolDiscovery, saw)
        }
    };
    let others = doctor.target.profile.operations.iter();
    let others = others.filter(|(name, operation)| {
        !doctor.required.contains(*name) && !listed.iter().any(|tool| tool.name == operation.tool)
    });
    let missing: Vec<String> = others.map(|(name, _)| format!("`{}`", visible(name))).collect();
    let found = match fit.untold.is_empty() {
        true => found,
        false => {
            let untold: Vec<&str> = fit.untold.iter().map(String::as_str).collect();
            let names = visible(&untold.join(", ")).into_owned();
            found.but(format!("what these give before they are called, since no output is declared: {names}"))
        }
    };
    let found = match missing.is_empty() {
        true => found,
        false => found.but(format!(
            "operations of the profile that are not offered, and that nothing here needs: {}",
            missing.join(", ")
        )),
    };
    found.by(called)
}

/// Whether what is needed and offered may be called by the settings.
fn permitted(doctor: &Doctor<'_>, tools: &Tools) -> Examination {
    let profile = &doctor.target.profile;
    let needed = doctor.required.iter().filter_map(|name| profile.operation(name));
    let offered: Vec<_> = needed.filter(|operation| tools.get(&operation.tool).is_some()).collect();
    let barred: Vec<String> =
        offered.iter().filter_map(|operation| tools.permitted(&operation.tool).err()).collect();
    match (offered.len(), barred.is_empty()) {
        (0, _) if doctor.required.is_empty() => {
            Examination::not_checked(Check::Operations, "no operation is named that is needed")
        }
        (0, _) => Examination::not_checked(Check::Operations, "nothing that is needed is offered"),
        (_, false) => Examination::failed(Check::Operations, few(&barred)),
        (all, true) => {
            Examination::passed(Check::Operations, format!("{all} are needed, and the settings allow them"))
        }
    }
}

/// Whether the tools are what the lock says.
fn lock(target: &Target, session: &Session, tools: &[ToolDefinition]) -> Examination {
    let Some(locked) = &target.agreed.lock else {
        return Examination::not_checked(Check::Lock, "there is no tool lock of this server");
    };
    let facts = session.facts();
    let listed = Listed {
        identity: target.locked_as(),
        name: &facts.name,
        version: &facts.version,
        role: Role::Read,
        tools,
    };
    let used = target.profile.operations.values().map(|operation| operation.tool.clone()).collect();
    let changes = compare(locked, &target.profile, &listed, &Asked::Profile(used));
    let (failing, told): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.fails);
    let words = |changes: &[_]| -> Vec<String> {
        changes.iter().map(|change: &&crate::catalog::lock::Change| change.to_string()).collect()
    };
    match (failing.is_empty(), told.is_empty()) {
        (false, _) => Examination::failed(Check::Lock, few(&words(&failing))),
        (true, true) => Examination::passed(
            Check::Lock,
            format!("the tools are what the lock says, {} of them", locked.tools.len()),
        ),
        (true, false) => Examination {
            warning: Some(few(&words(&told))),
            ..Examination::passed(Check::Lock, "what is used is what the lock says")
        },
    }
}

/// Hears the contract, and for which tenant everybody means this to be; nothing where they disagree.
async fn tenant(
    doctor: &Doctor<'_>,
    channel: Channel<'_>,
    heard: &Heard,
    chart: &mut Chart,
) -> Result<Option<Acting>, Conclusion> {
    let (target, named) = (doctor.target, doctor.target.tenant.as_deref());
    let disagree = |why: &str| Examination::failed(Check::TenantContext, why);
    let acting = match Acting::by_credential(target, named, channel.session) {
        Ok(acting) => acting,
        Err(Conclusion::SignIn(why)) => {
            chart.put(disagree(&why));
            chart.skip(&[Check::Contract], "for which tenant this is, is not certain");
            return Ok(None);
        }
        Err(other) => return Err(other),
    };
    tenant_lacking(target, acting.tenant.as_deref()).map_or(Ok(()), Err)?;
    let caller = Caller { tenant: acting.tenant.as_deref(), ..*channel.caller };
    let channel = Channel { caller: &caller, ..channel };
    let told = match contract(channel, target, doctor.limits.call).await {
        Ok(None) => {
            let why = match target.profile.contract {
                Some(_) => "the server offers none",
                None => "the profile knows of none",
            };
            chart.put(Examination::not_checked(Check::Contract, why));
            None
        }
        Ok(Some((contract, told))) => {
            let saw = format!("it gives one, {}", contract.digest.short());
            chart.put(
                Examination::passed(Check::Contract, saw)
                    .but("whether the server keeps what it says there")
                    .by(heard.take()),
            );
            chart.target.contract = Some(contract);
            told
        }
        Err(Conclusion::SignIn(why)) => {
            chart.put(disagree(&why).by(heard.take()));
            chart.skip(&[Check::Contract], "it was refused for this tenant");
            return Ok(None);
        }
        Err(other) => {
            chart.put(Examination::undecided(Check::Contract, other.message()).by(heard.take()));
            None
        }
    };
    match acting.hear(target, told) {
        Ok(acting) => {
            chart.target.tenant.clone_from(&acting.tenant);
            chart.target.tenant_known_by = acting.known_by(&target.tenants);
            let called = chart.get(Check::Contract).map(|contract| contract.called.clone());
            chart.put(judge::tenant_context(&acting, target).by(called.into_iter().flatten()));
            Ok(Some(acting))
        }
        Err(conclusion) => {
            chart.put(disagree(&conclusion.message()));
            Ok(None)
        }
    }
}

/// What a sample was answered.
pub(super) enum Sampled {
    /// What the profile makes of it: what it does not understand, and whether there is any record.
    Answered { lacks: Vec<String>, is_empty: bool },
    /// There is no such record, or not for this caller.
    NothingVisible(String),
    /// It was not answered, or could not be asked for.
    Unanswered(String),
    /// The server is a recording that has no such read.
    NotRecorded,
}

/// Makes the samples, and gives those that were answered with records.
async fn samples<'s>(
    doctor: &Doctor<'s>,
    channel: Channel<'_>,
    heard: &Heard,
    chart: &mut Chart,
) -> Result<Vec<&'s Sample>, Conclusion> {
    let (mut came, mut answered) = (Vec::new(), Vec::new());
    for sample in doctor.samples {
        let sampled = match sample_call(channel, sample, doctor.limits.call) {
            Err(Unready::Profile(why)) => return Err(Conclusion::Invalid(why)),
            Err(Unready::Sample(why)) => Sampled::Unanswered(why),
            Ok((operation, call)) => match read(channel, &call).await.0 {
                ReadEnd::Answered(answer) => {
                    let reading = channel.caller.profile.read_answer(operation, &call.arguments, &answer);
                    let lacks = reading.unknown.into_values().flatten().collect();
                    Sampled::Answered { lacks, is_empty: is_empty(&reading.value, &answer) }
                }
                ReadEnd::NothingVisible(why) => Sampled::NothingVisible(why),
                ReadEnd::Ends(Conclusion::Invalid(_)) if doctor.target.recorded.is_some() => {
                    Sampled::NotRecorded
                }
                ReadEnd::Ends(conclusion) => Sampled::Unanswered(conclusion.message()),
            },
        };
        if matches!(sampled, Sampled::Answered { is_empty: false, .. }) {
            answered.push(sample);
        }
        came.push((sample.operation.as_str(), sampled));
    }
    chart.put(judge::samples(&came).by(heard.take()));
    Ok(answered)
}

/// Whether an answer has lists, and nothing in any of them.
fn is_empty(value: &serde_json::Value, answer: &ToolAnswer) -> bool {
    use serde_json::Value;
    let lists = |value: &Value| -> Option<bool> {
        let lists: Vec<bool> =
            value.as_object()?.values().filter_map(|member| Some(member.as_array()?.is_empty())).collect();
        (!lists.is_empty()).then(|| lists.iter().all(|is_empty| *is_empty))
    };
    lists(value).or_else(|| lists(answer.content()?.as_ref())).unwrap_or_default()
}

/// The first few of many, and how many more there are.
pub(super) fn few(all: &[impl AsRef<str>]) -> String {
    let shown: Vec<&str> = all.iter().take(MOST).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(MOST) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}
