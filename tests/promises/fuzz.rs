//! Every reader of what comes from outside, on every input that was kept: examples, and what once was trouble.

use std::path::Path;

use crate::targets::TARGETS;

/// The folder of the kept inputs, one folder a target.
fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

#[test]
fn what_comes_from_outside_is_read_or_refused_in_plain_words() {
    for (name, target) in TARGETS {
        let mut inputs = 0;
        for entry in fs_err::read_dir(corpus().join(name)).unwrap() {
            let path = entry.unwrap().path();
            let input = fs_err::read(&path).unwrap();
            let ran = std::panic::catch_unwind(|| target(&input));
            assert!(ran.is_ok(), "the target `{name}` does not hold on {}", path.display());
            inputs += 1;
        }
        assert!(inputs >= 3, "{name} has {inputs} inputs");
    }
}

#[test]
fn every_kept_input_is_of_a_target() {
    for entry in fs_err::read_dir(corpus()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(known, _)| *known == name), "{name:?}");
    }
}
