//! Why a recording does not answer a call: which of its calls is nearest, and where that differs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::replay::counted;
use super::v1::Call;
use crate::core::difference::{Difference, differences};
use crate::core::text::{excerpt, visible};

/// Differences that are told, and counted to find the nearest.
const TOLD: usize = 3;
const COUNTED: usize = 100;
/// Calls of one tool that are looked at.
const LOOKED_AT: usize = 1_000;
/// How much of a value, and how many names of tools, a message shows.
const SHOWN: usize = 80;
const NAMES: usize = 10;

/// Why none of `calls` answers this one, in words.
pub(super) fn nearest(
    tool: &str,
    tenant: Option<&str>,
    arguments: &Map<String, Value>,
    calls: &[Call],
) -> String {
    let lead = format!("the recording does not have this call of `{}`", excerpt(tool, SHOWN));
    let made = json!({"arguments": arguments, "tenant": tenant});
    let same_tool = calls.iter().enumerate().filter(|(_, call)| call.tool == tool).take(LOOKED_AT);
    let looked_at = same_tool.map(|(place, call)| {
        let recorded = json!({"arguments": call.arguments, "tenant": call.tenant});
        (differences(&recorded, &made, COUNTED), place)
    });
    let why = match looked_at.min_by_key(|(differences, place)| (differences.len(), *place)) {
        None => {
            let called: BTreeSet<&str> = calls.iter().map(|call| call.tool.as_str()).collect();
            let named: Vec<String> =
                called.iter().take(NAMES).map(|name| format!("`{}`", excerpt(name, SHOWN))).collect();
            match called.len() {
                0 => "it has no calls at all".to_owned(),
                1..=NAMES => format!("it calls only {}", named.join(", ")),
                more => format!("it calls {} and {} more", named.join(", "), more.saturating_sub(NAMES)),
            }
        }
        Some((differences, _)) if differences.is_empty() => {
            let alike = calls.iter().filter(|call| {
                let recorded = json!({"arguments": call.arguments, "tenant": call.tenant});
                call.tool == tool && self::differences(&recorded, &made, 1).is_empty()
            });
            format!("it was made {} there, and this is one more", counted(alike.count(), "time"))
        }
        Some((differences, place)) => {
            let more = differences.len().saturating_sub(TOLD);
            let mut told: Vec<String> = differences.iter().take(TOLD).map(in_words).collect();
            if more > 0 {
                told.push(format!("and {} more", counted(more, "difference")));
            }
            format!("the nearest, `/calls/{place}`, has {}", told.join("; "))
        }
    };
    format!("{lead}: {why}; where the recipe is right, record anew with `--record`")
}

fn in_words(Difference { at, one, other }: &Difference) -> String {
    let value = |value: &Option<Value>| match value {
        Some(value) => format!("`{}`", excerpt(&value.to_string(), SHOWN)),
        None => "nothing".to_owned(),
    };
    format!("at `{}` {} and not {}", visible(at), value(one), value(other))
}
