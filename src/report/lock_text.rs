//! The tool lock for people.

use super::lock_view::{LockDone, LockView};
use crate::catalog::lock::Change;
use crate::core::Class;
use crate::core::text::visible;

/// What a lock came to, a change a line.
#[must_use]
pub fn lock_text(view: &LockView<'_>) -> String {
    let LockView { server, file, locked, changes, done, .. } = view;
    let (file, server) = (visible(file), visible(server));
    let reads = locked.tools.values().filter(|tool| tool.class == Class::Read).count();
    let all = locked.tools.len();
    let mut text = format!(
        "{file}: {all} tools of `{server}`, {reads} of them read, taken with the {} credential\n",
        locked.role
    );
    let (failing, told): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.fails);
    let (bad, rest) = match done {
        LockDone::Checked => ("fails", "only told"),
        LockDone::Written => ("changed and used", "changed"),
    };
    for (heading, changes) in [(bad, failing), (rest, told)] {
        for change in changes {
            let place = match (done, view.place(change)) {
                (LockDone::Checked, Some(place)) => format!(" {file}:{}:{}", place.line, place.column),
                _ => String::new(),
            };
            text.push_str(&format!("  {heading} [{}]{place}: {change}\n", change.code.as_str()));
        }
    }
    if changes.is_empty() && *done == LockDone::Checked {
        text.push_str("  the server offers what it says\n");
    }
    if *done == LockDone::Written {
        let (kept, lost) = view.set_by_people();
        for name in kept {
            text.push_str(&format!(
                "  look again: the class of `{}` is a person's, and the tool is not what it was\n",
                visible(name)
            ));
        }
        for name in lost {
            text.push_str(&format!("  lost: the class that a person had set of `{}`\n", visible(name)));
        }
    }
    text
}
