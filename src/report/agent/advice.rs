//! What follows for an agent from what a run came to.

use crate::engine::Conclusion;

/// Whether a run came to a verdict. A gate that does not hold is one, and so is that nothing can be decided; whoever
/// takes either for a malfunction would call again, or look for a way around it.
#[must_use]
pub fn is_verdict(conclusion: &Conclusion) -> bool {
    match conclusion {
        Conclusion::Done
        | Conclusion::ChangesPlanned
        | Conclusion::NothingToDo
        | Conclusion::GateFails(_)
        | Conclusion::Undecided(_) => true,
        Conclusion::Invalid(_)
        | Conclusion::Moved(_)
        | Conclusion::Refused(_)
        | Conclusion::Unconfirmed(_)
        | Conclusion::NeedsInput(_)
        | Conclusion::Unreachable(_)
        | Conclusion::SignIn(_)
        | Conclusion::Interrupted(_) => false,
    }
}

/// What to do next, in the program's own words alone.
pub(in crate::report) fn advice(conclusion: &Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Done => {
            "Every step ran and every gate holds, for what was read just now and for nothing else."
        }
        Conclusion::NothingToDo => "There is nothing to change, so there is nothing to approve.",
        Conclusion::ChangesPlanned => {
            "Nothing was written. Show the plan to a person, who reviews, approves and applies it outside of this server: \
             it can do none of these, and a plan is no approval."
        }
        Conclusion::GateFails(_) => {
            "This is an answer, not a malfunction: report it with its reason. Calling again changes nothing as long as \
             the evidence is the same, and there is no way around it here."
        }
        Conclusion::Undecided(_) => {
            "Nothing is proven either way, which is never a pass. What looks empty may not be visible to this tenant: \
             ask a person who can see it."
        }
        Conclusion::Invalid(_) => {
            "There is no verdict: the recipe does not fit what the server offers or answered. Whoever keeps the recipes \
             and settings must see to it."
        }
        Conclusion::Moved(_) => {
            "There is no verdict: the server's tools are not those that were reviewed. A person must review the tool \
             lock."
        }
        Conclusion::Refused(_) => "There is no verdict: the server refused. A person must see why.",
        Conclusion::Unconfirmed(_) => {
            "There is no verdict, and nobody can be sure that the dry run was one. Do not call again: a person must \
             look at the server first."
        }
        Conclusion::NeedsInput(_) => {
            "There is no verdict: the server asks for something that only a person can give, outside of this server."
        }
        Conclusion::Unreachable(_) => {
            "There is no verdict: the server was not reached. Calling again later may give one."
        }
        Conclusion::SignIn(_) => {
            "There is no verdict: the server refused the credential or the tenant. Both are fixed by whoever started \
             this server, and only they can change that."
        }
        Conclusion::Interrupted(_) => "There is no verdict: the call was stopped.",
    }
}
