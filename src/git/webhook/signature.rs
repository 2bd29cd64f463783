//! Signatures of webhooks, checked on the body as it came and in the same time whatever is wrong with them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use ring::hmac;

use super::text;
use crate::config::GitProvider;

/// How far the time of a signed webhook of GitLab may be from ours, in seconds; older ones may be replayed.
const TOLERANCE: i64 = 300;
/// What begins a signing token of GitLab.
const SIGNING: &str = "whsec_";

/// What webhooks are signed with. Its Debug prints nothing of it.
#[derive(Clone)]
pub struct Secret {
    /// The secret itself is the key.
    key: hmac::Key,
    /// The secret under its own key: what a plain token is compared with.
    tag: hmac::Tag,
    /// The key within a signing token of GitLab.
    signing: Option<hmac::Key>,
}

impl Secret {
    /// Reads the value of a Secret; a line end after it is not part of it.
    pub fn new(value: &[u8]) -> Result<Self, String> {
        let value = value.trim_ascii_end();
        if value.len() < 16 {
            return Err("a webhook's secret must have 16 bytes or more".into());
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, value);
        let encoded = std::str::from_utf8(value).ok();
        let encoded = encoded.and_then(|text| text.strip_prefix(SIGNING));
        let decoded = encoded.map(|text| STANDARD.decode(text));
        let signing = match decoded {
            None => None,
            Some(Ok(bytes)) => Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes)),
            Some(Err(_)) => {
                return Err("a signing token must be base64 after whsec_".into());
            }
        };
        Ok(Self {
            tag: hmac::sign(&key, value),
            key,
            signing,
        })
    }

    /// Whether this is the code of the body, in hexadecimal digits.
    fn signed(&self, body: &[u8], code: &str) -> bool {
        let code = bytes(code);
        code.is_some_and(|code| hmac::verify(&self.key, body, &code).is_ok())
    }

    /// Whether this text is the secret.
    fn is(&self, text: &[u8]) -> bool {
        hmac::verify(&self.key, text, self.tag.as_ref()).is_ok()
    }

    /// Whether one of these codes, as `v1,` and base64, is of the message.
    fn signed_message(&self, message: &[u8], codes: &str) -> bool {
        let Some(key) = &self.signing else {
            return false;
        };
        let codes = codes.split(' ').filter_map(|code| code.strip_prefix("v1,"));
        codes
            .filter_map(|code| STANDARD.decode(code).ok())
            .any(|code| hmac::verify(key, message, &code).is_ok())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whether the host signed this body with one of these secrets.
pub fn is_signed(
    provider: GitProvider,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> bool {
    let any = |fits: &dyn Fn(&Secret) -> bool| secrets.iter().fold(false, |yes, s| fits(s) | yes);
    match provider {
        GitProvider::GitHub => {
            let code = text(headers, &["x-hub-signature-256"]);
            let code = code.and_then(|code| code.strip_prefix("sha256="));
            code.is_some_and(|code| any(&|secret| secret.signed(body, code)))
        }
        GitProvider::Forgejo => {
            let code = text(headers, &["x-forgejo-signature", "x-gitea-signature"]);
            code.is_some_and(|code| any(&|secret| secret.signed(body, code)))
        }
        GitProvider::GitLab => {
            let signed = message(headers, body, now);
            let token = headers.get("x-gitlab-token");
            // What is known as a signing token never passes as a plain one: that would undo what it is for.
            any(&|secret| match (&secret.signing, &signed, token) {
                (Some(_), Some((message, codes)), _) => secret.signed_message(message, codes),
                (None, _, Some(token)) => secret.is(token.as_bytes()),
                _ => false,
            })
        }
    }
}

/// What GitLab signs with a signing token, and its codes; none where the time is too far from ours.
fn message<'a>(headers: &'a HeaderMap, body: &[u8], now: Timestamp) -> Option<(Vec<u8>, &'a str)> {
    let id = text(headers, &["webhook-id"])?;
    let time = text(headers, &["webhook-timestamp"])?;
    let codes = text(headers, &["webhook-signature"])?;
    let second: i64 = time.parse().ok()?;
    let apart = now.as_second().saturating_sub(second).saturating_abs();
    if apart > TOLERANCE {
        return None;
    }
    let mut message = format!("{id}.{time}.").into_bytes();
    message.extend_from_slice(body);
    Some((message, codes))
}

/// The bytes behind 64 hexadecimal digits.
fn bytes(code: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = code.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    digits
        .chunks(2)
        .map(|pair| {
            let [high, low] = pair.try_into().ok()?;
            u8::try_from(high * 16 + low).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests;
