//! Whether the tools that are used are what the lock says.

use std::collections::BTreeSet;

use super::target::Target;
use crate::artifact::Artifact;
use crate::catalog::Profile;
use crate::catalog::lock::{Asked, ChangeCode, Listed, Role, compare};
use crate::core::ToolDefinition;
use crate::mcp::ServerFacts;
use crate::recipe::{Kind, Recipe};

/// Changes that a message names; whoever has more has enough to begin with.
const MOST: usize = 10;

/// Checks that the tools of `used` that the lock has are what it says.
///
/// # Errors
/// Each that is not, and how, in words; from the server's own words in part.
pub(super) fn as_locked(
    target: &Target,
    facts: &ServerFacts,
    tools: &[ToolDefinition],
    used: BTreeSet<String>,
) -> Result<(), String> {
    let Some(lock) = &target.agreed.lock else { return Ok(()) };
    let listed = Listed {
        identity: target.locked_as(),
        name: &facts.name,
        version: &facts.version,
        role: Role::Read,
        tools,
    };
    let changes = compare(lock, &target.profile, &listed, &Asked::Recipes(used));
    // One that the lock lacks is a write, which whoever reads it is told.
    let moved = changes.iter().filter(|change| change.fails && change.code != ChangeCode::ToolNew);
    let moved: Vec<String> = moved.take(MOST).map(ToString::to_string).collect();
    if moved.is_empty() {
        return Ok(());
    }
    let command = target.agreed.lock_command();
    Err(format!(
        "the server is not what the tool lock says: {}; look at `{command} --check`, and once that is reviewed, run \
         `{command}`",
        moved.join("; ")
    ))
}

/// The tools that a recipe calls, with those that are called along with them. What a read does without where it is not
/// offered is left out then.
pub(super) fn used_by_recipe(
    recipe: &Recipe,
    profile: &Profile,
    tools: &[ToolDefinition],
) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let tool =
        |name: &str| profile.operation(name).map_or(name, |operation| operation.tool.as_str()).to_owned();
    used.extend(profile.contract.as_deref().map(tool));
    for step in &recipe.steps {
        match &step.kind {
            Kind::Read(read) => {
                let tool = tool(&read.operation);
                if read.optional.is_none() || tools.iter().any(|offered| offered.name == tool) {
                    used.insert(tool);
                }
            }
            Kind::Write(write) => {
                used.insert(tool(&write.operation));
                used.extend(write.reconcile.as_ref().map(|reconcile| tool(&reconcile.operation)));
                let operation = profile.operation(&write.operation);
                let lookup = operation.and_then(|operation| operation.created.as_ref()?.lookup.as_ref());
                used.extend(lookup.map(|lookup| tool(&lookup.operation)));
            }
            _ => {}
        }
    }
    used
}

/// The tools that an artifact calls, and the contract's.
pub(super) fn used_by_artifact(artifact: &Artifact, profile: &Profile) -> BTreeSet<String> {
    let document = artifact.document();
    let contract = profile.contract.as_ref().and_then(|name| profile.operation(name));
    let mut used: BTreeSet<String> = contract.map(|operation| operation.tool.clone()).into_iter().collect();
    for operation in &document.operations {
        used.insert(operation.tool.clone());
        used.extend(operation.reconcile.as_ref().map(|reconcile| reconcile.tool.clone()));
        let lookup = operation.created.as_ref().and_then(|created| created.lookup.as_ref());
        used.extend(lookup.map(|lookup| lookup.tool.clone()));
    }
    used.extend(document.preconditions.iter().map(|read| read.tool.clone()));
    used
}
