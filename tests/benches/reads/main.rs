//! What reading costs: beside `rmcp` alone, beside parsing, and beside what people would use instead.
//!
//! What is compared is made side by side, in turns. Ratios are of neighbours and their median is shown, with the
//! ratios between which half of them lie; the absolute times are of this machine at this moment and are no promise.

mod analysis;
mod bare;
mod calls;
mod cold;
mod instead;
#[path = "../measure.rs"]
mod measure;
mod pairs;
mod served;

use std::path::Path;

use measure::{Outcome, say};

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["bare", script, out] => return bare::run(Path::new(script), Path::new(out)),
        ["memory", what, nodes] => return analysis::memory(what, nodes.parse()?),
        _ => {}
    }
    // Where the build is, not where memory passes for a disk.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    // All of them, or those that are named behind `--`.
    let wanted = |name: &str| {
        let named: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
        named.is_empty() || named.iter().any(|wanted| *wanted == name)
    };
    if wanted("cold") {
        cold::measure(folder.path())?;
    }
    if wanted("calls") {
        calls::measure(folder.path())?;
    }
    if wanted("analysis") {
        analysis::measure()?;
    }
    if wanted("instead") {
        instead::measure(folder.path())?;
    }
    let bytes = fs_err::metadata(served::PROGRAM)?.len();
    say(&format!("the program as it was measured: {:.1} MB", megabytes(bytes)))
}

#[expect(clippy::cast_precision_loss, reason = "a few digits are shown")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
