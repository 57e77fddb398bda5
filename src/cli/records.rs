//! The records beside an artifact: where they are, what they say, and how one is added.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::exit::Exit;
use super::fault::Fault;
use super::output::Output;
use super::policy::Trusted;
use crate::approval::platform::Answers;
use crate::approval::{
    ApprovalsError, Brought, Decision, Filed, MAX_SOURCE_BYTES, Policy, Question, Record, RecordError,
    RecordId, Resolution, Source, Verdict, brought, decide, decide_resolution, has_blocks, read_approvals,
    write_record,
};
use crate::artifact::Artifact;
use crate::core::file::WriteError;
use crate::core::text::visible;
use crate::ledger::{State, Status};

/// How messages call what comes from there.
const STDIN: &str = "standard input";
/// How many blocks that are left out are told, each on a line.
const MOST_TOLD: usize = 20;

/// The folder of the records of an artifact where none is named.
pub(super) fn beside(artifact: &Path) -> PathBuf {
    artifact.with_file_name("approvals")
}

/// The records that a command brings: those of [`read`], or on standard input records as in a file, or any text
/// with armored blocks in it, of which those that cannot count are left out and told.
pub(super) fn bring(
    named: Option<&Path>,
    path: &Path,
    artifact: &Artifact,
    policy: Option<&Policy>,
    output: &Output,
) -> Result<Vec<Filed>, Fault> {
    if named != Some(Path::new("-")) {
        return read(named, path);
    }
    let bytes = stdin()?;
    let text = String::from_utf8_lossy(&bytes);
    let is_text = has_blocks(&text) || !text.trim_start().starts_with(['{', '[']);
    if !is_text || text.trim().is_empty() || bytes.len() > MAX_SOURCE_BYTES {
        return Ok(read_approvals(&Source::Bytes(STDIN.to_owned(), bytes))?);
    }
    let Brought { filed, left_out } = brought(&text, artifact.effect_digest(), policy)
        .map_err(|error| Fault::invalid(error).hint("`--approvals -` reads comments, not archives"))?;
    for (line, flaw) in left_out.iter().take(MOST_TOLD) {
        output.say(&format!("note: the block at line {line} is left out: {}", visible(&flaw.to_string())));
    }
    if let Some(more @ 1..) = left_out.len().checked_sub(MOST_TOLD) {
        output.say(&format!("note: so are {more} more"));
    }
    if filed.is_empty() && left_out.is_empty() {
        output.say(&format!("note: {STDIN} has no armored approval"));
    }
    Ok(filed)
}

/// The records of `named` (a folder, a file, or `-` for standard input), else those beside the artifact.
pub(super) fn read(named: Option<&Path>, artifact: &Path) -> Result<Vec<Filed>, Fault> {
    let source = match named {
        Some(path) if path == Path::new("-") => Source::Bytes(STDIN.to_owned(), stdin()?),
        Some(path) if path.is_file() => Source::File(path.to_owned()),
        Some(path) if !path.exists() => {
            let shown = path.display().to_string();
            return Err(Fault::new(Exit::Invalid, format!("there is nothing at `{}`", visible(&shown)))
                .hint("`--approvals` names the records: a folder, a file, or `-`"));
        }
        Some(path) => Source::Folder(path.to_owned()),
        None => Source::Folder(beside(artifact)),
    };
    Ok(read_approvals(&source)?)
}

/// Refuses what can receive no record.
pub(super) fn must_be_folder(named: Option<&Path>) -> Result<(), Fault> {
    match named {
        Some(path) if path == Path::new("-") || (path.exists() && !path.is_dir()) => {
            Err(Fault::new(Exit::Usage, "a record is a file of its own: `--approvals` names its folder"))
        }
        _ => Ok(()),
    }
}

fn stdin() -> Result<Vec<u8>, Fault> {
    let limit = u64::try_from(MAX_SOURCE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(Fault::internal)?;
    Ok(bytes)
}

/// Adds a record to `folder` and gives its path.
pub(super) fn add(folder: &Path, filed: &Filed) -> Result<PathBuf, Fault> {
    write_record(folder, filed).map_err(|error| match error {
        WriteError::Io(error) => Fault::internal(error),
        other => Fault::invalid(other),
    })
}

/// What the policy here says now of `record`, an approval of `artifact`, among `others`.
pub(super) fn judged(
    artifact: &Artifact,
    record: &Record,
    others: &[Filed],
    trusted: Option<&Trusted>,
    policy: Option<&Policy>,
    platform: Option<&Answers>,
) -> Verdict {
    let none = BTreeSet::new();
    decide(&Question {
        effect: artifact.effect_digest(),
        asked: record.id.as_str(),
        filed: others,
        revoked: trusted.map_or(&none, |trusted| &trusted.settings.revoked),
        policy,
        sandbox: artifact.target().sandbox,
        planned_by: &artifact.document().planned_by,
        platform,
        now: Timestamp::now(),
        under_way_since: None,
    })
}

/// What the policy would say under the approval that does best, and that approval's ID.
pub(super) fn best(question: &Question<'_>) -> (Verdict, Option<String>) {
    let approvals: BTreeSet<&str> = question
        .filed
        .iter()
        .filter(|filed| matches!(filed.record.decision, Decision::Approve { .. }))
        .filter(|filed| filed.record.effect_digest == *question.effect)
        .map(|filed| filed.record.id.as_str())
        .collect();
    let verdicts = approvals.iter().map(|id| {
        let asked = Question { asked: id, ..*question };
        (decide(&asked), Some((*id).to_owned()))
    });
    let holds = |verdict: &Verdict| (verdict.allowed, verdict.holds_until.unwrap_or(Timestamp::MAX));
    verdicts.max_by_key(|(verdict, _)| holds(verdict)).unwrap_or_else(|| (decide(question), None))
}

/// A resolution of an unknown outcome that counts, where another counts that says otherwise.
pub(super) fn contradicting(question: &Question<'_>, state: &State) -> Option<RecordId> {
    state.operations.values().find_map(|operation| {
        let Status::Unknown { .. } = operation.status() else { return None };
        let intent = &operation.unknown().last()?.intent;
        let mut said: Vec<&Resolution> = Vec::new();
        for filed in question.filed {
            if let Decision::Resolve { intent: of, outcome } = &filed.record.decision
                && of == intent
                && !said.contains(&outcome)
            {
                said.push(outcome);
            }
        }
        let verdicts = said.into_iter().map(|outcome| decide_resolution(question, intent, outcome));
        let accepted: Vec<Verdict> = verdicts.filter(|verdict| verdict.allowed).collect();
        let [_, .., last] = accepted.as_slice() else { return None };
        last.counted.first().map(|counted| counted.id.clone())
    })
}

/// Why nobody can approve by `record` any more: the effect was rejected, or what it names is revoked. Other
/// approvals play no part.
pub(super) fn refusals(
    artifact: &Artifact,
    record: &Record,
    others: &[Filed],
    trusted: Option<&Trusted>,
) -> Vec<String> {
    let not_an_approval = |filed: &&Filed| !matches!(filed.record.decision, Decision::Approve { .. });
    let mut filed: Vec<Filed> = others.iter().filter(not_an_approval).cloned().collect();
    filed.push(Filed { record: record.clone(), signature: None });
    let verdict = judged(artifact, record, &filed, trusted, None, None);
    let refused = verdict.reasons.into_iter().filter(|reason| reason.code.is_refusal());
    refused.map(|reason| reason.message).collect()
}

impl From<ApprovalsError> for Fault {
    fn from(error: ApprovalsError) -> Self {
        let exit = match &error {
            ApprovalsError::Record(RecordError::Damaged { .. }) => Exit::Damaged,
            _ => Exit::Invalid,
        };
        Self { exit, error: error.into(), hint: None, problems: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample;
    use crate::core::file::replace;

    #[test]
    fn records_are_read_from_beside_the_artifact_a_folder_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let artifact = folder.path().join("out/artifact.json");
        assert_eq!(beside(&artifact), folder.path().join("out/approvals"));
        assert!(read(None, &artifact).unwrap().is_empty());
        let nowhere = folder.path().join("nowhere");
        assert_eq!(read(Some(&nowhere), &artifact).unwrap_err().exit, Exit::Invalid);
        assert!(must_be_folder(Some(&nowhere)).is_ok() && must_be_folder(None).is_ok());
        assert_eq!(must_be_folder(Some(Path::new("-"))).unwrap_err().exit, Exit::Usage);
        let filed = sample::filed(sample::approve("alice"));
        let path = add(&beside(&artifact), &filed).unwrap();
        assert_eq!(must_be_folder(Some(&path)).unwrap_err().exit, Exit::Usage);
        assert_eq!(read(None, &artifact).unwrap(), std::slice::from_ref(&filed));
        assert_eq!(read(Some(&path), Path::new("elsewhere.json")).unwrap(), std::slice::from_ref(&filed));
        assert_eq!(read(path.parent(), Path::new("elsewhere.json")).unwrap(), [filed]);
    }

    #[test]
    fn a_damaged_record_is_told_from_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = String::from_utf8(sample::approve("alice").bytes()).unwrap();
        let exit = |text: &str| {
            replace(&folder.path().join("a.json"), text.as_bytes()).unwrap();
            read(Some(folder.path()), Path::new("x")).unwrap_err().exit
        };
        assert_eq!(exit(&bytes.replace("alice", "mallory")), Exit::Damaged);
        assert_eq!(exit("{}"), Exit::Invalid);
    }
}
