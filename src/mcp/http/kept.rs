//! The tokens that one source gives: fetched one at a time, each used as long as it is good.

use std::borrow::Cow;

use super::no_token::NoToken;
use super::token::Token;
use super::tokens::{Held, Need, Tokens};

/// What a source gave, and whether it gives any more.
#[derive(Default)]
pub(super) struct Kept {
    /// Locked while a token is fetched, so that one fetch is for all who wait.
    state: tokio::sync::Mutex<State>,
    tokens: Tokens,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Why the source gives none: it is not asked again.
    refused: Option<NoToken>,
}

impl Kept {
    /// Sees to it that a token is held that the next request can do with; `fetch` is only waited for where none is.
    pub async fn fetched(
        &self,
        need: &Need,
        fetch: impl Future<Output = Result<(Token, Held), NoToken>>,
    ) -> Result<(), NoToken> {
        let mut state = self.state.lock().await;
        if let Some(refused) = &state.refused {
            return Err(refused.clone());
        }
        let mut held = match state.held {
            Some(held) if held.does(need) => held,
            _ => match fetch.await {
                Ok((token, held)) => {
                    self.tokens.push(token);
                    held
                }
                Err(refused @ NoToken::Refused(_)) => return Err(state.refused.insert(refused).clone()),
                Err(other) => return Err(other),
            },
        };
        let taken = held.take(need);
        state.held = Some(held);
        taken
    }

    /// The token in use.
    pub fn token(&self) -> Option<Token> {
        self.tokens.last()
    }

    /// `text` without the tokens, which a server may echo.
    pub fn concealed<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        self.tokens.concealed(text)
    }

    pub fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        self.tokens.without_beginning(text)
    }
}
