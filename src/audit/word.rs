//! Where an effect stands, in one of LoopIQ's words.

use super::v1::StateWord;
use crate::approval::Verdict;
use crate::ledger::{Label, State, label};

/// The word for `state`, after what the policy said last.
pub(super) fn word(state: &State) -> StateWord {
    let operations = state.artifact.as_ref().map(|artifact| artifact.operations.as_slice());
    match label(state, operations.unwrap_or_default(), last_verdict(state)) {
        Label::PendingApproval => StateWord::Pending,
        Label::Approved => StateWord::Approved,
        Label::ApprovedOutcomeUnknown => StateWord::Unknown,
        Label::Rejected => StateWord::Rejected,
        Label::Executed => StateWord::Executed,
        Label::Failed => StateWord::Failed,
    }
}

/// What the policy said last of the effect.
pub(super) fn last_verdict(state: &State) -> Option<&Verdict> {
    let mut runs = state.runs.iter().rev();
    runs.find_map(|run| run.decided.as_ref()).map(|(verdict, _)| verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::ReasonCode;
    use crate::audit::sample::{self, Chain};
    use crate::ledger::v1::Doubt;

    fn of(chain: &Chain) -> StateWord {
        let events = chain.events();
        word(&State::fold(&events[0].chain, events).unwrap())
    }

    #[test]
    fn the_word_follows_the_effect_from_plan_to_end() {
        let mut chain = Chain::opened();
        assert_eq!(of(&chain), StateWord::Pending);
        chain.begin().decide_against(ReasonCode::Missing);
        assert_eq!(of(&chain), StateWord::Pending);
        chain.approve("alice").decide_for();
        assert_eq!(of(&chain), StateWord::Approved);
        chain.intend(0, 1);
        assert_eq!(of(&chain), StateWord::Unknown);
        chain.applied(0, 1);
        assert_eq!(of(&chain), StateWord::Approved);
        chain.intend(1, 1).doubt(1, 1, Doubt::NoAnswer);
        assert_eq!(of(&chain), StateWord::Unknown);
        chain.settled_by_read(1);
        assert_eq!(of(&chain), StateWord::Executed);
    }

    #[test]
    fn a_rejection_is_told_as_one_only_where_nothing_took_place() {
        for code in [ReasonCode::Rejected, ReasonCode::Revoked] {
            let mut chain = Chain::opened();
            chain.begin().decide_against(code);
            assert_eq!(of(&chain), StateWord::Rejected);
            let mut half = Chain::opened();
            half.begin().approve("alice").decide_for().intend(0, 1).applied(0, 1).decide_against(code);
            assert_eq!(of(&half), StateWord::Failed);
        }
    }

    #[test]
    fn what_the_server_refused_has_failed_and_what_is_half_done_may_go_on() {
        let mut refused = Chain::opened();
        refused.begin().approve("alice").decide_for().intend(0, 1).refused(0, 1);
        assert_eq!(of(&refused), StateWord::Failed);
        let mut half = Chain::opened();
        half.begin().approve("alice").decide_for().intend(0, 1).applied(0, 1);
        assert_eq!(of(&half), StateWord::Approved);
        half.end("interrupted");
        assert_eq!(of(&half), StateWord::Approved);
    }

    #[test]
    fn every_sample_has_its_word() {
        let words: Vec<_> = sample::all()
            .into_iter()
            .map(|(name, events)| (name, word(&State::fold(&events[0].chain, &events).unwrap())))
            .collect();
        assert_eq!(
            words,
            [
                ("success", StateWord::Executed),
                ("unknown", StateWord::Unknown),
                ("refused", StateWord::Rejected),
                ("settled", StateWord::Executed),
            ]
        );
    }
}
