//! One step as it is written ▸ a step that can be run.

use std::collections::BTreeMap;

use std::time::Duration;

use super::analysis::{Analysis, Source, Taken};
use super::builder::{Builder, What};
use super::diagnostic::did_you_mean;
use super::document::{WrittenReconcile, WrittenStep};
use super::escape::Escaping;
use super::input::shown;
use super::step::{Analyze, Emit, Expectation, Gate, Kind, Read, Reconcile, Retry, StepId, Write};
use super::template::Expression;
use crate::catalog::Idempotency;
use crate::core::pointer::escape;
use crate::core::{Class, Pointer};
use serde_json::Value;

/// The longest time-out and the longest pause.
const LONGEST: Duration = Duration::from_secs(3600);

/// The kinds of steps by the key that names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Read,
    Write,
    Analyze,
    Gate,
    Emit,
    Include,
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Analyze => "analyze",
            Self::Gate => "gate",
            Self::Emit => "emit",
            Self::Include => "include",
        }
    }

    /// The keys that go with it, besides `id` and `when`.
    fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["with", "timeout", "retry", "optional", "emit"],
            Self::Write => &["with", "reason", "idempotency", "reconcile"],
            Self::Analyze => &["of", "from", "with", "emit"],
            Self::Gate => &["undecided", "advisory", "says"],
            Self::Emit => &["value"],
            Self::Include => &["with"],
        }
    }
}

impl Builder<'_> {
    /// Which kind of step it is; checks that its other keys go with that.
    pub fn key(&mut self, step: &WrittenStep) -> Option<Key> {
        let kinds = [
            (Key::Read, step.read.is_some()),
            (Key::Write, step.write.is_some()),
            (Key::Analyze, step.analyze.is_some()),
            (Key::Gate, step.gate.is_some()),
            (Key::Include, step.include.is_some()),
        ];
        let present: Vec<Key> =
            kinds.into_iter().filter(|(_, present)| *present).map(|(key, _)| key).collect();
        let key = match present.as_slice() {
            [key] => *key,
            [] if step.emit.is_some() => Key::Emit,
            [] => {
                let hint = "one of `read`, `write`, `analyze`, `gate`, `emit`, `include`".to_owned();
                self.at_value("no-kind", "", format!("step `{}` does nothing", shown(&step.id)), Some(hint));
                return None;
            }
            [_, second, ..] => {
                let names: Vec<String> = present.iter().map(|key| format!("`{}`", key.name())).collect();
                let message = format!("a step is one thing, and this one is {}", names.join(" and "));
                self.at_key("several-kinds", &format!("/{}", second.name()), message, None);
                return None;
            }
        };
        for (name, present) in [
            ("with", step.arguments.is_some()),
            ("of", step.of.is_some()),
            ("from", step.from.is_some()),
            ("timeout", step.timeout.is_some()),
            ("retry", step.retry.is_some()),
            ("optional", step.optional.is_some()),
            ("reason", step.reason.is_some()),
            ("idempotency", step.idempotency.is_some()),
            ("reconcile", step.reconcile.is_some()),
            ("undecided", step.undecided.is_some()),
            ("advisory", step.advisory.is_some()),
            ("says", step.says.is_some()),
            ("value", step.value.is_some()),
            ("emit", step.emit.is_some() && key != Key::Emit),
        ] {
            if present && !key.takes().contains(&name) {
                let message = format!("`{name}` does not go with `{}`", key.name());
                let hint = match (key, name) {
                    (Key::Write, "timeout" | "retry") => {
                        "a write is sent once; what became of it is reconciled"
                    }
                    (Key::Write, "emit") => "a write's result is only known after the approval",
                    _ => "",
                };
                let takes = key.takes().join("`, `");
                let hint = if hint.is_empty() {
                    format!("`{}` takes `{takes}`", key.name())
                } else {
                    hint.to_owned()
                };
                self.at_key("misplaced-key", &format!("/{name}"), message, Some(hint));
            }
        }
        Some(key)
    }

    /// Builds everything but an include.
    pub fn kind(&mut self, key: Key, step: &WrittenStep) -> Option<(Kind, What)> {
        match key {
            Key::Read => self.read(step),
            Key::Write => self.write(step),
            Key::Analyze => self.analyze(step),
            Key::Gate => self.gate(step),
            Key::Emit => self.own_emit(step),
            Key::Include => None,
        }
    }

    fn read(&mut self, step: &WrittenStep) -> Option<(Kind, What)> {
        let operation = step.read.as_deref()?;
        let timeout = step.timeout.as_deref().map(|text| self.duration("/timeout", text, false));
        let mut retry = Retry::default();
        if let Some(written) = &step.retry {
            retry.attempts = written.attempts.unwrap_or(retry.attempts);
            if let Some(text) = &written.delay {
                retry.delay = self.duration("/retry/delay", text, true)?;
            }
        }
        let call = self.call(("/read", operation), ("/with", step.arguments.as_ref()), Class::Read);
        if step.optional.as_deref().is_some_and(|text| text.trim().is_empty()) {
            let hint = Some("for example `whether open work already covers a finding`".to_owned());
            self.at_value("bad-value", "/optional", "`optional` says what stays unproven".to_owned(), hint);
        }
        let (arguments, _) = call?;
        let timeout = match timeout {
            Some(timeout) => Some(timeout?),
            None => None,
        };
        let optional = step.optional.clone();
        let read = Read { operation: operation.to_owned(), arguments, timeout, retry, optional };
        Some((Kind::Read(read), What::Read(operation.to_owned())))
    }

    fn write(&mut self, step: &WrittenStep) -> Option<(Kind, What)> {
        let name = step.write.as_deref()?;
        self.secrets = Some(BTreeMap::new());
        let call = self.call(("/write", name), ("/with", step.arguments.as_ref()), Class::Write);
        let secrets = self.secrets.take().unwrap_or_default();
        let reason = self.needed("reason", step.reason.as_deref());
        let reconcile = step.reconcile.as_ref().map(|written| self.reconcile(written));
        let stated =
            self.profile.operation(name).map_or(Idempotency::None, |operation| operation.idempotency);
        let idempotency = step.idempotency.unwrap_or(stated);
        if idempotency > stated {
            let message =
                format!("`idempotency: {idempotency}` is looser than what is known of `{}`", shown(name));
            let hint = Some(format!("the profile says `{stated}`; a recipe can only be stricter"));
            self.at_value("looser-idempotency", "/idempotency", message, hint);
        }
        let reconcile = match reconcile {
            Some(reconcile) => Some(reconcile?),
            None => None,
        };
        let (arguments, operation) = call?;
        let id = StepId::new(self.scope, &self.id);
        if let Some(operation) = operation {
            self.later
                .push(format!("whether the arguments of `{id}` fit the schema of `{}`", operation.tool));
        }
        let below = |(at, name): (String, String)| Some((at.strip_prefix("/with")?.parse().ok()?, name));
        let secrets = secrets.into_iter().filter_map(below).collect();
        let reason = reason?;
        let write = Write { operation: name.to_owned(), arguments, secrets, reason, idempotency, reconcile };
        Some((Kind::Write(write), What::Write))
    }

    fn reconcile(&mut self, written: &WrittenReconcile) -> Option<Reconcile> {
        let arguments = written.arguments.as_ref();
        let call = self.call(("/reconcile/read", &written.read), ("/reconcile/with", arguments), Class::Read);
        let mut found = Vec::new();
        for (index, expectation) in written.found.iter().enumerate() {
            let at = format!("/reconcile/found/{index}");
            let equals = self.tree(&format!("{at}/equals"), &expectation.equals, Escaping::None, &[]);
            match (expectation.pointer.parse::<Pointer>(), equals) {
                (Ok(pointer), Some(equals)) => found.push(Expectation { pointer, equals }),
                (Err(error), _) => {
                    let message = crate::core::text::visible(&error.to_string()).into_owned();
                    self.at_value("bad-pointer", &format!("{at}/pointer"), message, None);
                }
                (Ok(_), None) => {}
            }
        }
        let complete = found.len() == written.found.len();
        let (arguments, _) = call.filter(|_| complete)?;
        Some(Reconcile { operation: written.read.clone(), arguments, found })
    }

    fn analyze(&mut self, step: &WrittenStep) -> Option<(Kind, What)> {
        let analysis = step.analyze?;
        let terms = analysis.terms();
        let of = self.source("/of", step.of.as_deref(), terms.of);
        let empty = BTreeMap::new();
        let written = step.from.as_ref().unwrap_or(&empty);
        let fits = self.named(("/from", terms.from), written.keys());
        let mut from = BTreeMap::new();
        for (name, source) in written {
            let at = format!("/from/{}", escape(name));
            from.insert(name.clone(), self.source(&at, Some(source), Source::Read));
        }
        let told = step.arguments.clone().unwrap_or_default();
        let fits = self.named(("/with", terms.with), told.keys()) && fits;
        let with = self.tree("/with", &Value::Object(told.into_iter().collect()), Escaping::None, &[]);
        let from: Option<BTreeMap<String, StepId>> =
            from.into_iter().map(|(name, step)| Some((name, step?))).collect();
        let analyze = Analyze { analysis, of: of?, from: from?, with: with? };
        fits.then_some((Kind::Analyze(analyze), What::Analyze(analysis)))
    }

    /// Whether what stands under `key` is what an analysis takes by name.
    fn named<'n>(
        &mut self,
        (key, taken): (&str, &[Taken]),
        given: impl Iterator<Item = &'n String> + Clone,
    ) -> bool {
        let mut fits = true;
        for name in given.clone().filter(|name| !taken.iter().any(|one| one.name == *name)) {
            let hint = match taken {
                [] => Some(format!("it takes nothing under `{}`", key.trim_start_matches('/'))),
                _ => did_you_mean(name, taken.iter().map(|one| one.name)),
            };
            let message = format!("the analysis takes no `{}`", shown(name));
            self.at_key("unknown-name", &format!("{key}/{}", escape(name)), message, hint);
            fits = false;
        }
        for one in taken.iter().filter(|one| !one.optional && !given.clone().any(|name| name == one.name)) {
            let message = format!("the analysis needs `{}`", one.name);
            let hint = Some(format!("add it under `{}:`", key.trim_start_matches('/')));
            self.at_value("missing-key", "", message, hint);
            fits = false;
        }
        fits
    }

    /// The step that stands under a key of an analysis, as a whole.
    fn source(&mut self, at: &str, written: Option<&str>, wanted: Source) -> Option<StepId> {
        let Some(written) = written else {
            let hint = Some("add `of:` with the name of an earlier step".to_owned());
            self.at_value("missing-key", "", "an analysis needs `of`".to_owned(), hint);
            return None;
        };
        let span = self.file.value_span(&format!("{}{at}", self.pointer));
        let mut parts = written.split('.').map(str::to_owned);
        let name = parts.next().unwrap_or_default();
        let path: Vec<String> = parts.collect();
        let (step, rest) = self.step(&name, &path, span)?;
        if !rest.is_empty() {
            let message = format!("a step belongs here, and `{}` is something in one", shown(written));
            self.report("wrong-source", span, message, Some(format!("write `{step}`")));
            return None;
        }
        let fits = match (wanted, self.known.get(&step)) {
            (Source::Read, Some(What::Read(_))) => true,
            (Source::Findings, Some(What::Analyze(analysis))) => *analysis == Analysis::Evidence,
            (Source::Brief, Some(What::Analyze(analysis))) => analysis.is_brief(),
            _ => false,
        };
        if !fits {
            let (what, hint) = wanted.words();
            self.report("wrong-source", span, format!("`{step}` is not {what}"), Some(hint.to_owned()));
            return None;
        }
        self.uses.insert(super::step::Use { step: step.clone(), path: Vec::new() });
        Some(step)
    }

    fn gate(&mut self, step: &WrittenStep) -> Option<(Kind, What)> {
        let holds = self.condition("/gate", step.gate.as_deref()?);
        let undecided = step.undecided.as_deref().map(|text| self.condition("/undecided", text));
        let says = self.needed("says", step.says.as_deref());
        let undecided = match undecided {
            Some(undecided) => Some(undecided?),
            None => None,
        };
        let advisory = step.advisory.unwrap_or(false);
        Some((Kind::Gate(Gate { holds: holds?, undecided, advisory, says: says? }), What::NoResult))
    }

    fn own_emit(&mut self, step: &WrittenStep) -> Option<(Kind, What)> {
        let file = step.emit.as_deref()?;
        let Some(value) = &step.value else {
            let message = "a file of its own needs `value`".to_owned();
            self.at_value(
                "missing-key",
                "",
                message,
                Some("add `value:`, or emit a step's result".to_owned()),
            );
            return None;
        };
        let escaping = Escaping::for_file(file);
        if escaping != Escaping::None && !value.is_string() {
            let message = format!("`{}` receives one text", shown(file));
            let hint = Some("only `.json` files receive other values".to_owned());
            self.at_value("wrong-type", "/value", message, hint);
            return None;
        }
        let value = self.tree("/value", value, escaping, &[])?;
        Some((Kind::Emit(Emit { value }), What::NoResult))
    }

    /// Compiles the text of a key that the step must have.
    fn needed(&mut self, key: &str, text: Option<&str>) -> Option<Expression> {
        match text {
            Some(text) if !text.trim().is_empty() => self.leaf(&format!("/{key}"), text, Escaping::None, &[]),
            Some(_) => {
                self.at_value("bad-value", &format!("/{key}"), format!("`{key}` is empty"), None);
                None
            }
            None => {
                let hint = Some(format!("add `{key}:` with one line for people"));
                self.at_value("missing-key", "", format!("`{key}` is missing"), hint);
                None
            }
        }
    }

    fn duration(&mut self, at: &str, text: &str, zero: bool) -> Option<Duration> {
        let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
        let fits = parsed.filter(|duration| *duration <= LONGEST && (zero || !duration.is_zero()));
        if fits.is_none() {
            let message = format!("`{}` is not a duration of at most one hour", shown(text));
            self.at_value("bad-duration", at, message, Some("for example `30s`, `2m` or `500ms`".to_owned()));
        }
        fits
    }
}
