//! Dry runs with a credential of their own: in a session of their own, at a server that looks the same.

use super::channel::Channel;
use super::contract::contract_answer;
use super::plan::Write;
use super::reach::{no_session, no_tools};
use super::result::{Conclusion, TargetFact};
use super::run::Run;
use super::target::{Tools, hear_contract};
use super::tenant::Acting;
use crate::core::Class;
use crate::core::text::visible;
use crate::mcp::{Endpoint, Session};

/// Where writes are tried out, if not where the reads are made.
pub(super) enum Apart<'s> {
    /// Nowhere. Why.
    Nowhere(String),
    /// There, with what is offered there.
    There { session: &'s Session, tools: Tools },
}

impl<'s> Apart<'s> {
    /// No credential is meant for dry runs. Why.
    pub fn withheld(why: String) -> Self {
        Self::Nowhere(why)
    }

    /// Connects with the credential for dry runs. One that the server refuses is no obstacle to a plan.
    ///
    /// # Errors
    /// The server is out of reach or does not behave, or it is for another tenant there than for the reads.
    pub async fn reach(
        run: &Run<'_>,
        endpoint: Endpoint,
        reads: &TargetFact,
        channel: Channel<'_>,
        place: &'s mut Option<Session>,
    ) -> Result<Self, Conclusion> {
        let refused = |conclusion: Conclusion| match conclusion {
            Conclusion::SignIn(why) => {
                Ok(Self::Nowhere(format!("the credential for dry runs may not: {}", visible(&why))))
            }
            other => Err(other),
        };
        let session = match Session::connect(endpoint, run.options.limits.clone()).await {
            Ok(session) => &*place.insert(session),
            Err(error) => return refused(no_session(&error)),
        };
        let acting = Acting::by_credential(run.target, reads.tenant.as_deref(), session)?;
        let tools = match session.tools().await {
            Ok(listed) => Tools::survey(run.target, listed),
            Err(error) => return refused(no_tools(&error)),
        };
        let there = Channel { session, tools: &tools, ..channel };
        let told = match contract_answer(there, run.target, run.options.limits.call).await {
            Ok(Some(answer)) => hear_contract(run.target, &answer)?.1,
            Ok(None) => None,
            Err(conclusion) => return refused(conclusion),
        };
        acting.hear(run.target, told)?;
        Ok(Self::There { session, tools })
    }

    /// The way to try that write out: what is called there must be what the plan was made with.
    ///
    /// # Errors
    /// There is none. Why.
    pub fn way<'c>(&'c self, channel: Channel<'c>, write: &Write<'_>) -> Result<Channel<'c>, String> {
        let (session, tools) = match self {
            Self::Nowhere(why) => return Err(why.clone()),
            Self::There { session, tools } => (*session, tools),
        };
        let lookup = write.operation.and_then(|operation| {
            let lookup = operation.created.as_ref()?.lookup.as_ref()?;
            channel.caller.profile.operation(&lookup.operation)
        });
        for tool in [Some(&write.tool.name), lookup.map(|lookup| &lookup.tool)].into_iter().flatten() {
            let digest = |tools: &Tools| {
                let (definition, class) = tools.get(tool)?;
                Some((definition.digest(Class::Write), class.class))
            };
            if digest(tools) != digest(channel.tools) {
                return Err(format!(
                    "with the credential for dry runs `{}` is another tool than with the one for reads",
                    visible(tool)
                ));
            }
        }
        Ok(Channel { session, tools, ..channel })
    }
}
