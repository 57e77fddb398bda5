//! Many reads over one connection: in a row, and 64 at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use loopgate::core::{Outcome as Came, ToolCall};
use loopgate::mcp::{Credential, Endpoint, Era, HttpServer, Limits, Session, Token, classify};
use serde_json::{Map, Value, json};

use crate::bare::{Bare, Roots, Way, called, meta};
use crate::measure::{Outcome, float, runtime, say, timed};
use crate::pairs::{Pairs, heads};
use crate::served::{Served, TOKEN};

/// Calls in a slice, and slices of each.
const SLICE: usize = 1_000;
const SLICES: usize = 10;
/// Calls before anything is measured.
const FIRST: usize = 200;
const TOOL: &str = "loopiq_get_release_certification";

pub fn measure(folder: &Path) -> Outcome<()> {
    heads(&format!("a read over HTTP, {SLICES} times {SLICE}"), "bare rmcp")?;
    let served = Served::start(folder)?;
    for (era, stateless, revision) in
        [(Era::Either, true, "2026-07-28"), (Era::Sessions, false, "2025-11-25")]
    {
        let runtime = runtime()?;
        let (session, bare) = runtime.block_on(async {
            let session = Session::connect(endpoint(&served, era)?, Limits::default()).await?;
            let bare =
                Bare::connect(&Way::Http { url: served.url.clone(), stateless, roots: Roots::None }).await?;
            Ok::<_, Box<dyn std::error::Error>>((session, bare))
        })?;
        if session.facts().revision != revision {
            return Err(format!("{} is spoken", session.facts().revision).into());
        }
        for (at_once, words) in [(1, "in a row"), (64, "64 at once")] {
            let ours = |count: usize| -> Outcome<Duration> {
                let calls = stream::iter(0..count).map(|_| read(&session)).buffer_unordered(at_once);
                Ok(timed(|| runtime.block_on(calls.try_for_each(|()| async { Ok(()) })))?.0)
            };
            let other = |count: usize| -> Outcome<Duration> {
                let calls = stream::iter(0..count).map(|_| read_barely(&bare)).buffer_unordered(at_once);
                Ok(timed(|| runtime.block_on(calls.try_for_each(|()| async { Ok(()) })))?.0)
            };
            ours(FIRST)?;
            other(FIRST)?;
            let pairs = Pairs::of(SLICES, || ours(SLICE), || other(SLICE))?;
            pairs.tell(&format!("{words}, {revision}"), float(SLICE))?;
        }
        runtime.block_on(async {
            session.close().await;
            bare.close().await
        })?;
    }
    say("")
}

fn endpoint(served: &Served, era: Era) -> Outcome<Endpoint> {
    Ok(Endpoint::Http(HttpServer {
        address: served.url.parse()?,
        token: Some(Credential::Token(Token::new(TOKEN)?)),
        headers: BTreeMap::new(),
        authorities: None,
        proxy: None,
        era,
    }))
}

fn arguments() -> Map<String, Value> {
    Map::from_iter([("releaseId".to_owned(), json!("REL-READY"))])
}

async fn read(session: &Session) -> Outcome<()> {
    let call = ToolCall {
        tool: TOOL.to_owned(),
        arguments: arguments(),
        meta: meta(),
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        tenant: None,
        varying: Vec::new(),
    };
    match classify(session.call(&call, session.limits().call).await, None, None) {
        Came::Applied(answer) if answer.structured.is_some() => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

async fn read_barely(bare: &Bare) -> Outcome<()> {
    let answer = called(bare.peer(), TOOL.to_owned(), arguments()).await?;
    if answer.structured_content.is_some() { Ok(()) } else { Err("no content".into()) }
}
