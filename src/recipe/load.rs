//! Source ▸ recipe: everything is read and checked, and every problem is told at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::build::Key;
use super::builder::{Builder, What};
use super::declare;
use super::diagnostic::{Diagnostic, Problems};
use super::document::{Document, WrittenStep};
use super::input::{Input, shown};
use super::library::Library;
use super::recommended::gates_by_recommendation;
use super::source::Source;
use super::step::{Condition, Include, Kind, Recipe, Step, StepId, Use};
use super::structure::{self, Shape};
use super::tree::Tree;
use super::yaml::File;
use crate::catalog::{Agreed, Profile};
use crate::core::Digest;
use crate::core::text::visible;

/// Steps in all.
const MOST_STEPS: usize = 1000;
/// Step names that mean something else in expressions.
const RESERVED_IDS: &[&str] = &[
    "and",
    "elif",
    "else",
    "false",
    "for",
    "if",
    "in",
    "inputs",
    "is",
    "loop",
    "none",
    "not",
    "or",
    "range",
    "recursive",
    "true",
];

/// Reads a recipe with all that it includes and checks it against a profile.
///
/// # Errors
/// Every problem of every source.
pub fn load(source: Source, library: &dyn Library, profile: &Profile) -> Result<Recipe, Problems> {
    load_agreed(source, library, profile, &Agreed::default())
}

/// Like [`load`], against what was agreed on for the server, too: which tools may be called, and the tool lock with its
/// classes and schemas.
///
/// # Errors
/// Every problem of every source.
pub fn load_agreed(
    source: Source,
    library: &dyn Library,
    profile: &Profile,
    agreed: &Agreed,
) -> Result<Recipe, Problems> {
    let mut loader = Loader {
        library,
        profile,
        agreed,
        sources: Vec::new(),
        problems: Vec::new(),
        known: BTreeMap::new(),
        emits: BTreeMap::new(),
        steps: Vec::new(),
        places: BTreeMap::new(),
        listings: BTreeSet::new(),

        later: Vec::new(),
    };
    let place = Surroundings::default();
    let top = loader.recipe(source, &place);
    if loader.problems.is_empty() {
        loader.unused();
        loader.recommended();
    }
    let texts: Vec<Digest> =
        loader.sources.iter().map(|(_, text)| Digest::of_bytes(text.as_bytes())).collect();
    let digest = Digest::of_json("loopgate.recipe/1", &json!(texts));
    match (top, digest) {
        (Some((document, inputs)), Ok(digest)) if loader.problems.is_empty() => Ok(Recipe {
            name: document.recipe,
            summary: document.summary,
            profile: document.profile,
            server: document.server,
            inputs,
            steps: loader.steps,
            digest,
            later: loader.later,
        }),
        _ => Err(Problems::new(loader.problems, loader.sources)),
    }
}

/// The recipe's `server:` line, where the source can be read that far.
#[must_use]
pub fn declared_server(source: &Source) -> Option<String> {
    let file = File::read_to_check(source.clone()).1?;
    file.value.get("server")?.as_str().map(str::to_owned)
}

/// The recipe's `profile:` line, where the source can be read that far: the name of a shipped profile, or of a
/// YAML file without any folder. [`load`] reports what is neither.
#[must_use]
pub fn declared_profile(source: &Source) -> Option<String> {
    let file = File::read_to_check(source.clone()).1?;
    file.value.get("profile")?.as_str().filter(|name| is_profile(name)).map(str::to_owned)
}

fn is_profile(name: &str) -> bool {
    let is_file = |stem: &str| !stem.is_empty() && !stem.starts_with('.') && !stem.contains(['/', '\\', ':']);
    let file = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).is_some_and(is_file);
    Profile::shipped(name).is_some() || (file && visible(name) == name)
}

/// What stands around a recipe: nothing, or the include that brings it in.
#[derive(Default)]
pub(super) struct Surroundings {
    scope: Vec<String>,
    when: Vec<Condition>,
    when_uses: BTreeSet<Use>,
    bound: BTreeMap<String, BTreeSet<Use>>,
    server: Option<String>,
    pub chain: Vec<String>,
}

pub(super) struct Loader<'a> {
    pub library: &'a dyn Library,
    profile: &'a Profile,
    agreed: &'a Agreed,
    sources: Vec<(String, String)>,
    pub problems: Vec<Diagnostic>,
    known: BTreeMap<StepId, What>,
    emits: BTreeMap<String, StepId>,
    steps: Vec<Step>,
    /// Where each step is declared.
    places: BTreeMap<StepId, (String, Option<super::diagnostic::Span>)>,
    listings: BTreeSet<String>,
    later: Vec<String>,
}

impl Loader<'_> {
    /// Reads one recipe and adds its steps; gives what it declares.
    pub(super) fn recipe(&mut self, source: Source, around: &Surroundings) -> Option<(Document, Vec<Input>)> {
        if !self.sources.iter().any(|(name, _)| *name == source.name) {
            self.sources.push((source.name.clone(), source.text.clone()));
        }
        let (mut problems, file) = File::read_to_check(source);
        self.problems.append(&mut problems);
        let file = file?;
        let Shape { document, broken } = structure::document(&file, &mut self.problems)?;
        let inputs = declare::inputs(&file, &document, &mut self.problems);
        if document.steps.is_empty() {
            let hint = Some("a gate over nothing would always pass".to_owned());
            self.report(&file, "no-steps", "/steps", "the recipe has no steps".to_owned(), hint);
        }
        if document.summary.trim().is_empty() {
            self.report(&file, "bad-value", "/summary", "`summary` is empty".to_owned(), None);
        }
        if let Some(profile) = document.profile.as_ref().filter(|profile| !is_profile(profile)) {
            let message = format!("`{}` is no profile that a recipe can name", shown(profile));
            let hint = Some("`loopiq`, `plain`, or the name of a .yaml file without any folder".to_owned());
            self.report(&file, "bad-profile", "/profile", message, hint);
        }
        if let Some((inner, outer)) = document.server.as_ref().zip(around.server.as_ref())
            && inner != outer
        {
            let message =
                format!("this recipe runs against `{}`, and what includes it against another", shown(inner));
            self.report(&file, "other-server", "/server", message, None);
        }
        let ids: Vec<String> = document.steps.iter().map(|step| step.id.clone()).collect();
        for (index, step) in document.steps.iter().enumerate() {
            if self.steps.len() >= MOST_STEPS {
                let message = format!("there are more than {MOST_STEPS} steps in all");
                self.report(&file, "too-many-steps", &format!("/steps/{index}"), message, None);
                break;
            }
            if broken.contains(&index) {
                self.known.insert(StepId::new(&around.scope, &step.id), What::Broken);
                continue;
            }
            self.id(&file, index, &ids);
            self.step(&file, &document, &inputs, &ids, index, step, around);
        }
        Some((document, inputs))
    }

    pub(super) fn report(
        &mut self,
        file: &File,
        code: &'static str,
        at: &str,
        message: String,
        hint: Option<String>,
    ) {
        let source = file.source.name.clone();
        self.problems.push(Diagnostic { code, message, source, span: file.value_span(at), hint });
    }

    fn id(&mut self, file: &File, index: usize, ids: &[String]) {
        let Some(id) = ids.get(index) else { return };
        let at = format!("/steps/{index}/id");
        if RESERVED_IDS.contains(&id.as_str()) {
            let message = format!("a step cannot be called `{id}`: expressions use that name");
            self.report(file, "reserved-name", &at, message, None);
        }
        if let Some(first) = ids.iter().position(|other| other == id).filter(|first| *first < index) {
            let line = file.value_span(&format!("/steps/{first}/id")).map(|span| span.line);
            let hint = line.map(|line| format!("the first one is on line {line}"));
            self.report(file, "duplicate-id", &at, format!("a second step is called `{id}`"), hint);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the recipe around a step is not worth a type of its own")]
    fn step(
        &mut self,
        file: &File,
        document: &Document,
        inputs: &[Input],
        ids: &[String],
        index: usize,
        step: &WrittenStep,
        around: &Surroundings,
    ) {
        let id = StepId::new(&around.scope, &step.id);
        let mut builder = Builder {
            file,
            profile: self.profile,
            agreed: self.agreed,
            optional: step.optional.is_some(),
            scope: &around.scope,
            inputs,
            bound: &around.bound,
            ids,
            known: &self.known,
            pointer: format!("/steps/{index}"),
            id: step.id.clone(),
            uses: around.when_uses.clone(),
            listings: BTreeSet::new(),
            secrets: None,
            problems: Vec::new(),
            later: Vec::new(),
        };
        let key = builder.key(step);
        let condition = step.when.as_deref().map(|text| builder.condition("/when", text));
        builder.emit(step, &mut self.emits);
        let when_uses = builder.uses.clone();
        let built = key.and_then(|key| builder.kind(key, step));
        let given = (key == Some(Key::Include)).then(|| builder.given(step));
        let Builder { uses, listings, mut problems, mut later, .. } = builder;
        let broken = !problems.is_empty();
        self.problems.append(&mut problems);
        self.later.append(&mut later);
        self.listings.extend(listings);

        let mut when = around.when.clone();
        if let Some(Some(holds)) = condition {
            when.push(Condition { scope: around.scope.clone(), holds });
        }
        let span = file
            .key_span(&format!("/steps/{index}/id"))
            .or_else(|| file.value_span(&format!("/steps/{index}")));
        self.places.entry(id.clone()).or_insert_with(|| (file.source.name.clone(), span));
        let line = span.map(|span| span.line);
        let new = |kind, uses: BTreeSet<Use>, when: Vec<Condition>| Step {
            id: id.clone(),
            scope: around.scope.clone(),
            when,
            emit: step.emit.clone(),
            kind,
            uses: uses.into_iter().collect(),
            line,
        };
        if let (Some(reference), Some(given)) = (&step.include, given) {
            self.known.insert(id.clone(), What::Include);
            let mut chain = around.chain.clone();
            chain.push(file.source.name.clone());
            let inner = Surroundings {
                scope: id.segments().to_vec(),
                when: when.clone(),
                when_uses,
                bound: given.iter().map(|(name, (_, uses))| (name.clone(), uses.clone())).collect(),
                server: document.server.clone().or_else(|| around.server.clone()),
                chain,
            };
            let place = self.steps.len();
            let at = format!("/steps/{index}");
            let Some(declared) = self.include(file, &at, reference, &inner) else {
                self.known.insert(id, What::Broken);
                return;
            };
            self.bindings(file, &at, reference, &given, &declared);
            // A null that is written means the default; one that an expression gives does not.
            let trees = given
                .into_iter()
                .filter_map(|(name, (tree, _))| Some((name, tree?)))
                .filter(|(_, tree)| !matches!(tree, Tree::Literal(serde_json::Value::Null)))
                .collect();
            let include = Include { recipe: reference.clone(), inputs: Tree::Map(trees), declared };
            self.steps.insert(place.min(self.steps.len()), new(Kind::Include(include), uses, when));
            return;
        }
        match built {
            Some((kind, what)) => {
                self.known.entry(id.clone()).or_insert(if broken { What::Broken } else { what });
                self.steps.push(new(kind, uses, when));
            }
            None => {
                self.known.entry(id).or_insert(What::Broken);
            }
        }
    }

    /// Gates that would decide by a recommendation.
    fn recommended(&mut self) {
        for (gate, by) in gates_by_recommendation(&self.steps, self.profile) {
            let (source, span) = self.places.get(&gate).cloned().unwrap_or_default();
            let message = format!("`{gate}` decides by what `{by}` recommends");
            let hint = "a recommendation is no evidence of a decision: let the gate stand on what was read, or make it \
                        `advisory: true`";
            let hint = Some(hint.to_owned());
            self.problems.push(Diagnostic { code: "gate-by-recommendation", message, source, span, hint });
        }
    }

    /// Reads and analyses that nothing uses: forgotten, or a name that was mistyped elsewhere.
    fn unused(&mut self) {
        let used: BTreeSet<&StepId> =
            self.steps.iter().flat_map(|step| step.uses.iter().map(|one| &one.step)).collect();
        let mut problems = Vec::new();
        for step in &self.steps {
            let listing = matches!(&step.kind, Kind::Read(read) if self.listings.contains(&read.operation));
            let captures = matches!(step.kind, Kind::Read(_) | Kind::Analyze(_));
            if captures && !listing && step.emit.is_none() && !used.contains(&step.id) {
                let (source, span) = self.places.get(&step.id).cloned().unwrap_or_default();
                let message = format!("nothing uses `{}`", step.id);
                let hint = Some("use its result, `emit` it, or leave the step out".to_owned());
                problems.push(Diagnostic { code: "unused-capture", message, source, span, hint });
            }
        }
        self.problems.append(&mut problems);
    }
}
