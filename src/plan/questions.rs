//! What a pass must look at, as far as what was seen already tells: so that nothing is asked that decides nothing.

use std::collections::BTreeSet;

use crate::api::{App, Environment};
use crate::postgres::{Access, Question};
use crate::seen::SeenEnvironment;

/// ConfigMaps and Secrets that an Environment and its App name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// ConfigMaps, whose content belongs to the revision.
    pub config_maps: BTreeSet<String>,
    /// Secrets, pull Secrets and the Secret of an external database among them.
    pub secrets: BTreeSet<String>,
}

/// The ConfigMaps and Secrets to watch for this Environment.
#[must_use]
pub fn names(_environment: &Environment, _app: Option<&App>) -> Names {
    Names::default()
}

/// The images to ask registries for: named by the release, and not resolved by a revision that serves or is on its way.
#[must_use]
pub fn images(_seen: &SeenEnvironment) -> Vec<String> {
    Vec::new()
}

/// A question to the database behind an Environment.
#[derive(Clone, Debug)]
pub struct DatabaseQuestion {
    /// Where it is.
    pub at: Address,
    /// What is asked.
    pub question: Question,
    /// Whether an answer given before, by the same address, is good enough; else it is asked anew.
    pub cached: bool,
}

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Address {
    /// Known, with its login.
    Access(Access),
    /// A URL in a key of a Secret that the Environment names.
    Secret {
        /// Name of the Secret.
        name: String,
        /// The key.
        key: String,
    },
}

/// What to ask the database, if anything.
#[must_use]
pub fn database(_seen: &SeenEnvironment) -> Option<DatabaseQuestion> {
    None
}

/// A check of a Web component after the rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckQuestion {
    /// Key in [`SeenEnvironment::checks`], such as `web` or `https://shop.example.com/`.
    pub key: String,
    /// The revision whose rollout it checks: answers for another one do not count.
    pub revision: i64,
    /// How it is asked.
    pub by: By,
}

/// How a check is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// GET of this URL at a Service's cluster address.
    Http(String),
    /// A TCP connection to `address:port`.
    Tcp(String),
    /// GET of the path on this host, through the gateway's address of the configuration.
    Host {
        /// The host.
        host: String,
        /// The path.
        path: String,
    },
}

/// The checks to make in this pass.
#[must_use]
pub fn checks(_seen: &SeenEnvironment) -> Vec<CheckQuestion> {
    Vec::new()
}
