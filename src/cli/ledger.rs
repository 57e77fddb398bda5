//! `loopgate ledger`: make one, list what happened, check all of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::arguments::Format;
use super::environment::Environment;
use super::exit::Exit;
use super::fault::Fault;
use super::ledger_arguments::{LedgerCommand, LedgerLog, LedgerPlace, LedgerVerify};
use super::ledger_log::{Wanted, each_row};
use super::ledger_place::{self, Place, expect};
use super::ledger_status::LedgerStatus;
use super::output::Output;
use super::policy::Trusted;
use crate::core::text::visible;
use crate::ledger::Founded;
use crate::report::{LedgerLogJson, LedgerLogText};

/// Bytes of a log that are written at once.
const AT_ONCE: usize = 64 << 10;

pub(super) fn ledger(
    command: LedgerCommand,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Fault> {
    match command {
        LedgerCommand::Init(arguments) => init(&arguments, environment, output),
        LedgerCommand::Log(arguments) => log(arguments, environment, output),
        LedgerCommand::Status(arguments) => {
            let ledger = place(&arguments.place, environment)?.open_there()?;
            let (status, now) = (LedgerStatus::of(&ledger)?, Timestamp::now());
            match arguments.format {
                Format::Text => output.data(&status.text(&ledger, now))?,
                Format::Json => output.json(&status.json(&ledger, now))?,
            }
            Ok(Exit::Done)
        }
        LedgerCommand::Verify(arguments) => verify(&arguments, environment, output),
    }
}

/// The ledger that is meant.
pub(super) fn place(arguments: &LedgerPlace, environment: &Environment) -> Result<Place, Fault> {
    let trusted = Trusted::read(arguments.trust.as_deref(), environment)?;
    ledger_place::find(
        arguments.ledger.as_deref(),
        trusted.as_ref().map(|trusted| &trusted.settings),
        environment,
    )
}

fn init(arguments: &LedgerPlace, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let place = place(arguments, environment)?;
    let (ledger, founded) = place.create(environment)?;
    output.data(ledger.id())?;
    if let Some(founded) = founded {
        say_founded(&founded, output);
    }
    if place.id.is_some() {
        output.say("note: the settings ask for another ID and refuse this ledger: put this one there");
    }
    Ok(Exit::Done)
}

/// What was made in a database, and what is left to whoever may grant roles.
fn say_founded(founded: &Founded, output: &Output) {
    let Founded { before, version, role } = founded;
    if let Some(before) = before {
        output.say(&format!("brought from version {before} to {version}"));
    }
    match role {
        Ok(role) => output.say(&format!(
            "made the schema `loopgate` and the role `{role}`, which adds and reads, and changes and removes nothing: \
             grant it to whoever runs `apply`, and give its own role to nobody else"
        )),
        Err(why) => output.say(&format!(
            "made the schema `loopgate`; the role of a runner was not made ({}): have somebody who may run\n{}",
            visible(why),
            Founded::statements()
        )),
    }
}

fn log(arguments: LedgerLog, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let LedgerLog { place: named, release, approver, since, until, format } = arguments;
    let ledger = place(&named, environment)?.open_there()?;
    let wanted =
        Wanted { release, approver, since: since.map(|since| since.0), until: until.map(|until| until.0) };
    let mut out = String::new();
    let tell = |out: &mut String, least: usize| {
        if out.len() < least {
            return Ok(());
        }
        let told = output.data(out);
        out.clear();
        told
    };
    match format {
        Format::Text => {
            let mut log = LedgerLogText::new(&output.stdout);
            each_row(&ledger, &wanted, |row| {
                log.row(row, &mut out);
                tell(&mut out, AT_ONCE)
            })?;
            log.end(&mut out);
        }
        Format::Json => {
            let mut log = LedgerLogJson::default();
            each_row(&ledger, &wanted, |row| {
                log.row(&row, &mut out);
                tell(&mut out, AT_ONCE)
            })?;
            log.end(&mut out);
        }
    }
    tell(&mut out, 1)?;
    Ok(Exit::Done)
}

fn verify(arguments: &LedgerVerify, environment: &Environment, output: &Output) -> Result<Exit, Fault> {
    let ledger = place(&arguments.place, environment)?.open_there()?;
    let verified = ledger.verify()?;
    expect(&ledger, arguments.expect_head.as_ref())?;
    let heads = ledger.chain_heads()?;
    match arguments.format {
        Format::Text => {
            let mut text = format!(
                "whole: {} chains, {} events\nledger {}\n",
                verified.chains,
                verified.events,
                ledger.id()
            );
            for (effect, head) in heads {
                text.push_str(&format!("{} ends with {}\n", effect.short(), head.digest));
            }
            if arguments.expect_head.is_none() {
                text.push_str("not checked: whether events were cut off at the end (`--expect-head`)\n");
            }
            output.data(&text)?;
        }
        Format::Json => {
            let heads: Vec<Value> = heads
                .into_iter()
                .map(|(effect, head)| {
                    json!({ "effect_digest": effect, "head": head.digest, "count": head.count })
                })
                .collect();
            output.json(&json!({
                "format": "loopgate.ledger-verified/1",
                "ledger": ledger.id(),
                "chains": verified.chains,
                "events": verified.events,
                "heads": heads,
                "expected_head": arguments.expect_head,
            }))?;
        }
    }
    Ok(Exit::Done)
}
