//! Recipes that are refused, and those that are not.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::catalog::Profile;

/// Recipes by name.
struct Shelf(BTreeMap<&'static str, String>);

impl Library for Shelf {
    fn recipe(&self, reference: &str, _: &str) -> Result<Source, String> {
        let text = self.0.get(reference).ok_or_else(|| format!("`{reference}` is not on the shelf"))?;
        Source::from_bytes(reference, text.as_bytes()).map_err(|error| error.to_string())
    }
}

fn shelf(recipes: &[(&'static str, &str)]) -> Shelf {
    Shelf(recipes.iter().map(|(name, text)| (*name, (*text).to_owned())).collect())
}

fn profile() -> Profile {
    let mut profile = Profile::clone(&Profile::loopiq().unwrap());
    profile.operations.get_mut("open_work").unwrap().listed_by = Some("resources".into());
    profile
}

fn load_text(text: &str) -> Result<Recipe, Problems> {
    load(Source::from_bytes("x.yaml", text.as_bytes()).unwrap(), &ShippedLibrary, &profile())
}

/// `line:column code` of each problem.
fn codes(problems: &Problems) -> Vec<String> {
    let place =
        |one: &Diagnostic| one.span.map_or("-".to_owned(), |span| format!("{}:{}", span.line, span.column));
    problems.diagnostics.iter().map(|one| format!("{} {}", place(one), one.code)).collect()
}

const HEAD: &str = "recipe: r\nsummary: s\ninputs:\n  release: { type: string, required: true }\n";
const READ: &str = "  - id: cert\n    read: certification\n    with: { release: \"{{ inputs.release }}\" }\n";

/// A recipe with an input, a read `cert` on lines 6 to 8, and these lines from line 9 on.
fn after_read(steps: &str) -> String {
    format!("{HEAD}steps:\n{READ}{steps}")
}

fn gate(text: &str) -> String {
    after_read(&format!("  - id: g\n    gate: \"{text}\"\n    says: s\n"))
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) -> Problems {
    let problems = load_text(text).expect_err(text);
    assert_eq!(codes(&problems), expected, "{text}\n{problems}");
    problems
}

#[test]
fn the_shipped_recipes_validate() {
    let profile = Profile::loopiq().unwrap();
    for (name, _) in shipped() {
        let source = Source::shipped(name).unwrap();
        assert_eq!(declared_profile(&source).as_deref(), Some("loopiq"));
        let recipe = load(source, &ShippedLibrary, &profile).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(recipe.name, *name);
        for input in &recipe.inputs {
            assert!(input.help.is_some(), "{name}: `{}` has no help", input.name);
        }
    }
}

#[test]
fn the_remediation_plan_is_read_as_it_is_meant() {
    let source = Source::shipped("remediation-plan").unwrap();
    let recipe = load(source, &ShippedLibrary, &Profile::loopiq().unwrap()).unwrap();
    let ids: Vec<String> = recipe.steps.iter().map(|step| step.id.to_string()).collect();
    assert_eq!(
        ids,
        [
            "evidence",
            "evidence.certification",
            "evidence.graph",
            "evidence.findings",
            "evidence.diagram",
            "certified",
            "open_work",
            "work",
            "package"
        ]
    );
    let inputs: Vec<&str> = recipe.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["release", "owner"]);
    let package = recipe.steps.last().unwrap();
    let uses: Vec<String> =
        package.uses.iter().map(|one| format!("{} {}", one.step, one.path.join("."))).collect();
    assert_eq!(uses, ["evidence.certification id", "work proposed"]);
    let Kind::Write(write) = &package.kind else { panic!() };
    assert_eq!(write.idempotency, crate::catalog::Idempotency::Key);
    let mut values = Values::new(json!({"release": "REL-1", "owner": "platform"}).as_object().unwrap());
    let id = |text: &str| StepId::from(text.split('.').map(str::to_owned).collect::<Vec<_>>());
    values.set(&id("evidence.certification"), json!({"id": "CERT-1"}));
    values.set(
        &id("work"),
        json!({"proposed": [
            {"id": "F-1", "title": "{{ inputs.owner }}", "severity": "high", "owner": null},
            {"id": "F-2", "title": "b", "severity": null, "owner": "core"},
        ]}),
    );
    let arguments = write.arguments.evaluate(&values.scope(&package.scope)).unwrap();
    assert_eq!(
        arguments,
        json!({
            "release": "REL-1", "certification": "CERT-1", "reason": "Findings that block REL-1: 2",
            "parent": {"title": "Unblock REL-1", "owner": "platform"},
            "children": [
                {"title": "{{ inputs.owner }}", "owner": "platform", "severity": "high", "reference": "F-1"},
                {"title": "b", "owner": "core", "severity": null, "reference": "F-2"},
            ],
        })
    );
}

#[test]
fn all_problems_are_told_at_once_and_in_order() {
    let text = format!(
        "{HEAD}steps:\n{READ}    emitt: x\n  - id: g\n    gate: \"{{{{ certt.state == inputs.relase }}}}\"\n    says: \"{{{{ cert.sttus | uper }}}}\"\n"
    );
    let problems = refused(
        &text,
        &["9:5 unknown-key", "11:15 unknown-name", "11:30 unknown-input", "12:28 unknown-filter"],
    );
    let hints: Vec<_> = problems.diagnostics.iter().filter_map(|one| one.hint.as_deref()).collect();
    assert_eq!(
        hints,
        ["did you mean `emit`?", "did you mean `cert`?", "did you mean `release`?", "did you mean `upper`?"]
    );
    assert_eq!(problems.sources, [("x.yaml".to_owned(), text)]);
}

#[test]
fn the_shape_is_checked() {
    for (text, expected) in [
        ("", &["- empty-recipe"][..]),
        ("- a\n", &["1:1 wrong-type"]),
        ("recipe: r\nsummary: s\nsteps: []\n", &["3:8 no-steps"]),
        ("recipe: R!\nsummary: s\nsteps: []\n", &["1:9 bad-name"]),
        ("recipe: r\nsummary: s\nsteps: {}\n", &["3:8 wrong-type"]),
        ("recipe: r\nsteps: []\n", &["1:1 missing-key"]),
        ("recipe: r\nsummary:\nsteps: []\n", &["2:8 wrong-type"]),
        ("recipe: r\nsummary: s\nsteps:\n  - id: a\n    gate: true\n", &["5:11 wrong-type"]),
        ("recipe: r\nsummary: s\nsteps:\n  - id: a\n    analyze: nope\n", &["5:14 unknown-value"]),
        ("recipe: r\nsummary: s\nsteps:\n  - id: A-b\n    emit: a.txt\n    value: x\n", &["4:9 bad-name"]),
    ] {
        refused(text, expected);
    }
}

#[test]
fn inputs_are_checked() {
    for (input, expected) in [
        ("a-b: { type: string }", "4:3 bad-name"),
        ("Ab: { type: string }", "4:3 bad-name"),
        ("server: { type: string }", "4:3 reserved-name"),
        ("detailed_exitcode: { type: boolean }", "4:3 reserved-name"),
        ("a: { type: string, pattern: \"(\" }", "4:31 bad-pattern"),
        ("a: { type: string, pattern: \"[a-z]+\", default: A }", "4:50 bad-value"),
        ("a: { type: integer, default: \"1\" }", "4:32 bad-value"),
        ("a: { type: string, required: true, default: x }", "4:47 required-default"),
        ("a: { type: string, min: 1 }", "4:27 misplaced-key"),
        ("a: { type: number, pattern: x }", "4:31 misplaced-key"),
        ("a: { type: integer, min: 2, max: 1 }", "4:28 bad-value"),
        ("a: { type: string, choices: [1] }", "4:32 bad-value"),
        ("a: { type: text }", "4:14 unknown-value"),
    ] {
        let text = format!(
            "recipe: r\nsummary: s\ninputs:\n  {input}\nsteps:\n  - id: e\n    emit: e.txt\n    value: x\n"
        );
        refused(&text, &[expected]);
    }
}

#[test]
fn a_step_is_exactly_one_thing_with_its_own_keys() {
    for (step, expected) in [
        ("  - id: a\n    with: {}\n", &["9:5 no-kind"][..]),
        (
            "  - id: a\n    gate: \"{{ cert.id == 'x' }}\"\n    says: s\n    read: contract\n",
            &["10:5 several-kinds"],
        ),
        (
            "  - id: a\n    gate: \"{{ cert.id == 'x' }}\"\n    says: s\n    emit: x.json\n",
            &["12:5 misplaced-key"],
        ),
        ("  - id: a\n    gate: \"{{ cert.id == 'x' }}\"\n", &["9:5 missing-key"]),
        ("  - id: a\n    emit: a.json\n", &["9:5 missing-key"]),
        ("  - id: cert\n    emit: a.json\n    value: \"{{ cert.id }}\"\n", &["9:9 duplicate-id"]),
        ("  - id: inputs\n    emit: a.json\n    value: \"{{ cert.id }}\"\n", &["9:9 reserved-name"]),
    ] {
        refused(&after_read(step), expected);
    }
}

#[test]
fn names_in_templates_are_checked() {
    for (expression, expected) in [
        ("{{ nope.x == 1 }}", &["10:15 unknown-name"][..]),
        ("{{ release == 'x' }}", &["10:15 unknown-name"]),
        ("{{ inputs.nope == cert.id }}", &["10:15 unknown-input"]),
        ("{{ g.x }}", &["10:15 later-step"]),
        ("{{ cert.nope == 1 }}", &["10:15 unknown-result"]),
        ("{{ cert.id | nope }}", &["10:25 unknown-filter"]),
        ("{{ cert.id | default(1) }}", &["10:25 unknown-filter"]),
        ("{{ cert.id is defined }}", &["10:26 unknown-test"]),
        ("{{ now() > cert.id }}", &["10:15 unknown-function"]),
        ("{{ cert.id.upper() == 'x' }}", &["10:23 template-syntax"]),
        ("{{ cert.id == }}", &["10:12 template-syntax"]),
        ("{{ cert.id", &["10:12 template-syntax"]),
        ("{% set x = cert %}", &["10:15 template-syntax"]),
        ("x{{ cert.id }}", &["10:11 not-an-expression"]),
        ("plain", &["10:11 not-an-expression"]),
        ("{{ true }}", &["10:11 constant-condition"]),
        ("{{ 1 / 0 }}", &["10:11 template-fails"]),
        ("{{ range(10000) | join(range(9999) | join) }}", &["10:11 template-fails"]),
        ("{{ cert.id is ne 'x' if cert.id }}", &["10:33 if-without-else"]),
        ("{{ cert[1:] }}{% for cert in cert.id %}{% endfor %}", &["10:11 shadowed-name"]),
    ] {
        let text = gate(expression);
        // Where the gate is all that uses the read, the read may count as unused too: problems come first.
        let problems = load_text(&text).expect_err(&text);
        assert_eq!(codes(&problems), expected, "{expression}\n{problems}");
    }
    let problems = load_text(&gate("{{ release == 'x' }}")).unwrap_err();
    assert_eq!(problems.diagnostics[0].hint.as_deref(), Some("did you mean `inputs.release`?"));
}

#[test]
fn a_step_uses_earlier_ones_only_and_no_writes() {
    let text = format!(
        "{HEAD}steps:\n  - id: g\n    gate: \"{{{{ cert.id == 'x' }}}}\"\n    says: s\n{READ}    emit: c.json\n"
    );
    refused(&text, &["7:15 later-step"]);
    let write = "  - id: w\n    write: some_tool\n    reason: r\n    with: { a: \"{{ cert.id }}\" }\n";
    refused(
        &after_read(&format!(
            "{write}  - id: g\n    gate: \"{{{{ w.x == 1 }}}}\"\n    says: \"{{{{ w }}}}\"\n"
        )),
        &["14:15 use-of-write", "15:15 use-of-write"],
    );
    let gates = "  - id: g\n    gate: \"{{ cert.id == 'x' }}\"\n    says: s\n  - id: h\n    gate: \"{{ g == true }}\"\n    says: s\n";
    refused(&after_read(gates), &["13:15 no-result"]);
}

#[test]
fn what_nothing_uses_is_refused() {
    refused(&format!("{HEAD}steps:\n{READ}"), &["6:5 unused-capture"]);
    let analyze = "    emit: c.json\n  - id: graph\n    read: evidence_graph\n    with: { certification: \"{{ cert.id }}\" }\n  - id: f\n    analyze: evidence\n    of: graph\n";
    refused(&after_read(analyze), &["13:5 unused-capture"]);
}

#[test]
fn calls_are_checked_against_the_profile() {
    for (step, expected) in [
        ("read: certifcation\n", &["10:11 unknown-operation"][..]),
        ("read: some_tool\n", &["10:11 unknown-operation"]),
        ("read: work_package\n", &["10:11 wrong-class"]),
        ("write: contract\n    reason: r\n", &["10:12 wrong-class"]),
        ("write: work_pakage\n    reason: r\n", &["10:12 unknown-operation"]),
        ("write: not a tool\n    reason: r\n", &["10:12 unknown-operation"]),
        ("write: loopiq_create_remediation_work_package\n    reason: r\n", &["10:12 tool-name"]),
        (
            "read: certification\n    with: { relase: x }\n",
            &["10:11 missing-argument", "11:13 unknown-argument"],
        ),
        ("read: open_work\n", &["10:11 not-listed"]),
        ("read: contract\n    timeout: soon\n", &["11:14 bad-duration"]),
        ("read: contract\n    timeout: 0s\n", &["11:14 bad-duration"]),
        ("read: contract\n    timeout: 2h\n", &["11:14 bad-duration"]),
        ("read: contract\n    retry: { attempts: 11 }\n", &["11:24 bad-value"]),
        ("read: contract\n    reason: r\n", &["11:5 misplaced-key"]),
        (
            "write: t\n    reason: r\n    timeout: 1s\n    retry: {}\n",
            &["12:5 misplaced-key", "13:5 misplaced-key"],
        ),
        ("write: t\n", &["9:5 missing-key"]),
        ("write: t\n    reason: r\n    idempotency: key\n", &["12:18 looser-idempotency"]),
        (
            "write: t\n    reason: r\n    reconcile: { read: t, found: [{ pointer: a, equals: 1 }] }\n",
            &["12:24 unknown-operation", "12:46 bad-pointer"],
        ),
        ("write: t\n    reason: r\n    reconcile: { read: contract, found: [] }\n", &["12:41 bad-value"]),
    ] {
        let text = after_read(&format!("  - id: a\n    {step}"));
        let problems = load_text(&text).expect_err(&text);
        assert_eq!(codes(&problems), expected, "{step}\n{problems}");
    }
}

#[test]
fn a_recipe_sets_no_control_argument_and_leaves_nothing_empty() {
    let package = |arguments: &str| {
        after_read(&format!(
            "  - id: w\n    write: work_package\n    reason: r\n    with:\n      release: x\n      certification: \"{{{{ cert.id }}}}\"\n{arguments}"
        ))
    };
    for (arguments, expected) in [
        (
            "      parent: { title: t, owner: o }\n      children: [{ title: a, owner: b }]\n      dryRun: false\n",
            &["17:7 control-argument"][..],
        ),
        ("      parent: { title: t, owner: o }\n      children: []\n", &["16:17 must-have"]),
        (
            "      parent: { title: \" \" }\n      children: [{ title: a }]\n",
            &["15:15 must-have", "15:24 must-have", "16:18 must-have"],
        ),
        (
            "      parent: text\n      children: [{ title: a, owner: null }]\n",
            &["15:15 must-have", "16:37 must-have"],
        ),
        ("      children: [{ title: a, owner: b }]\n", &["10:12 missing-argument"]),
        (
            "      parent: { title: t, owner: o }\n      children: { for_each: \"{{ cert.id }}\", as: x, give: { title: \"\", owner: \"{{ x }}\" } }\n",
            &["16:68 must-have"],
        ),
        (
            "      parent: { title: t, owner: o }\n      children: { for_each: \"{{ cert.id }}\", give: 1 }\n",
            &["16:19 not-a-loop"],
        ),
        (
            "      parent: { title: t, owner: o }\n      children: { for_each: \"{{ cert.id }}\", as: cert, give: { title: a, owner: b } }\n",
            &["16:50 shadowed-name"],
        ),
    ] {
        let text = package(arguments);
        let problems = load_text(&text).expect_err(&text);
        let mut found = codes(&problems);
        found.dedup();
        assert_eq!(found, expected, "{arguments}\n{problems}");
    }
    let recipe = load_text(&package(
        "      parent: { title: t, owner: \"{{ inputs.release }}\" }\n      children: \"{{ cert.id }}\"\n",
    ))
    .unwrap();
    assert!(recipe.later.iter().any(|text| text.contains("`/parent/owner` of `w`")), "{:?}", recipe.later);
    assert!(recipe.later.iter().any(|text| text.contains("loopiq_create_remediation_work_package")));
}

#[test]
fn a_control_argument_hidden_in_another_one_is_found() {
    let mut profile = Profile::clone(&Profile::loopiq().unwrap());
    let operation = profile.operations.get_mut("work_package").unwrap();
    operation.control.idempotency_key.as_mut().unwrap().at = "/parent/key".parse().unwrap();
    let text = after_read(
        "  - id: w\n    write: work_package\n    reason: r\n    with:\n      release: x\n      certification: \"{{ cert.id }}\"\n      parent: { title: t, owner: o, key: mine }\n      children: [{ title: a, owner: b }]\n",
    );
    let source = Source::from_bytes("x.yaml", text.as_bytes()).unwrap();
    let problems = load(source, &ShippedLibrary, &profile).unwrap_err();
    assert_eq!(codes(&problems), ["15:7 control-argument"]);
}

#[test]
fn a_listing_that_was_read_is_used_and_enough() {
    let text = format!(
        "{HEAD}steps:\n  - id: kinds\n    read: resources\n  - id: work\n    read: open_work\n    with: {{ release: \"{{{{ inputs.release }}}}\" }}\n    emit: work.json\n"
    );
    assert!(load_text(&text).is_ok(), "{}", load_text(&text).unwrap_err());
}

#[test]
fn files_have_safe_names_of_their_own() {
    for (name, expected) in [
        ("../x.json", "10:11 bad-file-name"),
        ("/x.json", "10:11 bad-file-name"),
        ("a\\\\b.json", "10:11 bad-file-name"),
        ("x.html", "10:11 bad-file-name"),
        ("x", "10:11 bad-file-name"),
        ("Artifact.json", "10:11 reserved-name"),
        ("run.json", "10:11 reserved-name"),
        ("approvals/x.json", "10:11 reserved-name"),
        ("C.json", "10:11 duplicate-emit"),
        ("c.json/d.json", "10:11 duplicate-emit"),
        ("{{ cert.id }}.json", "10:11 constant-wanted"),
    ] {
        let text = after_read(&format!("    emit: c.json\n  - id: e\n    emit: \"{name}\"\n    value: x\n"))
            .replace("    emit: c.json\n  - id: e\n", "    emit: c.json\n  - {id: e,")
            .replace("  - {id: e,    emit", "  - id: e\n    emit");
        let expected = expected.replace("10:", "11:");
        refused(&text, &[&expected]);
    }
    let text = after_read("    emit: c.md\n");
    refused(&text, &["9:11 bad-file-name"]);
    let text = after_read("    emit: c.json\n  - id: e\n    emit: e.md\n    value: [\"{{ cert.id }}\"]\n");
    refused(&text, &["12:12 wrong-type"]);
}

#[test]
fn markdown_files_get_their_values_escaped() {
    let text = after_read("  - id: e\n    emit: e.md\n    value: \"# {{ cert.id }}\"\n");
    let recipe = load_text(&text).unwrap();
    let Kind::Emit(emit) = &recipe.steps[1].kind else { panic!() };
    let mut values = Values::default();
    values.set(&recipe.steps[0].id, json!({"id": "<img src=x>"}));
    let text = emit.value.evaluate(&values.scope(&[])).unwrap();
    assert_eq!(text, json!("# &lt;img src\\=x&gt;"));
}

const PART: &str = "recipe: part\nsummary: s\ninputs:\n  who: { type: string, required: true, pattern: \"[a-z]+\" }\n  many: { type: integer, default: 2 }\nsteps:\n  - id: cert\n    read: certification\n    with: { release: \"{{ inputs.who }}\" }\n  - id: g\n    gate: \"{{ cert.id == inputs.who }}\"\n    says: s\n";

fn load_with(text: &str, recipes: &[(&'static str, &str)]) -> Result<Recipe, Problems> {
    load(Source::from_bytes("x.yaml", text.as_bytes()).unwrap(), &shelf(recipes), &profile())
}

#[test]
fn an_include_is_laid_out_flat_with_what_it_depends_on() {
    let text = after_read(
        "  - id: part\n    include: part\n    when: \"{{ cert.state == 'pass' }}\"\n    with: { who: \"{{ cert.status }}\" }\n  - id: h\n    gate: \"{{ part.cert.id == 'x' }}\"\n    says: s\n",
    );
    let recipe = load_with(&text, &[("part", PART)]).unwrap();
    let ids: Vec<String> = recipe.steps.iter().map(|step| step.id.to_string()).collect();
    assert_eq!(ids, ["cert", "part", "part.cert", "part.g", "h"]);
    let inner = &recipe.steps[2];
    assert_eq!(inner.scope, ["part"]);
    assert_eq!(inner.when.len(), 1);
    assert_eq!(inner.when[0].scope, Vec::<String>::new());
    let uses = |index: usize| -> Vec<String> {
        let uses = &recipe.steps[index].uses;
        uses.iter().map(|one| format!("{}/{}", one.step, one.path.join("/"))).collect()
    };
    assert_eq!(uses(2), ["cert/state", "cert/status"], "through the condition and the bound input");
    assert_eq!(uses(3), ["cert/state", "cert/status", "part.cert/id"]);
    assert_eq!(uses(4), ["part.cert/id"]);
    let Kind::Include(include) = &recipe.steps[1].kind else { panic!() };
    assert_eq!(include.declared.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["who", "many"]);
    assert_eq!(recipe.steps[2].line, Some(7));

    let mut values = Values::new(json!({"release": "R"}).as_object().unwrap());
    values.set(&recipe.steps[0].id, json!({"state": "pass", "status": "core"}));
    let given = include.inputs.evaluate(&values.scope(&recipe.steps[1].scope)).unwrap();
    let bound = bind(&include.declared, given.as_object().unwrap(), "x.yaml").unwrap();
    values.set_inputs(&["part".to_owned()], &bound);
    let Kind::Read(read) = &inner.kind else { panic!() };
    assert_eq!(read.arguments.evaluate(&values.scope(&inner.scope)).unwrap(), json!({"release": "core"}));
    values.set(&inner.id, json!({"id": "x"}));
    let Kind::Gate(gate) = &recipe.steps[4].kind else { panic!() };
    assert_eq!(gate.holds.evaluate(&values.scope(&[])), Ok(json!(true)));
}

#[test]
fn what_an_include_gives_is_checked() {
    let include =
        |with: &str| after_read(&format!("    emit: c.json\n  - id: part\n    include: part\n{with}"));
    for (with, expected) in [
        ("", &["11:14 missing-input"][..]),
        ("    with: { who: a, whom: b }\n", &["12:21 unknown-input"]),
        ("    with: { who: A }\n", &["12:18 bad-value"]),
        ("    with: { who: 1 }\n", &["12:18 bad-value"]),
        ("    with: { who: a, many: x }\n", &["12:27 bad-value"]),
        ("    with: { who: \"{{ nope }}\" }\n", &["12:22 unknown-name"]),
    ] {
        let problems = load_with(&include(with), &[("part", PART)]).expect_err(with);
        assert_eq!(codes(&problems), expected, "{with}\n{problems}");
    }
    let text = include(
        "    with: { who: a }\n  - id: h\n    gate: \"{{ part == part.nope or part.g }}\"\n    says: s\n",
    );
    let problems = load_with(&text, &[("part", PART)]).unwrap_err();
    assert_eq!(codes(&problems), ["14:15 no-result", "14:23 unknown-name", "14:36 no-result"]);
}

#[test]
fn a_null_that_is_written_means_the_default_and_a_constant_one_is_refused() {
    let include = |many: &str| {
        after_read(&format!(
            "    emit: c.json\n  - id: part\n    include: part\n    with: {{ who: a, many: {many} }}\n"
        ))
    };
    let recipe = load_with(&include("null"), &[("part", PART)]).unwrap();
    let Kind::Include(include_step) = &recipe.steps[1].kind else { panic!() };
    let given = include_step.inputs.evaluate(&Values::default().scope(&[])).unwrap();
    let bound = bind(&include_step.declared, given.as_object().unwrap(), "x.yaml").unwrap();
    assert_eq!(bound["many"], json!(2));
    let problems = load_with(&include("\"{{ none }}\""), &[("part", PART)]).unwrap_err();
    assert_eq!(codes(&problems), ["12:27 bad-value"]);
}

#[test]
fn a_recipe_names_a_shipped_profile_or_a_file_beside_it() {
    let text = |profile: &str| {
        format!(
            "recipe: r\nsummary: s\nprofile: {profile}\nsteps:\n  - id: e\n    emit: e.txt\n    value: x\n"
        )
    };
    let declared = |text: &str| declared_profile(&Source::from_bytes("x.yaml", text.as_bytes()).unwrap());
    for profile in ["loopiq", "plain", "mine.yaml", "my.profile.yml"] {
        assert_eq!(declared(&text(profile)).as_deref(), Some(profile));
        assert!(load_text(&text(profile)).is_ok(), "{profile}");
    }
    for profile in [
        "../x.yaml",
        "/etc/x.yaml",
        "a/b.yaml",
        "./x.yaml",
        "a\\b.yaml",
        "C:x.yaml",
        ".yaml",
        "..yaml",
        "x.json",
        "other",
    ] {
        assert_eq!(declared(&text(profile)), None, "{profile}");
        refused(&text(profile), &["3:10 bad-profile"]);
    }
}

#[test]
fn problems_of_an_included_recipe_name_its_file() {
    let text = after_read("    emit: c.json\n  - id: part\n    include: part\n    with: { who: a }\n");
    let broken = PART.replace("cert.id ==", "cert.nope ==");
    let problems = load_with(&text, &[("part", &broken)]).unwrap_err();
    assert_eq!(problems.diagnostics.len(), 1);
    assert_eq!(
        (problems.diagnostics[0].source.as_str(), problems.diagnostics[0].code),
        ("part", "unknown-result")
    );
    assert_eq!(
        problems.sources.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["x.yaml", "part"]
    );
    let problems = load_with(&text, &[]).unwrap_err();
    assert_eq!(codes(&problems), ["11:14 unknown-recipe"]);
}

#[test]
fn includes_end() {
    let include = |name: &str| format!("recipe: r\nsummary: s\nsteps:\n  - id: a\n    include: {name}\n");
    let problems = load_with(&include("a"), &[("a", &include("b")), ("b", &include("a"))]).unwrap_err();
    assert_eq!(codes(&problems), ["5:14 include-cycle"]);
    let names = ["l0", "l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9"];
    let chain: Vec<(&'static str, String)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (*name, include(names.get(at + 1).unwrap_or(&"l9"))))
        .collect();
    let chain: Vec<(&'static str, &str)> = chain.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let problems = load_with(&include("l0"), &chain).unwrap_err();
    assert_eq!(codes(&problems), ["5:14 include-too-deep"]);
    let many = |name: &str| {
        let steps: String = (0..100).map(|n| format!("  - id: a{n}\n    include: {name}\n")).collect();
        format!("recipe: r\nsummary: s\nsteps:\n{steps}")
    };
    let leaf = "recipe: r\nsummary: s\nsteps:\n  - id: a\n    emit: a.txt\n    value: x\n";
    let problems = load_with(&many("a"), &[("a", &many("b")), ("b", &many("c")), ("c", leaf)]).unwrap_err();
    assert!(problems.diagnostics.iter().any(|one| one.code == "too-many-steps"));
}

#[test]
fn the_same_file_twice_is_refused_through_includes_too() {
    let part = "recipe: part\nsummary: s\nsteps:\n  - id: e\n    emit: e.txt\n    value: x\n";
    let text = "recipe: r\nsummary: s\nsteps:\n  - id: a\n    include: part\n  - id: b\n    include: part\n";
    let problems = load_with(text, &[("part", part)]).unwrap_err();
    assert_eq!(codes(&problems), ["5:11 duplicate-emit"]);
}

#[test]
fn analyses_name_what_they_look_at() {
    for (step, expected) in [
        ("analyze: evidence\n", &["9:5 missing-key"][..]),
        ("analyze: evidence\n    of: nope\n", &["11:9 unknown-name"]),
        ("analyze: evidence\n    of: cert.id\n", &["11:9 wrong-source"]),
        ("analyze: coverage\n    of: cert\n    from: { open_work: cert }\n", &["11:9 wrong-source"]),
        ("analyze: evidence\n    of: cert\n    from: { open_work: cert }\n", &["12:13 unknown-name"]),
        ("analyze: gaps\n    of: cert\n    with: { asof: x }\n", &["12:13 unknown-name"]),
        ("analyze: summary\n    of: cert\n", &["11:9 wrong-source"]),
    ] {
        let text = after_read(&format!("  - id: a\n    {step}"));
        let problems = load_text(&text).expect_err(&text);
        assert_eq!(codes(&problems), expected, "{step}\n{problems}");
    }
}

#[test]
fn reads_have_their_timeout_and_retry() {
    let recipe = load_text(&after_read(
        "    timeout: 1m 30s\n    retry: { attempts: 1, delay: 0s }\n    optional: whether\n    emit: c.json\n",
    ))
    .unwrap();
    let Kind::Read(read) = &recipe.steps[0].kind else { panic!() };
    assert_eq!(read.timeout, Some(Duration::from_secs(90)));
    assert_eq!(read.retry, Retry { attempts: 1, delay: Duration::ZERO });
    assert_eq!(read.optional.as_deref(), Some("whether"));
}

#[test]
fn the_digest_covers_every_source_and_nothing_else() {
    let text = after_read("    emit: c.json\n  - id: part\n    include: part\n    with: { who: a }\n");
    let digest = |part: &str| load_with(&text, &[("part", part)]).unwrap().digest;
    assert_eq!(digest(PART), digest(PART));
    assert_ne!(digest(PART), digest(&format!("{PART}# a\n")));
}

const SAID: &str = "    emit: c.json\n  - id: agents\n    read: ai_ml_agents\n  - id: said\n    read: assessment\n    with: { agent: readiness, kind: release, subject: \"{{ inputs.release }}\" }\n";

#[test]
fn no_gate_opens_by_a_recommendation() {
    let gate = |holds: &str| format!("  - id: g\n    gate: \"{{{{ {holds} }}}}\"\n    says: s\n");
    let said = gate("said.confidence > 0.5");
    let chosen = "  - id: other\n    read: certification\n    with: { release: \"{{ said.subject }}\" }\n";
    let passed_on = "  - id: part\n    include: part\n    with: { who: \"{{ said.recommendation }}\" }\n";
    let drawn = "  - id: f\n    analyze: diagram\n    of: said\n";
    let part = "recipe: part\nsummary: s\ninputs:\n  who: { type: string, required: true }\nsteps:\n  - id: g\n    gate: \"{{ inputs.who == 'x' }}\"\n    says: s\n";
    for (steps, expected) in [
        (said.clone(), "15:5"),
        (format!("{}    when: \"{{{{ said.confidence > 0.5 }}}}\"\n", gate("cert.id == 'x'")), "15:5"),
        (format!("{}    undecided: \"{{{{ said.confidence < 0.5 }}}}\"\n", gate("cert.id == 'x'")), "15:5"),
        (format!("{chosen}{}", gate("other.state == 'pass'")), "18:5"),
        (format!("{drawn}{}", gate("f == 'x'")), "18:5"),
        (passed_on.to_owned(), "6:5"),
    ] {
        let text = after_read(&format!("{SAID}{steps}"));
        let problems = load_with(&text, &[("part", part)]).expect_err(&text);
        assert_eq!(codes(&problems), [format!("{expected} gate-by-recommendation")], "{text}\n{problems}");
        let one = &problems.diagnostics[0];
        assert!(one.message.contains("`said`") && one.hint.as_ref().unwrap().contains("advisory"), "{one:?}");
    }
    let advisory = after_read(&format!(
        "{SAID}{said}    advisory: true\n{}",
        gate("cert.id == 'x'").replace("id: g", "id: h")
    ));
    assert!(load_text(&advisory).is_ok(), "{}", load_text(&advisory).unwrap_err());
}

#[test]
fn an_update_carries_the_version_that_was_read() {
    let triage = |version: &str| {
        after_read(&format!(
            "    emit: c.json\n  - id: now\n    read: incidents\n    with: {{ open: true }}\n  - id: w\n    write: triage_incident\n    reason: r\n    with: {{ incident: INC-1, owner: o, reason: \"{{{{ now.complete }}}}\", version: {version} }}\n"
        ))
    };
    for invented in
        ["3", "\"3\"", "\"{{ inputs.release }}\"", "\"{{ now.items[0].version + inputs.release }}\""]
    {
        let problems = load_text(&triage(invented)).expect_err(invented);
        assert_eq!(codes(&problems), ["16:79 not-from-read"], "{invented}\n{problems}");
    }
    let read = triage("\"{{ now.items[0].version }}\"");
    assert!(load_text(&read).is_ok(), "{}", load_text(&read).unwrap_err());

    let assign = |version: &str| {
        after_read(&format!(
            "    emit: c.json\n  - id: work\n    read: backlog\n    with: {{ open: true }}\n  - id: w\n    write: assign_work\n    reason: r\n    with:\n      sprint: SPR-1\n      assignments:\n        for_each: \"{{{{ work.items }}}}\"\n        as: item\n        give: {{ id: \"{{{{ item.id }}}}\", assignee: a, version: {version} }}\n"
        ))
    };
    let problems = load_text(&assign("1")).unwrap_err();
    assert_eq!(codes(&problems), ["21:60 not-from-read"], "{problems}");
    let read = assign("\"{{ item.version }}\"");
    assert!(load_text(&read).is_ok(), "{}", load_text(&read).unwrap_err());
}
