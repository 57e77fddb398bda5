//! Expressions and trees of a step, compiled and checked.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::builder::Builder;
use super::declare::is_name;
use super::escape::Escaping;
use super::input::shown;
use super::scope::Values;
use super::template::Expression;
use super::tree::Tree;
use crate::core::pointer::escape;
use crate::core::secret::is_secret_name;
use crate::core::token_shape::token_shape;

/// The key of a mapping that is a secret, by its name.
pub const FROM_SECRET: &str = "from_secret";

impl Builder<'_> {
    /// Compiles the leaf at `at`; `locals` are the names that loops around it give.
    pub fn leaf(
        &mut self,
        at: &str,
        text: &str,
        escaping: Escaping,
        locals: &[String],
    ) -> Option<Expression> {
        let pointer = format!("{}{at}", self.pointer);
        if let Some(what) = token_shape(text) {
            // Without its place, which would show it.
            let message =
                format!("`{at}` of `{}` looks like {what}, and a recipe holds no credential", self.id);
            let hint = Some(format!("in a write name a secret: `{{ {FROM_SECRET}: NAME }}`"));
            self.report("credential", None, message, hint);
            return None;
        }
        let leaf = match Expression::compile(text, escaping) {
            Ok(leaf) => leaf,
            Err(problems) => {
                for problem in problems {
                    let span = self.file.span_within(&pointer, text, problem.range.start, problem.range.end);
                    self.report(problem.code, span, problem.message, problem.hint);
                }
                return None;
            }
        };
        let before = self.problems.len();
        for name in leaf.locals() {
            self.shadow(name, self.file.value_span(&pointer));
        }
        if self.problems.len() > before {
            return None;
        }
        for reference in leaf.references() {
            if !locals.contains(&reference.name) {
                let range = reference.range.clone();
                let span = self.file.span_within(&pointer, text, range.start, range.end);
                self.reference(reference, span);
            }
        }
        if leaf.is_constant()
            && let Err(error) = leaf.evaluate(&Values::default().scope(&[]))
        {
            let span = self.file.value_span(&pointer);
            self.report("template-fails", span, format!("this never has a value: {}", error.message), None);
        }
        (self.problems.len() == before).then_some(leaf)
    }

    /// Compiles a leaf that decides something: exactly one expression, and not a constant.
    pub fn condition(&mut self, at: &str, text: &str) -> Option<Expression> {
        let leaf = self.leaf(at, text, Escaping::None, &[])?;
        let key = at.trim_start_matches('/');
        if !leaf.is_typed() {
            let message = format!("`{key}` is exactly one `{{{{ expression }}}}`");
            let hint = Some("text around it would make it text, which is always true".to_owned());
            self.at_value("not-an-expression", at, message, hint);
            return None;
        }
        if leaf.is_constant() {
            let message = format!("`{key}` is constant: it depends on no input and no step");
            self.at_value("constant-condition", at, message, None);
            return None;
        }
        Some(leaf)
    }

    /// Compiles a value with templates in its leaves.
    pub fn tree(&mut self, at: &str, value: &Value, escaping: Escaping, locals: &[String]) -> Option<Tree> {
        match value {
            Value::String(text) => self.leaf(at, text, escaping, locals).map(Tree::Leaf),
            Value::Array(items) => {
                // A slot is a place in objects alone.
                let secrets = self.secrets.take();
                let items = items.iter().enumerate();
                let items: Vec<_> = items
                    .map(|(index, item)| self.tree(&format!("{at}/{index}"), item, escaping, locals))
                    .collect();
                self.secrets = secrets;
                items.into_iter().collect::<Option<_>>().map(Tree::List)
            }
            Value::Object(members) => match loop_parts(members) {
                Some((over, name, give)) => self.list(at, over, name, give, escaping, locals),
                None if members.contains_key(FROM_SECRET) => self.secret(at, members),
                None => {
                    if members.contains_key("for_each") {
                        let message = "a loop has exactly `for_each`, `as` and `give`".to_owned();
                        self.at_key("not-a-loop", &format!("{at}/for_each"), message, None);
                        return None;
                    }
                    self.map(at, members.iter(), escaping, locals).map(Tree::Map)
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(Tree::Literal(value.clone())),
        }
    }

    /// Notes a secret, for which a text stands in until the call.
    fn secret(&mut self, at: &str, members: &Map<String, Value>) -> Option<Tree> {
        let key = format!("{at}/{FROM_SECRET}");
        let name = members.get(FROM_SECRET).and_then(Value::as_str);
        let Some(name) = name.filter(|name| members.len() == 1 && is_secret_name(name)) else {
            let message = format!("`{FROM_SECRET}` stands alone, with the name of a secret");
            let hint = Some(format!("`{{ {FROM_SECRET}: deploy_key }}`; the trust settings say what it is"));
            self.at_key("not-a-secret", &key, message, hint);
            return None;
        };
        let Some(secrets) = &mut self.secrets else {
            let message = "a secret goes into the arguments of a write, and into no list".to_owned();
            self.at_key("misplaced-secret", &key, message, None);
            return None;
        };
        secrets.insert(at.to_owned(), name.to_owned());
        Some(Tree::Secret(name.to_owned()))
    }

    /// Compiles the members of a mapping, all of them even where one is broken.
    pub fn map<'v>(
        &mut self,
        at: &str,
        members: impl Iterator<Item = (&'v String, &'v Value)>,
        escaping: Escaping,
        locals: &[String],
    ) -> Option<BTreeMap<String, Tree>> {
        let members: Vec<_> = members
            .map(|(name, member)| {
                let at = format!("{at}/{}", escape(name));
                if name.contains("{{") || name.contains("{%") {
                    self.at_key("constant-wanted", &at, "a key is not a template".to_owned(), None);
                    return None;
                }
                self.tree(&at, member, escaping, locals).map(|tree| (name.clone(), tree))
            })
            .collect();
        members.into_iter().collect()
    }

    fn list(
        &mut self,
        at: &str,
        over: &Value,
        name: &Value,
        give: &Value,
        escaping: Escaping,
        locals: &[String],
    ) -> Option<Tree> {
        let (Some(over), Some(name)) = (over.as_str(), name.as_str()) else {
            let message = "`for_each` is an `{{ expression }}` and `as` a name".to_owned();
            self.at_value("not-a-loop", at, message, None);
            return None;
        };
        let over_at = format!("{at}/for_each");
        let over = self.leaf(&over_at, over, Escaping::None, locals);
        if over.as_ref().is_some_and(|over| !over.is_typed()) {
            let message = "`for_each` is exactly one `{{ expression }}`".to_owned();
            self.at_value("not-an-expression", &over_at, message, None);
            return None;
        }
        let as_at = format!("{at}/as");
        if !is_name(name) {
            let hint = Some("lower-case letters, digits and `_`, beginning with a letter".to_owned());
            self.at_value("bad-name", &as_at, format!("`{}` is not a name", shown(name)), hint);
            return None;
        }
        let span = self.file.value_span(&format!("{}{as_at}", self.pointer));
        self.shadow(name, span);
        let locals: Vec<String> = locals.iter().cloned().chain([name.to_owned()]).collect();
        let secrets = self.secrets.take();
        let give = self.tree(&format!("{at}/give"), give, escaping, &locals);
        self.secrets = secrets;
        Some(Tree::Loop { over: over?, name: name.to_owned(), give: Box::new(give?) })
    }

    fn shadow(&mut self, name: &str, span: Option<super::diagnostic::Span>) {
        if name == "inputs" || self.ids.iter().any(|id| id == name) {
            let message = format!("`{}` already names a step or the inputs", shown(name));
            self.report("shadowed-name", span, message, Some("choose another name for the item".to_owned()));
        }
    }
}

fn loop_parts(members: &Map<String, Value>) -> Option<(&Value, &Value, &Value)> {
    let parts = (members.get("for_each")?, members.get("as")?, members.get("give")?);
    (members.len() == 3).then_some(parts)
}
