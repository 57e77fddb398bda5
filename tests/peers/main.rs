//! A small real MCP server over standard input and output that misbehaves as its first argument says.
//! It speaks the protocol by hand, so that it can say what no library would.
//!
//! A family of modes is one file with a `play` function, listed in [`FAMILIES`].

mod between;
mod claims;
mod door;
mod gossip;
mod http;
mod http_fault;
mod http_tls;
mod issuer;
mod line;
mod loopiq;
mod offers;
mod timing;
mod transport;

use std::io::Write as _;
use std::process::ExitCode;

/// Plays `mode` with its arguments until the client is gone; `None` where the family has no such mode.
type Family = fn(mode: &str, arguments: &[String]) -> Option<ExitCode>;

const FAMILIES: &[Family] = &[
    gossip::play,
    transport::play,
    loopiq::play,
    offers::play,
    timing::play,
    between::play,
    http::play,
    http::play_proxy,
    issuer::play,
    claims::play,
    door::play,
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    FAMILIES.iter().find_map(|play| play(&mode, &arguments)).unwrap_or_else(|| {
        let _ = writeln!(std::io::stderr(), "no such mode: `{mode}`");
        ExitCode::from(64)
    })
}
