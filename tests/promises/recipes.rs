//! Bad recipes and inputs: one clear error with its place, the right exit code, nothing half-written.

use crate::support::{Folder, Ran};

fn validated(recipe: impl AsRef<[u8]>) -> (Folder, Ran) {
    let folder = Folder::new();
    folder.write("r.yaml", recipe);
    let ran = folder.run(&["validate", "r.yaml"]);
    (folder, ran)
}

#[track_caller]
fn refused(recipe: impl AsRef<[u8]>, says: &[&str]) {
    let (_, ran) = validated(recipe);
    let ran = ran.exits(3);
    for word in says {
        assert!(ran.stderr.contains(word), "`{word}` is not said:\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains('\u{1b}'));
}

#[test]
fn every_problem_is_shown_at_once_with_its_place() {
    let (_, ran) = validated(
        "recipe: r\nsummary: s\nprofile: loopiq\nsteps:\n  - id: c\n    read: certification\n    red: x\n    with: { release: \"{{ nobody.x }}\" }\n  \
         - id: c\n    read: certification\n    with: { relase: x }\n    emit: ../x.json\n",
    );
    let ran = ran.exits(3);
    for word in ["r.yaml:7:", "did you mean", "r.yaml:8:", "nobody", "r.yaml:9:", "relase", "../x.json", "^"]
    {
        assert!(ran.stderr.contains(word), "`{word}` is not said:\n{}", ran.stderr);
    }
}

#[test]
fn a_fault_of_the_yaml_hides_no_other_problem() {
    let (_, ran) = validated(
        "recipe: r\nsummary: !mine s\nsummary: t\nprofile: loopiq\nsteps:\n  - id: c\n    read: certfication\n    \
         with: { release: 9007199254740993 }\n    timeout: [1]\n  - id: d\n    read: certification\n    red: x\n",
    );
    let ran = ran.exits(3);
    for code in
        ["[tag]", "[duplicate-key]", "[unsafe-number]", "[wrong-type]", "[unknown-key]", "[missing-argument]"]
    {
        assert!(ran.stderr.contains(code), "`{code}` is not said:\n{}", ran.stderr);
    }
}

#[test]
fn broken_yaml_is_refused_with_its_place() {
    refused("recipe: [", &["r.yaml:1:"]);
    refused("recipe: r\nrecipe: q\nsummary: s\nsteps: []\n", &["r.yaml:2:1", "recipe"]);
    refused("recipe: !!binary r\nsummary: s\n", &["r.yaml:1:"]);
    refused("recipe: &a r\nsummary: *a\n", &["r.yaml:"]);
    refused("1: r\n", &["r.yaml:1:1"]);
    refused("recipe: r\u{0}\n", &["NUL"]);
    refused(b"recipe: \xff\n", &["UTF-8"]);
    refused("", &["r.yaml"]);
    refused("- a\n", &["r.yaml:1:"]);
    refused("recipe: r\nsummary: 9007199254740993\nsteps: []\n", &["9007199254740993"]);
}

#[test]
fn a_yaml_bomb_and_a_huge_file_cost_nothing() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..10 {
        let list = format!("*a{},", n - 1).repeat(9);
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", list.trim_end_matches(',')));
    }
    refused(bomb, &["r.yaml:1:"]);
    let folder = Folder::new();
    let huge = fs_err::File::create(folder.path().join("huge.yaml")).unwrap();
    huge.set_len(100 * 1024 * 1024).unwrap();
    let ran = folder.run(&["validate", "huge.yaml"]).exits(3);
    assert!(ran.stderr.contains("huge.yaml") && ran.stderr.contains("larger than"), "{}", ran.stderr);
    refused("[".repeat(100_000), &["r.yaml"]);
}

#[test]
fn a_byte_order_mark_and_dos_line_ends_are_fine() {
    let recipe = "\u{feff}recipe: r\r\nsummary: s\r\nprofile: loopiq\r\ninputs:\r\n  release: { type: string, required: true, help: h }\r\nsteps:\r\n  - id: c\r\n    read: certification\r\n    with: { release: \"{{ inputs.release }}\" }\r\n    emit: c.json\r\n";
    let (folder, ran) = validated(recipe);
    ran.exits(0);
    folder
        .run(&["run", "r.yaml", "--server", "sandbox", "--tenant", "acme", "--input", "release=REL-READY"])
        .exits(0);
    assert_eq!(folder.json("loopgate-out/c.json")["state"], "pass");
}

#[test]
fn endless_templates_end() {
    let folder = Folder::new();
    folder.write(
        "r.yaml",
        "recipe: r\nsummary: s\nsteps:\n  - id: e\n    emit: e.txt\n    value: \"{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}\"\n",
    );
    let ran = folder.run(&["run", "r.yaml", "--server", "sandbox", "--tenant", "acme"]).exits(3);
    assert!(ran.stderr.contains("r.yaml:6:"), "{}", ran.stderr);
    assert!(!folder.exists("loopgate-out/e.txt"));
}

#[test]
fn an_input_is_never_a_template() {
    let folder = Folder::new();
    let ran = folder.sandbox("certify-release", "{{ 7 * 7 }}", &[]).exits(5);
    assert!(!ran.stdout.contains("49"), "{}", ran.stdout);
}

#[test]
fn inputs_that_do_not_fit_are_named() {
    let folder = Folder::new();
    let sandbox = ["--server", "sandbox", "--tenant", "acme"];
    let run = |more: &[&str]| {
        let mut arguments = vec!["certify-release"];
        arguments.extend(sandbox);
        arguments.extend(more);
        folder.run(&arguments)
    };
    assert!(run(&[]).exits(3).stderr.contains("--release"));
    assert!(run(&["--release", &"x".repeat(300)]).exits(3).stderr.contains("release"));
    assert!(run(&["--input", "relase=x"]).exits(3).stderr.contains("release"));
    run(&["--input", "release"]).exits(2);
    run(&["--inputs", "nowhere.yaml"]).exits(3);
    folder.write("twice.yaml", "release: a\nrelease: b\n");
    assert!(run(&["--inputs", "twice.yaml"]).exits(3).stderr.contains("twice.yaml:2:1"));
    assert!(!folder.exists("loopgate-out"));
}

/// Promise 2: control arguments are filled from the list in the artifact and by nobody else.
#[test]
fn a_recipe_that_sets_a_control_argument_does_not_validate() {
    let folder = Folder::new();
    folder.run(&["init", "remediation-plan"]).exits(0);
    let recipe = folder.read("recipes/remediation-plan.yaml");
    for control in ["dryRun: false", "approvalId: x", "idempotencyKey: x"] {
        let changed = recipe.replace(
            "      release: \"{{ inputs.release }}\"\n      certification",
            &format!("      {control}\n      release: \"{{{{ inputs.release }}}}\"\n      certification"),
        );
        assert_ne!(changed, recipe);
        folder.write("recipes/changed.yaml", changed);
        let ran = folder.run(&["validate", "recipes/changed.yaml"]).exits(3);
        assert!(ran.stderr.contains("control argument"), "{}", ran.stderr);
    }
}

#[test]
fn a_work_item_without_title_parent_or_owner_is_refused() {
    let folder = Folder::new();
    folder.run(&["init", "remediation-plan"]).exits(0);
    let recipe = folder.read("recipes/remediation-plan.yaml");
    for (from, to) in [
        ("title: \"Unblock {{ inputs.release }}\"", "title: \"\""),
        ("        owner: \"{{ inputs.owner }}\"\n", ""),
        ("          title: \"{{ finding.title }}\"\n", ""),
    ] {
        let changed = recipe.replace(from, to);
        assert_ne!(changed, recipe);
        folder.write("recipes/changed.yaml", changed);
        folder.run(&["validate", "recipes/changed.yaml"]).exits(3);
    }
    folder.sandbox("remediation-plan", "REL-BLOCKED", &["--owner", " "]).exits(3);
}
