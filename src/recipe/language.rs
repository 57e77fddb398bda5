//! The language of expressions: which filters, tests and functions there are. All of them are functions of
//! their arguments; there is no clock, no chance and no way out.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Kwargs, Rest, StringInput, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value, filters};

use super::escape::Escaping;
use super::input::shown;

/// Fuel of one leaf: about a million instructions, or 64 MB of data.
const FUEL: u64 = 1_000_000;
/// The most that may become text at once, in bytes; each value of a list or mapping counts as 8 more.
const LARGEST_TEXT: usize = 8 << 20;
/// The widest indentation.
const WIDEST_INDENT: usize = 16;

/// The filter that every operand of a filter, slice or loop goes through, with the filter's name or `slice`
/// or `for`. Only the reading of a leaf writes it.
pub(super) const OPERAND: &str = "_operand";
/// The filter that both sides of `*` go through: repeating texts and lists is a bomb.
pub(super) const NUMBER: &str = "_number";

/// The filters of the language.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "capitalize",
    "count",
    "dictsort",
    "first",
    "float",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
];

/// The filters that make text of whatever they are given.
const MAKE_TEXT: &[&str] = &[
    "capitalize",
    "indent",
    "join",
    "lines",
    "lower",
    "replace",
    "split",
    "string",
    "title",
    "tojson",
    "trim",
    "upper",
];

/// Filters of the template engine that the language leaves out: they hide what is missing, undo escaping,
/// or nothing needs them.
const LEFT_OUT_FILTERS: &[&str] = &[
    "batch", "bool", "chain", "d", "default", "e", "escape", "format", "groupby", "pprint", "safe", "slice",
    "zip",
];

/// The tests of the language.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "upper",
];

/// Tests of the template engine that the language leaves out.
const LEFT_OUT_TESTS: &[&str] = &["defined", "escaped", "filter", "safe", "sameas", "test", "undefined"];

/// The functions of the language.
pub(super) const FUNCTIONS: &[&str] = &["range"];

/// Functions of the template engine that the language leaves out.
const LEFT_OUT_FUNCTIONS: &[&str] = &["debug", "dict", "namespace"];

/// Under this name an evaluation leaves the value of a leaf that is one expression.
pub(super) const VALUE: &str = "value";

static TYPED: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = base();
    environment.set_formatter(|_, state, value| {
        state.set_temp(VALUE, value.clone());
        Ok(())
    });
    environment
});
static TEXT: LazyLock<Environment<'static>> = LazyLock::new(|| escaped(Escaping::None));
static LINE: LazyLock<Environment<'static>> = LazyLock::new(|| escaped(Escaping::Line));
static MARKDOWN: LazyLock<Environment<'static>> = LazyLock::new(|| escaped(Escaping::Markdown));

/// The environment in which a leaf that is one expression keeps its value.
pub(super) fn typed() -> &'static Environment<'static> {
    &TYPED
}

/// The environment in which a leaf becomes text.
pub(super) fn text(escaping: Escaping) -> &'static Environment<'static> {
    match escaping {
        Escaping::None => &TEXT,
        Escaping::Line => &LINE,
        Escaping::Markdown => &MARKDOWN,
    }
}

fn escaped(escaping: Escaping) -> Environment<'static> {
    let mut environment = base();
    environment.set_formatter(move |out, state, value| {
        let text = match value.as_str() {
            Some(text) => text.to_owned(),
            None => {
                weigh(state, value)?;
                let text = value.to_string();
                state.consume_fuel(u64::try_from(text.len()).unwrap_or(u64::MAX) / 64)?;
                text
            }
        };
        out.write_str(&escaping.apply(&text))?;
        Ok(())
    });
    environment
}

fn base() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(false);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    if let Ok(syntax) = minijinja::syntax::SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    for name in LEFT_OUT_FILTERS {
        environment.remove_filter(name);
    }
    for name in LEFT_OUT_TESTS {
        environment.remove_test(name);
    }
    for name in LEFT_OUT_FUNCTIONS {
        environment.remove_global(name);
    }
    environment.add_filter(OPERAND, |state: &State, value: &Value, name: &str| operand(state, value, name));
    environment.add_filter(NUMBER, number);
    environment.add_filter("attr", attribute);
    environment.add_filter("join", join);
    environment.add_filter("tojson", to_json);
    environment.add_filter("indent", indent);
    // What these take besides their operand is text already, or it would become text unmeasured.
    environment.add_filter("replace", |state: &mut State, value: &Value, from: &Value, to: &Value| {
        let (from, to) = (text_of(from)?, text_of(to)?);
        let (from, to) = (StringInput::new(state, from)?, StringInput::new(state, to)?);
        filters::replace(state, StringInput::new(state, value)?, from, to)
    });
    environment.add_filter("split", |value: &Value, at: Option<&str>, most: Option<i64>| {
        filters::split(value, at.map(Arc::from), most)
    });
    environment.add_filter("trim", |state: &State, value: &Value, characters: Option<&str>| {
        Ok::<_, Error>(filters::trim(StringInput::new(state, value)?, characters.map(Cow::from)))
    });
    environment.add_filter("first", |value: &Value| there(filters::first(value)?, "the first item"));
    environment.add_filter("last", |value: Value| there(filters::last(value)?, "the last item"));
    environment.add_filter("max", |state: &State, items: Value, options: Kwargs| {
        require(&items, &options)?;
        there(filters::max(state, items, options)?, "the largest item")
    });
    environment.add_filter("min", |state: &State, items: Value, options: Kwargs| {
        require(&items, &options)?;
        there(filters::min(state, items, options)?, "the smallest item")
    });
    environment.add_filter("sort", |state: &State, items: Value, options: Kwargs| {
        require(&items, &options)?;
        filters::sort(state, items, options)
    });
    environment.add_filter("sum", |state: &State, items: Value, options: Kwargs| {
        require(&items, &options)?;
        filters::sum(state, items, None, None, options)
    });
    environment.add_filter("unique", |state: &State, items: Value, options: Kwargs| {
        require(&items, &options)?;
        filters::unique(state, items, options)
    });
    environment.add_filter("map", map);
    environment.add_filter("selectattr", |state: &mut State, items: Value, path: &str, rest: Rest<Value>| {
        by_attribute(state, &items, path, &rest, true)
    });
    environment.add_filter("rejectattr", |state: &mut State, items: Value, path: &str, rest: Rest<Value>| {
        by_attribute(state, &items, path, &rest, false)
    });
    environment
}

/// What stands under `key`. A value that is not there is an error here, where the engine would go on with an
/// undefined value that its tests accept.
fn attribute(value: &Value, key: &Value) -> Result<Value, Error> {
    let found =
        if value.is_undefined() || value.is_none() { Value::UNDEFINED } else { value.get_item(key)? };
    there(found, &format!("`{}`", shown(&key.to_string())))
}

/// What stands at the end of a dotted path.
fn path_of(value: &Value, path: &str) -> Result<Value, Error> {
    path.split('.').try_fold(value.clone(), |value, name| attribute(&value, &Value::from(name)))
}

fn there(value: Value, what: &str) -> Result<Value, Error> {
    if value.is_undefined() {
        Err(Error::new(ErrorKind::UndefinedError, format!("{what} is not there")))
    } else {
        Ok(value)
    }
}

/// The operand of a filter, slice or loop: it is there, it is not null where the engine would take null for
/// an empty list, zero or the text `none`, and it is not too large to become text.
fn operand(state: &State, value: &Value, name: &str) -> Result<Value, Error> {
    if value.is_undefined() || (value.is_none() && !matches!(name, "attr" | "string" | "tojson")) {
        let message = match name {
            "for" => "what `for` goes over is not there".to_owned(),
            "slice" => "what a slice is taken of is not there".to_owned(),
            name => format!("what `{}` is given is not there", shown(name)),
        };
        return Err(Error::new(ErrorKind::UndefinedError, message));
    }
    if MAKE_TEXT.contains(&name) && value.as_str().is_none() {
        weigh(state, value)?;
    }
    Ok(value.clone())
}

fn number(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Number => Ok(value.clone()),
        ValueKind::Undefined | ValueKind::None => {
            Err(Error::new(ErrorKind::UndefinedError, "a number is not there"))
        }
        kind => Err(Error::new(ErrorKind::InvalidOperation, format!("`*` takes numbers and no {kind}"))),
    }
}

fn text_of(value: &Value) -> Result<&Value, Error> {
    match value.kind() {
        ValueKind::String => Ok(value),
        kind => Err(Error::new(ErrorKind::InvalidOperation, format!("{kind} stands in the place of text"))),
    }
}

/// Takes the fuel for making text of a value, before any of it is made.
fn weigh(state: &State, value: &Value) -> Result<(), Error> {
    let mut weight = 0;
    add_weight(value, &mut weight)?;
    state.consume_fuel(u64::try_from(weight).unwrap_or(u64::MAX) / 64)
}

fn add_weight(value: &Value, weight: &mut usize) -> Result<(), Error> {
    *weight += 8 + value.as_str().map_or(0, str::len);
    if *weight > LARGEST_TEXT {
        return Err(Error::from(ErrorKind::OutOfFuel));
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.try_for_each(|item| add_weight(&item, weight))
        }
        ValueKind::Map => value.try_iter()?.try_for_each(|key| {
            add_weight(&key, weight)?;
            add_weight(&value.get_item(&key)?, weight)
        }),
        _ => Ok(()),
    }
}

fn join(state: &State, items: &Value, between: Option<&str>) -> Result<String, Error> {
    let mut joined = String::new();
    for (index, item) in items.try_iter()?.enumerate() {
        if index > 0 {
            joined.push_str(between.unwrap_or_default());
        }
        match item.as_str() {
            Some(text) => joined.push_str(text),
            None => joined.push_str(&there(item, "an item of `join`")?.to_string()),
        }
        state.consume_fuel(1)?;
        if joined.len() > LARGEST_TEXT {
            return Err(Error::from(ErrorKind::OutOfFuel));
        }
    }
    Ok(joined)
}

fn to_json(state: &State, value: &Value, indent: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get("indent")?,
    };
    narrow(indent.as_ref())?;
    let json = filters::tojson(value, indent, options)?;
    state.consume_fuel(u64::try_from(json.as_str().map_or(0, str::len)).unwrap_or(u64::MAX) / 64)?;
    Ok(json)
}

fn indent(state: &State, value: &Value, width: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    weigh(state, value)?;
    let width = match width {
        Some(width) => Some(width),
        None => options.get("width")?,
    };
    narrow(width.as_ref())?;
    let width = width.map(usize::try_from).transpose()?;
    filters::indent(StringInput::new(state, value)?, width, None, None, options)
}

fn narrow(width: Option<&Value>) -> Result<(), Error> {
    match width.and_then(Value::as_usize) {
        Some(width) if width > WIDEST_INDENT => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("an indentation is at most {WIDEST_INDENT}")))
        }
        _ => Ok(()),
    }
}

/// Checks that every item has what the option `attribute` names.
fn require(items: &Value, options: &Kwargs) -> Result<(), Error> {
    let Some(paths) = options.peek::<Option<String>>("attribute")? else { return Ok(()) };
    for item in items.try_iter()? {
        for path in paths.split(',').map(str::trim) {
            path_of(&item, path)?;
        }
    }
    Ok(())
}

fn map(
    state: &mut State,
    items: Value,
    arguments: Rest<Value>,
    options: Kwargs,
) -> Result<Vec<Value>, Error> {
    if let Some(path) = options.get::<Option<String>>("attribute")? {
        options.assert_all_used()?;
        return items.try_iter()?.map(|item| path_of(&item, &path)).collect();
    }
    options.assert_all_used()?;
    let Some((filter, rest)) = arguments.split_first() else {
        return Err(Error::new(
            ErrorKind::MissingArgument,
            "`map` takes `attribute=` or the name of a filter",
        ));
    };
    let filter = filter.as_str().unwrap_or_default();
    if !FILTERS.contains(&filter) {
        return Err(Error::new(ErrorKind::UnknownFilter, format!("there is no filter `{}`", shown(filter))));
    }
    let mut mapped = Vec::new();
    for item in items.try_iter()? {
        state.consume_fuel(1)?;
        let item = operand(state, &item, filter)?;
        let arguments: Vec<Value> = std::iter::once(item).chain(rest.iter().cloned()).collect();
        mapped.push(state.apply_filter(filter, &arguments)?);
    }
    Ok(mapped)
}

fn by_attribute(
    state: &mut State,
    items: &Value,
    path: &str,
    rest: &[Value],
    keep: bool,
) -> Result<Vec<Value>, Error> {
    let mut kept = Vec::new();
    for item in items.try_iter()? {
        state.consume_fuel(1)?;
        let value = path_of(&item, path)?;
        let passes = match rest.split_first() {
            None => value.is_true(),
            Some((test, rest)) => {
                let arguments: Vec<Value> = std::iter::once(value).chain(rest.iter().cloned()).collect();
                state.perform_test(&test.to_string(), &arguments)?
            }
        };
        if passes == keep {
            kept.push(item);
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_name_all_that_the_engine_has_and_nothing_else() {
        let engine = Environment::new();
        for (kind, kept, left_out) in [("filter", FILTERS, LEFT_OUT_FILTERS), ("test", TESTS, LEFT_OUT_TESTS)]
        {
            for name in kept.iter().chain(left_out) {
                let source = format!("{{{{ '{name}' is {kind} }}}}");
                assert_eq!(engine.render_str(&source, ()).unwrap(), "True", "{kind} {name}");
            }
        }
        let globals: Vec<String> = engine.globals().map(|(name, _)| name.to_owned()).collect();
        let mut named: Vec<&str> = FUNCTIONS.iter().chain(LEFT_OUT_FUNCTIONS).copied().collect();
        named.sort_unstable();
        assert_eq!(globals, named);
    }

    #[test]
    fn what_is_left_out_is_not_there() {
        for source in ["{{ 1|default(2) }}", "{{ 1 is defined }}", "{{ namespace() }}", "{{ 'a'|safe }}"] {
            assert!(typed().render_str(source, ()).is_err(), "{source}");
        }
    }
}
