//! The tokens that somebody gave, one after the other, and how long the last of them is good.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::no_token::NoToken;
use super::token::Token;

/// A token that is good for less than this is fetched anew: a request waits for its turn, and clocks differ.
const MARGIN: Duration = Duration::from_secs(60);
/// How many tokens are remembered, so that none is shown: as many as requests may be under way.
const REMEMBERED: usize = 64;

/// What the next request needs of its token.
#[derive(Debug, Clone, Copy)]
pub(in crate::mcp) struct Need {
    /// The time limit for each connection to an issuer.
    pub connect: Duration,
    /// How long the request may take: so long the token must be good.
    pub lasts: Duration,
    /// For how long no other token is fetched then, because nothing may go wrong any more.
    pub kept: Duration,
}

impl Need {
    /// # Errors
    /// A token that expires then is not good for so long.
    pub(super) fn met_by(&self, expires: Option<Timestamp>) -> Result<(), NoToken> {
        let Some(expires) = expires else { return Ok(()) };
        let left = expires.duration_since(Timestamp::now());
        let wanted = SignedDuration::try_from(self.lasts.saturating_add(self.kept));
        if left > wanted.unwrap_or(SignedDuration::MAX) {
            return Ok(());
        }
        let told = if left.is_positive() {
            let most = self.lasts.as_millis();
            format!("expires at {expires:.0}, and a request may take {most} ms")
        } else {
            format!("expired at {expires:.0}")
        };
        Err(NoToken::Expired(told))
    }
}

/// The last tokens; the last of them is the one in use.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Vec<Token>>);

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, Vec<Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, token: Token) {
        let mut tokens = self.lock();
        if tokens.len() >= REMEMBERED {
            tokens.remove(0);
        }
        tokens.push(token);
    }

    /// The one in use.
    pub fn last(&self) -> Option<Token> {
        self.lock().last().cloned()
    }

    /// `text` without any of them.
    pub fn concealed<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        let mut concealed = text;
        for token in self.lock().iter() {
            if let Cow::Owned(without) = token.concealed(&concealed) {
                concealed = Cow::Owned(without);
            }
        }
        concealed
    }

    pub fn without_beginning<'t>(&self, text: &'t str) -> &'t str {
        self.lock().iter().fold(text, |text, token| token.without_beginning(text))
    }
}

/// How long the token in use is good.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// Until then; until the server refuses it where nobody says.
    until: Option<Timestamp>,
    /// Until then no other is fetched.
    kept: Option<Instant>,
}

impl Held {
    /// One that was asked for at `asked`, by the issuer's word on its lifetime, else by its own.
    pub fn given(token: &Token, asked: Timestamp, lifetime: Option<Duration>) -> Self {
        let until = match lifetime {
            Some(lifetime) => asked.checked_add(lifetime).ok(),
            None => token.expires(),
        };
        Self { until, kept: None }
    }

    /// Whether it does for a request without another being fetched.
    pub fn does(&self, need: &Need) -> bool {
        let kept = self.kept.is_some_and(|kept| Instant::now() < kept);
        let lasts = if kept { need.lasts } else { need.lasts.max(MARGIN) };
        Need { lasts, ..*need }.met_by(self.until).is_ok()
    }

    /// Takes it for a request.
    ///
    /// # Errors
    /// It is not good for so long.
    pub fn take(&mut self, need: &Need) -> Result<(), NoToken> {
        need.met_by(self.until)?;
        if !need.kept.is_zero() {
            self.kept = Instant::now().checked_add(need.kept);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(lasts: u64, kept: u64) -> Need {
        let seconds = Duration::from_secs;
        Need { connect: seconds(1), lasts: seconds(lasts), kept: seconds(kept) }
    }

    fn held(seconds: u64) -> Held {
        let token = Token::new("no-jwt").unwrap();
        Held::given(&token, Timestamp::now(), Some(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_token_is_renewed_early_and_used_as_long_as_it_is_good() {
        for (lifetime, lasts, does, is_good) in
            [(100, 20, true, true), (50, 20, false, true), (100, 120, false, false), (0, 20, false, false)]
        {
            let mut held = held(lifetime);
            assert_eq!(held.does(&need(lasts, 0)), does, "{lifetime} {lasts}");
            assert_eq!(held.take(&need(lasts, 0)).is_ok(), is_good, "{lifetime} {lasts}");
        }
    }

    #[test]
    fn a_token_that_is_kept_is_not_renewed_for_the_next_request() {
        let mut held = held(63);
        assert!(!held.does(&need(20, 5)), "63 s are less than 60 s and the 5 s that it is to be kept");
        held.take(&need(20, 5)).unwrap();
        assert!(held.does(&need(20, 0)));
        assert!(!held.does(&need(64, 0)), "kept or not, it must be good for as long");
    }

    #[test]
    fn what_is_said_of_an_expired_token_says_since_when() {
        let said =
            |expires: i64| need(20, 0).met_by(Timestamp::from_second(expires).ok()).unwrap_err().to_string();
        assert!(said(1_700_000_000).contains("expired at 2023-11-14T22:13:20Z"), "{}", said(1_700_000_000));
        let soon = said(Timestamp::now().as_second() + 5);
        assert!(soon.contains("and a request may take 20000 ms"), "{soon}");
    }
}
