//! What a pass over an App decides on: its Previews, and what the Git host says of its pull requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{KnownPreview, Obstacle};
use crate::api::template::Source;
use crate::api::{App, Reason};
use crate::config::Config;
use crate::git::{Approval, Failure, Files, PullRequest};

/// Everything that a pass over an App decides on.
#[derive(Clone, Debug)]
pub struct SeenApp {
    /// When it was seen; the only clock of a plan.
    pub now: Timestamp,
    /// The App itself.
    pub app: Arc<App>,
    /// The controller's configuration.
    pub config: Arc<Config>,
    /// All Previews that there are, of whatever App.
    pub previews: Vec<KnownPreview>,
    /// How many Environments Previews of this App own.
    pub live: usize,
    /// What is known of its pull requests. `None`: it names no source.
    pub source: Option<SeenSource>,
}

/// What is known of the pull requests of a source.
#[derive(Clone, Debug, Default)]
pub struct SeenSource {
    /// Why the host cannot be asked, or what it answered instead; what was known before still counts.
    pub hindrance: Option<Hindrance>,
    /// Whether the host has ever told which pull requests are open.
    pub is_listed: bool,
    /// The pull requests that the host told of, by number. Of any other one nothing is known.
    pub pull_requests: BTreeMap<i64, KnownPullRequest>,
    /// When the host is asked again.
    pub next: Option<Timestamp>,
}

/// Why nothing new is known of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// The Secret of the token does not exist.
    SecretMissing,
    /// The Secret could not be read: a sentence.
    SecretUnknown(String),
    /// The Secret lacks the key.
    KeyMissing,
    /// What the key holds is no token: a sentence.
    TokenInvalid(String),
    /// The host.
    Host(Failure),
}

impl Hindrance {
    /// What is said of it, to whom wrote the source.
    #[must_use]
    pub fn obstacle(&self, source: &Source) -> Obstacle {
        let (secret, key) = (&source.secret_ref.name, &source.token_key);
        let (reason, message) = match self {
            Self::SecretMissing => (
                Reason::ReferenceMissing,
                format!("Secret '{secret}' of preview.source must exist: it holds the token"),
            ),
            Self::SecretUnknown(why) => (
                Reason::ReferenceUnknown,
                format!("Secret '{secret}' of preview.source is not known: {why}"),
            ),
            Self::KeyMissing => (
                Reason::KeyMissing,
                format!("Secret '{secret}' of preview.source must have the key '{key}'"),
            ),
            Self::TokenInvalid(why) => (
                Reason::SourceRefused,
                format!("Key '{key}' of Secret '{secret}' cannot be used: {why}"),
            ),
            Self::Host(Failure::Refused(why)) => (Reason::SourceRefused, why.clone()),
            Self::Host(Failure::Silent(why)) => (Reason::SourceSilent, why.clone()),
            Self::Host(Failure::Limited(until)) => (
                Reason::SourceSilent,
                format!("The host takes no more requests of this token before {until}"),
            ),
        };
        Obstacle { reason, message }
    }
}

/// A pull request that the host told of.
#[derive(Clone, Debug, Default)]
pub struct KnownPullRequest {
    /// As the host told last. `None`: there is none of this number.
    pub told: Option<Arc<PullRequest>>,
    /// What its newest commit changes. `None`: not known.
    pub files: Option<Files>,
    /// Who gave it the label of the source, if anybody did. `None`: not known.
    pub approval: Option<Option<Approval>>,
}
