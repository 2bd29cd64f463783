//! Hashes values of Secrets, so that a change is seen and the value is not. The key is made once and kept in a Secret beside
//! the controller.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, Client};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::api::labels;
use crate::error::{Error, Verb};
use crate::seen::SecretSeen;

const NAME: &str = "towpath-hash-key";
const KEY: &str = "key";

/// The key of the hashes.
pub struct HashKey {
    key: hmac::Key,
    id: String,
}

impl HashKey {
    /// Of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        // The name of a key tells nothing of it.
        let id = hex(hmac::sign(&key, b"towpath hash key").as_ref(), 8);
        Self { key, id }
    }

    /// Reads the key from the controller's namespace; makes it when there is none.
    pub async fn obtain(client: &Client, namespace: &str) -> Result<Self, Error> {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        if let Some(known) = Self::read(&api).await? {
            return Ok(known);
        }
        let error = match api.create(&PostParams::default(), &fresh()?).await {
            Ok(secret) => return Ok(Self::new(&bytes(&secret))),
            Err(error) => error,
        };
        // Another replica may have been first.
        let known = Self::read(&api).await?;
        known.ok_or_else(|| Error::api(Verb::Create, "Secret", NAME, error))
    }

    async fn read(api: &Api<Secret>) -> Result<Option<Self>, Error> {
        let found = api.get_opt(NAME).await;
        let secret = found.map_err(|error| Error::api(Verb::Get, "Secret", NAME, error))?;
        Ok(secret.map(|secret| Self::new(&bytes(&secret))))
    }

    /// What may be known of a Secret.
    #[must_use]
    pub fn seen(
        &self,
        namespace: &str,
        name: &str,
        data: &BTreeMap<String, ByteString>,
    ) -> SecretSeen {
        let hashed = |key: &String, value: &ByteString| {
            let mut context = hmac::Context::with_key(&self.key);
            for part in [namespace, name, key] {
                context.update(part.as_bytes());
                context.update(&[0]);
            }
            context.update(&value.0);
            hex(context.sign().as_ref(), 16)
        };
        SecretSeen {
            keys: data
                .iter()
                .map(|(key, value)| (key.clone(), hashed(key, value)))
                .collect(),
            hashed_by: self.id.clone(),
        }
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HashKey({})", self.id)
    }
}

fn fresh() -> Result<Secret, Error> {
    let mut bytes = vec![0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Randomness)?;
    let mut secret = Secret {
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(bytes))])),
        immutable: Some(true),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    };
    secret.metadata.name = Some(NAME.to_owned());
    let label = (labels::MANAGED_BY.to_owned(), labels::MANAGER.to_owned());
    secret.metadata.labels = Some(BTreeMap::from([label]));
    Ok(secret)
}

fn bytes(secret: &Secret) -> Vec<u8> {
    let data = secret.data.as_ref();
    data.and_then(|data| data.get(KEY))
        .map(|key| key.0.clone())
        .unwrap_or_default()
}

fn hex(bytes: &[u8], length: usize) -> String {
    bytes
        .iter()
        .take(length)
        .fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(value: &str) -> BTreeMap<String, ByteString> {
        BTreeMap::from([("url".to_owned(), ByteString(value.into()))])
    }

    #[test]
    fn a_changed_value_is_seen_and_no_value_is() {
        let key = HashKey::new(b"key");
        let first = key.seen("shop", "db", &data("hunter2"));
        assert_eq!(first, key.seen("shop", "db", &data("hunter2")));
        assert_ne!(first.keys, key.seen("shop", "db", &data("hunter3")).keys);
        assert_ne!(first.keys, key.seen("shop", "other", &data("hunter2")).keys);
        assert!(!format!("{first:?}{key:?}").contains("hunter"));
    }

    #[test]
    fn another_key_has_another_name() {
        let seen = |key: &[u8]| HashKey::new(key).seen("shop", "db", &data("x")).hashed_by;
        assert_eq!(seen(b"a"), seen(b"a"));
        assert_ne!(seen(b"a"), seen(b"b"));
    }
}
