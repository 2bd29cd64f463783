//! Credentials of registries, from `.dockerconfigjson`.

use std::fmt;

/// The bytes of the key `.dockerconfigjson` of a pull Secret.
#[derive(Clone)]
pub struct PullSecret(Vec<u8>);

impl PullSecret {
    /// Wraps the bytes; they are read when an image is asked for.
    pub fn new(dockerconfigjson: impl Into<Vec<u8>>) -> Self {
        Self(dockerconfigjson.into())
    }
}

impl fmt::Debug for PullSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PullSecret(..)")
    }
}
