//! One read: sent, tried again where that is allowed, and judged.

use std::time::Duration;

use serde_json::{Map, Value};

use super::channel::{Channel, Letter};
use super::event::Event;
use super::pages::Gathered;
use super::result::{CallFact, Conclusion};
use crate::catalog::Operation;
use crate::core::call::{Doubt, DoubtKind, Refusal, RefusalKind};
use crate::core::{Outcome, Pages, ToolAnswer};
use crate::recipe::Retry;

/// The longest pause before a read is sent again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A read that only has to be sent.
#[derive(Debug, Clone)]
pub(super) struct ReadCall<'a> {
    pub step: String,
    pub tool: String,
    pub arguments: Map<String, Value>,
    pub operation: Option<&'a Operation>,
    /// How a long answer goes on.
    pub pages: Option<&'a Pages>,
    pub deadline: Duration,
    pub retry: Retry,
}

/// What a read came to.
#[derive(Debug)]
pub(super) enum ReadEnd {
    /// The server answered.
    Answered(ToolAnswer),
    /// There is no such record, or not for this caller.
    NothingVisible(String),
    /// The run cannot go on.
    Ends(Conclusion),
}

/// Makes a read, with all pages of its answer.
pub(super) async fn read(channel: Channel<'_>, call: &ReadCall<'_>) -> (ReadEnd, Vec<CallFact>) {
    let (mut end, mut calls) = one(channel, call, &call.arguments).await;
    let Some(pages) = call.pages else { return (end, calls) };
    let mut gathered = Gathered::new(pages);
    loop {
        let ReadEnd::Answered(answer) = end else { return (end, calls) };
        let cursor = match gathered.take(&answer) {
            Ok(Some(cursor)) => cursor,
            Ok(None) => break,
            Err(why) => return (unended(call, why), calls),
        };
        let mut arguments = call.arguments.clone();
        if let Err(error) = pages.cursor.set(&mut arguments, cursor) {
            return (unended(call, error.to_string()), calls);
        }
        let (next, mut made) = one(channel, call, &arguments).await;
        end = next;
        calls.append(&mut made);
    }
    match gathered.whole() {
        Ok(answer) => (ReadEnd::Answered(answer), calls),
        Err(why) => (unended(call, why), calls),
    }
}

fn unended(call: &ReadCall<'_>, why: String) -> ReadEnd {
    ReadEnd::Ends(Conclusion::Undecided(vec![format!("`{}`: {why}", call.tool)]))
}

/// Sends a read until it is answered, refused for good, or out of attempts.
async fn one(
    channel: Channel<'_>,
    call: &ReadCall<'_>,
    arguments: &Map<String, Value>,
) -> (ReadEnd, Vec<CallFact>) {
    let mut calls = Vec::new();
    let mut attempt = 1;
    loop {
        let letter = Letter {
            step: &call.step,
            tool: &call.tool,
            arguments,
            operation: call.operation,
            deadline: call.deadline,
        };
        let (outcome, fact) = match channel.send(letter).await {
            Ok(sent) => sent,
            Err(problem) => return (ReadEnd::Ends(Conclusion::Invalid(problem)), calls),
        };
        let (why, asked) = (fact.outcome.clone(), fact.retry_after);
        calls.push(fact);
        match again(&outcome, attempt, &call.retry, asked) {
            Some(wait) => {
                attempt += 1;
                channel.events.emit(&Event::Retried { step: call.step.clone(), attempt, why });
                tokio::time::sleep(wait).await;
            }
            None => return (judge(outcome, &call.tool), calls),
        }
    }
}

/// Whether, and after which pause, a read is sent again. The pause doubles with each attempt, and is never
/// shorter than the server asks for; one that asks for more than a minute is not waited for.
fn again(outcome: &Outcome, attempt: u32, retry: &Retry, asked: Option<Duration>) -> Option<Duration> {
    let passing = match outcome {
        Outcome::Applied(_) => false,
        Outcome::NotApplied(refusal) => {
            matches!(refusal.kind, RefusalKind::NotConnected | RefusalKind::RateLimited)
        }
        Outcome::Unknown(doubt) => matches!(doubt.kind, DoubtKind::NoAnswer | DoubtKind::ServerError),
    };
    let own = retry.delay.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST_PAUSE);
    let pause = asked.map_or(own, |asked| asked.max(own));
    (passing && attempt < retry.attempts && pause <= LONGEST_PAUSE).then_some(pause)
}

fn judge(outcome: Outcome, tool: &str) -> ReadEnd {
    match outcome {
        Outcome::Applied(answer) => ReadEnd::Answered(answer),
        Outcome::NotApplied(Refusal { kind: RefusalKind::NothingVisible, message }) => {
            ReadEnd::NothingVisible(message)
        }
        other => ReadEnd::Ends(conclusion(other, tool)),
    }
}

/// What a call that was not answered makes of a run that cannot go on without it.
pub(super) fn conclusion(outcome: Outcome, tool: &str) -> Conclusion {
    let said = |message: String| format!("`{tool}`: {message}");
    match outcome {
        Outcome::Applied(_) => Conclusion::Done,
        Outcome::NotApplied(Refusal { kind, message }) => match kind {
            RefusalKind::NotConnected => Conclusion::Unreachable(said(message)),
            RefusalKind::SignIn | RefusalKind::Tenant => Conclusion::SignIn(said(message)),
            RefusalKind::NothingVisible => Conclusion::Undecided(vec![said(message)]),
            RefusalKind::NeedsInput => Conclusion::NeedsInput(said(message)),
            RefusalKind::NotRecorded => Conclusion::Invalid(message),
            RefusalKind::RateLimited
            | RefusalKind::Conflict
            | RefusalKind::InProgress
            | RefusalKind::Refused => Conclusion::Refused(said(message)),
        },
        Outcome::Unknown(Doubt { kind, message }) => match kind {
            DoubtKind::NoAnswer | DoubtKind::Cancelled => Conclusion::Unreachable(said(message)),
            DoubtKind::ServerError | DoubtKind::UnknownResult => Conclusion::Refused(said(message)),
            DoubtKind::NeedsInput => Conclusion::NeedsInput(said(message)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry { attempts: 3, delay: Duration::from_secs(1) };

    fn doubt(kind: DoubtKind) -> Outcome {
        Outcome::Unknown(Doubt { kind, message: "m".into() })
    }

    fn refusal(kind: RefusalKind) -> Outcome {
        Outcome::NotApplied(Refusal { kind, message: "m".into() })
    }

    #[test]
    fn only_passing_trouble_is_tried_again_and_with_longer_pauses() {
        assert_eq!(again(&doubt(DoubtKind::NoAnswer), 1, &RETRY, None), Some(Duration::from_secs(1)));
        assert_eq!(again(&doubt(DoubtKind::ServerError), 2, &RETRY, None), Some(Duration::from_secs(2)));
        assert_eq!(again(&doubt(DoubtKind::NoAnswer), 3, &RETRY, None), None);
        assert_eq!(again(&refusal(RefusalKind::RateLimited), 1, &RETRY, None), Some(Duration::from_secs(1)));
        for (asked, waited) in [(0, Some(1)), (7, Some(7)), (60, Some(60)), (61, None)] {
            let asked = Some(Duration::from_secs(asked));
            let limited = again(&refusal(RefusalKind::RateLimited), 1, &RETRY, asked);
            assert_eq!(limited, waited.map(Duration::from_secs));
        }
        for outcome in [
            Outcome::Applied(ToolAnswer::default()),
            doubt(DoubtKind::NeedsInput),
            doubt(DoubtKind::UnknownResult),
            doubt(DoubtKind::Cancelled),
            refusal(RefusalKind::SignIn),
            refusal(RefusalKind::Tenant),
            refusal(RefusalKind::NothingVisible),
            refusal(RefusalKind::Refused),
        ] {
            assert_eq!(again(&outcome, 1, &RETRY, None), None, "{outcome:?}");
        }
    }

    #[test]
    fn what_is_not_visible_is_not_an_error_and_not_an_answer() {
        assert!(matches!(judge(refusal(RefusalKind::NothingVisible), "t"), ReadEnd::NothingVisible(_)));
        assert!(matches!(judge(refusal(RefusalKind::Tenant), "t"), ReadEnd::Ends(Conclusion::SignIn(_))));
        assert!(matches!(judge(doubt(DoubtKind::NoAnswer), "t"), ReadEnd::Ends(Conclusion::Unreachable(_))));
        assert!(matches!(judge(doubt(DoubtKind::ServerError), "t"), ReadEnd::Ends(Conclusion::Refused(_))));
        assert!(matches!(judge(doubt(DoubtKind::NeedsInput), "t"), ReadEnd::Ends(Conclusion::NeedsInput(_))));
    }
}
