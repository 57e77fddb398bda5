//! Tokens with claims, signed with the key in a folder (JWT, HS256): `mint FOLDER [NAME=VALUE]…` prints one, and adds a
//! line to `minted.jsonl` in FOLDER.
//!
//! `who=NAME` and `audience=URL` stand in it as they are, `expires=SECONDS` from now, `tenants=A,B` as `org_id` (one as
//! text, several as a list), `may=read,dry_run,write` as a list; `turns=A,B` are tenants that take turns, from one
//! token to the next. `fails=WORDS` prints WORDS on standard error and no token, `sleeps=SECONDS` comes first.

#![expect(clippy::indexing_slicing, reason = "a peer that panics fails the test that started it")]

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use serde_json::{Value, json};

/// Plays `mint`.
pub fn play(mode: &str, arguments: &[String]) -> Option<ExitCode> {
    if mode != "mint" {
        return None;
    }
    let [folder, options @ ..] = arguments else { return Some(ExitCode::from(64)) };
    let folder = Path::new(folder);
    let option = |name: &str| options.iter().find_map(|option| option.strip_prefix(name)?.strip_prefix('='));
    if let Some(seconds) = option("sleeps").and_then(|seconds| seconds.parse().ok()) {
        std::thread::sleep(Duration::from_secs(seconds));
    }
    let minted = folder.join("minted.jsonl");
    let number = std::fs::read_to_string(&minted).unwrap_or_default().lines().count();
    let listed = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    let tenants = option("turns").map(listed).map(|turns| json!(turns[number % turns.len()])).or_else(|| {
        let tenants = listed(option("tenants")?);
        Some(if tenants.len() == 1 { json!(tenants[0]) } else { json!(tenants) })
    });
    let expires = option("expires").and_then(|seconds| seconds.parse().ok()).unwrap_or(3600);
    let claims = json!({
        "sub": option("who"), "aud": option("audience"), "org_id": tenants, "may": option("may").map(listed),
        "exp": Timestamp::now().as_second() + expires, "jti": number.to_string(),
        "at": Timestamp::now().to_string(),
    });
    let file = std::fs::OpenOptions::new().create(true).append(true).open(minted);
    let _ = file.and_then(|mut file| file.write_all(format!("{claims}\n").as_bytes()));
    if let Some(words) = option("fails") {
        let _ = writeln!(std::io::stderr(), "{words}");
        return Some(ExitCode::from(7));
    }
    let _ = writeln!(std::io::stdout(), "{}", signed(folder, &claims));
    Some(ExitCode::SUCCESS)
}

fn key(folder: &Path) -> Key {
    Key::new(HMAC_SHA256, &std::fs::read(folder.join("issuer.key")).unwrap_or_default())
}

/// A token that says so.
pub fn signed(folder: &Path, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let said = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(&key(folder), said.as_bytes()));
    format!("{said}.{signature}")
}

/// What a token says, as far as it is the folder's own, has not expired, is for `audience`, and nobody has revoked who
/// holds it (a line of `revoked`).
pub fn checked(folder: &Path, authorization: Option<&str>, audience: &str) -> Result<Value, &'static str> {
    let token = authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or("no token")?;
    let (said, signature) = token.rsplit_once('.').ok_or("no JWT")?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "no base64url");
    verify(&key(folder), said.as_bytes(), &decoded(signature)?).map_err(|_| "another signature")?;
    let (_, claims) = said.split_once('.').ok_or("no JWT")?;
    let claims: Value = serde_json::from_slice(&decoded(claims)?).map_err(|_| "no JSON")?;
    let revoked = std::fs::read_to_string(folder.join("revoked")).unwrap_or_default();
    match () {
        () if claims["exp"].as_i64() <= Some(Timestamp::now().as_second()) => Err("it has expired"),
        () if claims["aud"] != audience => Err("it is for another audience"),
        () if revoked.lines().any(|who| claims["sub"] == who) => Err("it was revoked"),
        () => Ok(claims),
    }
}
