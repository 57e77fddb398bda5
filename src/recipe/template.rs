//! One string leaf: compiled once, evaluated often.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Environment, ErrorKind};
use serde_json::Value;

use super::diagnostic::nearest;
use super::escape::Escaping;
use super::input::shown;
use super::language::{self, FILTERS, FUNCTIONS, TESTS, VALUE};
use super::scope::{Scope, to_json};
use super::syntax::{self, Leaf, Reference};
use crate::core::text::visible;

/// The most bytes of the text that a leaf becomes.
const LONGEST_TEXT: usize = 1 << 20;
/// The name of a leaf's template within its environment.
const LEAF: &str = "leaf";

/// One string leaf of a recipe. Exactly one `{{ expression }}` keeps the type of its value; anything else
/// becomes text.
#[derive(Debug, Clone)]
pub struct Expression {
    source: String,
    references: Vec<Reference>,
    locals: BTreeSet<String>,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// No `{{` and no `{%`: the text itself.
    Constant,
    /// One expression.
    Typed(Arc<Environment<'static>>),
    /// Text with expressions in it.
    Text(Arc<Environment<'static>>),
}

/// Why a leaf has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What kind of failure it is.
    pub kind: TemplateErrorKind,
    /// In words; hostile text in it is made visible.
    pub message: String,
    /// The leaf as it is written.
    pub source: String,
}

// By hand, because the field `source` is the leaf and no cause.
impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", shown(&self.source), self.message)
    }
}

impl std::error::Error for TemplateError {}

/// The kinds of failures of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// It uses a value that is not there.
    Undefined,
    /// It takes too long.
    Fuel,
    /// It becomes too large.
    TooLarge,
    /// Anything else: values of other types than the expression expects, division by zero.
    Other,
}

/// What is wrong with the text of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeafProblem {
    /// Stable kebab-case name of its kind.
    pub code: &'static str,
    /// In words.
    pub message: String,
    /// Where in the leaf.
    pub range: Range<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Expression {
    /// Compiles a leaf for a file that wants `escaping`, under which every leaf becomes text.
    pub(super) fn compile(source: &str, escaping: Escaping) -> Result<Self, Vec<LeafProblem>> {
        let whole = 0..source.len();
        let leaf = syntax::read(source).map_err(|refusal| {
            let syntax::Refusal { message, range } = refusal;
            vec![LeafProblem { code: "template-syntax", message, range, hint: None }]
        })?;
        if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") {
            return Ok(Self {
                source: source.to_owned(),
                references: Vec::new(),
                locals: BTreeSet::new(),
                form: Form::Constant,
            });
        }
        let typed = leaf.single && escaping == Escaping::None;
        let base = if typed { language::typed() } else { language::text(escaping) };
        let mut environment = base.clone();
        if let Err(error) = environment.add_template_owned(LEAF, leaf.strict.clone()) {
            let message = error.detail().map_or_else(|| error.kind().to_string(), |detail| detail.to_owned());
            let message = visible(&message).into_owned();
            return Err(vec![LeafProblem { code: "template-syntax", message, range: whole, hint: None }]);
        }
        let mut problems = unknown_words(&leaf);
        let mut references = leaf.references;
        let engine = environment.get_template(LEAF).map(|leaf| leaf.undeclared_variables(false));
        for name in engine.unwrap_or_default() {
            let known = leaf.locals.contains(&name) || references.iter().any(|one| one.name == name);
            if !known && !FUNCTIONS.contains(&name.as_str()) {
                // The engine sees a name that our reading does not: then all of it counts as used.
                references.push(Reference { name, path: Vec::new(), called: false, range: whole.clone() });
            }
        }
        references.retain(|one| {
            let function = FUNCTIONS.contains(&one.name.as_str());
            if one.called && !function {
                problems.push(LeafProblem {
                    code: "unknown-function",
                    message: format!("there is no function `{}`", shown(&one.name)),
                    range: one.range.clone(),
                    hint: Some(format!("functions: `{}`", FUNCTIONS.join("`, `"))),
                });
            }
            !function && !one.called
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let environment = Arc::new(environment);
        let form = if typed { Form::Typed(environment) } else { Form::Text(environment) };
        Ok(Self { source: source.to_owned(), references, locals: leaf.locals, form })
    }

    /// The leaf as it is written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether its value depends on nothing.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.references.is_empty()
    }

    /// Whether it is exactly one expression, so that its value keeps its type.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        matches!(self.form, Form::Typed(_))
    }

    /// The names that it uses.
    pub(super) fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The names that its own loops give.
    pub(super) fn locals(&self) -> impl Iterator<Item = &str> {
        self.locals.iter().map(String::as_str).filter(|name| *name != "loop")
    }

    /// Its value.
    ///
    /// # Errors
    /// It uses a value that is not there, takes too long, becomes too large, or does not fit the types.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, TemplateError> {
        self.evaluate_counting(scope, &mut 0)
    }

    /// Its value; adds to `fuel` what that took.
    pub(super) fn evaluate_counting(&self, scope: &Scope, fuel: &mut u64) -> Result<Value, TemplateError> {
        let fail = |kind, message: &str| TemplateError {
            kind,
            message: visible(message).into_owned(),
            source: self.source.clone(),
        };
        let engine = |error: minijinja::Error| {
            let (kind, message) = explain(&error);
            fail(kind, &message)
        };
        let (environment, typed) = match &self.form {
            Form::Constant => return Ok(Value::from(self.source.clone())),
            Form::Typed(environment) => (environment, true),
            Form::Text(environment) => (environment, false),
        };
        let template = environment.get_template(LEAF).map_err(engine)?;
        let captured = template.render_captured(scope.root()).map_err(engine)?;
        if let Some((consumed, _)) = captured.state().fuel_levels() {
            *fuel = fuel.saturating_add(consumed);
        }
        if typed {
            let Some(value) = captured.state().get_temp(VALUE) else {
                return Err(fail(TemplateErrorKind::Other, "the expression gave no value"));
            };
            return to_json(&value).map_err(|(kind, message)| fail(kind, &message));
        }
        let text = captured.into_output();
        if text.len() > LONGEST_TEXT {
            let message = format!("the text is longer than {LONGEST_TEXT} bytes");
            return Err(fail(TemplateErrorKind::TooLarge, &message));
        }
        Ok(Value::from(text))
    }
}

fn unknown_words(leaf: &Leaf) -> Vec<LeafProblem> {
    let mut problems = Vec::new();
    let mut check = |code, kind: &str, words: &[(String, Range<usize>)], known: &[&str]| {
        for (word, range) in words.iter().filter(|(word, _)| !known.contains(&word.as_str())) {
            let hint = match word.as_str() {
                "default" | "d" => Some("`a or b` gives `b` where `a` is null or empty".to_owned()),
                "defined" | "undefined" => Some("ask with `'name' in value`".to_owned()),
                word => nearest(word, known).map(|near| format!("did you mean `{near}`?")),
            };
            let message = format!("there is no {kind} `{}`", shown(word));
            problems.push(LeafProblem { code, message, range: range.clone(), hint });
        }
    };
    check("unknown-filter", "filter", &leaf.filters, FILTERS);
    check("unknown-test", "test", &leaf.tests, TESTS);
    problems
}

/// The kind and the words of an engine's error, the first cause that says something winning.
fn explain(error: &minijinja::Error) -> (TemplateErrorKind, String) {
    let mut kind = TemplateErrorKind::Other;
    let mut message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(here) = cause {
        if let Some(here) = here.downcast_ref::<minijinja::Error>() {
            match here.kind() {
                ErrorKind::UndefinedError => {
                    kind = TemplateErrorKind::Undefined;
                    message = here.detail().unwrap_or("a value is not there").to_owned();
                }
                ErrorKind::OutOfFuel => {
                    kind = TemplateErrorKind::Fuel;
                    "it takes too long or too much memory".clone_into(&mut message);
                }
                _ => {}
            }
        }
        cause = here.source();
    }
    (kind, message)
}

#[cfg(test)]
mod tests {
    use super::super::scope::Values;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn compile(source: &str) -> Expression {
        Expression::compile(source, Escaping::None).unwrap_or_else(|error| panic!("{source}: {error:?}"))
    }

    fn scope(inputs: &Value) -> Scope {
        Values::new(inputs.as_object().unwrap()).scope(&[])
    }

    fn evaluate(source: &str, inputs: &Value) -> Result<Value, TemplateError> {
        compile(source).evaluate(&scope(inputs))
    }

    #[test]
    fn one_expression_keeps_its_type_and_text_is_text() {
        let inputs = json!({"n": 3, "l": [1, {"a": null}], "s": "x"});
        assert_eq!(evaluate("{{ inputs.n }}", &inputs), Ok(json!(3)));
        assert_eq!(evaluate("{{ inputs.l }}", &inputs), Ok(json!([1, {"a": null}])));
        assert_eq!(evaluate("{{ inputs.l[1] }}", &inputs), Ok(json!({"a": null})));
        assert_eq!(evaluate("{{ inputs.l[-2] + 1 }}", &inputs), Ok(json!(2)));
        assert_eq!(evaluate("{{ inputs.n > 2 }}\n", &inputs), Ok(json!(true)));
        assert_eq!(evaluate("{{ 'constant' }}", &inputs), Ok(json!("constant")));
        assert_eq!(evaluate("n={{ inputs.n }}", &inputs), Ok(json!("n=3")));
        assert_eq!(evaluate("plain } text\n", &inputs), Ok(json!("plain } text\n")));
        assert_eq!(evaluate("a {{ inputs.s -}} \n b\n", &inputs), Ok(json!("a xb\n")));
        assert_eq!(evaluate("{{ -inputs.n }}", &inputs), Ok(json!(-3)));
        assert_eq!(evaluate("{{ none }}", &inputs), Ok(Value::Null));
        assert_eq!(evaluate("{% if inputs.n == 3 %}yes{% else %}no{% endif %}", &inputs), Ok(json!("yes")));
        assert_eq!(
            evaluate("{% for x in inputs.l[:1] %}{{ loop.index }}:{{ x }};{% endfor %}", &inputs),
            Ok(json!("1:1;"))
        );
    }

    #[test]
    fn what_is_not_there_is_an_error_in_every_position() {
        let inputs = json!({"a": {"b": null, "t": "text"}, "l": [{"x": 1}, {}], "e": []});
        for source in [
            "{{ inputs.nope }}",
            "{{ inputs.a.nope != 'fail' }}",
            "{{ inputs.a['nope'] != 'fail' }}",
            "{{ inputs.a.b.c == 'x' }}",
            "{{ inputs.a.t.c != 'x' }}",
            "{{ inputs.l[7] != 1 }}",
            "{{ inputs.a.nope is not none }}",
            "{{ inputs.a.nope is ne 'fail' }}",
            "{{ inputs.a.b.c is not none }}",
            "{{ inputs.l[7] is not string }}",
            "{{ [inputs.a.nope] | length == 1 }}",
            "{{ skipped is not none }}",
            "{{ (inputs.e | first) != 1 }}",
            "{{ (inputs.e | last) != 1 }}",
            "{{ (inputs.e | min) != 1 }}",
            "{{ inputs.l | map(attribute='x') | list }}",
            "{{ inputs.l | selectattr('x', 'ne', 2) | list | length == 1 }}",
            "{{ inputs.l | rejectattr('x') | list | length == 1 }}",
            "{{ inputs.l | sort(attribute='x') }}",
            "{{ inputs.l | sum(attribute='x') }}",
            "{{ inputs.l | unique(attribute='x') }}",
            "{{ skipped != 'fail' }}",
            "{{ not skipped }}",
            "{{ [skipped] }}",
            "{{ 'a' if inputs.nope else 'b' }}",
            "text {{ inputs.nope }}",
            "{% for x in skipped %}{% endfor %}",
            "{% for x in inputs.l %}{{ x.x }}{% endfor %}",
            "{{ inputs.l | map('attr', 'x') | list }}",
        ] {
            let error = evaluate(source, &inputs).expect_err(source);
            assert_eq!(error.kind, TemplateErrorKind::Undefined, "{source}: {error}");
        }
        assert_eq!(evaluate("{{ 'nope' in inputs.a }}", &inputs), Ok(json!(false)));
        assert_eq!(evaluate("{{ inputs.a.b or 'x' }}", &inputs), Ok(json!("x")));
        assert_eq!(evaluate("{{ skipped if false else 1 }}", &inputs), Ok(json!(1)));
        assert_eq!(
            evaluate("{{ inputs.l[:1] | selectattr('x', 'eq', 1) | map(attribute='x') | list }}", &inputs),
            Ok(json!([1]))
        );
    }

    #[test]
    fn endless_and_huge_work_is_stopped() {
        for source in [
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}x",
            "{{ 'x' * 2000000000 }}",
            "{{ range(10000) | map('string') | join('x' * 100000) }}",
            "{{ ([1] * 100000000) | list | length }}",
        ] {
            let error = evaluate(source, &json!({})).expect_err(source);
            assert_eq!(error.kind, TemplateErrorKind::Fuel, "{source}: {error}");
        }
        let error = evaluate("{{ 'x' * 2000000 }} ", &json!({})).unwrap_err();
        assert_eq!(error.kind, TemplateErrorKind::TooLarge);
    }

    #[test]
    fn ten_thousand_items_are_no_bomb() {
        let items: Vec<Value> = (0..10_000).map(|n| json!({"id": n, "state": "pass"})).collect();
        let inputs = json!({"items": items});
        let source =
            "{% for x in inputs.items %}{% if x.state == 'pass' %}{{ x.id }},{% endif %}{% endfor %}";
        assert!(evaluate(source, &inputs).unwrap().as_str().unwrap().ends_with("9999,"));
        let source = "{{ inputs.items | selectattr('state', 'eq', 'pass') | list | length }}";
        assert_eq!(evaluate(source, &inputs), Ok(json!(10_000)));
    }

    #[test]
    fn a_deep_expression_is_an_error_and_no_crash() {
        for (before, after) in
            [("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("1 if ", " else 1"), ("", "[0]")]
        {
            for depth in [60, 90, 190, 20_000] {
                let source = format!("{{{{ {}inputs{} }}}}", before.repeat(depth), after.repeat(depth));
                let compiled = Expression::compile(&source, Escaping::None);
                assert!(compiled.is_err() || depth < 200);
                let _ = compiled.map(|leaf| leaf.evaluate(&scope(&json!({}))));
            }
        }
        for chain in [".b", " ~ inputs", "|length", " == inputs", " and inputs", " is none"] {
            for depth in [60, 97, 190, 20_000] {
                let source = format!("{{{{ inputs{} }}}}", chain.repeat(depth));
                let compiled = Expression::compile(&source, Escaping::None);
                assert!(compiled.is_err() || depth < 200);
                let _ = compiled.map(|leaf| leaf.evaluate(&scope(&json!({}))));
            }
        }
        for block in ["{% if inputs %}", "{% for a in inputs %}", "{% if inputs %}a{% elif 1 %}"] {
            for depth in [12, 24, 20_000] {
                let end = if block.contains("for") { "{% endfor %}" } else { "{% endif %}" };
                let source = format!("{}{}", block.repeat(depth), end.repeat(depth));
                let compiled = Expression::compile(&source, Escaping::None);
                assert!(compiled.is_err() || depth < 25);
                let _ = compiled.map(|leaf| leaf.evaluate(&scope(&json!({"a": 1}))));
            }
        }
    }

    #[test]
    fn values_are_data_and_never_templates() {
        let hostile = "{{ inputs.secret }}{% for x in y %}\n- &a !!x [*a]: {{";
        let inputs = json!({"secret": "s3", "h": hostile});
        assert_eq!(evaluate("{{ inputs.h }}", &inputs), Ok(json!(hostile)));
        assert_eq!(evaluate("<{{ inputs.h }}>", &inputs), Ok(json!(format!("<{hostile}>"))));
        assert_eq!(evaluate("{{ inputs.h ~ '' }}", &inputs), Ok(json!(hostile)));
    }

    #[test]
    fn text_for_markdown_and_lines_is_escaped_even_alone() {
        let inputs = json!({"t": "*a*\n<b>"});
        for (escaping, expected) in [
            (Escaping::Markdown, "# \\*a\\*\\\\n&lt;b&gt;"),
            (Escaping::Line, "# *a*\\n<b>"),
            (Escaping::None, "# *a*\n<b>"),
        ] {
            let leaf = Expression::compile("# {{ inputs.t }}", escaping).unwrap();
            assert_eq!(leaf.evaluate(&scope(&inputs)), Ok(json!(expected)));
        }
        let alone = Expression::compile("{{ inputs.t }}", Escaping::Markdown).unwrap();
        assert_eq!(alone.evaluate(&scope(&inputs)), Ok(json!("\\*a\\*\\\\n&lt;b&gt;")));
    }

    #[test]
    fn numbers_that_json_does_not_keep_are_errors() {
        for source in ["{{ 9007199254740991 + 1 }}", "{{ 2 ** 100 }}", "{{ 1e308 * 10 }}", "{{ 1e17 }}"] {
            assert_eq!(evaluate(source, &json!({})).unwrap_err().kind, TemplateErrorKind::Other, "{source}");
        }
    }

    #[test]
    fn an_error_names_its_leaf_and_shows_nothing_hidden() {
        let error = evaluate("{{ inputs['\u{1b}[31m'] }}", &json!({})).unwrap_err();
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
        assert!(error.to_string().starts_with("`{{ inputs["), "{error}");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let largest = crate::core::json::LARGEST_INTEGER;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-largest..=largest).prop_map(Value::from),
            any::<f64>()
                .prop_filter("kept by JSON", |n| crate::recipe::number::survives(*n))
                .prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_goes_through_a_leaf_unchanged(value in any_value()) {
            let back = evaluate("{{ inputs.x }}", &json!({"x": value.clone()})).unwrap();
            prop_assert_eq!(&back, &value);
            let canonical = crate::core::json::canonical;
            prop_assert_eq!(canonical(&back).unwrap(), canonical(&value).unwrap());
        }

        #[test]
        fn no_leaf_makes_the_reader_panic(text in "[a-c{}%#\\[\\]().|'\"\\- \\\\éif:0-9]{0,40}") {
            let _ = Expression::compile(&text, Escaping::None);
        }
    }
}
