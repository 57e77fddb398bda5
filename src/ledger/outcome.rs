//! What a run found out and could not record, as a file that the next run takes in.
//!
//! The file lies where anybody may have put it. So it is signed by a key that the run made for itself, whose public half
//! it recorded when it began: whoever has the ledger knows what that run wrote, and nobody else can write it.

use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::chain::{Draft, Head, link};
use super::error::LedgerError;
use super::store::Ledger;
use super::v1::{Event, Fact};
use crate::core::Digest;
use crate::core::json::{canonical, parse_strict};

/// The value of `format`.
const FORMAT: &str = "loopgate.outcome/1";

/// The key of one run, which never leaves the process.
pub struct OutcomeKey {
    pair: Ed25519KeyPair,
}

/// The file's text, less the signature.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    format: String,
    ledger: String,
    events: Vec<Event>,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    body: Value,
    signature: String,
}

/// Why a file is not taken in.
#[derive(Debug, Error)]
pub enum OutcomeError {
    /// It is no such file.
    #[error("it is no file of outcomes")]
    Form,
    /// It is of another ledger or effect.
    #[error("it belongs to another ledger or effect")]
    Other,
    /// It was not written by the run whose outcome it tells.
    #[error("the run whose outcomes it tells did not sign it")]
    Signature,
    /// The ledger has gone on since.
    #[error("the ledger has gone on without it")]
    Late,
    /// The ledger fails.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl OutcomeKey {
    /// Makes one; none where the system gives no randomness.
    #[must_use]
    pub fn new() -> Option<Self> {
        let bytes = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
        Ed25519KeyPair::from_pkcs8(bytes.as_ref()).ok().map(|pair| Self { pair })
    }

    /// Its public half, in hex.
    #[must_use]
    pub fn public(&self) -> String {
        hex(self.pair.public_key().as_ref())
    }

    /// The file that tells `drafts`, which belong behind `after`; none where they have no canonical form.
    #[must_use]
    pub fn file(
        &self,
        ledger: &str,
        chain: &Digest,
        after: Option<&Head>,
        drafts: Vec<Draft>,
    ) -> Option<Vec<u8>> {
        let (mut head, mut events) = (after.cloned(), Vec::new());
        for draft in drafts {
            let (event, next) = link(chain, head.as_ref(), draft).ok()?;
            head = Some(next);
            events.push(event);
        }
        let body = Body { format: FORMAT.to_owned(), ledger: ledger.to_owned(), events };
        let body = serde_json::to_value(body).ok()?;
        let signature = hex(self.pair.sign(canonical(&body).ok()?.as_bytes()).as_ref());
        let file = serde_json::to_value(Signed { body, signature }).ok()?;
        canonical(&file).ok().map(String::into_bytes)
    }
}

/// Takes in what a file tells of `chain`, where it fits: gives how many events were added, none where they are there
/// already.
///
/// # Errors
/// It is not what that run wrote, or fits no more; the ledger fails.
pub fn take_in(ledger: &mut Ledger, chain: &Digest, bytes: &[u8]) -> Result<usize, OutcomeError> {
    let value = parse_strict(bytes).map_err(|_| OutcomeError::Form)?;
    let Signed { body, signature } = serde_json::from_value(value).map_err(|_| OutcomeError::Form)?;
    let signed = canonical(&body).map_err(|_| OutcomeError::Form)?;
    let Body { format, ledger: id, events } = serde_json::from_value(body).map_err(|_| OutcomeError::Form)?;
    let tells = |event: &Event| matches!(event.fact, Fact::Outcome { .. } | Fact::Accepted { .. });
    let Some(first) = events.first().filter(|_| format == FORMAT && events.iter().all(tells)) else {
        return Err(OutcomeError::Form);
    };
    if id != ledger.id() || events.iter().any(|event| event.chain != *chain || event.run != first.run) {
        return Err(OutcomeError::Other);
    }
    let mut state = ledger.state(chain)?;
    let key = state.run(&first.run).and_then(|run| bytes_of(run.began.outcome_key.as_deref()?));
    let signature = bytes_of(&signature).ok_or(OutcomeError::Form)?;
    let key = key.ok_or(OutcomeError::Signature)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| OutcomeError::Signature)?;
    let digest = first.digest().map_err(|_| OutcomeError::Form)?;
    if ledger.contains(&digest)? {
        return Ok(0);
    }
    let after = state.head.clone();
    if events.iter().any(|event| state.take(event).is_err()) {
        return Err(OutcomeError::Late);
    }
    let drafts = events.into_iter().map(|Event { at, run, fact, .. }| Draft { at, run, fact }).collect();
    match ledger.append(chain, after.as_ref(), drafts) {
        Ok(events) => Ok(events.len()),
        Err(LedgerError::Moved { .. }) => Err(OutcomeError::Late),
        Err(error) => Err(error.into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sample::{self, document, draft, drafts};

    /// A ledger in which a run has begun with that key and sent something, the end of its chain, and the outcome that is
    /// missing.
    fn ledger(folder: &tempfile::TempDir, key: Option<&OutcomeKey>) -> (Ledger, Head, Draft) {
        let mut ledger = Ledger::create(&folder.path().join("ledger.db")).unwrap();
        let mut all = drafts(ledger.id());
        all.truncate(9);
        let outcome = all.pop().unwrap();
        for draft in &mut all {
            if let Fact::Began(began) = &mut draft.fact {
                began.outcome_key = key.map(OutcomeKey::public);
            }
        }
        ledger.append(&document().effect_digest, None, all).unwrap();
        let head = ledger.state(&document().effect_digest).unwrap().head.unwrap();
        (ledger, head, outcome)
    }

    #[test]
    fn what_a_run_could_not_record_is_taken_in_once() {
        let (folder, key) = (tempfile::tempdir().unwrap(), OutcomeKey::new().unwrap());
        let chain = document().effect_digest;
        let (mut ledger, head, outcome) = ledger(&folder, Some(&key));
        let file = key.file(ledger.id(), &chain, Some(&head), vec![outcome.clone()]).unwrap();
        assert!(ledger.state(&chain).unwrap().has_unknown());
        assert_eq!(take_in(&mut ledger, &chain, &file).unwrap(), 1);
        assert!(!ledger.state(&chain).unwrap().has_unknown());
        assert_eq!(take_in(&mut ledger, &chain, &file).unwrap(), 0);
        assert_eq!(ledger.chain(&chain).unwrap().last().unwrap().fact, outcome.fact);
    }

    #[test]
    fn what_the_run_itself_did_not_write_is_not_taken_in() {
        let chain = document().effect_digest;
        let key = OutcomeKey::new().unwrap();
        let refused = |with: Option<&OutcomeKey>, change: &dyn Fn(Vec<u8>, &Ledger) -> Vec<u8>| {
            let folder = tempfile::tempdir().unwrap();
            let (mut ledger, head, outcome) = ledger(&folder, with);
            let file = key.file(ledger.id(), &chain, Some(&head), vec![outcome]).unwrap();
            let file = change(file, &ledger);
            let error = take_in(&mut ledger, &chain, &file).unwrap_err();
            assert!(ledger.state(&chain).unwrap().has_unknown());
            error
        };
        let same = |file: Vec<u8>, _: &Ledger| file;
        let text = |file: &[u8]| String::from_utf8(file.to_vec()).unwrap();
        let other = OutcomeKey::new().unwrap();
        for with in [None, Some(&other)] {
            assert!(matches!(refused(with, &same), OutcomeError::Signature));
        }
        let changed = |file: Vec<u8>, _: &Ledger| text(&file).replace("STORY-1", "STORY-2").into_bytes();
        assert!(matches!(refused(Some(&key), &changed), OutcomeError::Signature));
        let elsewhere =
            |file: Vec<u8>, ledger: &Ledger| text(&file).replace(ledger.id(), sample::LEDGER).into_bytes();
        assert!(matches!(refused(Some(&key), &elsewhere), OutcomeError::Other));
        let record = |_: Vec<u8>, ledger: &Ledger| {
            let fact = sample::recorded(sample::approval());
            key.file(ledger.id(), &chain, None, vec![draft(90, "first", fact)]).unwrap()
        };
        assert!(matches!(refused(Some(&key), &record), OutcomeError::Form));
        let nothing = |_: Vec<u8>, _: &Ledger| b"{}".to_vec();
        assert!(matches!(refused(Some(&key), &nothing), OutcomeError::Form));
    }

    #[test]
    fn behind_a_ledger_that_went_on_nothing_is_taken_in() {
        let (folder, key) = (tempfile::tempdir().unwrap(), OutcomeKey::new().unwrap());
        let chain = document().effect_digest;
        let (mut ledger, head, outcome) = ledger(&folder, Some(&key));
        let file = key.file(ledger.id(), &chain, Some(&head), vec![outcome]).unwrap();
        let next = draft(95, "second", sample::began(ledger.id()));
        ledger.append(&chain, Some(&head), vec![next]).unwrap();
        assert!(matches!(take_in(&mut ledger, &chain, &file), Err(OutcomeError::Late)));
    }
}
