//! The bundle: one archive with the report and everything in it that is a file of its own.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tar::{Archive, Builder, EntryType, Header};

use super::build::{AuditError, Report, text};
use super::check::recorded;
use super::verify::VerifyError;
use crate::core::text::excerpt;
use crate::ledger::{Event, Fact};

/// The largest bundle, in bytes: 1 GiB.
pub const MAX_BUNDLE_BYTES: usize = 1024 * 1024 * 1024;

const REPORT: &str = "audit.json";

/// The bundle of `events`: a plain tar archive (ustar), its files sorted by name, without times or owners. The
/// same events always give the same bytes.
///
/// It holds `audit.json`; `artifact.json`, byte for byte as it was planned; for each record `approvals/ID.json`,
/// which its signature covers, and `approvals/ID.json.sig` where it has one; `allowed_signers` and
/// `policy.json` of the last run, where it had them; `tools.json`, the locked digest and class of every tool
/// that is written to; `events.ndjson`, one event a line.
///
/// # Errors
/// The events give no report, or the archive is more than a reader takes.
pub fn bundle(events: &[Event]) -> Result<Vec<u8>, AuditError> {
    archive(&files(&Report::build(events)?)?)
}

/// Whether `bytes` are a tar archive, by the mark in its first header.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"{") && bytes.get(257..262) == Some(b"ustar".as_slice())
}

/// The report in an archive.
pub(super) fn report_in(bytes: &[u8]) -> Result<&[u8], VerifyError> {
    if bytes.len() > MAX_BUNDLE_BYTES {
        return Err(VerifyError::TooLarge { bytes: bytes.len(), most: MAX_BUNDLE_BYTES });
    }
    let members = members(bytes).map_err(|what| VerifyError::NoBundle { what })?;
    let report = members.into_iter().find(|(name, _)| name == REPORT.as_bytes());
    report
        .map(|(_, content)| content)
        .ok_or_else(|| VerifyError::NoBundle { what: format!("it holds no `{REPORT}`") })
}

/// Checks that an archive is the bundle of `report`.
pub(super) fn compare(bytes: &[u8], report: &Report) -> Result<(), VerifyError> {
    let again = archive(&files(report)?)?;
    if again == bytes {
        return Ok(());
    }
    let found = members(bytes).map_err(|what| VerifyError::NoBundle { what })?;
    let right = members(&again).map_err(|what| VerifyError::NoBundle { what })?;
    let pairs = (0..found.len().max(right.len())).map(|place| (found.get(place), right.get(place)));
    let name = pairs.into_iter().find_map(|(found, right)| match (found, right) {
        (found, right) if found == right => None,
        (found, right) => found.or(right).map(|(name, _)| String::from_utf8_lossy(name).into_owned()),
    });
    // Where every file is right, a header or what stands behind the files is not.
    Err(VerifyError::Member { name: name.unwrap_or_else(|| "the archive itself".to_owned()) })
}

/// A file of an archive: its name and its content.
type Member<'b> = (Vec<u8>, &'b [u8]);

/// The files of an archive, in its order.
fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, String> {
    // The reader of archives quotes what it does not understand.
    let told = |error: std::io::Error| excerpt(&error.to_string(), 200);
    let mut archive = Archive::new(bytes);
    // As they stand: an extension could claim more than is there.
    let entries = archive.entries().map_err(told)?.raw(true);
    let mut members = Vec::new();
    for entry in entries {
        let entry = entry.map_err(told)?;
        let start = usize::try_from(entry.raw_file_position()).map_err(|error| error.to_string())?;
        let length = usize::try_from(entry.size()).map_err(|error| error.to_string())?;
        let content = start.checked_add(length).and_then(|end| bytes.get(start..end));
        let content = content.ok_or_else(|| "it ends in the middle of a file".to_owned())?;
        members.push((entry.path_bytes().into_owned(), content));
    }
    Ok(members)
}

fn files(report: &Report) -> Result<BTreeMap<String, Vec<u8>>, AuditError> {
    let mut files = BTreeMap::new();
    let mut put = |name: &str, content: Vec<u8>| drop(files.insert(name.to_owned(), content));
    let events = report.events();

    put(REPORT, report.bytes().to_vec());
    if let Some(artifact) = artifact_text(events)? {
        put("artifact.json", artifact.into_bytes());
    }
    let mut signatures = BTreeMap::new();
    for filed in recorded(events) {
        let name = format!("approvals/{}.json", filed.record.id);
        put(&name, text(&filed.record)?.into_bytes());
        if let Some(signature) = &filed.signature {
            // A record may bear several; each is kept.
            let before = signatures.entry(&filed.record.id).or_insert(0_usize);
            let place = if *before == 0 { String::new() } else { format!(".{}", *before + 1) };
            *before += 1;
            put(&format!("{name}.sig{place}"), signature.clone().into_bytes());
        }
    }
    let policy = events.iter().rev().find_map(|event| match &event.fact {
        Fact::Began(began) => Some(began.policy.as_ref()),
        _ => None,
    });
    if let Some(policy) = policy.flatten() {
        if let Some(signers) = &policy.signers {
            put("allowed_signers", signers.clone().into_bytes());
        }
        put("policy.json", text(policy)?.into_bytes());
    }
    put("tools.json", text(&tools(events))?.into_bytes());
    let mut lines = String::new();
    for event in events {
        lines.push_str(&event.text()?);
        lines.push('\n');
    }
    put("events.ndjson", lines.into_bytes());
    Ok(files)
}

/// The artifact's file, where an event holds it.
pub(super) fn artifact_text(events: &[Event]) -> Result<Option<String>, AuditError> {
    let opened = events.iter().find_map(|event| match &event.fact {
        Fact::Opened { artifact } => Some(artifact),
        _ => None,
    });
    opened.map(text).transpose()
}

/// What the artifact says of the tools that it writes to, by operation.
fn tools(events: &[Event]) -> Value {
    let operations = events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Opened { artifact } => Some(&artifact.operations),
            _ => None,
        })
        .flatten();
    operations
        .map(|operation| {
            let tool = json!({
                "tool": operation.tool,
                "class": operation.class,
                "tool_digest": operation.tool_digest,
            });
            (operation.id.clone(), tool)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn archive(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, AuditError> {
    let failed = |error: std::io::Error| AuditError::Archive(error.to_string());
    let mut builder = Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content.as_slice()).map_err(failed)?;
    }
    let bytes = builder.into_inner().map_err(failed)?;
    if bytes.len() > MAX_BUNDLE_BYTES {
        let bytes = bytes.len();
        return Err(AuditError::TooLarge { what: "the bundle", bytes, most: MAX_BUNDLE_BYTES });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::sample;
    use crate::audit::verify::{FaultKind, VerifyOptions, verify};
    use crate::{approval, artifact};

    fn names(bytes: &[u8]) -> Vec<String> {
        members(bytes).unwrap().into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    }

    fn content<'b>(bytes: &'b [u8], name: &str) -> &'b [u8] {
        members(bytes).unwrap().into_iter().find(|(found, _)| found == name.as_bytes()).unwrap().1
    }

    fn refused(bytes: &[u8]) -> VerifyError {
        verify(bytes, &VerifyOptions::default()).unwrap_err()
    }

    #[test]
    fn a_bundle_holds_every_file_and_is_the_same_every_time() {
        let events = sample::success();
        let bytes = bundle(&events).unwrap();
        assert_eq!(bundle(&events).unwrap(), bytes);

        let found = names(&bytes);
        let records: Vec<_> = recorded(&events).collect();
        let mut expected: Vec<String> =
            records.iter().map(|filed| format!("approvals/{}.json", filed.record.id)).collect();
        expected.push(format!("{}.sig", expected[0]));
        let rest =
            ["allowed_signers", "artifact.json", "audit.json", "events.ndjson", "policy.json", "tools.json"];
        expected.extend(rest.map(str::to_owned));
        expected.sort();
        assert_eq!(found, expected);

        for entry in Archive::new(bytes.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            let owner = (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
            assert_eq!((header.mode().unwrap(), owner), (0o644, (0, 0, 0)));
        }
    }

    #[test]
    fn the_files_of_a_bundle_hold_by_themselves() {
        let events = sample::success();
        let bytes = bundle(&events).unwrap();
        let planned = artifact::sample::artifact();
        assert_eq!(content(&bytes, "artifact.json"), planned.bytes());
        assert_eq!(content(&bytes, "audit.json"), Report::build(&events).unwrap().bytes());
        let signed = recorded(&events).next().unwrap();
        let name = format!("approvals/{}.json", signed.record.id);
        let signature = str::from_utf8(content(&bytes, &format!("{name}.sig"))).unwrap();
        let signers = str::from_utf8(content(&bytes, "allowed_signers")).unwrap();
        let signer = approval::verify(content(&bytes, &name), signature, signers, signed.record.time);
        assert_eq!(signer, Ok("alice".to_owned()));
        let lines = content(&bytes, "events.ndjson").split(|byte| *byte == b'\n').count();
        assert_eq!(lines, events.len() + 1);
    }

    #[test]
    fn a_changed_byte_of_a_bundle_is_found_wherever_it_stands() {
        let bytes = bundle(&sample::small()).unwrap();
        let mut changed = bytes.clone();
        for place in (0..bytes.len()).step_by(211) {
            changed[place] ^= 1;
            refused(&changed);
            changed[place] = bytes[place];
        }
        // More closely in a header and in the padding behind a file.
        for place in (0..512).step_by(5).chain((bytes.len() - 1024..bytes.len()).step_by(31)) {
            changed[place] ^= 1;
            refused(&changed);
            changed[place] = bytes[place];
        }
        assert!(verify(&changed, &VerifyOptions::default()).is_ok());
    }

    #[test]
    fn a_file_that_does_not_follow_is_named() {
        let report = Report::build(&sample::success()).unwrap();
        let right = files(&report).unwrap();
        for name in right.keys().filter(|name| *name != REPORT) {
            let mut changed = right.clone();
            changed.get_mut(name).unwrap().push(b' ');
            let error = refused(&archive(&changed).unwrap());
            assert_eq!(error.to_string(), format!("`{name}` in the bundle does not follow from the events"));
            assert_eq!(error.kind(), FaultKind::Broken);
            let mut fewer = right.clone();
            fewer.remove(name);
            assert!(matches!(refused(&archive(&fewer).unwrap()), VerifyError::Member { .. }));
        }
        let mut more = right.clone();
        more.insert("z".to_owned(), Vec::new());
        let error = refused(&archive(&more).unwrap());
        assert!(matches!(&error, VerifyError::Member { name } if name == "z"), "{error}");
    }

    #[test]
    fn an_archive_that_is_no_bundle_is_refused() {
        let mut without = files(&Report::build(&sample::small()).unwrap()).unwrap();
        without.remove(REPORT);
        let error = refused(&archive(&without).unwrap());
        assert_eq!(error.to_string(), "the archive is no bundle: it holds no `audit.json`");
        assert_eq!(error.kind(), FaultKind::Shape);
        let bytes = bundle(&sample::small()).unwrap();
        for length in [262, 512, 700, 1024, bytes.len() / 2, bytes.len() - 512] {
            refused(&bytes[..length]);
        }
        refused(&[bytes.as_slice(), b"\0"].concat());
        refused(&[bytes.as_slice(), &bytes].concat());
    }
}
