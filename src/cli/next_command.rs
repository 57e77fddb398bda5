//! The command to type next, as a shell reads it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::effect_arguments::{ARTIFACT, Effect};
use super::records::beside;
use crate::approval::{ReasonCode, RecordId};
use crate::artifact::v1::{Document, Operation};
use crate::core::call::RefusalKind;
use crate::engine::{ApplyEnd, Stopped, Way, way};
use crate::ledger::v1::Command;
use crate::ledger::{LedgerError, OperationState, State, Status};
use crate::report::quoted;

const EFFECT_FLAGS: [&str; 6] = ["--approvals", "--ledger", "--server", "--trust", "--from", "--platform"];

/// What of this command line the next one needs too.
#[derive(Debug, Clone, Default)]
pub(super) struct NextCommand {
    pub artifact: PathBuf,
    /// The approval that was asked for, or the best that is known.
    pub approval_id: Option<String>,
    /// A resolution that counts, where another counts that says otherwise.
    pub contradicting: Option<RecordId>,
    /// The audit report, where it is another file than the usual one.
    pub audit: Option<PathBuf>,
    /// Flags that were given, with their values.
    pub flags: Vec<(&'static str, String)>,
}

impl NextCommand {
    /// What this command line says of the effect.
    pub fn new(effect: &Effect, approval_id: Option<&str>) -> Self {
        let Effect { artifact, approvals, ledger, server, trust, platform } = effect;
        let flags = [
            // Standard input is read by now.
            ("--approvals", approvals.as_deref().filter(|path| *path != Path::new("-")).and_then(word)),
            ("--ledger", ledger.clone()),
            ("--server", server.clone()),
            ("--trust", trust.as_deref().and_then(word)),
            ("--from", platform.from.map(|from| from.to_string())),
            ("--platform", platform.platform.as_deref().and_then(word)),
        ];
        Self {
            artifact: artifact.clone(),
            approval_id: approval_id.map(str::to_owned),
            flags: flags.into_iter().filter_map(|(flag, value)| Some((flag, value?))).collect(),
            ..Self::default()
        }
    }

    /// The same again, once another runner is done.
    pub fn waiting(&self, command: Command, state: Option<&State>) -> Option<String> {
        match command {
            Command::Apply => self.apply(state, &["--wait"]),
            Command::Reconcile => self.shown(&["reconcile", &self.artifact()?], &EFFECT_FLAGS, &["--wait"]),
        }
    }

    /// What to do after `end`, where it is something to type.
    pub fn after(
        &self,
        command: Command,
        end: &ApplyEnd,
        state: &State,
        document: &Document,
    ) -> Option<String> {
        match end {
            ApplyEnd::Stopped(stopped) => match stopped {
                Stopped::Done
                | Stopped::TryRefused { .. }
                | Stopped::Stale(_)
                | Stopped::Refused { refusal: RefusalKind::Conflict, .. } => None,
                Stopped::Denied(reasons)
                    if reasons.iter().any(|reason| reason.code == ReasonCode::Rejected) =>
                {
                    None
                }
                Stopped::Denied(_) => self.approve(),
                Stopped::Unknown { .. } => self.settling(state, document),
                Stopped::UnknownElsewhere(_) => self.shown(&["ledger", "log"], &["--ledger", "--trust"], &[]),
                Stopped::Differs { .. } => self.audit(),
                Stopped::Settled => self.unless_done(state, document),
                Stopped::NotRead { .. }
                | Stopped::Refused { .. }
                | Stopped::NoWord { .. }
                | Stopped::Unconfirmed { .. }
                | Stopped::Interrupted(_) => self.apply(Some(state), &[]),
            },
            ApplyEnd::Unreachable(_) | ApplyEnd::SignIn(_) | ApplyEnd::Refused(_) => match command {
                Command::Apply => self.apply(Some(state), &[]),
                Command::Reconcile => self.shown(&["reconcile", &self.artifact()?], &EFFECT_FLAGS, &[]),
            },
            ApplyEnd::Ledger(LedgerError::Moved { .. }) => self.waiting(command, Some(state)),
            ApplyEnd::Ledger(_) => self.shown(&["ledger", "verify"], &["--ledger", "--trust"], &[]),
            ApplyEnd::Moved(_) | ApplyEnd::Invalid(_) | ApplyEnd::NeedsInput(_) => None,
        }
    }

    /// How to approve the artifact.
    pub fn approve(&self) -> Option<String> {
        let folder = ["--approvals"].into_iter().filter(|_| !self.approvals_are_a_file());
        let flags: Vec<&str> = folder.chain(["--trust", "--from", "--platform"]).collect();
        let is_platform = self.flags.iter().any(|(flag, _)| *flag == "--from");
        let by_hand: &[&str] = if is_platform { &[] } else { &["--as NAME --reason TEXT"] };
        self.shown(&["approve", &self.artifact()?], &flags, by_hand)
    }

    /// How to apply the artifact: under the approval of the first attempt, where there was one, because no other
    /// can go on. Without any approval it is to approve.
    pub fn apply(&self, state: Option<&State>, more: &[&str]) -> Option<String> {
        let sent = state.and_then(|state| {
            state.operations.values().find_map(|known| Some(known.attempts.first()?.approval_id.clone()))
        });
        let Some(id) = sent.or_else(|| self.approval_id.clone()) else { return self.approve() };
        let artifact = self.artifact()?;
        // It would be taken for a flag by itself.
        let id = if id.starts_with('-') {
            vec![format!("--approval-id={id}")]
        } else {
            vec!["--approval-id".to_owned(), id]
        };
        let mut words = vec!["apply", &artifact];
        words.extend(id.iter().map(String::as_str));
        self.shown(&words, &EFFECT_FLAGS, more)
    }

    /// How to go on where everything took place: reading back what was not, else checking the report.
    pub fn unless_done(&self, state: &State, document: &Document) -> Option<String> {
        let is_done = |operation: &Operation| {
            let known = state.operations.get(&operation.idempotency_key);
            let is_readable = operation.created.as_ref().is_some_and(|created| created.lookup.is_some());
            known.is_some_and(|known| {
                matches!(known.status(), Status::Applied { .. }) && was_read(known, is_readable)
            })
        };
        if document.operations.iter().all(is_done) { self.audit() } else { self.apply(Some(state), &[]) }
    }

    /// How to find out what became of what is unknown.
    pub fn settling(&self, state: &State, document: &Document) -> Option<String> {
        if let Some(id) = &self.contradicting {
            return self.revoke(id);
        }
        let (operation, known) = document.operations.iter().find_map(|operation| {
            let known = state.operations.get(&operation.idempotency_key)?;
            matches!(known.status(), Status::Unknown { .. }).then_some((operation, known))
        })?;
        let artifact = self.artifact()?;
        let was_looked_for = known.looked.as_ref().is_some_and(|look| look.after >= known.attempts.len());
        match way(operation, known, Timestamp::now()) {
            Way::Again(_) => self.apply(Some(state), &[]),
            Way::Read if !was_looked_for => self.shown(&["reconcile", &artifact], &EFFECT_FLAGS, &[]),
            Way::Read | Way::Person => {
                let mut more = vec!["--resolve OUTCOME".to_owned()];
                for name in operation.created.iter().flat_map(|created| created.ids.keys()) {
                    more.push(format!("--created {}=ID", quoted(name)?));
                }
                more.push("--as NAME --reason TEXT".to_owned());
                let more: Vec<&str> = more.iter().map(String::as_str).collect();
                let op = format!("--op={}", operation.id);
                let op = if operation.id.starts_with('-') {
                    vec![op.as_str()]
                } else {
                    vec!["--op", &operation.id]
                };
                self.shown(&[&["reconcile", artifact.as_str()], op.as_slice()].concat(), &EFFECT_FLAGS, &more)
            }
        }
    }

    /// How to check what was done.
    pub fn audit(&self) -> Option<String> {
        let audit = self.audit.clone().unwrap_or_else(|| self.artifact.with_file_name("audit.json"));
        let path = word(&audit)?;
        if audit.is_file() {
            return self.shown(&["audit", "verify", &path], &[], &[]);
        }
        let words = ["audit", "report", &self.artifact()?, "--out", &path];
        self.shown(&words, &["--ledger", "--trust"], &[])
    }

    /// How to take back one of two answers that contradict.
    fn revoke(&self, id: &RecordId) -> Option<String> {
        let mut words = vec!["revoke".to_owned(), id.to_string()];
        let is_named = self.flags.iter().any(|(flag, _)| *flag == "--approvals");
        if !is_named && self.artifact != Path::new(ARTIFACT) {
            words.extend(["--approvals".to_owned(), word(&beside(&self.artifact))?]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let flags: &[&str] = match self.approvals_are_a_file() {
            true => &["--ledger", "--trust"],
            false => &["--approvals", "--ledger", "--trust"],
        };
        self.shown(&words, flags, &["--as NAME --reason TEXT"])
    }

    fn approvals_are_a_file(&self) -> bool {
        self.flags.iter().any(|(flag, value)| *flag == "--approvals" && Path::new(value).is_file())
    }

    fn artifact(&self) -> Option<String> {
        word(&self.artifact)
    }

    fn shown(&self, words: &[&str], flags: &[&str], more: &[&str]) -> Option<String> {
        let mut line = vec!["loopgate".to_owned()];
        for word in words {
            line.push(quoted(word)?);
        }
        for (flag, value) in self.flags.iter().filter(|(flag, _)| flags.contains(flag)) {
            let between = if value.starts_with('-') { '=' } else { ' ' };
            line.push(format!("{flag}{between}{}", quoted(value)?));
        }
        line.extend(more.iter().map(|word| (*word).to_owned()));
        Some(line.join(" "))
    }
}

/// Whether what was created was read, where it can be; that it differs is for people.
fn was_read(known: &OperationState, is_readable: bool) -> bool {
    match &known.read_back {
        Some(read) => read.unread.is_none(),
        None => !is_readable,
    }
}

/// A path as an argument, which is never taken for a flag.
fn word(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    Some(if path.starts_with('-') { format!("./{path}") } else { path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::Reason;
    use crate::core::Digest;
    use crate::ledger::sample;

    fn next() -> NextCommand {
        NextCommand {
            artifact: "-out/artifact.json".into(),
            flags: vec![
                ("--approvals", "yes dir".into()),
                ("--ledger", "l.db".into()),
                ("--trust", "t".into()),
            ],
            ..NextCommand::default()
        }
    }

    fn denied(code: ReasonCode) -> ApplyEnd {
        ApplyEnd::Stopped(Stopped::Denied(vec![Reason { code, message: String::new() }]))
    }

    #[test]
    fn what_is_revoked_is_approved_anew_and_what_is_rejected_is_over() {
        let (state, document) = (State::new(Digest::of_bytes(b"x")), sample::document());
        let after = |end: ApplyEnd| next().after(Command::Apply, &end, &state, &document);
        let approve =
            "loopgate approve ./-out/artifact.json --approvals 'yes dir' --trust t --as NAME --reason TEXT";
        assert_eq!(after(denied(ReasonCode::Revoked)).as_deref(), Some(approve));
        assert_eq!(after(denied(ReasonCode::Rejected)), None);
        // No approval is known, so none can be named.
        assert_eq!(next().apply(Some(&state), &[]).as_deref(), Some(approve));
    }

    #[test]
    fn two_answers_that_contradict_are_settled_by_revoking_one() {
        let id = format!("lga1-{}", "0".repeat(64)).parse::<RecordId>().unwrap();
        let next = NextCommand { contradicting: Some(id.clone()), ..next() };
        let state = State::new(Digest::of_bytes(b"x"));
        let command = next.settling(&state, &sample::document()).unwrap();
        assert_eq!(
            command,
            format!(
                "loopgate revoke {id} --approvals 'yes dir' --ledger l.db --trust t --as NAME --reason TEXT"
            )
        );
    }

    #[test]
    fn the_report_is_checked_where_it_is_and_made_where_it_is_not() {
        let command = next().audit().unwrap();
        let made =
            "loopgate audit report ./-out/artifact.json --out ./-out/audit.json --ledger l.db --trust t";
        assert_eq!(command, made);
        let folder = tempfile::tempdir().unwrap();
        let audit = folder.path().join("audit.json");
        crate::core::file::replace(&audit, b"").unwrap();
        let next = NextCommand { audit: Some(audit), ..next() };
        assert!(next.audit().unwrap().starts_with("loopgate audit verify "));
    }
}
