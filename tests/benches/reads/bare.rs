//! What loopgate is measured beside: `rmcp` alone, with the connections that it brings along, and nothing
//! around it. It lists the tools, makes the calls that it is given, and writes files of the size that it is given.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use reqwest::Client;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation, MetaObject,
    ProtocolVersion, RequestMetaObject,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt as _, Peer, RoleClient, RunningService, ServiceError,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::process::{Child, Command};

use crate::measure::{Outcome, runtime};
use crate::served::{TENANT, TOKEN};

/// Requests at once, as loopgate has it.
const AT_ONCE: usize = 64;

/// All that one process does.
#[derive(Serialize, Deserialize)]
pub struct Script {
    pub way: Way,
    pub calls: Vec<Call>,
    pub writes: Vec<File>,
}

#[derive(Serialize, Deserialize)]
pub struct Call {
    pub tool: String,
    pub arguments: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
pub struct File {
    pub name: PathBuf,
    pub bytes: usize,
}

/// How the server is reached.
#[derive(Clone, Serialize, Deserialize)]
pub enum Way {
    Child { program: PathBuf, arguments: Vec<String> },
    Http { url: String, stateless: bool, roots: Roots },
}

/// Which certificates the HTTP client trusts.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Roots {
    /// The system's, as the library has it.
    System,
    /// None, and none are looked for: there is no TLS here.
    None,
}

/// A connection after its handshake.
pub struct Bare {
    service: RunningService<RoleClient, ClientConfig>,
    child: Option<Child>,
}

/// Does what the script at `script` says, with the files in `out`.
pub fn run(script: &Path, out: &Path) -> Outcome<()> {
    let script: Script = serde_json::from_slice(&fs_err::read(script)?)?;
    runtime()?.block_on(async {
        let bare = Bare::connect(&script.way).await?;
        if bare.peer().list_all_tools().await?.is_empty() {
            return Err("no tools".into());
        }
        for Call { tool, arguments } in script.calls {
            called(bare.peer(), tool, arguments).await?;
        }
        bare.close().await
    })?;
    fs_err::create_dir_all(out)?;
    for File { name, bytes } in script.writes {
        fs_err::File::create(out.join(name))?.write_all(&vec![b'x'; bytes])?;
    }
    Ok(())
}

impl Bare {
    pub async fn connect(way: &Way) -> Outcome<Self> {
        let client = ClientConfig::new(ClientCapabilities::default(), Implementation::new("bare", "1"))
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE);
        Ok(match way {
            Way::Child { program, arguments } => {
                // As rmcp starts a child itself, but for a crate that would write the environment to a log.
                let mut child = Command::new(program)
                    .args(arguments)
                    .env_clear()
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn()?;
                let pipes = child.stdout.take().zip(child.stdin.take()).ok_or("no pipes")?;
                let service = client.serve_with_lifecycle(pipes, ClientLifecycleMode::Initialize).await?;
                Self { service, child: Some(child) }
            }
            Way::Http { url, stateless, roots } => {
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .auth_header(TOKEN)
                    .max_concurrent_requests(AT_ONCE);
                let transport = StreamableHttpClientTransport::with_client(http(*roots)?, config);
                let lifecycle = if *stateless {
                    ClientLifecycleMode::Auto {
                        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
                    }
                } else {
                    ClientLifecycleMode::Initialize
                };
                let service = client.serve_with_lifecycle(transport, lifecycle).await?;
                Self { service, child: None }
            }
        })
    }

    pub fn peer(&self) -> &Peer<RoleClient> {
        self.service.peer()
    }

    pub async fn close(mut self) -> Outcome<()> {
        self.service.close().await?;
        if let Some(mut child) = self.child {
            child.wait().await?;
        }
        Ok(())
    }
}

/// One call, which must succeed.
pub async fn called(
    peer: &Peer<RoleClient>,
    tool: String,
    arguments: Map<String, Value>,
) -> Outcome<CallToolResult> {
    let mut request = CallToolRequestParams::new(tool).with_arguments(arguments);
    request.meta = Some(RequestMetaObject(MetaObject(meta())));
    let answer: Result<CallToolResult, ServiceError> = peer.call_tool(request).await;
    let answer = answer?;
    if answer.is_error == Some(true) { Err("the tool gives an error".into()) } else { Ok(answer) }
}

/// What loopgate's calls carry as well.
pub fn meta() -> Map<String, Value> {
    let meta = [
        ("loopiq/tenant", TENANT),
        ("loopiq/requestId", "00000000-0000-4000-8000-000000000000"),
        ("loopiq/workflow", "certify-release"),
        ("traceparent", "00-00000000000000000000000000000001-0000000000000001-01"),
    ];
    meta.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// The HTTP client: pooled, and without the 40 ms stall.
fn http(roots: Roots) -> Outcome<Client> {
    let client = Client::builder().no_proxy().tcp_nodelay(true).pool_max_idle_per_host(AT_ONCE);
    let provider = rustls::crypto::ring::default_provider();
    Ok(match roots {
        Roots::System => {
            // It fails only where there is one already.
            let _ = provider.install_default();
            client.build()?
        }
        Roots::None => {
            let tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            client.tls_backend_preconfigured(tls).build()?
        }
    })
}
