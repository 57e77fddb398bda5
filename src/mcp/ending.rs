//! Why a connection is over: said once, seen by everybody who waits on it.

use std::sync::Arc;

use tokio::sync::watch;

/// Why nothing more comes over a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The server closed its side.
    Closed,
    /// Reading failed.
    Failed(String),
    /// The server sent something that is not MCP; the text says what.
    Rubbish(String),
    /// The server sent a message beyond the limit.
    TooLong(String),
    /// This process closed the connection.
    ByUs,
}

/// The end of one connection, shared by all who use it. The first reason stays.
#[derive(Debug, Clone)]
pub(super) struct Ending(Arc<watch::Sender<Option<End>>>);

impl Default for Ending {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Ending {
    /// Says that the connection is over.
    pub(super) fn set(&self, end: End) {
        self.0.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(end);
            }
            first
        });
    }

    /// Why the connection is over, if it is.
    pub(super) fn get(&self) -> Option<End> {
        self.0.borrow().clone()
    }

    /// Waits until the connection is over.
    pub(super) async fn wait(&self) {
        // It cannot fail while `self` holds the sender.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stays() {
        let ending = Ending::default();
        assert_eq!(ending.get(), None);
        ending.set(End::Rubbish("x".into()));
        ending.set(End::Closed);
        ending.wait().await;
        assert_eq!(ending.get(), Some(End::Rubbish("x".into())));
    }
}
