//! A value with templates in its leaves.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::scope::Scope;
use super::template::{Expression, TemplateError, TemplateErrorKind};

/// The fuel of one tree: what fifty leaves may take that use all they have.
const FUEL: u64 = 50_000_000;
/// What stands for a secret until the call.
const STAND_IN: &str = "(a secret)";
/// The most items that a loop goes over.
const MOST_ITEMS: usize = 100_000;

/// A value with templates in its string leaves. Keys are never templates.
#[derive(Debug, Clone)]
pub enum Tree {
    /// A number, a truth value or null.
    Literal(Value),
    /// A string.
    Leaf(Expression),
    /// A secret of that name, for which a text stands in until the call.
    Secret(String),
    /// A list.
    List(Vec<Tree>),
    /// A mapping.
    Map(BTreeMap<String, Tree>),
    /// A list with `give` for each item of `over`, which is seen as `name`.
    Loop {
        /// The list.
        over: Expression,
        /// The item's name in `give`.
        name: String,
        /// What each item becomes.
        give: Box<Tree>,
    },
}

impl Tree {
    /// Its value.
    ///
    /// # Errors
    /// The first leaf without a value, a loop over something else than a list, or too much work in all.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, TemplateError> {
        self.evaluate_within(scope, &mut 0)
    }

    fn evaluate_within(&self, scope: &Scope, fuel: &mut u64) -> Result<Value, TemplateError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Leaf(leaf) => evaluate_leaf(leaf, scope, fuel),
            Self::Secret(_) => Ok(Value::from(STAND_IN)),
            Self::List(items) => items.iter().map(|item| item.evaluate_within(scope, fuel)).collect(),
            Self::Map(members) => {
                let mut object = Map::new();
                for (name, member) in members {
                    object.insert(name.clone(), member.evaluate_within(scope, fuel)?);
                }
                Ok(Value::Object(object))
            }
            Self::Loop { over, name, give } => {
                let fail =
                    |kind, message: String| TemplateError { kind, message, source: over.source().to_owned() };
                let items = match evaluate_leaf(over, scope, fuel)? {
                    Value::Array(items) => items,
                    Value::Null => {
                        let message = "the list to go over is null".to_owned();
                        return Err(fail(TemplateErrorKind::Undefined, message));
                    }
                    _ => return Err(fail(TemplateErrorKind::Other, "this is not a list".to_owned())),
                };
                if items.len() > MOST_ITEMS {
                    let message = format!("{} items are more than {MOST_ITEMS}", items.len());
                    return Err(fail(TemplateErrorKind::TooLarge, message));
                }
                items.into_iter().map(|item| give.evaluate_within(&scope.with(name, item), fuel)).collect()
            }
        }
    }

    /// Whether its value depends on nothing.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Literal(_) => true,
            Self::Leaf(leaf) => leaf.is_constant(),
            Self::List(items) => items.iter().all(Self::is_constant),
            Self::Map(members) => members.values().all(Self::is_constant),
            Self::Secret(_) | Self::Loop { .. } => false,
        }
    }
}

fn evaluate_leaf(leaf: &Expression, scope: &Scope, fuel: &mut u64) -> Result<Value, TemplateError> {
    let value = leaf.evaluate_counting(scope, fuel)?;
    if *fuel > FUEL {
        return Err(TemplateError {
            kind: TemplateErrorKind::Fuel,
            message: "all the leaves together take too long".to_owned(),
            source: leaf.source().to_owned(),
        });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::escape::Escaping;
    use super::super::scope::Values;
    use super::*;
    use serde_json::json;

    fn leaf(source: &str) -> Expression {
        Expression::compile(source, Escaping::None).unwrap()
    }

    fn each(over: &str, give: Tree) -> Tree {
        Tree::Loop { over: leaf(over), name: "item".into(), give: Box::new(give) }
    }

    fn scope(inputs: &Value) -> Scope {
        Values::new(inputs.as_object().unwrap()).scope(&[])
    }

    #[test]
    fn a_loop_sees_its_item_and_all_around_it() {
        let inner = Tree::Loop {
            over: leaf("{{ item.tags }}"),
            name: "tag".into(),
            give: Box::new(Tree::Leaf(leaf("{{ inputs.prefix }}{{ item.id }}/{{ tag }}"))),
        };
        let tree = Tree::Map(BTreeMap::from([
            ("n".to_owned(), Tree::Literal(json!(1))),
            ("list".to_owned(), each("{{ inputs.items }}", inner)),
        ]));
        let inputs =
            json!({"prefix": "p", "items": [{"id": 1, "tags": ["a", "{{ x }}"]}, {"id": 2, "tags": []}]});
        let value = tree.evaluate(&scope(&inputs)).unwrap();
        assert_eq!(value, json!({"n": 1, "list": [["p1/a", "p1/{{ x }}"], []]}));
    }

    #[test]
    fn a_loop_over_null_is_undefined_and_over_text_an_error() {
        let kind = |value: Value| {
            let tree = each("{{ inputs.x }}", Tree::Literal(Value::Null));
            tree.evaluate(&scope(&json!({"x": value}))).unwrap_err().kind
        };
        assert_eq!(kind(Value::Null), TemplateErrorKind::Undefined);
        assert_eq!(kind(json!("text")), TemplateErrorKind::Other);
        assert_eq!(kind(json!(vec![0; MOST_ITEMS + 1])), TemplateErrorKind::TooLarge);
    }

    #[test]
    fn all_leaves_together_have_an_end_too() {
        let tree = each("{{ inputs.x }}", Tree::Leaf(leaf("{% for a in range(900) %}{% endfor %}")));
        let scope = scope(&json!({"x": vec![0; 1000]}));
        let mut nearly_all = FUEL - 100_000;
        let error = tree.evaluate_within(&scope, &mut nearly_all).unwrap_err();
        assert_eq!(error.kind, TemplateErrorKind::Fuel);
    }
}
