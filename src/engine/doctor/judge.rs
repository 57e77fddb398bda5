//! What is made of what was seen. Nothing here asks anybody.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::reads::{Sampled, few};
use super::result::{Check, Examination};
use crate::core::Outcome;
use crate::core::call::RefusalKind;
use crate::core::text::visible;
use crate::engine::applied::{ApplyEnd, Stopped};
use crate::engine::channel::in_words;
use crate::engine::result::TenantKnownBy;
use crate::engine::target::Target;
use crate::engine::tenant::{Acting, TenantRules};
use crate::ledger::{OperationState, Status};

/// From where on a clock is told of, and from where on it is wrong: a token is good for minutes.
const TOLD: SignedDuration = SignedDuration::from_secs(30);
const WRONG: SignedDuration = SignedDuration::from_mins(5);

/// Of the server's clock.
pub(super) fn clock(ahead: Option<SignedDuration>) -> Examination {
    let Some(ahead) = ahead else {
        return Examination::not_checked(Check::Clock, "no answer over HTTP says when it was given");
    };
    let saw = match (ahead.abs().as_secs(), ahead.is_negative()) {
        (0 | 1, _) => "its clock is this machine's, to the second".to_owned(),
        (seconds, true) => format!("its clock is {seconds} s behind this machine's"),
        (seconds, false) => format!("its clock is {seconds} s ahead of this machine's"),
    };
    match ahead.abs() {
        off if off > WRONG => Examination::failed(Check::Clock, saw).but("which of the two is wrong"),
        off if off > TOLD => Examination {
            warning: Some(
                "a token or an approval may count as expired on one side and not on the other".into(),
            ),
            ..Examination::passed(Check::Clock, saw)
        },
        _ => Examination::passed(Check::Clock, saw),
    }
}

/// Of the tenant that everybody means.
pub(super) fn tenant_context(acting: &Acting, target: &Target) -> Examination {
    let check = Check::TenantContext;
    let name = acting.tenant.as_deref().map(|tenant| format!("`{}`", visible(tenant))).unwrap_or_default();
    // The best there is, whatever the settings let suffice.
    let examination = match acting.known_by(&TenantRules::default()) {
        TenantKnownBy::Tool => Examination::passed(check, format!("the server answers for {name}")),
        TenantKnownBy::Claim => Examination::passed(check, format!("the token is for {name}")),
        _ if target.profile.context.tenant.is_none() => {
            return Examination::not_checked(check, "the profile knows of no place for a tenant in a call");
        }
        TenantKnownBy::Asserted => Examination::undecided(
            check,
            format!(
                "nobody but the caller says that this is for {name}: neither the server nor the token does"
            ),
        ),
        TenantKnownBy::None => Examination::undecided(check, "nobody says for which tenant this is"),
    };
    match acting.suffices(&target.tenants) {
        Ok(()) => examination,
        Err(why) => {
            Examination { warning: Some(format!("`apply` will refuse it: {}", why.message())), ..examination }
        }
    }
}

/// Of the reads, each by its operation.
pub(super) fn samples(came: &[(&str, Sampled)]) -> Examination {
    let (mut wrong, mut nothing, mut empty, mut good) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut unrecorded = Vec::new();
    for (operation, sampled) in came {
        let name = format!("`{}`", visible(operation));
        match sampled {
            Sampled::Answered { lacks, .. } if !lacks.is_empty() => {
                wrong.push(format!("{name} is not understood: {}", few(lacks)));
            }
            Sampled::Answered { is_empty: true, .. } => empty.push(name),
            Sampled::Answered { is_empty: false, .. } => good.push(name),
            Sampled::NothingVisible(why) => nothing.push(format!("{name}: {why}")),
            Sampled::Unanswered(why) => wrong.push(format!("{name} was not answered: {why}")),
            Sampled::NotRecorded => unrecorded.push(name),
        }
    }
    let check = Check::Reads;
    if !wrong.is_empty() {
        return Examination::failed(check, few(&wrong));
    }
    if !nothing.is_empty() {
        return Examination::undecided(check, format!("nothing is visible: {}", few(&nothing)));
    }
    let unseen =
        || format!("whether there is nothing, or nothing visible to this caller: {}", empty.join(", "));
    let found = match (good.is_empty(), empty.is_empty()) {
        (true, true) if !unrecorded.is_empty() => {
            Examination::not_checked(check, "the recording has none of the reads")
        }
        (true, true) => Examination::not_checked(check, "no read is named: add `--sample 'OPERATION={…}'`"),
        (true, false) => Examination::undecided(check, "no answer has a record in it").but(unseen()),
        (false, true) => Examination::passed(check, format!("answered and understood: {}", good.join(", "))),
        (false, false) => {
            Examination::passed(check, format!("answered and understood: {}", good.join(", "))).but(unseen())
        }
    };
    match unrecorded.is_empty() {
        true => found,
        false => found.but(format!("what was not recorded: {}", few(&unrecorded))),
    }
}

/// Of a read for a tenant that is not the caller's.
pub(super) fn foreign_tenant(foreign: &str, outcome: &Outcome) -> Examination {
    let check = Check::ForeignTenants;
    let name = visible(foreign);
    match outcome {
        Outcome::NotApplied(refusal) if refusal.kind == RefusalKind::Tenant => {
            Examination::passed(check, format!("`{name}` is refused: {}", refusal.message))
        }
        Outcome::NotApplied(refusal) if refusal.kind == RefusalKind::SignIn => {
            Examination::passed(check, format!("`{name}` is refused at the sign-in: {}", refusal.message))
        }
        Outcome::NotApplied(refusal) if refusal.kind == RefusalKind::NotRecorded => {
            Examination::not_checked(check, "the recording has no read for another tenant")
        }
        Outcome::NotApplied(refusal) if refusal.kind == RefusalKind::NothingVisible => {
            Examination::undecided(
                check,
                format!("for `{name}` nothing is visible, which is what is said of an unknown record, too"),
            )
        }
        Outcome::Applied(_) => Examination::failed(
            check,
            format!(
                "a read for `{name}` is answered, so that tenant is not foreign to this credential, or not kept out"
            ),
        ),
        other => Examination::undecided(
            check,
            format!("`{name}` is neither refused as a tenant nor answered: {}", in_words(other)),
        ),
    }
}

/// How far somebody came with a token that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heeded {
    /// Refused as a sign-in, with that HTTP status or by a tool's error.
    Refused(Option<u16>),
    /// The tools were listed; there was no read to try.
    Listed,
    /// A tool answered.
    Answered(String),
    /// Something else was said.
    Otherwise(String),
}

/// Of a token that is none.
pub(super) fn stale_token(heeded: &Heeded) -> Examination {
    let check = Check::StaleTokens;
    match heeded {
        Heeded::Refused(Some(status)) => Examination::passed(
            check,
            format!("a token that is not valid is refused with HTTP status {status}"),
        ),
        Heeded::Refused(None) => {
            Examination::passed(check, "a token that is not valid is refused when a tool is called")
        }
        Heeded::Answered(tool) => {
            Examination::failed(check, format!("with a token that is not valid `{}` answers", visible(tool)))
        }
        Heeded::Listed => Examination::undecided(
            check,
            "with a token that is not valid the tools are listed, and no read is at hand to be tried",
        ),
        Heeded::Otherwise(why) => Examination::undecided(
            check,
            format!("a token that is not valid is neither refused as one nor are its calls answered: {why}"),
        ),
    }
}

/// What became of the operations of a plan, by their keys.
pub(super) type Became<'a> = BTreeMap<&'a str, Option<&'a OperationState>>;

/// Of a write that was approved. `appeared` says whether the reads that tell whether it took place find it now, and did
/// not before.
pub(super) fn write(end: &ApplyEnd, became: &Became<'_>, appeared: bool) -> Examination {
    let check = Check::Write;
    let unnamed = became.values().flatten().find_map(|operation| operation.unnamed());
    match end {
        ApplyEnd::Stopped(Stopped::Done) if replayed(became) => Examination::undecided(
            check,
            "the server says that it had done it before, under the same key: an input that is new each time makes another",
        ),
        ApplyEnd::Stopped(Stopped::Done) if !answered(became) => Examination::undecided(
            check,
            "no answer came, and the read that tells whether it took place finds it",
        ),
        ApplyEnd::Stopped(Stopped::Done)
            if became.values().flatten().all(|operation| operation.read_back.is_some()) =>
        {
            Examination::passed(check, "it was created, and what was read back is what was planned")
                .but("whether anything else was created besides")
        }
        ApplyEnd::Stopped(Stopped::Done) if appeared => Examination::passed(
            check,
            "it took place: the read that tells finds it now, and found nothing before",
        )
        .but("whether each value is what was planned: the profile knows of no way to read it back"),
        ApplyEnd::Stopped(Stopped::Done) => Examination::undecided(
            check,
            "the server says that it took place, and the profile knows of no way to read it back",
        ),
        ApplyEnd::Stopped(Stopped::Differs { .. } | Stopped::NotRead { .. }) if unnamed.is_some() => {
            Examination::undecided(
                check,
                "the server says that it took place, and names nothing to read back",
            )
        }
        ApplyEnd::Stopped(Stopped::Differs { .. } | Stopped::Refused { .. }) => {
            Examination::failed(check, end.message())
        }
        other => Examination::undecided(check, other.message()),
    }
}

/// What the reads that tell whether it took place say of the key that came again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The same as before.
    Same,
    /// Something else.
    Other,
    /// There is no such read.
    Nothing,
}

/// Of the same key, sent once more: what was created before, and what is said now.
pub(super) fn repeat(first: &Became<'_>, again: &Became<'_>, end: &ApplyEnd, seen: Seen) -> Examination {
    let check = Check::RepeatedKey;
    let sent = again.values().flatten().any(|operation| !operation.attempts.is_empty());
    if !sent {
        return Examination::undecided(check, format!("the key was not sent again: {}", end.message()));
    }
    if let ApplyEnd::Stopped(Stopped::Refused { refusal: RefusalKind::Conflict, .. }) = end {
        return Examination::failed(
            check,
            format!("the same payload under the same key is refused: {}", end.message()),
        );
    }
    let (before, now) = (created(first), created(again));
    match (before.is_empty(), now.is_empty()) {
        (_, true) | (true, _) => {
            Examination::undecided(check, "there are no created IDs that could be compared")
        }
        (false, false) if before == now && seen == Seen::Other => Examination::undecided(
            check,
            "the same key gives the same IDs, and the read that tells whether it took place is answered otherwise than \
             before",
        ),
        (false, false) if before == now => {
            let word = if replayed(again) { ", and the server says that it had done it before" } else { "" };
            let examination = Examination::passed(check, format!("the same key gives the same IDs{word}"));
            match seen {
                Seen::Nothing => examination.but("whether a record was added under an ID that nobody names"),
                Seen::Same | Seen::Other => examination,
            }
        }
        (false, false) => Examination::failed(
            check,
            format!(
                "the same key created something else: {}, and before that {}",
                now.join(", "),
                before.join(", ")
            ),
        ),
    }
}

/// Of the IDs in the result. `expected` says for each key whether the profile knows where they stand.
pub(super) fn created_ids(became: &Became<'_>, expected: bool) -> Examination {
    let check = Check::CreatedIds;
    if !expected {
        return Examination::not_checked(check, "the profile does not say where created IDs stand");
    }
    let applied = |operation: &&&OperationState| matches!(operation.status(), Status::Applied { .. });
    if became.values().flatten().find(applied).is_none() {
        return Examination::not_checked(check, "nothing was created whose IDs could be named");
    }
    if !answered(became) {
        return Examination::undecided(check, "no answer came that could name what was created");
    }
    if let Some(unnamed) = became.values().flatten().find_map(|operation| operation.unnamed()) {
        return Examination::failed(check, unnamed);
    }
    match created(became) {
        ids if ids.is_empty() => Examination::failed(check, "the answer names no created ID"),
        ids => Examination::passed(check, few(&ids)),
    }
}

/// Whether any of it took place.
pub(super) fn took_place(became: &Became<'_>) -> bool {
    became.values().flatten().any(|operation| matches!(operation.status(), Status::Applied { .. }))
}

/// Whether the server says of any of it that it had done it before.
pub(super) fn replayed(became: &Became<'_>) -> bool {
    let says_so = |operation: &OperationState| {
        matches!(operation.status(), Status::Applied { replayed: Some(true), .. })
    };
    became.values().flatten().any(|operation| says_so(operation))
}

/// Whether the server itself said of everything that it took place.
fn answered(became: &Became<'_>) -> bool {
    became.values().flatten().all(|operation| operation.settled.is_none())
}

/// What was created, in words, by name and in the order of the plan's keys.
fn created(became: &Became<'_>) -> Vec<String> {
    let mut words = Vec::new();
    for operation in became.values().flatten() {
        if let Status::Applied { created, .. } = operation.status() {
            for (name, ids) in created {
                words.extend(ids.iter().map(|id| format!("{} `{}`", visible(&name), visible(id))));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ToolAnswer;
    use crate::core::call::{Doubt, DoubtKind, Refusal};
    use crate::engine::doctor::result::Outcome as Went;

    #[test]
    fn a_clock_is_told_of_beyond_half_a_minute_and_wrong_beyond_five() {
        for (ahead, went, warned) in [
            (Some(0), Went::Passed, false),
            (Some(-30), Went::Passed, false),
            (Some(31), Went::Passed, true),
            (Some(-300), Went::Passed, true),
            (Some(301), Went::Failed, false),
            (Some(-301), Went::Failed, false),
            (None, Went::NotChecked, false),
        ] {
            let examination = clock(ahead.map(SignedDuration::from_secs));
            assert_eq!((examination.outcome, examination.warning.is_some()), (went, warned), "{ahead:?}");
        }
    }

    #[test]
    fn only_a_refusal_keeps_a_foreign_tenant_out() {
        let refused = |kind| Outcome::NotApplied(Refusal { kind, message: "m".into() });
        let silent = Outcome::Unknown(Doubt { kind: DoubtKind::NoAnswer, message: "m".into() });
        for (outcome, went) in [
            (refused(RefusalKind::Tenant), Went::Passed),
            (refused(RefusalKind::SignIn), Went::Passed),
            (refused(RefusalKind::NothingVisible), Went::Undecided),
            (refused(RefusalKind::RateLimited), Went::Undecided),
            (refused(RefusalKind::NotRecorded), Went::NotChecked),
            (silent, Went::Undecided),
            (Outcome::Applied(ToolAnswer::default()), Went::Failed),
        ] {
            assert_eq!(foreign_tenant("t", &outcome).outcome, went, "{outcome:?}");
        }
    }

    #[test]
    fn a_token_that_is_none_fails_the_check_only_where_a_tool_answers() {
        for (heeded, went) in [
            (Heeded::Refused(Some(401)), Went::Passed),
            (Heeded::Refused(None), Went::Passed),
            (Heeded::Listed, Went::Undecided),
            (Heeded::Otherwise("500".into()), Went::Undecided),
            (Heeded::Answered("t".into()), Went::Failed),
        ] {
            assert_eq!(stale_token(&heeded).outcome, went, "{heeded:?}");
        }
    }

    #[test]
    fn reads_pass_only_with_records_that_are_understood() {
        let answered = |lacks: &[&str], is_empty| Sampled::Answered {
            lacks: lacks.iter().map(|lack| (*lack).to_owned()).collect(),
            is_empty,
        };
        let went = |came: &[(&str, Sampled)]| samples(came).outcome;
        assert_eq!(went(&[]), Went::NotChecked);
        assert_eq!(went(&[("a", answered(&[], false))]), Went::Passed);
        assert_eq!(went(&[("a", answered(&[], false)), ("b", answered(&[], true))]), Went::Passed);
        assert_eq!(went(&[("a", answered(&[], true))]), Went::Undecided);
        assert_eq!(
            went(&[("a", answered(&[], false)), ("b", Sampled::NothingVisible("m".into()))]),
            Went::Undecided
        );
        assert_eq!(went(&[("a", answered(&[], false)), ("b", answered(&["odd"], false))]), Went::Failed);
        assert_eq!(went(&[("a", Sampled::Unanswered("m".into()))]), Went::Failed);
        assert_eq!(went(&[("a", answered(&[], false)), ("b", Sampled::NotRecorded)]), Went::Passed);
        assert_eq!(went(&[("b", Sampled::NotRecorded)]), Went::NotChecked);
    }
}
