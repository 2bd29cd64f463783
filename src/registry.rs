//! Asks registries which digest a tag stands for, and which migration key an image carries.

mod credentials;

pub use credentials::PullSecret;

use crate::config::Config;

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
pub struct Registry {}

impl Registry {
    /// Registries as configured; reads the Secrets that the configuration names.
    pub async fn connect(
        config: &Config,
        client: &kube::Client,
        namespace: &str,
    ) -> Result<Self, String> {
        let _ = (config, client, namespace);
        Ok(Self {})
    }

    /// Registries that need no Secrets of the controller's own.
    pub fn new(config: &Config) -> Result<Self, String> {
        let _ = config;
        Ok(Self {})
    }

    /// Finds the digest of an image, and with `label` its migration key. A reference that has a digest is answered
    /// without asking, unless the label is wanted.
    pub async fn resolve(&self, image: &str, pull_secrets: &[PullSecret], label: bool) -> Answer {
        let _ = (image, pull_secrets, label);
        Answer::Silent("not asked".into())
    }
}
