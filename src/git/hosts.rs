//! The hosts that the configuration names, each with its own client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tokio::sync::Semaphore;

use super::forgejo::Forgejo;
use super::github::GitHub;
use super::gitlab::GitLab;
use super::lru::Lru;
use super::memory::Memory;
use super::session::{Place, Session};
use super::webhook::Secret as Signed;
use super::{Failure, GitHost, GitHosts, Token};
use crate::config::{Config, GitHostConfig, GitProvider};
use crate::outbound;
use crate::registry::{Secrets, read_secret};

/// How long a request may take, its answer included.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How many requests to one host may be under way: hosts ask for few at once.
const AT_ONCE: usize = 4;
/// How many tokens are remembered per host.
const MOST_TOKENS: usize = 256;

/// The hosts that may be asked. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Hosts(Arc<[Known]>);

/// A host, and what is remembered of it.
struct Known {
    name: String,
    place: Arc<Place>,
    webhooks: Vec<Signed>,
    memories: Mutex<Lru<Vec<u8>, Arc<Memory>>>,
    clock: fn() -> Timestamp,
}

/// A host whose webhooks are taken.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name, which is the last part of the path.
    pub name: String,
    /// Whose webhooks they are.
    pub provider: GitProvider,
    /// What they may be signed with. None: they are refused.
    pub secrets: Vec<Signed>,
}

impl Hosts {
    /// The hosts as configured; reads the Secrets that the configuration names, in the controller's namespace.
    pub async fn connect(
        config: &Config,
        client: &Client,
        namespace: &str,
    ) -> Result<Self, String> {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let mut secrets = Secrets::new();
        let hosts = config.git.hosts.iter();
        for name in hosts
            .flat_map(|host| [&host.ca_secret, &host.webhook_secret])
            .flatten()
        {
            secrets.insert(name.clone(), read_secret(&api, namespace, name).await?);
        }
        Self::new(config, &secrets)
    }

    /// The hosts as configured, with the data of the Secrets that the configuration names.
    pub fn new(config: &Config, secrets: &Secrets) -> Result<Self, String> {
        let hosts = config.git.hosts.iter();
        let known: Result<Vec<_>, _> = hosts.map(|host| Known::new(host, secrets)).collect();
        Ok(Self(known?.into()))
    }

    /// The hosts whose webhooks are taken.
    pub fn receivers(&self) -> Vec<Receiver> {
        let receivers = self.0.iter().map(|known| Receiver {
            name: known.name.clone(),
            provider: known.place.provider,
            secrets: known.webhooks.clone(),
        });
        receivers.collect()
    }

    /// The host that is meant, if the configuration leaves no doubt.
    fn known(&self, provider: GitProvider, name: Option<&str>) -> Result<&Known, String> {
        let of_provider = |known: &&Known| known.place.provider == provider;
        let mut fitting = self
            .0
            .iter()
            .filter(of_provider)
            .filter(|known| name.is_none_or(|name| known.name == name));
        let said = provider.as_str();
        match (fitting.next(), fitting.next(), name) {
            (Some(known), None, _) => Ok(known),
            (Some(_), Some(_), _) => Err(format!(
                "the source must name its host: the controller's configuration has several of provider {said}"
            )),
            (None, _, Some(name)) => Err(format!(
                "git.hosts in the controller's configuration must have a host {name} of provider {said}"
            )),
            (None, _, None) => Err(format!(
                "git.hosts in the controller's configuration must have a host of provider {said}"
            )),
        }
    }
}

impl GitHosts for Hosts {
    fn host(
        &self,
        provider: GitProvider,
        name: Option<&str>,
        token: &Token,
    ) -> Result<Arc<dyn GitHost>, Failure> {
        let known = self.known(provider, name).map_err(Failure::Refused)?;
        let session = known.session(token);
        Ok(match provider {
            GitProvider::GitHub => Arc::new(GitHub(session)),
            GitProvider::GitLab => Arc::new(GitLab(session)),
            GitProvider::Forgejo => Arc::new(Forgejo(session)),
        })
    }
}

impl Known {
    fn new(config: &GitHostConfig, secrets: &Secrets) -> Result<Self, String> {
        let ca = match &config.ca_secret {
            None => None,
            Some(name) => Some(value(secrets, name, "ca.crt")?),
        };
        let api = config.api();
        let http = outbound::http_client(ca)?
            .https_only(api.starts_with("https://"))
            .connect_timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(2);
        let host = api.split_once("://").map_or(api.as_str(), |(_, host)| host);
        let shown = host.split('/').next().unwrap_or(host).to_owned();
        Ok(Self {
            name: config.name().to_owned(),
            place: Arc::new(Place {
                http: http.build().map_err(|error| error.to_string())?,
                provider: config.provider,
                shown,
                api,
                permits: Semaphore::new(AT_ONCE),
                timeout: TIMEOUT,
            }),
            webhooks: webhooks(config, secrets)?,
            memories: Mutex::new(Lru::new(MOST_TOKENS)),
            clock: Timestamp::now,
        })
    }

    /// A conversation under this token, with what is remembered of earlier ones.
    fn session(&self, token: &Token) -> Session {
        let fingerprint = token.fingerprint();
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memories.get(&fingerprint).cloned().unwrap_or_default();
        memories.insert(fingerprint, memory.clone());
        Session {
            place: self.place.clone(),
            token: token.clone(),
            memory,
            clock: self.clock,
        }
    }
}

fn value<'a>(secrets: &'a Secrets, name: &str, key: &str) -> Result<&'a [u8], String> {
    let data: Option<&BTreeMap<String, Vec<u8>>> = secrets.get(name);
    let value = data.and_then(|data| data.get(key)).map(Vec::as_slice);
    value.ok_or_else(|| format!("Secret {name}, which git.hosts names, must have the key {key}"))
}

/// What webhooks of the host may be signed with: every value of the Secret.
fn webhooks(config: &GitHostConfig, secrets: &Secrets) -> Result<Vec<Signed>, String> {
    let Some(name) = &config.webhook_secret else {
        return Ok(Vec::new());
    };
    let values = secrets.get(name).into_iter().flat_map(BTreeMap::values);
    let read: Result<Vec<_>, _> = values.map(|value| Signed::new(value)).collect();
    let read = read.map_err(|why| format!("Secret {name}, which git.hosts names: {why}"))?;
    if read.is_empty() || read.len() > 4 {
        return Err(format!(
            "Secret {name}, which git.hosts names, must have 1 to 4 keys"
        ));
    }
    Ok(read)
}
