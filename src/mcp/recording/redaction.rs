//! What a recording never shows: secrets that this program knows, and what looks like a credential.
//!
//! A call is looked for by what is left of it, so the same is taken out when a recording is made and when it is played.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::core::json::parse_unambiguous;
use crate::core::token_shape::without_tokens;
use crate::mcp::http::Credential;
use crate::mcp::secrets::Secrets;

/// What stands where a text stood that its name says is a credential.
const INSTEAD: &str = "(a credential)";
/// How often JSON stands as text in JSON.
const NESTED: usize = 3;
/// Names of members whose text is a credential whatever it looks like, in small letters and without `-` and `_`.
const NAMES: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "clientsecret",
    "secretkey",
    "secretaccesskey",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "apikey",
    "apitoken",
    "privatekey",
    "authorization",
    "cookie",
    "setcookie",
];

/// What is taken out; by default what anybody can see to be a credential.
#[derive(Debug, Default)]
pub(super) struct Redaction {
    pub secrets: Secrets,
    pub credentials: Vec<Credential>,
}

impl Redaction {
    /// Takes it out of every text and name in `value`.
    pub fn value(&self, value: &mut Value) {
        self.within(value, 0);
    }

    /// The same in an object's members.
    pub fn members(&self, members: &mut Map<String, Value>) {
        self.object(members, 0);
    }

    /// `nested`: in how many texts that are JSON the value stands.
    fn within(&self, value: &mut Value, nested: usize) {
        match value {
            Value::String(text) => {
                if let Some(without) = self.json(text, nested) {
                    *text = without;
                } else if let Cow::Owned(without) = self.text(text) {
                    *text = without;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.within(item, nested)),
            Value::Object(members) => self.object(members, nested),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&self, members: &mut Map<String, Value>, nested: usize) {
        let kept = std::mem::take(members).into_iter();
        *members = kept
            .map(|(name, mut member)| {
                match &mut member {
                    Value::String(text) if !text.is_empty() && is_credential(&name) => {
                        *text = INSTEAD.to_owned();
                    }
                    other => self.within(other, nested),
                }
                (self.text(&name).into_owned(), member)
            })
            .collect();
    }

    /// A text that is JSON, as a tool's content often is, where something in it was to be taken out.
    fn json(&self, text: &str, nested: usize) -> Option<String> {
        if nested >= NESTED || !text.trim_start().starts_with(['{', '[']) {
            return None;
        }
        let was = parse_unambiguous(text.as_bytes()).ok()?;
        let mut value = was.clone();
        self.within(&mut value, nested.saturating_add(1));
        (value != was).then(|| value.to_string())
    }

    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut without = self.secrets.concealed_text(text);
        for credential in &self.credentials {
            if let Cow::Owned(less) = credential.concealed(&without) {
                without = Cow::Owned(less);
            }
        }
        if let Cow::Owned(less) = without_tokens(&without) {
            without = Cow::Owned(less);
        }
        without
    }
}

fn is_credential(name: &str) -> bool {
    // Longer ones are sentences.
    name.len() <= 32 && {
        let plain: String =
            name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
        NAMES.contains(&plain.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::SecretText;
    use crate::mcp::http::Token;
    use serde_json::json;

    #[test]
    fn what_is_known_or_looks_like_a_credential_goes_wherever_it_stands() {
        let redaction = Redaction {
            secrets: Secrets::new([&SecretText::new("canary-of-a-slot").unwrap()]),
            credentials: vec![Credential::Token(Token::new("canary-of-a-token").unwrap())],
        };
        let jwt = format!("eyJ{0}.eyJ{0}.{0}", "0123456789abcdef");
        let mut value = json!({
            "canary-of-a-token": "Bearer canary-of-a-token",
            "nested": [{"x": "is canary-of-a-slot right?"}, "{\"echo\":\"canary-of-a-slot\"}", "{ \"password\": \"hunter2\" }", "{ \"a\": 1 }"],
            "seen": format!("token {jwt} and AKIAIOSFODNN7EXAMPLE"),
            "Client_Secret": "hunter2", "api-key": "k", "password": "",
            "schema": {"password": {"type": "string"}, "cookie": ["a"]},
            "key": "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- end",
        });
        redaction.value(&mut value);
        assert_eq!(
            value,
            json!({
                "(the token)": "Bearer (the token)",
                "nested": [{"x": "is (a secret) right?"}, "{\"echo\":\"(a secret)\"}", "{\"password\":\"(a credential)\"}", "{ \"a\": 1 }"],
                "seen": "token (a JSON Web Token) and (an AWS access key)",
                "Client_Secret": "(a credential)", "api-key": "(a credential)", "password": "",
                "schema": {"password": {"type": "string"}, "cookie": ["a"]},
                "key": "(a private key) end",
            })
        );
        let once = value.clone();
        redaction.value(&mut value);
        assert_eq!(value, once, "what is left is what a call is looked for by");
    }
}
