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
            let syntax::Refusal { code, message, range, hint } = refusal;
            vec![LeafProblem { code, message, range, hint: hint.map(str::to_owned) }]
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

    /// What stands in `scope` where it looks, by the names that it is written with: each once, in its order.
    #[must_use]
    pub fn sees(&self, scope: &Scope) -> Vec<(String, Value)> {
        let mut seen: Vec<(String, Value)> = Vec::new();
        for Reference { name, path, called: _, range: _ } in &self.references {
            let written = [name].into_iter().chain(path).map(String::as_str).collect::<Vec<_>>().join(".");
            let end =
                [name].into_iter().chain(path).try_fold(scope.root(), |value, name| value.get_attr(name));
            if let Ok(value) = end
                && !value.is_undefined()
                && let Ok(value) = to_json(&value)
                && seen.iter().all(|(name, _)| *name != written)
            {
                seen.push((written, value));
            }
        }
        seen
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
            "{{ range(10000) | map('string') | join(range(9999) | join) | length }}",
            "{{ range(10000) | join | replace('1', range(9999) | join) | length }}",
        ] {
            let error = evaluate(source, &json!({})).expect_err(source);
            assert_eq!(error.kind, TemplateErrorKind::Fuel, "{source}: {error}");
        }
        let inputs = json!({"x": "x".repeat(LONGEST_TEXT)});
        let error = evaluate("{{ inputs.x }} ", &inputs).unwrap_err();
        assert_eq!(error.kind, TemplateErrorKind::TooLarge);
    }

    #[test]
    fn no_text_is_made_before_it_is_known_to_be_small() {
        let inputs = json!({"x": "x".repeat(1 << 20), "l": vec!["x".repeat(1 << 20); 9]});
        for source in [
            "{{ inputs.l | join | length }}",
            "{{ inputs.l | tojson | length }}",
            "{{ inputs.l | string | length }}",
            "{{ inputs.l | upper | length }}",
            "{{ inputs.l | indent(4) | length }}",
            "{{ [inputs.l] | map('tojson') | list | length }}",
            "{{ inputs.l }} ",
            "{% for a in [[inputs.x, inputs.x, inputs.x]] %}{{ [a, a, a] }}{% endfor %}",
        ] {
            let error = evaluate(source, &inputs).expect_err(source);
            assert_eq!(error.kind, TemplateErrorKind::Fuel, "{source}: {error}");
        }
        for source in [
            "{{ [1] | tojson(indent=1000) }}",
            "{{ [1] | tojson(1000) }}",
            "{{ 'a' | indent(1000) }}",
            "{{ ['a', 'b'] | join([1]) }}",
            "{{ 'a' | replace('a', [1]) }}",
        ] {
            assert_eq!(evaluate(source, &json!({})).unwrap_err().kind, TemplateErrorKind::Other, "{source}");
        }
        assert_eq!(evaluate("{{ [1] | tojson(indent=2) }}", &json!({})), Ok(json!("[\n  1\n]")));
        assert_eq!(evaluate("{{ ['a', 1, none] | join(', ') }}", &json!({})), Ok(json!("a, 1, None")));
        assert_eq!(evaluate("{{ 'a\nb' | indent(2) }}", &json!({})), Ok(json!("a\n  b")));
        assert_eq!(evaluate("{{ ' a-b ' | trim | replace('-', '+') }}", &json!({})), Ok(json!("a+b")));
        assert_eq!(evaluate("{{ 'a-b' | split('-') }}", &json!({})), Ok(json!(["a", "b"])));
    }

    #[test]
    fn only_numbers_are_multiplied() {
        let inputs = json!({"n": 3, "l": [1], "t": "x", "z": null});
        for source in [
            "{{ inputs.l * 2 }}",
            "{{ 2 * inputs.l }}",
            "{{ 2 * [1] }}",
            "{{ 2 * [1][0:] }}",
            "{{ (inputs.l) * 2 }}",
            "{{ 'x' * 2 }}",
            "{{ 2 * inputs.t }}",
            "{{ 2 * inputs.t | upper }}",
            "{{ 2 * 2 * inputs.l }}",
            "{{ [2 * inputs.l, 1] }}",
            "{{ 1 if 2 * inputs.l else 2 }}",
            "{{ (2 * inputs.l) | length }}",
            "{{ inputs.l | list * 2 }}",
        ] {
            assert_eq!(evaluate(source, &inputs).unwrap_err().kind, TemplateErrorKind::Other, "{source}");
        }
        assert_eq!(evaluate("{{ 2 * inputs.z }}", &inputs).unwrap_err().kind, TemplateErrorKind::Undefined);
        for (source, expected) in [
            ("{{ 2 * inputs.n + 1 }}", json!(7)),
            ("{{ 1 - inputs.n * -2 - 1 }}", json!(6)),
            ("{{ -inputs.n * 2 ** 2 }}", json!(-12)),
            ("{{ 100 * inputs.l | length // 3 }}", json!(33)),
            ("{{ 2 * inputs.l[0] * (1 + 2) == 6 and 1.5 * 2 > 2 }}", json!(true)),
            ("{{ [inputs.n * 2, {'a': 2 * 2}] }}", json!([6, {"a": 4}])),
            ("{{ 2 * 3 if inputs.n * 1 else 2 * 4 }}", json!(6)),
        ] {
            assert_eq!(evaluate(source, &inputs), Ok(expected), "{source}");
        }
    }

    #[test]
    fn null_is_no_empty_list_no_zero_and_no_text() {
        let inputs = json!({"z": null, "l": [{"x": null}, {"x": 1}]});
        for source in [
            "{{ inputs.z | selectattr('x') | list | length == 0 }}",
            "{{ inputs.z | rejectattr('x') | list | length == 0 }}",
            "{{ inputs.z | select('odd') | list | length == 0 }}",
            "{{ inputs.z | reject | list | length == 0 }}",
            "{{ inputs.z | map(attribute='x') | list | length == 0 }}",
            "{{ inputs.z | map('upper') | list | length == 0 }}",
            "{{ [inputs.z] | map('list') | list | length == 1 }}",
            "{{ inputs.z | sort | length == 0 }}",
            "{{ inputs.z | unique | length == 0 }}",
            "{{ inputs.z | sum == 0 }}",
            "{{ inputs.z | join == '' }}",
            "{{ inputs.z | list | length == 0 }}",
            "{{ inputs.z | length == 0 }}",
            "{{ inputs.z | reverse is none }}",
            "{{ inputs.z | int == 0 }}",
            "{{ inputs.z | float == 0 }}",
            "{{ inputs.z | lower != 'fail' }}",
            "{{ inputs.z[:3] | length == 0 }}",
            "{{ inputs.z[1:][0:] is sequence }}",
            "{{ inputs.l[0].x[1:] | length == 0 }}",
            "{% for a in inputs.z %}{% endfor %}x",
            "{% for a in inputs.z if a %}{% endfor %}x",
            "{% for a in inputs.l[0].x or inputs.z %}{% endfor %}x",
            "{% for a in inputs.z %}{% else %}nothing{% endfor %}",
        ] {
            let error = evaluate(source, &inputs).expect_err(source);
            assert_eq!(error.kind, TemplateErrorKind::Undefined, "{source}: {error}");
        }
        assert_eq!(evaluate("{{ inputs.z is none }}", &inputs), Ok(json!(true)));
        assert_eq!(evaluate("{{ inputs.z | tojson }}", &inputs), Ok(json!("null")));
        assert_eq!(evaluate("{{ inputs.z or 'x' }}", &inputs), Ok(json!("x")));
        assert_eq!(evaluate("{% for a in inputs.l if a.x %}{{ a.x }}{% endfor %}", &inputs), Ok(json!("1")));
    }

    #[test]
    fn an_inline_if_has_its_else() {
        for (source, refused) in [
            ("{{ 'a' if inputs.x }}", "if"),
            ("{{ ('a' if inputs.x) is ne 'fail' }}", "if"),
            ("{{ not ('a' if inputs.x) }}", "if"),
            ("{{ ['a' if inputs.x, 'b'] }}", "if"),
            ("{{ {'a': 'a' if inputs.x} }}", "if"),
            ("{{ inputs.l | join('a' if inputs.x) }}", "if"),
            ("{{ inputs.l['a' if inputs.x] }}", "if"),
            ("{{ inputs.l[1 if inputs.x:] }}", "if"),
            ("{{ 'a' if inputs.x if inputs.y else 'b' }}", "if"),
            ("{{ 'a' if inputs.x else 'b' if inputs.y }}", "if"),
            ("{{ 'a' if ('b' if inputs.x) else 'c' }}", "if"),
            ("{% for a in inputs.l if (1 if a) %}{% endfor %}", "if"),
            ("{% for a in (inputs.l if inputs.x) %}{% endfor %}", "if"),
            ("{% if (1 if inputs.x) %}{% endif %}", "if"),
        ] {
            let problems = Expression::compile(source, Escaping::None).expect_err(source);
            assert_eq!(problems[0].code, "if-without-else", "{source}");
            assert_eq!(source.get(problems[0].range.clone()), Some(refused), "{source}");
            assert!(problems[0].hint.is_some());
        }
        let inputs = json!({"x": false, "l": [1, 2]});
        for (source, expected) in [
            ("{{ 'a' if inputs.x else 'b' if inputs.x else 'c' }}", json!("c")),
            ("{{ [1 if inputs.x else 2, 3] }}", json!([2, 3])),
            ("{{ 'a' if (1 if inputs.x else 2) else 'c' }}", json!("a")),
            ("{% for a in inputs.l if a > 1 %}{{ a }}{% else %}none{% endfor %}", json!("2")),
            ("{% if inputs.x %}a{% elif inputs.l %}b{% endif %}", json!("b")),
        ] {
            assert_eq!(evaluate(source, &inputs), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_the_reading_of_a_leaf_adds_cannot_be_written_or_named() {
        for source in ["{{ 1 | _number }}", "{{ 1 | _operand('x') }}"] {
            assert_eq!(Expression::compile(source, Escaping::None).unwrap_err()[0].code, "unknown-filter");
        }
        assert!(evaluate("{{ [none] | map('_operand', 'tojson') | list }}", &json!({})).is_err());
        let problems = Expression::compile("{{ inputs.a ~ 'b' }}", Escaping::None).unwrap_err();
        assert_eq!((problems[0].code, problems[0].range.clone()), ("template-syntax", 12..13));
        let recursive = "{% for a in inputs.l recursive %}{{ loop(a) }}{% endfor %}";
        assert!(Expression::compile(recursive, Escaping::None).is_err());
    }

    #[test]
    fn lines_that_hold_a_block_alone_leave_no_blank_lines() {
        let source = "# Items\n\n{% for x in inputs.l %}\n  {% if x > 1 %}\n- {{ x }}\n  {% endif %}\n{% endfor %}\nend\n";
        let text = evaluate(source, &json!({"l": [1, 2, 3]}));
        assert_eq!(text, Ok(json!("# Items\n\n- 2\n- 3\nend\n")));
        assert_eq!(evaluate("{% if true +%}\na{% endif %}", &json!({})), Ok(json!("\na")));
    }

    #[test]
    fn a_leaf_has_a_length_and_a_number_of_templates() {
        for source in [
            "{{ 1 }}".repeat(140_000),
            "{# #}".repeat(180_000),
            "{% for a in inputs.l %}".repeat(30_000),
            format!("{{{{ 1 }}}}{}", "x".repeat(64 << 10)),
            "{{ 1 }}".repeat(201),
        ] {
            assert!(Expression::compile(&source, Escaping::None).is_err());
        }
        assert!(Expression::compile(&"{{ 1 }}".repeat(200), Escaping::None).is_ok());
        assert!(Expression::compile(&"x".repeat(1 << 20), Escaping::None).is_ok());
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
        for chain in [".b", " * inputs", " + inputs", "|length", " == inputs", " and inputs", " is none"] {
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
        assert_eq!(evaluate("{{ inputs.h + '' }}", &inputs), Ok(json!(hostile)));
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
