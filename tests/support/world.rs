//! A context of passes against a real apiserver, with databases that a test speaks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use towpath::api::{ConditionType, Environment};
use towpath::apply::{self, Acted};
use towpath::caches::{self, Caches, Named, Scope};
use towpath::config::Config;
use towpath::context::{Context, Failures, HashKey, Memories, Silences};
use towpath::git::Hosts;
use towpath::lease::Held;
use towpath::metrics::Metrics;
use towpath::plan::{Action, Plan, Step};
use towpath::postgres::{
    Access, Answer, Databases, Entry, Failure, Identity, Question, Unwanted, Wanted,
};
use towpath::registry::Registry;

use crate::support::apiserver::Apiserver;

/// A namespace and everything that a pass needs.
pub struct World {
    pub client: Client,
    pub namespace: String,
    pub ctx: Arc<Context>,
}

#[allow(dead_code, reason = "not every test binary acts by hand")]
impl World {
    /// In a new namespace. Nothing is watched yet.
    pub async fn new(server: &Apiserver) -> Self {
        let namespace = server.namespace("pass").await;
        let client = server.client();
        let metrics = Metrics::new();
        let caches = Arc::new(Caches::new(metrics.clone()));
        let config = Config {
            cluster_id: Some("test".to_owned()),
            ..Config::default()
        };
        let hosts = Hosts::new(&config, &BTreeMap::new()).expect("no Secrets");
        let reporter = Reporter {
            controller: "towpath".to_owned(),
            instance: None,
        };
        let ctx = Context {
            registry: Registry::new(&config, &BTreeMap::new()).expect("no registries"),
            config: Arc::new(config),
            namespace: namespace.clone(),
            client: client.clone(),
            named: Named::new(client.clone(), caches.clone()),
            caches,
            databases: Arc::new(Panics),
            git: Arc::new(hosts),
            probes: towpath::probe::client().expect("a client"),
            recorder: Recorder::new(client.clone(), reporter),
            clock: Timestamp::now,
            hash_key: HashKey::new(b"test"),
            held: Held::always(),
            metrics,
            memories: Memories::default(),
            failures: Failures::default(),
            silences: Silences::default(),
        };
        Self {
            client,
            namespace,
            ctx: Arc::new(ctx),
        }
    }

    /// Watches this namespace, until all of it has been seen.
    pub async fn watch(&self) -> JoinSet<()> {
        let scope = Scope::Namespaces(BTreeSet::from([self.namespace.clone()]));
        let watches = caches::watch(&self.ctx.caches, &self.client, &scope);
        let synced = tokio::time::timeout(Duration::from_secs(120), self.ctx.caches.ready()).await;
        synced.expect("the caches are synced");
        watches
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes an object as someone else.
    pub async fn make<K>(&self, object: Value) -> K
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let object: K = serde_json::from_value(object).expect("an object");
        let made = self.api().create(&PostParams::default(), &object).await;
        made.unwrap_or_else(|error| panic!("{object:?}: {error}"))
    }

    /// An Environment of an App with one component.
    pub async fn environment(&self, name: &str, spec: Value) -> Environment {
        let mut whole = json!({
            "appRef": {"name": "shop"},
            "release": {"image": format!("registry.example.com/shop@sha256:{}", "a".repeat(64))},
        });
        for (key, value) in spec.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        self.make(json!({"metadata": {"name": name}, "spec": whole}))
            .await
    }

    /// Sends these actions, as a pass does.
    pub async fn act(&self, environment: &Environment, actions: Vec<Action>) -> Acted {
        let step = |action| Step {
            stage: ConditionType::RolledOut,
            action,
        };
        let plan: Plan = Plan {
            steps: actions.into_iter().map(step).collect(),
            ..Plan::default()
        };
        apply::run(&plan, environment, &self.ctx).await
    }

    /// An object as a builder makes it.
    pub fn child<K: DeserializeOwned>(
        &self,
        environment: &Environment,
        name: &str,
        rest: Value,
    ) -> K {
        let mut whole = json!({"metadata": {
            "name": name,
            "namespace": self.namespace,
            "labels": {"towpath.dev/environment": environment.metadata.name},
            "ownerReferences": [towpath::build::metadata::owner(environment)],
        }});
        for (key, value) in rest.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).expect("a child")
    }
}

/// Asks until the answer fits.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A database server whose client panics.
#[derive(Debug)]
struct Panics;

#[async_trait]
impl Databases for Panics {
    async fn look(&self, _: &Access, _: &Question) -> Answer {
        panic!("the client of the database is broken");
    }

    async fn provide(&self, _: &Access, _: &Wanted) -> Result<Identity, Failure> {
        Err(Failure::Refused("there is no database".to_owned()))
    }

    async fn remove(&self, _: &Access, _: &Unwanted) -> Result<(), Failure> {
        Err(Failure::Silent("there is no database".to_owned()))
    }

    async fn record(&self, _: &Access, _: &Entry) -> Result<(), Failure> {
        Err(Failure::Silent("there is no database".to_owned()))
    }
}
