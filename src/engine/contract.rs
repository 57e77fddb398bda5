//! The server's reliability contract, which is called first where the server offers it.

use std::time::Duration;

use serde_json::Map;

use super::arguments::read_tool;
use super::channel::{Channel, Letter};
use super::read::conclusion;
use super::result::{Conclusion, ContractFact};
use super::target::{Target, hear_contract};
use crate::core::text::visible;
use crate::core::{Outcome, ToolAnswer};

/// Calls the contract's tool, and gives what it says and the tenant that it names; nothing where the server does not
/// offer it.
///
/// # Errors
/// It cannot be read, or names no tenant where one belongs.
pub(super) async fn contract(
    channel: Channel<'_>,
    target: &Target,
    deadline: Duration,
) -> Result<Option<(ContractFact, Option<String>)>, Conclusion> {
    let answer = contract_answer(channel, target, deadline).await?;
    answer.map(|answer| hear_contract(target, &answer)).transpose()
}

/// What the contract's tool answers; nothing where the server does not offer it.
///
/// # Errors
/// It cannot be read.
pub(super) async fn contract_answer(
    channel: Channel<'_>,
    target: &Target,
    deadline: Duration,
) -> Result<Option<ToolAnswer>, Conclusion> {
    let profile = &target.profile;
    let operation = profile.contract.as_ref().and_then(|name| profile.operation(name));
    let Some(operation) = operation.filter(|operation| channel.tools.get(&operation.tool).is_some()) else {
        return Ok(None);
    };
    let arguments = channel.caller.settled(Map::new()).map_err(Conclusion::Invalid)?;
    read_tool(channel.tools, &operation.tool, &arguments).map_err(Conclusion::Invalid)?;
    let letter = Letter {
        step: "contract",
        tool: &operation.tool,
        arguments: &arguments,
        operation: Some(operation),
        deadline,
    };
    let (outcome, _) = channel.send(letter).await.map_err(Conclusion::Invalid)?;
    match outcome {
        Outcome::Applied(answer) => Ok(Some(answer)),
        other => Err(conclusion(other, &visible(&operation.tool))),
    }
}
