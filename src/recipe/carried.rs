//! Values that a write carries of what was read, such as the version of the record that it changes: a recipe takes them
//! from an earlier read and invents none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::builder::Builder;
use super::template::Expression;
use super::tree::Tree;
use crate::catalog::Operation;
use crate::core::pointer::escape;

/// Whether what a name of a loop stands for comes from a read.
type Locals = BTreeMap<String, bool>;

impl Builder<'_> {
    /// Checks that what the operation takes from a read comes from one. `with` is where its arguments stand.
    pub(super) fn carried(
        &mut self,
        with: &str,
        name: &str,
        operation: &Operation,
        tree: &BTreeMap<String, Tree>,
    ) {
        for pattern in &operation.from_read {
            let tokens: Vec<String> =
                pattern.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
            for (argument, place) in &operation.arguments {
                let above = place.at.tokens().zip(&tokens).take_while(|(one, other)| one == *other).count();
                let (Some(given), true) = (tree.get(argument), above == place.at.tokens().count()) else {
                    continue;
                };
                let mut invented = Vec::new();
                let rest = tokens.get(above..).unwrap_or_default();
                self.find_invented(given, rest, &Locals::new(), String::new(), &mut invented);
                for at in invented {
                    let message =
                        format!("`{name}` takes `{pattern}` from an earlier read, and this is of none");
                    let hint =
                        "read the record first, and give what the read says: `{{ step.version }}`; so a \
                                change of what nobody looked at is refused"
                            .to_owned();
                    let at = format!("{with}/{}{at}", escape(argument));
                    self.at_value("not-from-read", &at, message, Some(hint));
                }
            }
        }
    }

    /// Adds the places in `tree` where something stands that comes from no read.
    fn find_invented(
        &self,
        tree: &Tree,
        tokens: &[String],
        locals: &Locals,
        at: String,
        invented: &mut Vec<String>,
    ) {
        match (tree, tokens.split_first()) {
            (Tree::Leaf(leaf), _) => {
                if !self.is_read(leaf, locals) {
                    invented.push(at);
                }
            }
            (Tree::Loop { over, name, give }, Some((token, rest))) if token == "*" => {
                let mut locals = locals.clone();
                locals.insert(name.clone(), self.is_read(over, &locals));
                self.find_invented(give, rest, &locals, format!("{at}/give"), invented);
            }
            (Tree::List(items), Some((token, rest))) if token == "*" => {
                for (index, item) in items.iter().enumerate() {
                    self.find_invented(item, rest, locals, format!("{at}/{index}"), invented);
                }
            }
            (Tree::Map(members), Some((token, rest))) => {
                if let Some(member) = members.get(token) {
                    self.find_invented(member, rest, locals, format!("{at}/{}", escape(token)), invented);
                }
            }
            // What is missing is told by those who miss it.
            (Tree::Literal(Value::Null), _) | (_, Some(_)) => {}
            (_, None) => invented.push(at),
        }
    }

    /// Whether all that a leaf is made of was read: by this recipe, or by the one that includes it.
    fn is_read(&self, leaf: &Expression, locals: &Locals) -> bool {
        let references = leaf.references();
        !references.is_empty()
            && references.iter().all(|reference| match locals.get(&reference.name) {
                Some(is_read) => *is_read,
                None if reference.name == "inputs" => reference
                    .path
                    .first()
                    .and_then(|input| self.bound.get(input))
                    .is_some_and(|uses| !uses.is_empty()),
                // A name that is neither is a step's, and only reads and what is made of them have a result.
                None => true,
            })
    }
}
