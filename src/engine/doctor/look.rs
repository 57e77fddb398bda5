//! The reads that a recipe has for telling whether its writes took place.

use super::chart::Heard;
use super::reads::WORKFLOW;
use super::result::{Called, Check, Examination};
use super::writes::Room;
use crate::artifact::Artifact;
use crate::core::Digest;
use crate::engine::arguments::read_tool;
use crate::engine::channel::Channel;
use crate::engine::checking::says_so;
use crate::engine::read::{ReadCall, ReadEnd, read};
use crate::engine::target::{Caller, Target};
use crate::recipe::Retry;

/// What the reads said that tell whether the operations took place.
pub(super) struct Looked {
    /// Whether one of them did, by the first that says so; none where nobody can say.
    pub first: Option<bool>,
    why: Option<String>,
    /// Digests of the answers.
    pub answers: Vec<Digest>,
    pub called: Vec<Called>,
}

/// Makes the reads that tell whether the operations of a plan took place.
pub(super) async fn look(artifact: &Artifact, target: &Target, room: &Room<'_>) -> Looked {
    let mut looked = Looked { first: None, why: None, answers: Vec::new(), called: Vec::new() };
    let Some(tools) = &room.ready.tools else { return looked };
    let heard = Heard::default();
    let caller = Caller {
        profile: &target.profile,
        tenant: room.ready.tenant.as_deref(),
        workflow: WORKFLOW,
        trace: room.trace,
    };
    let channel = Channel { session: room.session, caller: &caller, tools, events: &heard };
    for operation in artifact.operations() {
        let Some(reconcile) = &operation.reconcile else { continue };
        if let Err(why) = read_tool(tools, &reconcile.tool, &reconcile.arguments) {
            looked.why.get_or_insert(why);
            continue;
        }
        let call = ReadCall {
            step: operation.id.clone(),
            tool: reconcile.tool.clone(),
            arguments: reconcile.arguments.clone(),
            operation: None,
            pages: None,
            deadline: room.session.limits().call,
            retry: Retry::default(),
        };
        match read(channel, &call).await.0 {
            ReadEnd::Answered(answer) => {
                looked.answers.push(Digest::of_foreign_json("loopgate.answer/1", &answer.plain()));
                let found = says_so(&reconcile.found, &answer);
                looked.first = Some(looked.first.unwrap_or_default() || found);
            }
            ReadEnd::NothingVisible(_) => looked.first = Some(looked.first.unwrap_or_default()),
            ReadEnd::Ends(conclusion) => {
                looked.why.get_or_insert(conclusion.message());
            }
        }
    }
    looked.called = heard.take();
    looked
}

/// Of a dry run that the server confirmed. `marked` says whether nothing that was there before can be taken for it.
pub(super) fn dry_run_created(looked: &Looked, marked: bool) -> Examination {
    let check = Check::DryRun;
    let confirmed = "the server confirms a dry run";
    match (looked.first, &looked.why) {
        (Some(true), _) if !marked => Examination::undecided(
            check,
            "the read that tells whether it took place finds it, and may have found it before: the recipe has no input \
             `mark`, or it was given",
        ),
        (Some(true), _) => Examination::failed(
            check,
            "the server confirms a dry run, and the read that tells whether it took place finds it",
        ),
        (Some(false), None) => Examination::passed(
            check,
            format!("{confirmed}, and the read that tells whether it took place finds nothing"),
        ),
        (_, Some(why)) => Examination::passed(check, confirmed)
            .but(format!("whether it created anything under an ID that it does not name: {why}")),
        (None, None) => Examination::passed(check, confirmed).but(
            "whether it created anything under an ID that it does not name: the recipe has no `reconcile` read",
        ),
    }
}
