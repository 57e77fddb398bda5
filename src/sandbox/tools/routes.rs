//! Raw routes: two of them, on a release's notes. They know neither dry run nor key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::governed::{Asked, audit};
use super::listings::Nothing;
use super::{Call, not_visible};
use crate::core::text::visible;
use crate::sandbox::caller::USER;
use crate::sandbox::refusal::{Code, Failure, Refusal};
use crate::sandbox::store;

/// The tool's name.
pub(super) const TOOL: &str = "loopiq_invoke_route";
/// Notes of one answer at the most.
const MOST: usize = 500;

#[derive(Serialize, JsonSchema)]
pub(super) struct Routes {
    routes: Vec<Listed>,
}

/// A raw route.
#[derive(Serialize, JsonSchema)]
struct Listed {
    method: &'static str,
    /// With a name in braces where an ID stands.
    path: &'static str,
    description: &'static str,
}

/// The raw routes.
pub(super) fn routes(_: &mut Call<'_>, _: Nothing) -> Result<Routes, Failure> {
    let path = "/releases/{id}/notes";
    Ok(Routes {
        routes: vec![
            Listed { method: "GET", path, description: "The notes of a release" },
            Listed { method: "POST", path, description: "Adds a note, the body's `text`, to a release" },
        ],
    })
}

/// A call of a route.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// As `loopiq_list_routes` gives it.
    #[schemars(length(max = 10))]
    method: String,
    /// With the ID in its place.
    #[schemars(length(max = 500))]
    path: String,
    /// What is sent.
    body: Option<Value>,
}

/// What came back.
#[derive(Serialize, JsonSchema)]
pub(super) struct Answer {
    /// As HTTP has it.
    status: u16,
    body: Value,
}

/// Calls a route.
pub(super) fn invoke(call: &mut Call<'_>, route: Route) -> Result<Answer, Failure> {
    let tenant = &call.caller.tenant;
    let release = route
        .path
        .strip_prefix("/releases/")
        .and_then(|rest| rest.strip_suffix("/notes"))
        .filter(|id| !id.is_empty() && !id.contains('/'));
    let Some(release) = release.filter(|_| ["GET", "POST"].contains(&route.method.as_str())) else {
        let message = format!("there is no route `{} {}`", visible(&route.method), visible(&route.path));
        return Err(Refusal::new(Code::NotVisible, message).into());
    };
    let writing = store::begin_write(call.connection)?;
    if !store::has(&writing, "releases", tenant, release)? {
        return Err(not_visible("release", release).into());
    }
    if route.method == "GET" {
        let mut notes = writing.prepare_cached(&format!(
            "SELECT id, text, user_id, created_at FROM release_notes WHERE tenant_id = ?1 AND release_id = ?2
             ORDER BY length(id), id LIMIT {}",
            MOST + 1
        ))?;
        let rows = notes.query_map([tenant, release], |row| {
            let (id, text, user, at): (String, String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(json!({"id": id, "text": text, "user": user, "createdAt": at}))
        })?;
        let mut items = rows.collect::<Result<Vec<Value>, _>>()?;
        let complete = items.len() <= MOST;
        items.truncate(MOST);
        return Ok(Answer { status: 200, body: json!({"items": items, "complete": complete}) });
    }
    call.caller.may_write()?;
    let text = route.body.as_ref().and_then(|body| body.get("text")?.as_str());
    let text = text
        .filter(|text| !text.trim().is_empty() && text.len() <= 10_000)
        .ok_or_else(|| Refusal::argument("/body/text", "it is no text, or blank, or too long"))?;
    let (id, at) = (store::next_id(&writing, "NOTE")?, call.now.to_string());
    writing.execute(
        "INSERT INTO release_notes VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (tenant, &id, release, text, USER, &at),
    )?;
    let asked = Asked { tool: TOOL, outcome: "created", record: &id, approval: None, key: None };
    audit(&writing, call.caller, &asked, call.now)?;
    let body = json!({"id": id, "releaseId": release, "text": text, "createdAt": at});
    writing.commit()?;
    Ok(Answer { status: 201, body })
}
