//! What a recipe does, for a pull request or a wiki.

use super::markdown::{code, json_block, prose};
use super::recipe_steps::told_steps;
use super::recipe_text::{input_words, tool_words};
use crate::catalog::Profile;
use crate::recipe::Recipe;

/// The recipe as Markdown (CommonMark), its tools as `profile` knows them.
#[must_use]
pub fn recipe_markdown(recipe: &Recipe, profile: &Profile) -> String {
    let mut out = format!("# {}\n\n{}\n\n", code(&recipe.name), prose(&recipe.summary));
    out.push_str(&format!("- Profile: {}\n", code(&profile.profile)));
    out.push_str(&format!("- Digest: {}\n", code(&recipe.digest.to_string())));
    if !recipe.inputs.is_empty() {
        out.push_str("\n## Inputs\n\n");
        for input in &recipe.inputs {
            out.push_str(&format!("- {}: {}\n", code(&input.flag()), prose(&input_words(input))));
        }
    }
    let steps = told_steps(recipe, profile);
    out.push_str("\n## Steps\n\n");
    for step in &steps {
        out.push_str(&format!("1. {} {}: {}\n", step.kind, code(&step.id), code(&step.subject)));
        let mut detail = |text: String| out.push_str(&format!("   - {text}\n"));
        if let Some(tool) = &step.tool {
            detail(format!("Tool: {}", prose(&tool_words(tool))));
        }
        for when in &step.when {
            detail(format!("When: {}", code(when)));
        }
        if !step.uses.is_empty() {
            let uses: Vec<String> = step.uses.iter().map(|used| code(used)).collect();
            detail(format!("Uses: {}", uses.join(", ")));
        }
        if let Some(file) = &step.emits {
            detail(format!("Emits: {}", code(file)));
        }
        for remark in &step.remarks {
            detail(prose(remark));
        }
    }
    out.push_str("\n## What it would write\n\n");
    if steps.iter().all(|step| step.write.is_none()) {
        out.push_str("Nothing.\n");
    }
    for (step, write) in steps.iter().filter_map(|step| Some((step, step.write.as_ref()?))) {
        out.push_str(&format!("### {}\n\n- Reason: {}\n", code(&step.id), code(&write.reason)));
        out.push_str(&format!("- Repeated: {}\n", code(&write.idempotency)));
        if let Some(reconcile) = &write.reconcile {
            out.push_str(&format!("- A lost answer is settled by: {}\n", code(reconcile)));
        }
        out.push_str(&format!("\n{}", json_block(&write.arguments)));
    }
    if !recipe.later.is_empty() {
        out.push_str("\n## Known only when it runs\n\n");
        for later in &recipe.later {
            out.push_str(&format!("- {}\n", prose(later)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::text::is_hidden;
    use crate::report::sample;

    #[test]
    fn what_a_stranger_wrote_is_no_markup() {
        let (mut recipe, profile) = sample::recipe();
        recipe.name = sample::HOSTILE.into();
        recipe.summary = sample::HOSTILE.into();
        recipe.later = vec![sample::HOSTILE.into()];
        recipe.inputs[0].help = Some(sample::HOSTILE.into());
        let text = recipe_markdown(&recipe, &profile);
        assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'));
        for line in text.lines() {
            let outside: String = line.split("``").step_by(2).collect();
            assert!(!outside.contains("@team") && !outside.contains("<img>"), "{line}");
        }
    }

    #[test]
    fn a_write_is_shown_with_its_templates() {
        let (recipe, profile) = sample::recipe();
        let text = recipe_markdown(&recipe, &profile);
        assert!(text.contains("```json\n") && text.contains("{{ inputs.release }}"), "{text}");
    }
}
