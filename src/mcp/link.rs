//! What a session knows of its connection besides the messages: whether it is over, and why.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::timeout;

use super::asked::Asked;
use super::child::{Child, epitaph};
use super::ending::{End, Ending};
use super::http::{Clock, Faults, HttpServer, Need, NoToken};
use crate::core::call::Silence;

/// How long what is already on its way may take to arrive once the connection is over.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// One connection, seen from outside of the messages.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) ending: Ending,
    pub(super) child: Option<Child>,
    /// Over HTTP, what befell its requests.
    pub(super) faults: Option<Faults>,
    pub(super) asked: Asked,
    /// Over HTTP, who is signed in to.
    pub(super) server: Option<HttpServer>,
    /// Over HTTP, how far the server's clock is from ours.
    pub(super) clock: Clock,
}

impl Link {
    /// Sees to it that the next request carries a token that is good for as long as it needs, where it carries one.
    pub(super) async fn signed_in(&self, need: &Need) -> Result<(), NoToken> {
        match &self.server {
            Some(server) => server.signed_in(need).await,
            None => Ok(()),
        }
    }

    /// What `reply` gives, or `None` where the connection ended without it.
    ///
    /// A child's end counts as well as its output's: somebody it started may hold the output open.
    pub(super) async fn unless_over<T>(&self, reply: impl Future<Output = T>) -> Option<T> {
        let mut reply = std::pin::pin!(reply);
        tokio::select! {
            biased;
            reply = &mut reply => return Some(reply),
            () = self.ending.wait() => {}
            () = self.child_ended() => {}
        }
        timeout(GRACE, reply).await.ok()
    }

    /// How the child ended, where it did so within a moment, and what it wrote to standard error.
    pub(super) async fn last_of_child(&self) -> (Option<ExitStatus>, String) {
        let Some(child) = &self.child else { return (None, String::new()) };
        let status = timeout(GRACE, child.ended()).await.ok().flatten();
        (status, child.stderr())
    }

    /// Why no answer can come any more.
    pub(super) async fn silence(&self) -> Silence {
        match self.ending.get() {
            Some(End::Rubbish(what)) => Silence::Malformed(what),
            Some(End::TooLong(what)) => Silence::TooLarge(what),
            Some(End::Failed(how)) => Silence::Closed(how),
            Some(End::ByUs) => Silence::Closed("this process closed it".to_owned()),
            Some(End::Closed) | None if self.child.is_none() => {
                Silence::Closed("the server closed its side".to_owned())
            }
            Some(End::Closed) | None => {
                let (status, stderr) = self.last_of_child().await;
                Silence::Closed(epitaph(status, &stderr))
            }
        }
    }

    async fn child_ended(&self) {
        match &self.child {
            Some(child) => {
                child.ended().await;
            }
            None => std::future::pending().await,
        }
    }
}
