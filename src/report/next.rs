//! The command to type next.

use serde_json::Value;

use super::written::{RunOutputs, WrittenKind};
use crate::core::text::is_hidden;
use crate::engine::{Conclusion, InputFact, RunResult};

/// What `--out` is where nobody gives it.
const DEFAULT_FOLDER: &str = "loopgate-out";

/// The command that goes on from a run's result, for a POSIX shell; `None` where there is none, or where
/// it could not be typed as it is shown.
pub(super) fn next_command(result: &RunResult, outputs: &RunOutputs) -> Option<String> {
    let words = match &result.conclusion {
        Conclusion::ChangesPlanned => {
            let artifact = outputs.path_of(WrittenKind::Artifact)?.to_str()?;
            vec!["loopgate".to_owned(), "show".to_owned(), artifact.to_owned()]
        }
        // A recording of the one has nothing of the other.
        Conclusion::GateFails(_) if result.replay.is_some() => return None,
        Conclusion::GateFails(_) if result.recipe.name == "certify-release" => remediation(result, outputs)?,
        _ => return None,
    };
    words.iter().map(|word| quoted(word)).collect::<Option<Vec<_>>>().map(|words| words.join(" "))
}

/// A release that is blocked has a plan that unblocks it.
fn remediation(result: &RunResult, outputs: &RunOutputs) -> Option<Vec<String>> {
    let release = result.inputs.iter().find(|input| input.name == "release").and_then(text)?;
    let folder = match outputs.folder() {
        Some(folder) => folder.to_str()?,
        None => DEFAULT_FOLDER,
    };
    let mut words = vec!["loopgate".to_owned(), "remediation-plan".to_owned()];
    let flags = [
        ("--server", outputs.server.as_deref()),
        ("--tenant", result.target.tenant.as_deref()),
        ("--release", Some(release)),
        ("--out", Some(folder).filter(|folder| *folder != DEFAULT_FOLDER)),
    ];
    for (flag, value) in flags {
        match value {
            // It would be taken for a flag by itself.
            Some(value) if value.starts_with('-') => words.push(format!("{flag}={value}")),
            Some(value) => words.extend([flag.to_owned(), value.to_owned()]),
            None => {}
        }
    }
    Some(words)
}

fn text(input: &InputFact) -> Option<&str> {
    match &input.value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// `word` as a shell reads it back; `None` where a reader could not see all of it.
pub fn quoted(word: &str) -> Option<String> {
    if word.chars().any(is_hidden) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Some(word.to_owned())
    } else {
        Some(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::report::written::Written;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_something_else() {
        assert_eq!(quoted("loopgate-out/artifact.json").unwrap(), "loopgate-out/artifact.json");
        assert_eq!(quoted("a b").unwrap(), "'a b'");
        assert_eq!(quoted("$(rm -rf ~)").unwrap(), "'$(rm -rf ~)'");
        assert_eq!(quoted("it's").unwrap(), r"'it'\''s'");
        assert_eq!(quoted("").unwrap(), "''");
    }

    #[test]
    fn the_next_command_writes_where_this_one_did() {
        let command = |path: &str| {
            let outputs = RunOutputs {
                written: vec![
                    Written::new(WrittenKind::Emitted, "elsewhere/deeper/graph.json", b""),
                    Written::new(WrittenKind::Run, path, b""),
                ],
                server: None,
            };
            next_command(&sample::blocked(), &outputs).unwrap()
        };
        let usual = "loopgate remediation-plan --tenant acme --release REL-BLOCKED";
        assert_eq!(command("loopgate-out/run.json"), usual);
        assert_eq!(command("run.json"), usual);
        assert_eq!(command("my out/run.json"), format!("{usual} --out 'my out'"));
        assert_eq!(command("-out/run.json"), format!("{usual} --out=-out"));
    }

    #[test]
    fn a_value_like_a_flag_is_no_flag() {
        let mut result = sample::blocked();
        result.inputs[0].value = Value::from("--yes");
        let outputs = RunOutputs::default();
        assert_eq!(
            next_command(&result, &outputs).unwrap(),
            "loopgate remediation-plan --tenant acme --release=--yes"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_never_suggested() {
        assert_eq!(quoted("a\u{202e}b"), None);
        assert_eq!(quoted("a\nb"), None);
    }
}
