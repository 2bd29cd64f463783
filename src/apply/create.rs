//! POST: what is decided once. When it is there already, it is read and used.

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::PostParams;
use ring::rand::{SecureRandom, SystemRandom};

use super::Writer;
use super::standing::Standing;
use super::stop::Stop;
use crate::api::{Reason, labels};
use crate::caches::Kept;
use crate::error::{Error, Verb};

/// Characters of a password: 64, so that each random byte chooses one without bias, and none that a URL would encode.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LENGTH: usize = 32;

/// Whether an object was made, or was there.
enum Made {
    Now,
    Before,
}

impl Writer<'_> {
    /// Decides a revision. One that is decided already ends the pass: the next one reads it.
    pub(super) async fn decide(&self, revision: &ControllerRevision) -> Result<(), Stop> {
        match self.post(revision).await? {
            Made::Now => Ok(()),
            Made::Before => Err(Stop::Again),
        }
    }

    /// Makes an object that is never changed.
    pub(super) async fn create<K: Kept>(&self, object: &K) -> Result<(), Stop> {
        self.post(object).await.map(|_| ())
    }

    /// Makes a Secret with passwords that nobody has seen.
    pub(super) async fn invent(&self, secret: &Secret, generate: &[String]) -> Result<(), Stop> {
        let mut secret = secret.clone();
        let data = secret.data.get_or_insert_default();
        for key in generate {
            let password = password().map_err(Stop::Failed)?;
            data.insert(key.clone(), ByteString(password.into_bytes()));
        }
        self.create(&secret).await
    }

    async fn post<K: Kept>(&self, object: &K) -> Result<Made, Stop> {
        let name = object.name_any();
        let params = PostParams {
            field_manager: Some(labels::MANAGER.to_owned()),
            ..PostParams::default()
        };
        self.may::<K>(Verb::Create)?;
        match self.api::<K>().create(&params, object).await {
            Ok(made) => {
                self.wrote(made);
                Ok(Made::Now)
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                // Gone between the two: somebody is at work.
                let there = self.read::<K>(&name).await?.ok_or(Stop::Again)?;
                Standing::of(&there, self.owner).or_stop()?;
                is_found(&there, object)?;
                K::shelf(&self.ctx.caches).wrote(there);
                Ok(Made::Before)
            }
            Err(error) => Err(Stop::of(Verb::Create, &K::kind(&()), &name, error)),
        }
    }
}

/// What is found by its labels must have them: it was handed over without, or somebody took them off.
fn is_found<K: Kept>(there: &K, wanted: &K) -> Result<(), Stop> {
    let missing = |(key, value): &(&String, &String)| there.labels().get(*key) != Some(*value);
    let missing: Vec<String> = wanted
        .labels()
        .iter()
        .filter(missing)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if there.group() == wanted.group() {
        return Ok(());
    }
    let (kind, name) = (K::kind(&()), there.name_any());
    Err(Stop::Refused(
        Reason::NameTaken,
        format!(
            "{kind} {name} must have its labels: kubectl label --overwrite {} {name} {}",
            kind.to_lowercase(),
            missing.join(" ")
        ),
    ))
}

/// A random password.
pub fn password() -> Result<String, Error> {
    let mut bytes = [0; LENGTH];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Randomness)?;
    let letters = bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 64)));
    Ok(letters.map(|letter| char::from(*letter)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_by_its_labels_must_have_them() {
        let secret = |labels: &[(&str, &str)]| Secret {
            metadata: kube::api::ObjectMeta {
                name: Some("shop-postgres".to_owned()),
                labels: Some(
                    labels
                        .iter()
                        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                        .collect(),
                ),
                ..Default::default()
            },
            ..Secret::default()
        };
        let wanted = secret(&[
            (labels::ENVIRONMENT, "shop"),
            (labels::PURPOSE, "credentials"),
        ]);
        assert!(is_found(&wanted, &wanted).is_ok());
        let Err(Stop::Refused(Reason::NameTaken, why)) =
            is_found(&secret(&[(labels::PURPOSE, "credentials")]), &wanted)
        else {
            panic!("a refusal");
        };
        assert!(
            why.ends_with(
                "kubectl label --overwrite secret shop-postgres towpath.dev/environment=shop"
            ),
            "{why}"
        );
    }

    #[test]
    fn passwords_are_long_and_need_no_encoding() {
        let first = password().unwrap();
        assert_eq!(first.len(), LENGTH);
        assert!(
            first
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        );
        assert_ne!(first, password().unwrap());
    }
}
