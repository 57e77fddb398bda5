//! `doctor`: the ten checks to pass before production, made against a real server, and what else a caller wants to
//! know of it first.
//!
//! What reads is always made. What writes goes the way of every write, through `run`, an approval and `apply`, and only
//! where whoever calls has made sure that it may: on the sandbox, or for a tenant that is marked as a test tenant.

mod account;
mod chart;
mod judge;
mod look;
mod reads;
mod refusals;
mod result;
mod writes;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use futures_util::FutureExt as _;

use super::apply::Told;
use super::reach::no_session;
use super::result::{Conclusion, Signal};
use super::survey::Sample;
use super::target::Target;
use super::tenant::tenant_lacking;
use crate::core::id::Trace;
use crate::core::text::visible;
use crate::mcp::{ConnectError, Endpoint, Limits, Session};
use chart::Chart;
use judge::clock;
pub use result::{Called, Check, Examination, Examined, Left, Outcome};
pub use writes::Writing;

/// What is examined, and how.
pub struct Doctor<'a> {
    /// Whom, and for which tenant.
    pub target: &'a Target,
    /// Time and size limits of the connections.
    pub limits: Limits,
    /// The trace that the calls belong to.
    pub trace: Trace,
    /// The operations that must be offered.
    pub required: &'a BTreeSet<String>,
    /// Reads to make.
    pub samples: &'a [Sample],
    /// The tenant that must be refused; none: one that nobody has.
    pub foreign: Option<&'a str>,
    /// What is written, or why nothing is.
    pub writing: Result<Writing<'a>, String>,
}

/// How the server is reached, as often as need be.
pub struct Ways<'a> {
    /// For reads.
    pub reads: &'a dyn Fn() -> Result<Endpoint, String>,
    /// For writes.
    pub writes: &'a dyn Fn() -> Result<Endpoint, String>,
}

/// Makes the checks. Whatever goes wrong is in the result; `stop` ends it early.
pub async fn examine(
    doctor: Doctor<'_>,
    ways: &Ways<'_>,
    stop: impl Future<Output = Signal> + 'static,
) -> Examined {
    let told: Told = (Box::pin(stop) as Pin<Box<dyn Future<Output = Signal>>>).shared();
    let mut chart = Chart::new(doctor.target);
    let cut_short = course(doctor, ways, &told, &mut chart).await.err();
    chart.finish(cut_short)
}

async fn course(
    doctor: Doctor<'_>,
    ways: &Ways<'_>,
    told: &Told,
    chart: &mut Chart,
) -> Result<(), Conclusion> {
    let Doctor { target, .. } = &doctor;
    match (target.tenant.as_deref(), &target.tenants.claim) {
        // The token may still say.
        (None, Some(_)) => {}
        (None, None) => tenant_lacking(target, None).map_or(Ok(()), Err)?,
        (named, _) => target.tenants.permit(named)?,
    }
    let endpoint = (ways.reads)().map_err(Conclusion::Invalid)?;
    let way = Way::of(&endpoint);
    let connected = until(told, Session::connect(endpoint, doctor.limits.clone())).await?;
    let session = connected.map_err(|error| unreached(&error, chart))?;
    arrived(&session, way, chart);
    let examined = until(told, reads::reads(&doctor, ways, &session, chart)).await;
    let ended = match examined.and_then(|examined| examined) {
        Err(conclusion) => Err(conclusion),
        Ok(ready) => match doctor.writing {
            Ok(writing) => {
                let room = writes::Room { session: &session, ready, ways, told, trace: &doctor.trace };
                writes::writes(writing, doctor.target, &room, chart).await
            }
            Err(why) => {
                chart.skip(&Check::WRITING, &why);
                Ok(())
            }
        },
    };
    chart.put(clock(session.clock_ahead()));
    let closing = session.close().await;
    tracing::debug!(?closing, "closed");
    ended
}

/// What `work` gives, unless this process is told to stop before.
async fn until<T>(told: &Told, work: impl Future<Output = T>) -> Result<T, Conclusion> {
    tokio::select! {
        biased;
        signal = told.clone() => Err(Conclusion::Interrupted(signal)),
        done = work => Ok(done),
    }
}

/// In which way a server is spoken to, as far as a check cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In a stream of this process, or as a program: whoever starts it is signed in.
    Inside,
    /// Over HTTP, with a token or without.
    Http { token: bool },
    /// Not at all: it was recorded.
    Recording,
}

impl Way {
    fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Stream(_) | Endpoint::Child(_) => Self::Inside,
            Endpoint::Http(server) => Self::Http { token: server.token.is_some() },
            Endpoint::Recorded(endpoint, _) => Self::of(endpoint),
            Endpoint::Replay(_) => Self::Recording,
        }
    }
}

/// What it says that there is no session.
fn unreached(error: &ConnectError, chart: &mut Chart) -> Conclusion {
    let conclusion = no_session(error);
    match &conclusion {
        Conclusion::SignIn(why) => {
            chart.put(Examination::passed(Check::Endpoint, "it answers"));
            chart.put(Examination::failed(Check::SignIn, why));
        }
        other => chart.put(Examination::failed(Check::Endpoint, other.message())),
    }
    conclusion
}

/// What the handshake says.
fn arrived(session: &Session, way: Way, chart: &mut Chart) {
    let facts = session.facts();
    chart.target.name.clone_from(&facts.name);
    chart.target.version.clone_from(&facts.version);
    chart.target.protocol.clone_from(&facts.revision);
    let server = format!("{} {} answers", visible(&facts.name), visible(&facts.version));
    chart.put(Examination::passed(Check::Endpoint, server));
    chart.put(Examination::passed(Check::Protocol, format!("revision {}", visible(&facts.revision))));
    chart.put(match way {
        Way::Http { token: true } => Examination::passed(Check::SignIn, "the bearer token was taken")
            .but("whether it is looked at: that is what `stale-tokens` asks"),
        Way::Http { token: false } => {
            Examination::not_checked(Check::SignIn, "the settings name no token for this server")
        }
        Way::Inside => {
            Examination::not_checked(Check::SignIn, "a program acts for whoever starts it and takes no token")
        }
        Way::Recording => Examination::not_checked(Check::SignIn, "nobody signs in to a recording"),
    });
}
