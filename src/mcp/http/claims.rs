//! What a token says of itself, where it is a JWT (RFC 7519).
//!
//! Nobody's signature is verified here: it is our own token, which the server judges. What it says decides when it is
//! renewed or not sent any more, and whether it is for the tenant that was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;

use crate::core::json::parse_unambiguous;

/// The claims of a token; none where it is no JWT, or one that can be read in two ways.
pub(super) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let object = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        parse_unambiguous(&bytes).ok().filter(Value::is_object)
    };
    parts.next().is_none().then_some(())?;
    object(header)?;
    object(payload)
}

/// When a token with those claims expires; none where they do not say.
pub(super) fn expiry(claims: &Value) -> Option<Timestamp> {
    let seconds = claims.get("exp")?.as_f64()?.floor();
    // A time that no clock shows is never, or long ago.
    if seconds < 0.0 {
        return Some(Timestamp::UNIX_EPOCH);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a larger number becomes the largest, which is no time"
    )]
    Timestamp::from_second(seconds as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn claims_are_those_of_a_jwt_and_of_nothing_else() {
        let good = token(r#"{"alg":"RS256"}"#, r#"{"org_id":"acme","exp":1800000000}"#);
        let read = claims(&good).unwrap();
        assert_eq!(read["org_id"], "acme");
        assert_eq!(expiry(&read).unwrap().as_second(), 1_800_000_000);
        for other in [
            "canary-token".to_owned(),
            "a.b.c".to_owned(),
            format!("{good}.x"),
            good.replace('.', ""),
            token(r#"{"alg":"RS256"}"#, r#"{"org_id":"acme","org_id":"globex"}"#),
            token("[]", "{}"),
            token("{}", "7"),
        ] {
            assert_eq!(claims(&other), None, "{other}");
        }
    }

    #[test]
    fn an_expiry_is_a_number_of_seconds() {
        for (exp, second) in [
            (json!(1.9), Some(1)),
            (json!(-5), Some(0)),
            (json!(1e300), None),
            (json!("1800000000"), None),
            (json!(null), None),
        ] {
            assert_eq!(expiry(&json!({"exp": exp})).map(Timestamp::as_second), second, "{exp}");
        }
    }
}
