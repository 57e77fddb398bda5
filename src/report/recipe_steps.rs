//! What a recipe's steps do, as every output of it tells. All of it is hostile text still.

use serde_json::{Map, Value, json};

use crate::catalog::Profile;
use crate::core::Class;
use crate::recipe::{FROM_SECRET, Kind, Recipe, Step, Tree};

/// One step as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToldStep {
    /// Its dotted ID.
    pub id: String,
    /// Its kind.
    pub kind: &'static str,
    /// The operation, analysis, file or recipe that it names, or the gate's expression.
    pub subject: String,
    /// For a read or write: the tool.
    pub tool: Option<ToldTool>,
    /// Its conditions.
    pub when: Vec<String>,
    /// What it uses, as `step.member`.
    pub uses: Vec<String>,
    /// The file that it emits.
    pub emits: Option<String>,
    /// What a reader should know besides.
    pub remarks: Vec<String>,
    /// For a write: what would be sent.
    pub write: Option<ToldWrite>,
}

/// The tool behind an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToldTool {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub class: Class,
    /// What that stands on, part by part; `None` where the profile does not know the operation.
    pub basis: Option<String>,
}

/// What a write would send.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToldWrite {
    /// Why, as a template.
    pub reason: String,
    /// The recipe's arguments with the templates in their leaves.
    pub arguments: Value,
    /// How it may be repeated.
    pub idempotency: String,
    /// The operation that tells whether it happened.
    pub reconcile: Option<String>,
}

/// The recipe's steps in order.
pub(super) fn told_steps(recipe: &Recipe, profile: &Profile) -> Vec<ToldStep> {
    recipe.steps.iter().map(|step| told(step, profile)).collect()
}

fn told(step: &Step, profile: &Profile) -> ToldStep {
    let mut told = ToldStep {
        id: step.id.to_string(),
        kind: "",
        subject: String::new(),
        tool: None,
        when: step.when.iter().map(|condition| condition.holds.source().to_owned()).collect(),
        uses: uses(step),
        emits: step.emit.clone(),
        remarks: Vec::new(),
        write: None,
    };
    match &step.kind {
        Kind::Read(read) => {
            told.kind = "read";
            told.subject.clone_from(&read.operation);
            told.tool = Some(tool(&read.operation, profile));
            if let Some(unproven) = &read.optional {
                told.remarks.push(format!("optional; without it is not proven {unproven}"));
            }
        }
        Kind::Write(write) => {
            told.kind = "write";
            told.subject.clone_from(&write.operation);
            told.tool = Some(tool(&write.operation, profile));
            told.write = Some(ToldWrite {
                reason: write.reason.source().to_owned(),
                arguments: template(&write.arguments),
                idempotency: write.idempotency.to_string(),
                reconcile: write.reconcile.as_ref().map(|reconcile| reconcile.operation.clone()),
            });
        }
        Kind::Analyze(analyze) => {
            told.kind = "analyze";
            told.subject = format!("{} of {}", analyze.analysis.makes(), analyze.of);
        }
        Kind::Gate(gate) => {
            told.kind = "gate";
            told.subject = gate.holds.source().to_owned();
            if let Some(undecided) = &gate.undecided {
                told.remarks.push(format!("undecided where {}", undecided.source()));
            }
            if gate.advisory {
                told.remarks.push("advisory: it stops nothing".to_owned());
            }
        }
        Kind::Emit(_) => {
            told.kind = "emit";
            told.subject = "a file of its own".to_owned();
        }
        Kind::Include(include) => {
            told.kind = "include";
            told.subject.clone_from(&include.recipe);
        }
    }
    told
}

fn uses(step: &Step) -> Vec<String> {
    let dotted = step.uses.iter().map(|used| {
        let path = used.path.iter().map(|name| format!(".{name}")).collect::<String>();
        format!("{}{path}", used.step)
    });
    dotted.collect()
}

fn tool(operation: &str, profile: &Profile) -> ToldTool {
    match profile.operation(operation) {
        None => ToldTool { name: operation.to_owned(), class: Class::Write, basis: None },
        Some(known) => {
            let basis = &known.basis;
            let parts = [
                ("tool", Some(basis.tool)),
                ("arguments", Some(basis.arguments)),
                ("result", Some(basis.result)),
                ("control", basis.control),
                ("repetition", basis.repetition),
            ];
            let parts = parts.into_iter().filter_map(|(part, basis)| Some(format!("{part} {}", basis?)));
            let basis = Some(parts.collect::<Vec<_>>().join(", "));
            ToldTool { name: known.tool.clone(), class: known.class, basis }
        }
    }
}

/// What is written in a recipe, with the templates as they stand there.
fn template(tree: &Tree) -> Value {
    match tree {
        Tree::Literal(value) => value.clone(),
        Tree::Leaf(leaf) => Value::from(leaf.source()),
        Tree::Secret(name) => json!({ FROM_SECRET: name }),
        Tree::List(items) => items.iter().map(template).collect(),
        Tree::Map(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), template(member))).collect())
        }
        Tree::Loop { over, name, give } => {
            let mut members = Map::new();
            members.insert("for_each".to_owned(), Value::from(over.source()));
            members.insert("as".to_owned(), Value::from(name.as_str()));
            members.insert("give".to_owned(), template(give));
            Value::Object(members)
        }
    }
}
