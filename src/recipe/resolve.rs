//! Which value each input gets, and from where.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

use super::diagnostic::{Diagnostic, Problems, did_you_mean};
use super::input::{BadValue, Input, shown};
use super::source::{Source, SourceError};
use super::yaml::File;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The input's own flag.
    Flag,
    /// `--input NAME=VALUE`.
    InputOption,
    /// The file of `--inputs`, by its name.
    InputsFile(String),
    /// The arguments of a tool call.
    Call,
    /// The environment variable of that name.
    Environment(String),
    /// The recipe's default, or null where it has none.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::InputOption => f.write_str("--input"),
            Self::InputsFile(name) => write!(f, "file `{}`", shown(name)),
            Self::Call => f.write_str("tool call"),
            Self::Environment(name) => write!(f, "environment variable `{name}`"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// All that was given for the inputs of a recipe.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// Flags by input name.
    pub flags: &'a BTreeMap<String, String>,
    /// `--input NAME=VALUE`, in order.
    pub options: &'a [(String, String)],
    /// What is given as values already, and by what.
    pub values: Option<(Origin, Map<String, Value>)>,
    /// The environment. `LOOPGATE_INPUT_RELEASE` is for `release`; an empty variable counts as absent.
    pub environment: &'a BTreeMap<String, String>,
}

/// The values of a recipe's inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Every declared input; null where nothing was given and there is no default.
    pub values: Map<String, Value>,
    /// Where each value came from.
    pub origins: BTreeMap<String, Origin>,
}

/// What is wrong with what was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InputProblem {
    /// The recipe has no such input.
    #[error("{origin}: the recipe has no input `{}`", shown(name))]
    Unknown {
        /// The name as given.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// Given twice in one place.
    #[error("{origin}: `{}` is given more than once", shown(name))]
    Twice {
        /// The input.
        name: String,
        /// Where it was given.
        origin: Origin,
    },
    /// Required and not given.
    #[error("input `{name}` is required and not given")]
    Missing {
        /// The input.
        name: String,
        /// How to give it.
        hint: String,
    },
    /// An expression that gives an included recipe its input gave null: what it was made of is not known.
    #[error("{origin}: input `{name}`: what it is given is null")]
    Null {
        /// The input.
        name: String,
        /// Where it was given.
        origin: Origin,
    },
    /// Given, but not a value that the input allows.
    #[error("{origin}: input `{name}`: {problem}")]
    Value {
        /// The input.
        name: String,
        /// Where it was given.
        origin: Origin,
        /// Why it does not do.
        problem: BadValue,
    },
}

impl InputProblem {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unknown { hint, .. } => hint.as_deref(),
            Self::Missing { hint, .. } => Some(hint),
            Self::Twice { .. } | Self::Null { .. } | Self::Value { .. } => None,
        }
    }
}

/// The environment variable for an input.
#[must_use]
pub fn variable(input: &str) -> String {
    format!("LOOPGATE_INPUT_{}", input.to_uppercase().replace('-', "_"))
}

/// Decides which value each input gets: its flag, `--input`, the inputs file, the environment, its default.
///
/// # Errors
/// Every problem: unknown names, names given twice in one place, missing or unfit values.
pub fn resolve(inputs: &[Input], given: &Given<'_>) -> Result<Resolved, Vec<InputProblem>> {
    let Given { flags, options, values, environment } = given;
    let mut problems = Vec::new();
    let mut known = |name: &str, origin: Origin| {
        let found = inputs.iter().any(|input| input.name == name);
        if !found {
            let hint = did_you_mean(name, inputs.iter().map(|input| input.name.as_str()));
            problems.push(InputProblem::Unknown { name: name.to_owned(), origin, hint });
        }
        found
    };
    for name in flags.keys() {
        known(name, Origin::Flag);
    }
    let mut from_options = BTreeMap::new();
    let mut twice = Vec::new();
    for (name, text) in *options {
        let name = name.replace('-', "_");
        if known(&name, Origin::InputOption) && from_options.insert(name.clone(), text).is_some() {
            twice.push(InputProblem::Twice { name, origin: Origin::InputOption });
        }
    }
    let empty = Map::new();
    let (values_origin, values) = match values {
        Some((origin, values)) => (origin, values),
        None => (&Origin::Default, &empty),
    };
    for name in values.keys() {
        known(name, values_origin.clone());
    }
    problems.append(&mut twice);

    let mut resolved = Resolved { values: Map::new(), origins: BTreeMap::new() };
    for input in inputs {
        let name = &input.name;
        let from_environment = environment.get(&variable(name)).filter(|text| !text.is_empty());
        let (value, origin) = if let Some(text) = flags.get(name) {
            (input.parse(text), Origin::Flag)
        } else if let Some(text) = from_options.get(name) {
            (input.parse(text), Origin::InputOption)
        } else if let Some(value) = values.get(name) {
            (input.check(value).map(|()| value.clone()), values_origin.clone())
        } else if let Some(text) = from_environment {
            (input.parse(text), Origin::Environment(variable(name)))
        } else if input.required {
            let hint = format!("--{}, --input {name}=…, or {}", input.flag(), variable(name));
            problems.push(InputProblem::Missing { name: name.clone(), hint });
            continue;
        } else {
            (Ok(input.default.clone().unwrap_or(Value::Null)), Origin::Default)
        };
        match value {
            Ok(value) => {
                resolved.values.insert(name.clone(), value);
                resolved.origins.insert(name.clone(), origin);
            }
            Err(problem) => problems.push(InputProblem::Value { name: name.clone(), origin, problem }),
        }
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

/// The values of an included recipe's inputs: `given` by the `with` of its `include`, else defaults. An input
/// that the recipe itself leaves at null is not among those given.
///
/// # Errors
/// Every problem, the including recipe's file standing for the origin. A null among `given` was made by an
/// expression, and no default stands in for what is not known: [`InputProblem::Null`].
pub fn bind(
    declared: &[Input],
    given: &Map<String, Value>,
    from: &str,
) -> Result<Map<String, Value>, Vec<InputProblem>> {
    let nulls: Vec<InputProblem> = given
        .iter()
        .filter(|(_, value)| value.is_null())
        .map(|(name, _)| InputProblem::Null {
            name: name.clone(),
            origin: Origin::InputsFile(from.to_owned()),
        })
        .collect();
    if !nulls.is_empty() {
        return Err(nulls);
    }
    values_alone(declared, Origin::InputsFile(from.to_owned()), given).map(|resolved| resolved.values)
}

/// The values of a recipe's inputs from the arguments of a tool call and nothing else, else defaults. A null is a value
/// that no input allows.
///
/// # Errors
/// Every problem.
pub fn called_with(
    declared: &[Input],
    arguments: &Map<String, Value>,
) -> Result<Resolved, Vec<InputProblem>> {
    values_alone(declared, Origin::Call, arguments)
}

fn values_alone(
    declared: &[Input],
    origin: Origin,
    values: &Map<String, Value>,
) -> Result<Resolved, Vec<InputProblem>> {
    let given = Given {
        flags: &BTreeMap::new(),
        options: &[],
        values: Some((origin, values.clone())),
        environment: &BTreeMap::new(),
    };
    resolve(declared, &given)
}

/// Why a file is no inputs file.
#[derive(Debug, Error)]
pub enum InputsFileError {
    /// It is no text.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is not a mapping of the language.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// Reads an inputs file: a YAML or JSON mapping, under the same rules as recipes.
///
/// # Errors
/// It is no text, or has duplicate keys, tags, aliases, unsafe numbers or anything but a mapping.
pub fn read_inputs_file(name: &str, bytes: &[u8]) -> Result<Map<String, Value>, InputsFileError> {
    let source = Source::from_bytes(name, bytes)?;
    let sources = vec![(source.name.clone(), source.text.clone())];
    let refuse = |diagnostics| InputsFileError::Problems(Problems::new(diagnostics, sources.clone()));
    let file = File::read(source).map_err(refuse)?;
    match file.value {
        Value::Object(values) => Ok(values),
        // Nothing, or comments only: a null that is written has a place.
        Value::Null if file.is_empty() => Ok(Map::new()),
        _ => Err(refuse(vec![Diagnostic {
            code: "wrong-type",
            message: "an inputs file is a mapping of input names to values".to_owned(),
            source: name.to_owned(),
            span: file.value_span(""),
            hint: Some("release: REL-1".to_owned()),
        }])),
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::InputKind;
    use super::*;
    use serde_json::json;

    fn input(name: &str) -> Input {
        Input::plain(name, InputKind::String)
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn the_nearest_layer_wins_and_is_named() {
        let inputs = [
            input("a"),
            input("b"),
            input("c"),
            input("d"),
            Input { default: Some(json!("default")), ..input("e") },
            input("f_g"),
        ];
        let environment = map(&[
            ("LOOPGATE_INPUT_A", "environment"),
            ("LOOPGATE_INPUT_B", "environment"),
            ("LOOPGATE_INPUT_C", "environment"),
            ("LOOPGATE_INPUT_D", "environment"),
            ("LOOPGATE_INPUT_E", ""),
        ]);
        let file = json!({"a": "file", "b": "file", "c": "file"});
        let options =
            [("a".into(), "option".into()), ("b".into(), "option".into()), ("f-g".into(), "x".into())];
        let given = Given {
            flags: &map(&[("a", "flag")]),
            options: &options,
            values: Some((Origin::InputsFile("inputs.yaml".into()), file.as_object().unwrap().clone())),
            environment: &environment,
        };
        let resolved = resolve(&inputs, &given).unwrap();
        assert_eq!(
            Value::Object(resolved.values),
            json!({"a": "flag", "b": "option", "c": "file", "d": "environment", "e": "default", "f_g": "x"})
        );
        let origins: Vec<_> = resolved.origins.into_values().collect();
        assert_eq!(
            origins,
            [
                Origin::Flag,
                Origin::InputOption,
                Origin::InputsFile("inputs.yaml".into()),
                Origin::Environment("LOOPGATE_INPUT_D".into()),
                Origin::Default,
                Origin::InputOption,
            ]
        );
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let inputs = [
            Input { required: true, ..input("release") },
            Input { pattern: Some("[a-z]+".into()), ..input("owner") },
        ];
        let options =
            [("owner".into(), "A B".into()), ("owner".into(), "b".into()), ("relaese".into(), "x".into())];
        let given = Given {
            flags: &BTreeMap::new(),
            options: &options,
            values: Some((Origin::InputsFile("f".into()), Map::from_iter([("colour".to_owned(), json!(1))]))),
            environment: &BTreeMap::new(),
        };
        let problems = resolve(&inputs, &given).unwrap_err();
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "--input: the recipe has no input `relaese`",
                "file `f`: the recipe has no input `colour`",
                "--input: `owner` is given more than once",
                "input `release` is required and not given",
            ]
        );
        assert_eq!(problems[0].hint(), Some("did you mean `release`?"));
        assert_eq!(problems[3].hint(), Some("--release, --input release=…, or LOOPGATE_INPUT_RELEASE"));
        let given = Given { options: &[("owner".into(), "A B".into())], values: None, ..given };
        let problems = resolve(&inputs[1..], &given).unwrap_err();
        assert_eq!(problems[0].to_string(), "--input: input `owner`: `A B` does not match `[a-z]+`");
    }

    #[test]
    fn an_included_recipe_gets_its_defaults_where_nothing_is_bound() {
        let inputs =
            [Input { default: Some(json!("x")), ..input("a") }, Input { required: true, ..input("b") }];
        let bound = bind(&inputs, json!({"b": "y"}).as_object().unwrap(), "main.yaml").unwrap();
        assert_eq!(Value::Object(bound), json!({"a": "x", "b": "y"}));
        assert!(bind(&inputs, &Map::new(), "main.yaml").is_err());
    }

    #[test]
    fn a_tool_call_gives_its_arguments_and_nothing_stands_in_for_a_null() {
        let inputs = [
            Input { required: true, ..input("release") },
            Input { default: Some(json!("x")), ..input("owner") },
        ];
        let called = |arguments: Value| called_with(&inputs, arguments.as_object().unwrap());
        let resolved = called(json!({"release": "R"})).unwrap();
        assert_eq!(Value::Object(resolved.values), json!({"release": "R", "owner": "x"}));
        assert_eq!(resolved.origins["release"], Origin::Call);
        let told = |arguments: Value| -> Vec<String> {
            called(arguments).unwrap_err().iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            told(json!({"owner": null, "tenant": "acme"})),
            [
                "tool call: the recipe has no input `tenant`",
                "input `release` is required and not given",
                "tool call: input `owner`: `null` is not a string",
            ]
        );
    }

    #[test]
    fn no_default_stands_in_for_a_null_that_an_expression_gave() {
        let inputs = [Input { default: Some(json!("x")), ..input("a") }];
        let problems = bind(&inputs, json!({"a": null}).as_object().unwrap(), "main.yaml").unwrap_err();
        assert!(matches!(&problems[..], [InputProblem::Null { name, .. }] if name == "a"), "{problems:?}");
    }

    #[test]
    fn inputs_files_obey_the_rules_of_recipes() {
        let read = |text: &str| read_inputs_file("f", text.as_bytes());
        assert_eq!(Value::Object(read("{\"a\": [1, \"{{ x }}\"]}").unwrap()), json!({"a": [1, "{{ x }}"]}));
        for empty in ["", "\n", "# release: REL-1\n", "---\n# nothing\n"] {
            assert_eq!(read(empty).unwrap(), Map::new(), "{empty:?}");
        }
        assert!(read("null\n").is_err());
        for (text, code) in [
            ("a: 1\na: 2\n", "duplicate-key"),
            ("a: !x 2\n", "tag"),
            ("a: &b 1\nc: *b\n", "anchor"),
            ("- a\n", "wrong-type"),
            ("a: 9007199254740993\n", "unsafe-number"),
        ] {
            let Err(InputsFileError::Problems(problems)) = read(text) else { panic!("{text}") };
            assert_eq!(problems.diagnostics[0].code, code, "{text}");
        }
    }
}
