//! Where an artifact stands, for people, on one screen: what is done, what is unknown, who works on it, and
//! the command to type next.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::apply_text::{SANDBOX_EFFECT, operation};
use super::apply_words::{about, effect_mark, told};
use super::approval_words::{assurance, at, what};
use super::layout::Mark;
use super::page::Page;
use super::terminal::Terminal;
use crate::approval::{Decision, Filed, RecordId, Verdict};
use crate::artifact::v1::Document;
use crate::ledger::{State, Status};

/// Where an artifact stands.
#[derive(Debug, Clone)]
pub struct StatusView<'a> {
    /// The artifact.
    pub document: &'a Document,
    /// What the ledger knows of its effect.
    pub state: &'a State,
    /// Where it stands as an approval system says it, such as `Approved`.
    pub label: String,
    /// What the policy says now; none where it was not asked.
    pub verdict: Option<&'a Verdict>,
    /// The records of this effect that are known.
    pub records: &'a [Filed],
    /// Who works on it now; none where nobody does.
    pub holder: Option<HolderView>,
    /// The ledger's ID; none where there is no ledger.
    pub ledger: Option<String>,
    /// How operations whose outcome is unknown can be settled, by their IDs.
    pub settle: BTreeMap<String, String>,
    /// Where the ledger is, or was looked for.
    pub place: String,
    /// The command to type next, as a shell reads it; none where there is none.
    pub next: Option<String>,
}

/// Who holds the lock, in their own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderView {
    /// The run's ID.
    pub run: String,
    /// Its process.
    pub pid: u32,
    /// The machine, where it has a name.
    pub host: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// What the verdict and the other records say of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// The policy counts it.
    Counts,
    /// A record says that it counts no more.
    Revoked,
    /// The policy was asked, and does not count it.
    CountsNot,
    /// Nobody has said.
    Open,
}

impl Weight {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Revoked => "revoked",
            Self::CountsNot => "does not count",
            Self::Open => "not judged",
        }
    }
}

/// What an approval is worth; `None` for records that are no approvals.
pub(super) fn weight(filed: &Filed, view: &StatusView<'_>) -> Option<Weight> {
    let Decision::Approve { .. } = filed.record.decision else { return None };
    let id = &filed.record.id;
    let counted = |verdict: &Verdict| verdict.counted.iter().any(|counted| counted.id == *id);
    Some(match view.verdict {
        Some(verdict) if counted(verdict) => Weight::Counts,
        _ if revokes(view.records, id) => Weight::Revoked,
        Some(_) => Weight::CountsNot,
        None => Weight::Open,
    })
}

fn revokes(records: &[Filed], id: &RecordId) -> bool {
    let names = |decision: &Decision| matches!(decision, Decision::Revoke { approval } if approval == id);
    records.iter().any(|filed| names(&filed.record.decision))
}

/// The status for a terminal.
#[must_use]
pub fn status_text(view: &StatusView<'_>, terminal: &Terminal) -> String {
    let StatusView { document, state, label, verdict, records, holder, ledger, settle: _, place, next } =
        view;
    let mut page = Page::new(terminal);
    page.verdict(effect_mark(label, document, state), label, &about(document));
    page.under_verdict(&document.summary);
    if document.target.sandbox {
        page.under_verdict(SANDBOX_EFFECT);
    }
    page.blank();
    page.exact("effect", &document.effect_digest.to_string());
    let none = format!("none at {place}: what follows is what the files alone say");
    page.fact("ledger", ledger.as_deref().unwrap_or(&none));
    match holder {
        Some(holder) => page.fact("at work", &working(holder)),
        None => page.fact("at work", "nobody"),
    }
    page.title("Operations");
    operations(&mut page, view);
    page.title("Approvals");
    if records.is_empty() {
        page.item(Mark::Idle, "none is known");
    }
    for filed in *records {
        record(&mut page, filed, view);
    }
    if let Some(verdict) = verdict {
        page.title(if verdict.allowed { "The policy allows it" } else { "The policy does not allow it" });
        for reason in &verdict.reasons {
            page.item(Mark::Bad, &reason.message);
        }
        if let Some(until) = verdict.holds_until.filter(|_| verdict.allowed) {
            page.item(Mark::Good, &format!("until {}", at(until)));
        }
        for note in &verdict.notes {
            page.item(Mark::Idle, &format!("note: {note}"));
        }
    }
    if let Some(next) = next {
        page.blank();
        page.next(next);
    }
    page.text()
}

/// Who works on it, in one line.
fn working(HolderView { run, pid, host, since }: &HolderView) -> String {
    let host = host.as_deref().unwrap_or("a machine without a name");
    format!("run {run}, process {pid} on {host}, since {}", at(*since))
}

fn operations(page: &mut Page<'_>, view: &StatusView<'_>) {
    if view.document.operations.is_empty() {
        page.item(Mark::Idle, "there is nothing to do");
    }
    for told in told(view.document, view.state) {
        operation(page, &told);
        if matches!(told.status, Status::Unknown { .. }) {
            let how = view.settle.get(&told.operation.id).map(String::as_str);
            page.item_fact("to settle", how.unwrap_or("a person, who finds out what became of it"));
        }
    }
}

fn record(page: &mut Page<'_>, filed: &Filed, view: &StatusView<'_>) {
    let weight = weight(filed, view);
    let mark = match weight {
        Some(Weight::Counts) => Mark::Good,
        Some(Weight::Revoked) => Mark::Bad,
        Some(Weight::CountsNot) => Mark::Warning,
        Some(Weight::Open) => Mark::Doubt,
        None => Mark::Idle,
    };
    let record = &filed.record;
    let who = format!("{} ({})", record.approver.name, assurance(record.approver.assurance));
    let until = record.expires.map(|time| format!(", until {}", at(time))).unwrap_or_default();
    match weight {
        Some(weight) => {
            page.item(mark, &format!("{who}, {}{until}: {}", what(&record.decision), weight.word()))
        }
        None => page.item(mark, &format!("{who}, {}{until}", what(&record.decision))),
    }
    page.item_exact("ID", record.id.as_str());
    match &record.decision {
        Decision::Approve { external_id: Some(external) } => page.item_exact("sent as", external),
        Decision::Revoke { approval } => page.item_exact("of", approval.as_str()),
        Decision::Approve { external_id: None } | Decision::Reject {} | Decision::Resolve { .. } => {}
    }
    page.item_fact("reason", &record.reason);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{Reason, ReasonCode};
    use crate::core::text::is_hidden;
    use crate::report::json::{status_json, status_schema};
    use crate::report::sample;
    use insta::assert_snapshot;
    use serde_json::json;

    fn records() -> Vec<Filed> {
        let approve = || Decision::Approve { external_id: None };
        vec![
            sample::filed("alice", 1, approve()),
            sample::filed("bob", 2, approve()),
            sample::filed("carol", 3, Decision::Revoke { approval: sample::record_id(2) }),
            sample::filed("dave", 4, approve()),
        ]
    }

    fn view<'a>(document: &'a Document, state: &'a State, records: &'a [Filed]) -> StatusView<'a> {
        StatusView {
            document,
            state,
            label: "Pending approval".into(),
            verdict: None,
            records,
            holder: None,
            ledger: None,
            settle: BTreeMap::new(),
            place: ".loopgate/ledger.db".into(),
            next: Some("loopgate approve loopgate-out/artifact.json".into()),
        }
    }

    #[test]
    fn an_untouched_artifact_says_what_to_type() {
        let artifact = sample::artifact();
        let state = State::new(artifact.effect_digest().clone());
        let text = status_text(&view(artifact.document(), &state, &[]), &Terminal::plain());
        assert_snapshot!(sample::steady(&text), @r#"
        + Pending approval  remediation-plan · acme on the sandbox
          1 operation: one parent story with 12 child tasks
          this is about the embedded sandbox: nothing here is about a real release

          effect        sha256:[64 hex digits]
          ledger        none at .loopgate/ledger.db: what follows is what the files
                        alone say
          at work       nobody

        Operations
          · package: not sent (loopiq_create_remediation_work_package)

        Approvals
          · none is known

          next:         loopgate approve loopgate-out/artifact.json
        "#);
    }

    #[test]
    fn one_screen_says_what_is_unknown_who_works_on_it_and_who_approved() {
        let artifact = sample::artifact();
        let (state, records) = (sample::unknown(artifact.document()), records());
        let reason = Reason { code: ReasonCode::TooFew, message: "1 of 2 people approved".into() };
        let verdict = Verdict { allowed: false, reasons: vec![reason], ..sample::verdict() };
        let holder = HolderView {
            run: "01890000-0000-7000-8000-000000000001".into(),
            pid: 42,
            host: Some("runner-7".into()),
            since: sample::time(0),
        };
        let view = StatusView {
            label: "Approved (outcome unknown)".into(),
            verdict: Some(&verdict),
            holder: Some(holder),
            ledger: Some("lgl1-7".into()),
            settle: BTreeMap::from([("package".into(), "the same key, until 2023-11-15T22:13:21Z".into())]),
            next: Some("loopgate reconcile loopgate-out/artifact.json".into()),
            ..view(artifact.document(), &state, &records)
        };
        assert_snapshot!(sample::steady(&status_text(&view, &Terminal::plain())), @r#"
        ? Approved (outcome unknown)  remediation-plan · acme on the sandbox
          1 operation: one parent story with 12 child tasks
          this is about the embedded sandbox: nothing here is about a real release

          effect        sha256:[64 hex digits]
          ledger        lgl1-7
          at work       run 01890000-0000-7000-8000-000000000001, process 42 on
                        runner-7, since 2023-11-14T22:13:20Z

        Operations
          ? package: unknown (loopiq_create_remediation_work_package)
            unknown since 2023-11-14T22:13:21Z
            request       00000000-0000-4000-8000-000000000001
                          nobody recorded what came of it
            to settle     the same key, until 2023-11-15T22:13:21Z

        Approvals
          ✓ alice (asserted), approval, until 2023-11-14T23:13:20Z: counts
            ID            lga1-[64 hex digits]
            reason        reviewed
          ✗ bob (asserted), approval, until 2023-11-14T23:13:20Z: revoked
            ID            lga1-[64 hex digits]
            reason        reviewed
          · carol (asserted), revocation, until 2023-11-14T23:13:20Z
            ID            lga1-[64 hex digits]
            of            lga1-[64 hex digits]
            reason        reviewed
          ! dave (asserted), approval, until 2023-11-14T23:13:20Z: does not count
            ID            lga1-[64 hex digits]
            reason        reviewed

        The policy does not allow it
          ✗ 1 of 2 people approved

          next:         loopgate reconcile loopgate-out/artifact.json
        "#);
    }

    #[test]
    fn no_approval_is_good_only_because_it_is_there() {
        let artifact = sample::artifact();
        let state = State::new(artifact.effect_digest().clone());
        let records = records();
        let view = view(artifact.document(), &state, &records);
        assert_eq!(weight(&records[0], &view), Some(Weight::Open));
        assert_eq!(weight(&records[1], &view), Some(Weight::Revoked));
        assert_eq!(weight(&records[2], &view), None);
        let verdict = sample::verdict();
        let asked = StatusView { verdict: Some(&verdict), ..view };
        assert_eq!(weight(&records[0], &asked), Some(Weight::Counts));
        assert_eq!(weight(&records[3], &asked), Some(Weight::CountsNot));
    }

    #[test]
    fn nothing_of_a_stranger_steers_the_terminal_and_the_schema_takes_all_of_it() {
        let artifact = sample::hostile_artifact();
        let hostile = sample::HOSTILE.to_owned();
        let mut records = records();
        records.push(sample::filed(&hostile, 5, Decision::Approve { external_id: Some(hostile.clone()) }));
        for filed in &mut records {
            filed.record.reason.clone_from(&hostile);
        }
        let reason = Reason { code: ReasonCode::TooFew, message: hostile.clone() };
        let verdict = Verdict { reasons: vec![reason], notes: vec![hostile.clone()], ..sample::verdict() };
        let holder =
            HolderView { run: hostile.clone(), pid: 1, host: Some(hostile.clone()), since: sample::time(0) };
        let validator = jsonschema::validator_for(&status_schema()).unwrap();
        for state in sample::hostile_states(artifact.document()) {
            let view = StatusView {
                label: hostile.clone(),
                verdict: Some(&verdict),
                holder: Some(holder.clone()),
                ledger: Some(hostile.clone()),
                settle: BTreeMap::from([(hostile.clone(), hostile.clone())]),
                place: hostile.clone(),
                next: Some(hostile.clone()),
                ..view(artifact.document(), &state, &records)
            };
            let text = status_text(&view, &Terminal::plain());
            assert!(!text.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}");
            let value = status_json(&view);
            let problems: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert_eq!(problems, Vec::<String>::new(), "{value}");
            assert_eq!(value["operations"][0]["id"], json!(hostile));
        }
    }
}
