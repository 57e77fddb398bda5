//! Many runners on many artifacts at once, with one ledger in a database.

#![cfg(unix)]

use crate::appliers::Appliers;
use crate::database::there;

#[test]
fn many_appliers_on_many_artifacts_at_once_write_each_once_and_report_the_same() {
    let Some(cluster) = there() else { return };
    let appliers = Appliers::ready(cluster, 12);
    let all = appliers.apply(8, |artifact| artifact % 2 == 0);
    assert_eq!(all.len(), 24);
    appliers.hold(&all);
    let busy = all.iter().filter(|applied| applied.ran.code == 42).count();
    println!("{}; {busy} gave up", appliers.fairness(&all));
}
