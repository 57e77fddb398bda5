//! `loopgate init`: a shipped recipe copied into a project, to be changed there.

use super::arguments::{Init, SchemaName};
use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::schema;
use crate::core::OutputFolder;
use crate::recipe::Source;

/// The schema's name beside the recipes.
const SCHEMA: &str = "loopgate-recipe.schema.json";

/// Copies the recipe and the schema that its first line names, so that editors complete it.
pub(super) fn init(arguments: &Init, output: &Output) -> Result<Exit, Fault> {
    let source = Source::shipped(&arguments.recipe).ok_or_else(|| {
        Fault::new(Exit::Invalid, format!("no shipped recipe is called `{}`", arguments.recipe))
            .hint("`loopgate list` names them")
    })?;
    let folder = OutputFolder::new(&arguments.to);
    let name = format!("{}.yaml", arguments.recipe);
    if folder.root().join(&name).exists() && !arguments.force {
        return Err(Fault::new(Exit::Invalid, format!("`{}` exists", folder.root().join(&name).display()))
            .hint("`--force` replaces it"));
    }
    let schema = serde_json::to_string_pretty(&schema::of(SchemaName::Recipe)?).map_err(Fault::internal)?;
    folder.write(SCHEMA, format!("{schema}\n").as_bytes()).map_err(Fault::invalid)?;
    let text = format!("# yaml-language-server: $schema={SCHEMA}\n{}", source.text);
    let path = folder.write(&name, text.as_bytes()).map_err(Fault::invalid)?;
    output.data(&format!("{}\n", path.display()))?;
    output.say(&format!("next: loopgate validate {}", path.display()));
    Ok(Exit::Done)
}
