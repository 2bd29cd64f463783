//! Asks registries which digest a tag stands for, and which migration key an image carries.

mod challenge;
mod credentials;
mod image;
mod reference;
mod session;

#[cfg(test)]
mod tests;

pub use credentials::PullSecret;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use crate::config::{Config, RegistryConfig};
use crate::outbound;
use credentials::logins;
use image::Manifest;
use reference::Reference;
use session::Session;

/// How long a registry may take for all that is asked about one image.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a registry said of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The image is there.
    Found {
        /// Digest of the manifest or index that the reference names, such as `sha256:...`.
        digest: String,
        /// The image's label `dev.towpath.migrations`, when it was asked for and is there.
        migration_key: Option<String>,
    },
    /// The repository or tag is not there, yet.
    Missing(String),
    /// The registry, or the image's name, says no: a person must change something.
    Refused(String),
    /// No answer: no connection, a time-out, or the registry is in trouble.
    Silent(String),
}

/// The registries, as configured. Cheap to clone.
#[derive(Clone)]
pub struct Registry {
    /// Configured registries, the longest prefix first.
    configured: Arc<[Configured]>,
    http: reqwest::Client,
    timeout: Duration,
}

/// A registry that the configuration says more of.
struct Configured {
    config: RegistryConfig,
    http: reqwest::Client,
    auth: Option<PullSecret>,
}

/// The data of Secrets, by the Secret's name.
pub type Secrets = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

impl Registry {
    /// Registries as configured; reads the Secrets that the configuration names, in the controller's namespace.
    pub async fn connect(
        config: &Config,
        client: &Client,
        namespace: &str,
    ) -> Result<Self, String> {
        let api = Api::namespaced(client.clone(), namespace);
        let mut secrets = Secrets::new();
        for name in config
            .registries
            .iter()
            .flat_map(|entry| [&entry.ca_secret, &entry.auth_secret])
            .flatten()
        {
            secrets.insert(name.clone(), read_secret(&api, namespace, name).await?);
        }
        Self::new(config, &secrets)
    }

    /// Registries as configured, with the data of the Secrets that the configuration names.
    pub fn new(config: &Config, secrets: &Secrets) -> Result<Self, String> {
        let configured: Result<Vec<_>, _> = config
            .registries
            .iter()
            .map(|entry| Configured::new(entry, secrets))
            .collect();
        let mut configured = configured?;
        configured.sort_by_key(|entry| std::cmp::Reverse(entry.config.prefix.len()));
        Ok(Self {
            configured: configured.into(),
            http: http_client(None, false)?,
            timeout: TIMEOUT,
        })
    }

    /// Finds the digest of an image, and with `label` its migration key. A reference that has a digest is answered
    /// without asking, unless the label is wanted.
    pub async fn resolve(&self, image: &str, pull_secrets: &[PullSecret], label: bool) -> Answer {
        let reference = match Reference::parse(image) {
            Ok(reference) => reference,
            Err(refusal) => return Answer::Refused(refusal),
        };
        if let Some(digest) = reference.digest.clone().filter(|_| !label) {
            return Answer::Found {
                digest,
                migration_key: None,
            };
        }
        let asked = tokio::time::timeout(
            self.timeout,
            self.ask(&reference, image, pull_secrets, label),
        )
        .await;
        asked.unwrap_or_else(|_| {
            Answer::Silent(format!(
                "{} gave no answer for {image}: the time was up",
                reference.registry
            ))
        })
    }

    /// Tries the controller's own credentials, then the App's, then none, until one is not refused.
    async fn ask(
        &self,
        reference: &Reference,
        image: &str,
        pull_secrets: &[PullSecret],
        label: bool,
    ) -> Answer {
        let name = reference.name();
        let configured = self
            .configured
            .iter()
            .find(|entry| credentials::fits(&entry.config.prefix, &name));
        let own = configured
            .and_then(|entry| entry.auth.as_slice().first())
            .map(std::slice::from_ref)
            .unwrap_or_default();
        let logins = [logins(own, &name), logins(pull_secrets, &name)].concat();
        let base = configured.map_or_else(
            || format!("https://{}", reference.host()),
            |entry| entry.base(reference),
        );
        let mut session = Session::new(
            configured.map_or(&self.http, |entry| &entry.http),
            base,
            reference,
            image,
        );
        let mut told = None;
        for login in logins.iter().map(Some).chain([None]) {
            session.log_in(login);
            match find(&mut session, reference, label).await {
                Ok(answer) => return answer,
                Err(answer @ (Answer::Refused(_) | Answer::Missing(_))) => {
                    told = Some(worth_telling(told, answer, login.is_some()));
                }
                Err(answer) => return answer,
            }
        }
        told.unwrap_or_else(|| Answer::Silent(format!("{name} was not asked")))
    }
}

/// Which of two answers under different logins to tell: the first, which is of the credential closest to the image. But
/// who is let in and finds nothing knows more than who is not let in.
fn worth_telling(told: Option<Answer>, next: Answer, let_in: bool) -> Answer {
    match (told, next) {
        (Some(Answer::Refused(_)), next @ Answer::Missing(_)) if let_in => next,
        (Some(first), _) => first,
        (None, next) => next,
    }
}

/// Asks for the digest and, if wanted, follows it to the label.
async fn find(
    session: &mut Session<'_>,
    reference: &Reference,
    label: bool,
) -> Result<Answer, Answer> {
    let digest = match &reference.digest {
        Some(digest) => digest.clone(),
        None => session.digest().await?,
    };
    let migration_key = if label {
        migration_key(session, &digest).await?
    } else {
        None
    };
    Ok(Answer::Found {
        digest,
        migration_key,
    })
}

async fn migration_key(session: &mut Session<'_>, digest: &str) -> Result<Option<String>, Answer> {
    let mut manifest = Manifest::read(&session.content("manifests", digest).await?);
    if let Some(platform) = manifest.platform() {
        manifest = Manifest::read(&session.content("manifests", platform).await?);
    }
    let Some(config) = manifest.config() else {
        return Ok(None);
    };
    let content = session.content("blobs", config).await?;
    image::migration_key(&content)
        .map_err(|rule| Answer::Refused(format!("{}: {rule}", session.image)))
}

impl Configured {
    fn new(config: &RegistryConfig, secrets: &Secrets) -> Result<Self, String> {
        let data = |secret: &Option<String>, key: &str| match secret {
            None => Ok(None),
            Some(name) => match secrets.get(name).and_then(|data| data.get(key)) {
                Some(bytes) => Ok(Some(bytes.clone())),
                None => Err(format!(
                    "Secret {name} of registries[] with prefix {} must have the key {key}",
                    config.prefix
                )),
            },
        };
        let ca = data(&config.ca_secret, "ca.crt")?;
        let auth = data(&config.auth_secret, ".dockerconfigjson")?.map(PullSecret::new);
        Ok(Self {
            config: config.clone(),
            http: http_client(ca.as_deref(), config.plain_http)?,
            auth,
        })
    }

    /// Scheme and host to ask for an image.
    fn base(&self, reference: &Reference) -> String {
        let scheme = if self.config.plain_http {
            "http"
        } else {
            "https"
        };
        format!(
            "{scheme}://{}",
            self.config
                .endpoint
                .as_deref()
                .unwrap_or_else(|| reference.host())
        )
    }
}

/// A client that follows a registry to its storage, but never from TLS to none.
fn http_client(ca: Option<&[u8]>, plain: bool) -> Result<reqwest::Client, String> {
    let builder = outbound::http_client(ca)?
        .redirect(reqwest::redirect::Policy::limited(5))
        .https_only(!plain)
        .connect_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(1);
    builder.build().map_err(|error| error.to_string())
}

/// Reads a Secret that the configuration names.
pub(crate) async fn read_secret(
    api: &Api<Secret>,
    namespace: &str,
    name: &str,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let failed = |why: String| {
        format!("Secret {namespace}/{name}, which the configuration names, must be readable: {why}")
    };
    let secret = tokio::time::timeout(TIMEOUT, api.get(name))
        .await
        .map_err(|_| failed("no answer in time".into()))?;
    let data = secret
        .map_err(|error| failed(error.to_string()))?
        .data
        .unwrap_or_default();
    Ok(data
        .into_iter()
        .map(|(key, value)| (key, value.0))
        .collect())
}
