//! Hashes of content, for names and comparisons.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The first `digits` hexadecimal digits of the SHA-256 of a value's JSON. Maps are ordered, so equal values hash alike.
pub fn of<T: Serialize + ?Sized>(value: &T, digits: usize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default().to_string();
    of_bytes(json.as_bytes(), digits)
}

/// The first `digits` hexadecimal digits of the SHA-256 of bytes.
#[must_use]
pub fn of_bytes(bytes: &[u8], digits: usize) -> String {
    let mut text: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text.truncate(digits);
    text
}
