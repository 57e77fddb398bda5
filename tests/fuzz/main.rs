//! One target, fed by libFuzzer: `LOOPGATE_FUZZ` names it, the arguments are libFuzzer's.

#![no_main]

mod targets;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// The target that is named.
static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("LOOPGATE_FUZZ").expect("LOOPGATE_FUZZ names a target");
    let target = targets::TARGETS.into_iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target is called `{name}`")).1
});

fuzz_target!(|data: &[u8]| TARGET(data));
