//! The client that the official conformance suite starts, as `conformance PROTOCOL URL`: the product's own client
//! module connects, lists the tools and calls each of them once, as a run does. It speaks no MCP by itself.
//!
//! PROTOCOL is what the settings call so: `auto`, `2025-11-25` or `2026-07-28`. What was seen of each call goes
//! to standard output. What should not have been seen goes to standard error, and the exit code is 1 then: the
//! suite looks at what a client sends, and not at what it makes of the answers.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use loopgate::catalog::Schema;
use loopgate::core::call::Seen;
use loopgate::core::{ToolCall, ToolDefinition};
use loopgate::mcp::{
    ClientCredentials, ClientProof, Credential, Endpoint, Era, HttpServer, Limits, Secret, Session,
    SigningKey,
};
use serde_json::{Map, Value, json};

/// For the handshake, the list and each call; the suite ends this program after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// What must be seen of a call.
#[derive(Clone, Copy)]
enum Wanted {
    /// An answer with this in its text.
    Text(&'static str),
    /// That the server asks for something that a pipeline cannot give.
    Input,
    /// Nothing: the tool is not called, because its schema leads out of itself.
    NoCall,
}

/// The tools of all scenarios: the arguments of the call, and what must be seen of it.
fn wanted(tool: &str, tools: &[ToolDefinition]) -> Option<(Value, Wanted)> {
    let schema = |of: &str| tools.iter().find(|tool| tool.name == of).map(|tool| tool.input_schema.clone());
    Some(match tool {
        "add_numbers" => (json!({"a": 5, "b": 3}), Wanted::Text("The sum of 5 and 3 is 8")),
        "test_reconnection" => (json!({}), Wanted::Text("Reconnection test completed successfully")),
        "test_headers" | "my-hyphenated-tool" => (json!({}), Wanted::Text("Headers test completed")),
        "test_custom_headers" | "test_custom_headers_null" => {
            (json!({}), Wanted::Text("Custom headers test completed"))
        }
        "valid_tool" => (json!({"region": "us-west1"}), Wanted::Text("Tool call received")),
        "lookup_user" => (json!({"id": "alice"}), Wanted::NoCall),
        "json_schema_2020_12_tool" => (json!({}), Wanted::Text("ok")),
        "json_schema_echo" => {
            (json!({"schema": schema("json_schema_2020_12_tool")?}), Wanted::Text("echoed"))
        }
        "test_mrtr_echo_state" | "test_mrtr_no_state" => (json!({}), Wanted::Input),
        "test_mrtr_unrelated" => (json!({}), Wanted::Text("unrelated-ok")),
        "test_mrtr_no_result_type" => (json!({}), Wanted::Text("no-result-type-test-ok")),
        "test-tool" => (json!({}), Wanted::Text("test")),
        "test_client_elicitation_defaults" => (json!({}), Wanted::Text("Elicitation error")),
        _ => return None,
    })
}

/// What this program is told.
struct Given {
    era: Era,
    url: String,
    /// The revision that the suite speaks.
    revision: String,
    /// The arguments of some tools, where the scenario has its own.
    arguments: BTreeMap<String, Map<String, Value>>,
    /// The client at an issuer, where the scenario has one.
    client: Option<ClientCredentials>,
}

impl Given {
    #[expect(clippy::disallowed_methods, reason = "the suite speaks to its client by the environment")]
    fn read() -> Result<Self, String> {
        let mut told = std::env::args().skip(1);
        let (protocol, url) = (told.next().unwrap_or_default(), told.next().unwrap_or_default());
        let era = match protocol.as_str() {
            "auto" => Era::Either,
            "2025-11-25" => Era::Sessions,
            "2026-07-28" => Era::Stateless,
            other => return Err(format!("`{other}` is no protocol")),
        };
        let revision =
            std::env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").map_err(|error| error.to_string())?;
        let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| "{}".to_owned());
        let context: Value = serde_json::from_str(&context).map_err(|error| error.to_string())?;
        let calls = context.get("toolCalls").and_then(Value::as_array);
        let arguments = calls.into_iter().flatten().filter_map(|call| {
            let name = call.get("name")?.as_str()?;
            Some((name.to_owned(), call.get("arguments")?.as_object()?.clone()))
        });
        let arguments = arguments.collect();
        let client = client(&context, &url)?;
        Ok(Self { era, url, revision, arguments, client })
    }

    fn endpoint(&self) -> Result<Endpoint, String> {
        let address = self.url.parse().map_err(|error| format!("{error}"))?;
        let headers = BTreeMap::new();
        let token = self.client.clone().map(Credential::Client);
        let (authorities, proxy) = (None, None);
        Ok(Endpoint::Http(HttpServer { address, token, headers, authorities, proxy, era: self.era }))
    }
}

/// The client that the context names, as the settings would.
fn client(context: &Value, url: &str) -> Result<Option<ClientCredentials>, String> {
    let told = |member: &str| context.get(member).and_then(Value::as_str);
    let proof = match (told("client_secret"), told("private_key_pem")) {
        (Some(secret), _) => {
            let secret = Secret::new(secret).map_err(|error| error.to_string())?;
            let issuer = told("issuer").map_or_else(|| issuer(url), |issuer| Ok(issuer.to_owned()))?;
            ClientProof::Secret(secret, issuer.parse().map_err(|error| format!("{error}"))?)
        }
        (None, Some(key)) if told("signing_algorithm") == Some("ES256") => {
            ClientProof::Key(SigningKey::from_pem(key.as_bytes()).map_err(|error| error.to_string())?, None)
        }
        (None, _) => return Ok(None),
    };
    let name = told("client_id").unwrap_or_default().to_owned();
    Ok(Some(ClientCredentials::new(name, proof, None)))
}

/// The issuer that whoever has a secret names in the settings. Where the suite names it in the server's own metadata
/// alone, which the product does not believe with a secret, this looks it up in the place of that person.
fn issuer(url: &str) -> Result<String, String> {
    const PLACE: &str = "/.well-known/oauth-protected-resource";
    let bare = url.strip_prefix("http://").ok_or("the URL is not of this machine")?;
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let asked = format!("GET {PLACE}/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let read = || {
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(asked.as_bytes())?;
        let mut said = String::new();
        stream.read_to_string(&mut said).map(|_| said)
    };
    let said = read().map_err(|error: std::io::Error| error.to_string())?;
    let body = said.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let metadata: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {said}"))?;
    let named = metadata.pointer("/authorization_servers/0").and_then(Value::as_str);
    named.map(str::to_owned).ok_or_else(|| format!("no issuer is named: {metadata}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let problems = match tried().await {
        Ok(problems) => problems,
        Err(problem) => vec![problem],
    };
    for problem in &problems {
        let _ = writeln!(std::io::stderr(), "{problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Calls every tool, and gives what should not have been seen.
async fn tried() -> Result<Vec<String>, String> {
    let given = Given::read()?;
    let limits = Limits { connect: PATIENCE, list: PATIENCE, ..Limits::default() };
    let session = Session::connect(given.endpoint()?, limits).await.map_err(|error| error.to_string())?;
    let mut problems = Vec::new();
    if session.facts().revision != given.revision {
        problems.push(format!("the revision is `{}`, not `{}`", session.facts().revision, given.revision));
    }
    let tools = session.tools().await.map_err(|error| error.to_string())?;
    for tool in &tools {
        let (arguments, wanted) = match wanted(&tool.name, &tools) {
            Some((arguments, wanted)) => (arguments, Some(wanted)),
            None => (json!({}), None),
        };
        let own = given.arguments.get(&tool.name).cloned();
        let arguments = own.or_else(|| arguments.as_object().cloned()).unwrap_or_default();
        // A run checks the arguments as well; the suite sends some on purpose that do not fit.
        let seen = match Schema::compile(&tool.input_schema) {
            Ok(_) => Some(session.call(&call(&tool.name, arguments), PATIENCE).await),
            Err(_) => None,
        };
        let _ = writeln!(std::io::stdout(), "{}: {seen:?}", tool.name);
        if !fits(wanted, seen.as_ref()) {
            problems.push(format!("`{}` should have been seen otherwise: {seen:?}", tool.name));
        }
    }
    session.close().await;
    Ok(problems)
}

fn call(tool: &str, arguments: Map<String, Value>) -> ToolCall {
    ToolCall {
        tool: tool.to_owned(),
        arguments,
        meta: Map::new(),
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        tenant: None,
        varying: Vec::new(),
    }
}

fn fits(wanted: Option<Wanted>, seen: Option<&Seen>) -> bool {
    match (wanted, seen) {
        (Some(Wanted::Text(text)), Some(Seen::Answer(answer))) => answer.text.concat().contains(text),
        (Some(Wanted::Input), Some(Seen::NeedsInput(_))) | (Some(Wanted::NoCall), None) => true,
        _ => false,
    }
}
