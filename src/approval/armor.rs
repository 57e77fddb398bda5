//! Records as text that survives a comment, a mail or a chat: armored blocks, and how they are found again.
//!
//! Whoever may write a comment may write a block, and a record in a comment is not the word of anybody who may
//! write to a folder: where a folder's revocation counts by being there, one in a text counts only signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::filed::{ApprovalsError, merged, parse};
use super::policy::Policy;
use super::record::MAX_BYTES;
use super::signature::{SignatureError, signer};
use super::signers::{Signers, SignersError};
use super::v1::{Assurance, Decision, Filed};
use crate::core::Digest;
use crate::core::json::canonical;

/// The line that a block begins with.
pub const BEGIN: &str = "-----BEGIN LOOPGATE APPROVAL-----";
/// The line that a block ends with.
pub const END: &str = "-----END LOOPGATE APPROVAL-----";

/// The most blocks that are taken from one text.
pub const MAX_BLOCKS: usize = 10_000;
/// The most characters between the two lines: a record and a signature of its size, in Base64.
const MAX_BASE64: usize = 2 * MAX_BYTES / 3 * 4 + 4;
/// The characters of a line.
const WIDTH: usize = 64;

/// What a text brought.
#[derive(Debug, Default)]
pub struct Brought {
    /// The records that may count, each once, in the order of their IDs.
    pub filed: Vec<Filed>,
    /// For each block that was left out, the line that it begins on and why.
    pub left_out: Vec<(usize, BlockFlaw)>,
}

/// More blocks than anybody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there are more than {MAX_BLOCKS} armored blocks")]
pub struct TooManyBlocks;

/// Why a block is left out.
#[derive(Debug, Error)]
pub enum BlockFlaw {
    /// Another block begins, or the text ends, before it does.
    #[error("it has no end")]
    NoEnd,
    /// More than a record and its signature.
    #[error("it is longer than any record")]
    TooLong,
    /// Something in it is not of the encoding.
    #[error("it is not Base64")]
    Encoding,
    /// What it holds is no record.
    #[error("it holds no record: {0}")]
    Record(ApprovalsError),
    /// It holds more than the one.
    #[error("it holds more than one record")]
    Several,
    /// About something else.
    #[error("it is about another effect, {0}")]
    OtherEffect(String),
    /// Nobody signed it, and something must show whose word it is.
    #[error("it is not signed")]
    NotSigned,
    /// The policy names nobody who may sign.
    #[error("the policy names no signers")]
    NoSigners,
    /// Whom it names cannot be told.
    #[error("its signature does not verify: {0}")]
    Signers(#[from] SignersError),
    /// The signature shows nothing.
    #[error("its signature does not verify: {0}")]
    Signature(#[from] SignatureError),
}

/// `filed` as an armored block: Base64 of its canonical JSON between two lines.
#[must_use]
pub fn armored(filed: &Filed) -> String {
    // Nothing but texts is in it, so it can always be written.
    let value = serde_json::to_value(filed).unwrap_or_default();
    let encoded = STANDARD.encode(canonical(&value).unwrap_or_default());
    let mut block = format!("{BEGIN}\n");
    for (at, character) in encoded.chars().enumerate() {
        if at > 0 && at % WIDTH == 0 {
            block.push('\n');
        }
        block.push(character);
    }
    block.push_str(&format!("\n{END}\n"));
    block
}

/// Whether a line of `text` begins a block.
#[must_use]
pub fn has_blocks(text: &str) -> bool {
    text.lines().any(|line| unquoted(line) == BEGIN)
}

/// The records of `effect` in `text` that may count under `policy`. Signed ones count where the signature is by
/// one of the policy's signers; unsigned ones only where they approve and the policy accepts what is asserted.
///
/// # Errors
/// More blocks than anybody wrote.
pub fn brought(text: &str, effect: &Digest, policy: Option<&Policy>) -> Result<Brought, TooManyBlocks> {
    let mut found = Brought::default();
    let signers = policy.and_then(|policy| policy.signers.as_deref()).map(Signers::parse);
    for (line, content) in blocks(text)? {
        let opened = content.and_then(|content| opened(&content));
        match opened.and_then(|filed| may_count(&filed, effect, policy, signers.as_ref()).map(|()| filed)) {
            Ok(filed) => found.filed.push(filed),
            Err(flaw) => found.left_out.push((line, flaw)),
        }
    }
    found.filed = merged(found.filed);
    Ok(found)
}

/// A block: its line, and the Base64 in it.
type Block = (usize, Result<String, BlockFlaw>);

/// The blocks of `text`, with quotation marks, indentation and blanks taken out.
fn blocks(text: &str) -> Result<Vec<Block>, TooManyBlocks> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, content) in text.lines().enumerate().map(|(at, line)| (at + 1, unquoted(line))) {
        match content {
            BEGIN => {
                blocks.extend(open.take().map(|(line, _)| (line, Err(BlockFlaw::NoEnd))));
                open = Some((line, Ok(String::new())));
            }
            END => blocks.extend(open.take()),
            _ => {
                if let Some((_, inside)) = &mut open
                    && let Ok(encoded) = inside
                {
                    encoded.extend(content.chars().filter(|c| !c.is_whitespace()));
                    if encoded.len() > MAX_BASE64 {
                        *inside = Err(BlockFlaw::TooLong);
                    }
                }
            }
        }
        if blocks.len() > MAX_BLOCKS {
            return Err(TooManyBlocks);
        }
    }
    blocks.extend(open.map(|(line, _)| (line, Err(BlockFlaw::NoEnd))));
    Ok(blocks)
}

/// A line without what quotes it in a mail or a comment.
fn unquoted(line: &str) -> &str {
    line.trim_start_matches(|c: char| c == '>' || c.is_whitespace()).trim_end()
}

fn opened(encoded: &str) -> Result<Filed, BlockFlaw> {
    let bytes = STANDARD.decode(encoded).map_err(|_| BlockFlaw::Encoding)?;
    let mut filed = parse("the block", &bytes).map_err(BlockFlaw::Record)?.into_iter();
    match (filed.next(), filed.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(BlockFlaw::Several),
    }
}

fn may_count(
    filed: &Filed,
    effect: &Digest,
    policy: Option<&Policy>,
    signers: Option<&Result<Signers, SignersError>>,
) -> Result<(), BlockFlaw> {
    let Filed { record, signature } = filed;
    if record.effect_digest != *effect {
        return Err(BlockFlaw::OtherEffect(record.effect_digest.short()));
    }
    let Some(armored) = signature else {
        let accepts = policy.is_some_and(|policy| policy.accept.contains(&Assurance::Asserted));
        let is_asserted = accepts && signers.is_none() && record.platform.is_none();
        let approves = matches!(record.decision, Decision::Approve { .. });
        return if is_asserted && approves { Ok(()) } else { Err(BlockFlaw::NotSigned) };
    };
    let signers = signers.ok_or(BlockFlaw::NoSigners)?.as_ref().map_err(|error| error.clone())?;
    Ok(signer(&record.bytes(), armored, signers, record.time).map(|_| ())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::sample::{approve, decided, effect, filed, records};
    use crate::approval::sign::sign;
    use crate::approval::sign::tests::{Keys, keygen};
    use crate::approval::v1::Record;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn asserted() -> Policy {
        Policy::for_sandbox()
    }

    fn found(text: &str) -> Brought {
        brought(text, &effect(), Some(&asserted())).unwrap()
    }

    fn why(text: &str) -> Vec<(usize, String)> {
        found(text).left_out.iter().map(|(line, flaw)| (*line, flaw.to_string())).collect()
    }

    #[test]
    fn a_block_gives_the_record_that_was_put_into_it() {
        for record in records() {
            for signature in [None, Some("-----BEGIN SSH SIGNATURE-----\nU1NI\n".to_owned())] {
                let one = Filed { record: record.clone(), signature };
                let block = armored(&one);
                assert!(block.is_ascii() && block.lines().all(|line| line.len() <= WIDTH), "{block}");
                let found = blocks(&block).unwrap();
                let [(1, Ok(content))] = found.as_slice() else { panic!("{found:?}") };
                assert_eq!(opened(content).unwrap(), one);
            }
        }
    }

    #[test]
    fn every_block_of_a_conversation_is_found_however_it_is_quoted() {
        let (alice, bob) = (filed(approve("alice")), filed(approve("bob")));
        let quoted: String = armored(&bob).lines().map(|line| format!("> > {line}\r\n")).collect();
        let fenced: String = armored(&alice).lines().map(|line| format!("    {line} \n")).collect();
        let text = format!(
            "{{ looks like JSON\nLGTM!\n```\n{fenced}```\nOn Monday she wrote:\r\n{quoted}\u{1b}[2J\n{}",
            armored(&alice)
        );
        assert!(has_blocks(&text) && !has_blocks("LGTM!") && !has_blocks(&format!("see {BEGIN}")));
        let mut expected = vec![alice, bob];
        expected.sort_by(|one, other| one.record.id.cmp(&other.record.id));
        let found = found(&text);
        assert!(found.left_out.is_empty(), "{found:?}");
        assert_eq!(found.filed, expected);
    }

    #[test]
    fn what_is_no_record_is_left_out_with_its_line_and_harms_none() {
        let good = armored(&filed(approve("alice")));
        let block = |content: &str| format!("{BEGIN}\n{content}\n{END}\n");
        let encoded = |text: &str| block(&STANDARD.encode(text));
        let damaged = String::from_utf8(approve("bob").bytes()).unwrap().replace("bob", "eve");
        let two = [approve("bob").bytes(), approve("carol").bytes()].concat();
        for (bad, says) in [
            (block(""), "it holds no record: `the block` holds no record"),
            (block("%%%"), "it is not Base64"),
            (block("AAA"), "it is not Base64"),
            (encoded("{}"), "has the format `none`"),
            (encoded("\u{1b}"), "it holds no record: `the block`: line 1"),
            (encoded(&damaged), "is not what was written"),
            (block(&STANDARD.encode(two)), "it holds more than one record"),
            (block(&"A".repeat(MAX_BASE64 + 1)), "it is longer than any record"),
            (format!("{BEGIN}\nAAAA\n"), "it has no end"),
        ] {
            for text in [format!("a\n{bad}{good}"), format!("a\n{bad}{good}{END}\n{END}\n")] {
                let told = why(&text);
                assert!(told.len() == 1 && told[0].0 == 2 && told[0].1.contains(says), "{says}: {told:?}");
                assert_eq!(found(&text).filed.len(), 1, "{says}");
            }
        }
        assert_eq!(
            why(&format!("{good}{BEGIN}\n")),
            [(good.lines().count() + 1, "it has no end".to_owned())]
        );
    }

    #[test]
    fn more_blocks_than_anybody_wrote_are_refused() {
        let text = format!("{BEGIN}\n{END}\n").repeat(MAX_BLOCKS);
        assert_eq!(found(&text).left_out.len(), MAX_BLOCKS);
        let more = format!("{text}{BEGIN}\n{END}\n");
        assert_eq!(brought(&more, &effect(), None).unwrap_err(), TooManyBlocks);
    }

    #[test]
    fn a_stranger_neither_approves_nor_stops_anything_by_a_comment() {
        let revoke = Decision::Revoke { approval: approve("alice").id };
        let unsigned = [
            decided("eve", revoke),
            decided("eve", Decision::Reject {}),
            records().into_iter().find(|record| record.platform.is_some()).unwrap(),
        ];
        for record in unsigned {
            assert_eq!(why(&armored(&filed(record)))[0].1, "it is not signed");
        }
        let approval = armored(&filed(approve("eve")));
        assert_eq!(found(&approval).filed.len(), 1, "the policy accepts what is asserted");
        let signed_only = Policy { accept: BTreeSet::from([Assurance::Signed]), ..asserted() };
        let with_signers = Policy { signers: Some(String::new()), ..asserted() };
        for policy in [None, Some(&signed_only), Some(&with_signers)] {
            let found = brought(&approval, &effect(), policy).unwrap();
            assert!(found.filed.is_empty());
            assert_eq!(found.left_out[0].1.to_string(), "it is not signed");
        }
        let other = brought(&approval, &Digest::of_bytes(b"other"), Some(&asserted())).unwrap();
        assert!(other.left_out[0].1.to_string().starts_with("it is about another effect, sha256:"));
    }

    #[test]
    fn a_signature_counts_that_one_of_the_signers_made_over_this_record() {
        if !keygen() {
            return;
        }
        let keys = Keys::new("ed25519");
        let policy = |lines: String| Policy { signers: Some(lines), ..asserted() };
        let signed = |record: Record, key: &str| {
            let signature = Some(sign(&record.bytes(), &keys.key(key)).unwrap());
            Filed { record, signature }
        };
        let alices = policy(keys.line("alice", "one", ""));
        let left_out = |one: &Filed, policy: &Policy| {
            let found = brought(&armored(one), &effect(), Some(policy)).unwrap();
            assert_eq!(found.filed.len() + found.left_out.len(), 1);
            found.left_out.first().map(|(_, flaw)| flaw.to_string())
        };
        for record in records() {
            assert_eq!(left_out(&signed(record.clone(), "one"), &alices), None);
            let why = left_out(&signed(record, "two"), &alices).unwrap();
            assert!(why.contains("is not one of the signers'"), "{why}");
        }
        let swapped = Filed { signature: signed(approve("alice"), "one").signature, ..filed(approve("bob")) };
        assert_eq!(
            left_out(&swapped, &alices).as_deref(),
            Some("its signature does not verify: it is not over this record")
        );
        let alice = signed(approve("alice"), "one");
        assert_eq!(left_out(&alice, &asserted()).as_deref(), Some("the policy names no signers"));
        assert!(left_out(&alice, &policy("?".to_owned())).unwrap().contains("line 1 of the signers"));
    }

    proptest! {
        #[test]
        fn a_changed_character_never_makes_another_record(at in any::<prop::sample::Index>(), to in any::<char>()) {
            let block = armored(&filed(approve("alice")));
            let mut characters: Vec<char> = block.chars().collect();
            let at = at.index(characters.len());
            characters[at] = to;
            let text: String = characters.into_iter().collect();
            for one in found(&text).filed {
                prop_assert_eq!(one, filed(approve("alice")));
            }
        }

        #[test]
        fn any_text_around_a_block_leaves_it_be(before in "(?s).{0,200}", after in "(?s).{0,200}") {
            let text = format!("{before}\n{}{after}", armored(&filed(approve("alice"))));
            prop_assert_eq!(found(&text).filed, vec![filed(approve("alice"))]);
        }
    }
}
