//! How often a stream is taken up again.

use std::time::Duration;

use rmcp::transport::common::client_side_sse::SseRetryPolicy;

/// A few times in a row, with growing pauses; rmcp's own policy never gives up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reconnects;

/// In a row, before a stream is given up.
const MOST: usize = 5;
/// Before the first.
const PAUSE: Duration = Duration::from_millis(250);
/// Before any.
const LONGEST: Duration = Duration::from_secs(5);

impl SseRetryPolicy for Reconnects {
    fn retry(&self, times: usize) -> Option<Duration> {
        let doubled = u32::try_from(times).map_or(u32::MAX, |times| 2_u32.saturating_pow(times));
        (times < MOST).then(|| PAUSE.saturating_mul(doubled).min(LONGEST))
    }
}
