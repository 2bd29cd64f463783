//! The cluster that a command asks, with the rights of whoever asks.

use std::env;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Api, Client, Config};

use super::exit::Failure;
use crate::api::Environment;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which cluster and namespace is meant.
#[derive(Clone, Debug, Args)]
pub struct Where {
    /// Namespace. Default: that of the kubeconfig's context.
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Context of the kubeconfig. Default: the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Kubeconfig. Default: $KUBECONFIG, else ~/.kube/config, else the pod's own account.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// A cluster, and the namespace that is meant.
#[derive(Clone)]
pub struct Cluster {
    /// Asks it.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    url: String,
}

impl Where {
    /// Finds the cluster; it is not asked yet.
    pub async fn connect(&self) -> Result<Cluster, Failure> {
        let mut config = self.config().await?;
        config.connect_timeout = Some(Duration::from_secs(5));
        let url = config.cluster_url.to_string();
        let namespace = self.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| {
            Failure::NoAnswer(format!("the kubeconfig cannot be used: {}", chain(&error)))
        })?;
        Ok(Cluster {
            client,
            namespace,
            url,
        })
    }

    /// Finds the cluster, if there is one: `None` where no kubeconfig is named and none is in its usual place.
    pub async fn find(&self) -> Result<Option<Cluster>, Failure> {
        let named = self.kubeconfig.is_some() || self.context.is_some();
        let absent = |error: KubeconfigError| match error {
            KubeconfigError::FindPath => true,
            KubeconfigError::ReadConfig(error, _) => error.kind() == io::ErrorKind::NotFound,
            _ => false,
        };
        let nowhere = !named && env::var_os("KUBECONFIG").is_none();
        if nowhere && Kubeconfig::read().is_err_and(absent) && Config::incluster().is_err() {
            return Ok(None);
        }
        self.connect().await.map(Some)
    }

    /// The namespace that is named, if one is.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    async fn config(&self) -> Result<Config, Failure> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let named = match &self.kubeconfig {
            Some(path) => match Kubeconfig::read_from(path) {
                Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
                Err(error) => Err(error),
            },
            None => Config::from_kubeconfig(&options).await,
        };
        let is_free = self.kubeconfig.is_none() && self.context.is_none();
        named.or_else(|error| match Config::incluster() {
            Ok(config) if is_free => Ok(config),
            _ => Err(Failure::NoAnswer(format!(
                "no cluster is known: {}",
                chain(&error)
            ))),
        })
    }
}

impl Cluster {
    /// The Environments of the namespace.
    #[must_use]
    pub fn environments(&self) -> Api<Environment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Environment of that name.
    pub async fn environment(&self, name: &str) -> Result<Environment, Failure> {
        let api = self.environments();
        self.ask(api.get(name))
            .await
            .map_err(|failure| match failure {
                Refusal::Missing(true) => Failure::NoAnswer(self.there_is_no(name)),
                other => self.tell(other),
            })
    }

    /// The sentence for an Environment that does not exist.
    #[must_use]
    pub fn there_is_no(&self, name: &str) -> String {
        format!(
            "Environment '{name}' does not exist in namespace '{}'",
            self.namespace
        )
    }

    /// Waits for an answer, not for ever.
    pub async fn ask<T>(
        &self,
        question: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Refusal> {
        match tokio::time::timeout(PATIENCE, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Refusal::of(error)),
            Err(_) => Err(Refusal::Silent(format!(
                "no answer in {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// Waits for an answer; anything else ends the command.
    pub async fn must<T>(
        &self,
        question: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Failure> {
        self.ask(question)
            .await
            .map_err(|refusal| self.tell(refusal))
    }

    /// The sentence for a question that was not answered.
    #[must_use]
    pub fn tell(&self, refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Missing(_) => Failure::NoAnswer(
                "the cluster does not know Environments: is Towpath installed?".to_owned(),
            ),
            Refusal::Forbidden(said) => {
                Failure::NoAnswer(format!("the apiserver does not allow it: {said}"))
            }
            Refusal::No(said) => Failure::Refused(format!("the apiserver refuses it: {said}")),
            Refusal::Silent(why) => Failure::NoAnswer(format!(
                "the apiserver at {} does not answer: {why}",
                self.url
            )),
        }
    }
}

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The object, or (`false`) its kind, does not exist.
    Missing(bool),
    /// It may not be asked.
    Forbidden(String),
    /// The apiserver said no.
    No(String),
    /// The apiserver said nothing.
    Silent(String),
}

impl Refusal {
    /// Reads an error of a request.
    #[must_use]
    pub fn of(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => {
                let is_named = status
                    .details
                    .as_ref()
                    .is_some_and(|details| !details.name.is_empty());
                match status.code {
                    404 => Self::Missing(is_named),
                    401 | 403 => Self::Forbidden(status.message),
                    _ => Self::No(status.message),
                }
            }
            error => Self::Silent(chain(&error)),
        }
    }

    /// The words for a note.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Missing(_) => "not known to the cluster".to_owned(),
            Self::Forbidden(said) | Self::No(said) | Self::Silent(said) => said.clone(),
        }
    }
}

/// The error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !said.contains(&words) {
            said.push_str(": ");
            said.push_str(&words);
        }
        cause = inner.source();
    }
    said
}
