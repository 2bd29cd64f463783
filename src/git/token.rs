//! Tokens: what a host knows the controller by.

use std::fmt;

use http::HeaderValue;

/// More than any host's token has.
const MOST_BYTES: usize = 4096;

/// A token of a Git host. Its Debug prints nothing of it, and it is sent in a header only.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Reads the value of a Secret; space around it is not part of it.
    pub fn new(value: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(value).unwrap_or_default().trim();
        let fits = !text.is_empty() && text.len() <= MOST_BYTES;
        if fits && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("the token must be one word of printable ASCII".into())
        }
    }

    /// The header value, after a scheme such as `Bearer`; neither logs nor Debug show it.
    pub(super) fn header(&self, scheme: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{scheme} {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What the memory of this token is found by.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        let digest = ring::digest::digest(&ring::digest::SHA256, self.0.as_bytes());
        digest.as_ref().to_vec()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        let token = Token::new(b" ghp_secret\n").expect("a token");
        assert_eq!(token, Token::new(b"ghp_secret").expect("the same"));
        let header = token.header("Bearer").expect("a header");
        assert_eq!(header.as_bytes(), b"Bearer ghp_secret");
        assert_eq!(format!("{token:?} {header:?}"), "Token(..) Sensitive");
        for odd in ["", "  \n", "two words", "line\nline", "gültig", "\u{0}"] {
            let refusal = Token::new(odd.as_bytes()).expect_err(odd);
            assert!(refusal.contains("must be one word"), "{refusal}");
        }
        assert!(Token::new(&[0xff, 0xfe]).is_err());
        assert!(Token::new(&[b'x'; MOST_BYTES + 1]).is_err());
    }
}
