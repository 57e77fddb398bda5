//! The house: imports point down, tools stay in their module, dependencies have their reason.

use std::path::{Path, PathBuf};

/// The modules from the top down; each may import those after it.
const ORDER: [&str; 12] = [
    "cli", "report", "engine", "mcp", "audit", "ledger", "approval", "artifact", "evidence", "recipe",
    "catalog", "core",
];

/// Crates that only some modules may name.
const CONFINED: [(&str, &[&str]); 15] = [
    ("anyhow", &["cli"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("indicatif", &["report"]),
    ("annotate_snippets", &["report"]),
    ("rmcp", &["mcp", "sandbox"]),
    ("rusqlite", &["ledger", "sandbox"]),
    ("tokio_postgres", &["ledger"]),
    ("tokio_postgres_rustls", &["ledger"]),
    ("minijinja", &["recipe"]),
    ("saphyr_parser", &["recipe"]),
    ("ssh_key", &["approval"]),
    ("tar", &["audit"]),
    ("jsonschema", &["catalog", "sandbox"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// A file without its tests.
fn code(path: &Path) -> String {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let above = fs_err::read_to_string(path.with_file_name("mod.rs")).unwrap_or_default();
    if above.contains(&format!("#[cfg(test)]\nmod {name};")) {
        return String::new();
    }
    let text = fs_err::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

fn module(path: &Path) -> String {
    let inner = path.strip_prefix(root().join("src")).unwrap();
    let first = inner.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The words after `crate::` or `CRATE::` in a text, grouped imports included.
fn named_after<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    text.match_indices(prefix)
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
        .flat_map(|(at, _)| {
            let rest = &text[at + prefix.len()..];
            let word = |rest: &'t str| {
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
            };
            match rest.strip_prefix('{') {
                None => vec![word(rest)],
                Some(group) => {
                    let mut depth = 1;
                    let mut words = vec![word(group.trim_start())];
                    for (index, c) in group.char_indices() {
                        match c {
                            '{' => depth += 1,
                            '}' => depth -= 1,
                            ',' if depth == 1 => words.push(word(group[index + 1..].trim_start())),
                            _ => {}
                        }
                        if depth == 0 {
                            break;
                        }
                    }
                    words
                }
            }
        })
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for path in sources(&root().join("src")) {
        let (text, module) = (fs_err::read_to_string(&path).unwrap(), module(&path));
        if module == "main" || module == "lib" {
            continue;
        }
        for imported in named_after(&text, "crate::") {
            let allowed = match module.as_str() {
                "sandbox" => imported == "core" || imported == "sandbox",
                _ => {
                    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
                    let sandbox = imported == "sandbox" && module == "cli";
                    sandbox || rank(imported) >= rank(&module) && rank(imported).is_some()
                }
            };
            if !allowed {
                wrong.push(format!("{} imports {imported}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn tools_stay_in_their_module() {
    let mut wrong = Vec::new();
    for path in sources(&root().join("src")) {
        let (text, module) = (code(&path), module(&path));
        for (tool, modules) in CONFINED {
            let named = !named_after(&text, &format!("{tool}::")).is_empty();
            if named && !modules.contains(&module.as_str()) {
                wrong.push(format!("{} names {tool}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs_err::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut in_dependencies = false;
    let mut reason = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if line.starts_with('#') {
            reason = line.ends_with('.');
        } else if in_dependencies && !line.is_empty() {
            // A companion crate may stand under the reason of the one above it.
            assert!(reason, "no reason stands above `{line}`");
        } else {
            reason = false;
        }
    }
}

#[test]
fn a_file_fits_one_reading() {
    for path in sources(&root().join("src")) {
        let lines = code(&path).lines().count();
        assert!(lines <= 450, "{} has {lines} lines before its tests", path.display());
    }
}

#[test]
fn the_program_itself_is_under_forty_lines() {
    let text = fs_err::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(text.lines().count() < 40);
}

#[test]
fn the_import_check_sees_grouped_and_nested_imports() {
    let text = "use crate::{recipe::{A, B}, core::C};\nfn f() { crate::cli::x(); notcrate::y(); }";
    assert_eq!(named_after(text, "crate::"), ["recipe", "core", "cli"]);
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let model = fs_err::read_to_string(root().join(".github/SECURITY.md")).unwrap();
    let mut texts: Vec<String> = Vec::new();
    for folder in ["src", "tests/promises"] {
        texts.extend(sources(&root().join(folder)).iter().map(|path| fs_err::read_to_string(path).unwrap()));
    }
    let rows = model.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attacker"));
    let mut named = 0;
    for row in rows {
        let shown = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in shown.split(", ") {
            let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap();
            let test = format!("fn {name}(");
            assert!(texts.iter().any(|text| text.contains(&test)), "no test is called `{name}`");
            named += 1;
        }
    }
    assert!(named > 40, "{named}");
}
