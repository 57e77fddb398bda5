//! A release's certification and its evidence.

use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Call, not_visible};
use crate::core::text::visible;
use crate::sandbox::caller::Caller;
use crate::sandbox::refusal::{Failure, Refusal};
use crate::sandbox::store::{self, Certification, Graph};

/// A release, a certification, or both.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CertificationQuery {
    /// The release.
    #[schemars(length(min = 1, max = 200))]
    release_id: Option<String>,
    /// The certification; with a release, it must be that release's.
    #[schemars(length(min = 1, max = 200))]
    certification_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct CertificationAnswer {
    certification: Certification,
}

/// The certification of a release, or the one of an ID.
pub(super) fn certification(
    call: &mut Call<'_>,
    query: CertificationQuery,
) -> Result<CertificationAnswer, Failure> {
    let tenant = &call.caller.tenant;
    let certification = match (&query.release_id, &query.certification_id) {
        (None, None) => return Err(Refusal::argument("", "name `releaseId` or `certificationId`").into()),
        (Some(release), None) => store::certification_of(call.connection, tenant, release)?
            .ok_or_else(|| not_visible("release", release))?,
        (_, Some(id)) => store::certification(call.connection, tenant, id)?
            .ok_or_else(|| not_visible("certification", id))?,
    };
    if let Some(release) = query.release_id {
        belongs(call.connection, call.caller, &certification, &release)?;
    }
    Ok(CertificationAnswer { certification })
}

/// Refuses a certification that is another release's.
pub(super) fn belongs(
    connection: &Connection,
    caller: &Caller,
    certification: &Certification,
    release: &str,
) -> Result<(), Failure> {
    if certification.release.id == release {
        return Ok(());
    }
    if store::certification_of(connection, &caller.tenant, release)?.is_none() {
        return Err(not_visible("release", release).into());
    }
    let problem =
        format!("`{}` is not the certification of `{}`", visible(&certification.id), visible(release));
    Err(Refusal::argument("/certificationId", problem).into())
}

/// A certification.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct GraphQuery {
    /// The certification.
    #[schemars(length(min = 1, max = 200))]
    certification_id: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct GraphAnswer {
    graph: Graph,
}

/// The evidence graph of a certification.
pub(super) fn evidence_graph(call: &mut Call<'_>, query: GraphQuery) -> Result<GraphAnswer, Failure> {
    let (tenant, id) = (&call.caller.tenant, &query.certification_id);
    // One transaction, so that nodes and edges are of the same moment.
    let reading = call.connection.transaction()?;
    store::certification(&reading, tenant, id)?.ok_or_else(|| not_visible("certification", id))?;
    Ok(GraphAnswer { graph: store::graph(&reading, tenant, id)? })
}
