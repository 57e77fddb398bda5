//! Text that came back, without what was never to be shown.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// `text` without `secret`, in whose place `instead` stands; as it is, with its slashes escaped as JSON allows, or
/// as a JSON string holds it.
pub(super) fn concealed<'t>(text: &'t str, secret: &str, instead: &str) -> Cow<'t, str> {
    if secret.is_empty() {
        return Cow::Borrowed(text);
    }
    let slashes = secret.replace('/', "\\/");
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    let quoted = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let mut concealed = Cow::Borrowed(text);
    for shape in [secret, &slashes, quoted, &quoted.replace('/', "\\/")] {
        if !shape.is_empty() && concealed.contains(shape) {
            concealed = Cow::Owned(concealed.replace(shape, instead));
        }
    }
    concealed
}

/// `secret` as URLs and forms hold it, and in Base64: the shapes of it that are not text in JSON.
pub(in crate::mcp) fn encoded(secret: &str) -> Vec<String> {
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let base64 = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|base64| base64.encode(secret));
    let mut shapes: Vec<String> =
        [form.replace('+', "%20"), form].iter().flat_map(|form| [form.clone(), small(form)]).collect();
    shapes.extend(base64);
    shapes.retain(|shape| shape != secret);
    shapes
}

/// A form's text with its escapes in small letters, which some write.
fn small(form: &str) -> String {
    let mut parts = form.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| match part.split_at_checked(2) {
        Some((digits, rest)) => all + "%" + &digits.to_ascii_lowercase() + rest,
        None => all + "%" + part,
    })
}

/// So many characters of a secret at the end of a text may be there by chance.
const BY_CHANCE: usize = 3;

/// `text`, which may break off anywhere, without what may be the beginning of `secret` at its end.
pub(in crate::mcp) fn without_beginning<'t>(text: &'t str, secret: &str) -> &'t str {
    let longest = secret.len().min(text.len());
    let begins = |length: &usize| secret.get(..*length).is_some_and(|beginning| text.ends_with(beginning));
    let beginning = (BY_CHANCE + 1..=longest).rev().find(begins);
    beginning.and_then(|length| text.get(..text.len() - length)).unwrap_or(text)
}
