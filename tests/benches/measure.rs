//! What all benchmarks measure with.

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// As the program itself has it.
pub fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

pub fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(Duration, T)> {
    let begun = Instant::now();
    let done = work()?;
    Ok((begun.elapsed(), done))
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a count of at most a few million")]
pub fn float(count: usize) -> f64 {
    count as f64
}

/// The one in the middle; the upper one of two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
