//! The asynchronous runtime that commands run in: one thread, as they do one thing at a time.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::fault::Fault;

/// How long nothing is said while something goes on.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// A runtime with everything that a connection needs.
pub(super) fn runtime() -> Result<Runtime, Fault> {
    Builder::new_current_thread().enable_all().build().map_err(Fault::internal)
}

/// Does `work`, and says that it goes on each time that `every` has passed.
pub(super) async fn telling<T>(work: impl Future<Output = T>, every: Duration, say: impl Fn()) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(every) => say(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::Notify;

    #[test]
    fn long_work_is_told_of_again_and_again_and_its_result_is_kept() {
        let (count, enough) = (Cell::new(0), Notify::new());
        let say = || {
            count.set(count.get() + 1);
            if count.get() == 3 {
                enough.notify_one();
            }
        };
        let work = async {
            enough.notified().await;
            "done"
        };
        let done = runtime().unwrap().block_on(telling(work, Duration::from_millis(1), say));
        assert_eq!((done, count.get()), ("done", 3));
    }

    #[test]
    fn short_work_is_not_told_of() {
        let say = || panic!("nothing was long");
        assert_eq!(runtime().unwrap().block_on(telling(async { 7 }, Duration::ZERO, say)), 7);
    }
}
