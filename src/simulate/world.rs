//! The world: a cluster with its servers, registries and gateways, and Towpath in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::actors::{self, Answers};
use super::databases::Servers;
use super::effect::Effect;
use super::git::Hosted;
use super::script::{Build, Script};
use super::see::Memory;
use super::shown::Shown;
use super::store::Store;
use crate::api::Environment;
use crate::api::environment::EnvironmentStatus;
use crate::apply::Acted;
use crate::build::hash;
use crate::config::{Config, PostgresServer};
use crate::context::HashKey;
use crate::observe::source::Heard;
use crate::plan::resolve::repository;
use crate::plan::{self, Plan, Step};
use crate::registry;
use crate::seen::{Activator, Routing, SeenEnvironment};
use crate::status;

/// A cluster with its servers, registries and gateways.
#[derive(Debug)]
pub struct World {
    /// The objects.
    pub store: Store,
    /// What images do.
    pub script: Script,
    /// What registries say of images.
    pub registry: BTreeMap<String, registry::Answer>,
    /// The database servers.
    pub databases: Servers,
    /// What the gateway makes of routes.
    pub gateway: Answers,
    /// How requests get in.
    pub routing: Routing,
    /// The controller's configuration.
    pub config: Arc<Config>,
    /// The pods of the activator. `None`: there is none.
    pub activator: Option<Activator>,
    /// Environments of other namespaces.
    pub neighbours: Vec<Arc<Environment>>,
    /// The repository that sources name. `None`: no host is played, and no App is passed over.
    pub hosted: Option<Hosted>,
    /// ConfigMaps and Secrets that cannot be read, and why.
    pub unreadable: BTreeMap<String, String>,
    /// What the apiserver refuses: a kind, the beginning of a name, and why.
    pub refuses: Vec<(String, String, String)>,
    /// What Git hosts show of previews.
    pub shown: Shown,
    /// What the controller remembers.
    pub(super) memories: BTreeMap<String, Memory>,
    /// What the controller remembers of the host, by App.
    pub(super) heard: BTreeMap<String, Heard>,
    pub(super) hash_key: HashKey,
    pub(super) asked: usize,
}

/// What a pass did.
#[derive(Debug)]
pub struct Pass {
    /// What it saw.
    pub seen: SeenEnvironment,
    /// What it decided.
    pub plan: Plan,
    /// What became of it.
    pub acted: Acted,
    /// The status before, if another one was written.
    pub before: Option<EnvironmentStatus>,
}

impl World {
    /// An empty namespace.
    #[must_use]
    pub fn new(namespace: &str, now: Timestamp) -> Self {
        let mut store = Store::default();
        store.namespace = namespace.to_owned();
        store.now = now;
        Self {
            store,
            script: Script::default(),
            registry: BTreeMap::new(),
            databases: Servers::default(),
            gateway: Answers::default(),
            routing: Routing::Gateway {
                namespace: "edge".to_owned(),
                name: "public".to_owned(),
                section: None,
            },
            config: Arc::new(Config {
                cluster_id: Some("simulated".to_owned()),
                ..Config::default()
            }),
            activator: None,
            neighbours: Vec::new(),
            hosted: None,
            unreadable: BTreeMap::new(),
            refuses: Vec::new(),
            shown: Shown::default(),
            memories: BTreeMap::new(),
            heard: BTreeMap::new(),
            hash_key: HashKey::new(b"simulated"),
            asked: 0,
        }
    }

    /// Pushes an image that does this, with or without the label of its migration key. Returns its digest.
    pub fn push_image(&mut self, image: &str, build: Build, migration_key: Option<&str>) -> String {
        let named = image.split_once('@').map(|(_, digest)| digest.to_owned());
        let digest = named.unwrap_or_else(|| format!("sha256:{}", hash::of(image, 64)));
        self.script
            .set(format!("{}@{digest}", repository(image)), build);
        let answer = registry::Answer::Found {
            digest: digest.clone(),
            migration_key: migration_key.map(str::to_owned),
        };
        self.registry.insert(image.to_owned(), answer);
        digest
    }

    /// The Environment of that name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<Arc<Environment>> {
        self.store.get(name)
    }

    /// One pass over an Environment: look, decide, act, tell. `None`: there is nothing to pass over.
    pub fn pass(&mut self, name: &str) -> Option<Pass> {
        self.pass_watched(name, usize::MAX, &mut |_, _| {})
    }

    /// A pass whose controller ends after so many writes, if there are as many, and tells nothing then. Every write is
    /// shown to `watch` when it is done.
    pub fn pass_watched(
        &mut self,
        name: &str,
        most: usize,
        watch: &mut dyn FnMut(&Self, &Step),
    ) -> Option<Pass> {
        let (seen, plan) = self.decide(name)?;
        let environment = seen.environment.clone();
        let acted = self.perform((&*environment).into(), &plan, most, watch);
        let cut = acted.tried() >= most && plan.steps.len() > most;
        let before = if cut {
            self.forget();
            None
        } else {
            self.tell(&environment, &plan, &acted)
        };
        Some(Pass {
            seen,
            plan,
            acted,
            before,
        })
    }

    /// A shared server of that name, on which every namespace may have databases.
    pub fn share(&mut self, name: &str) {
        let mut config = Config::clone(&self.config);
        if config.postgres.server(name).is_none() {
            let server = PostgresServer::for_all(name, "server");
            config.postgres.servers.push(server);
        }
        self.config = Arc::new(config);
        self.databases.share(name);
    }

    fn decide(&mut self, name: &str) -> Option<(SeenEnvironment, Plan)> {
        let environment = self.environment(name)?;
        let leaving = environment.metadata.deletion_timestamp.is_some();
        if leaving && !plan::teardown::is_held(&environment) {
            return None;
        }
        let seen = self.see(&environment);
        let plan = plan::environment(&seen);
        Some((seen, plan))
    }

    /// A new controller takes over, which remembers nothing.
    pub fn forget(&mut self) {
        self.memories.clear();
        self.shown.put_off.clear();
        self.heard.clear();
    }

    /// Something happens at the Git host, and the controller hears of it.
    pub fn at_host(&mut self, happens: impl FnOnce(&mut Hosted)) {
        happens(self.hosted.get_or_insert_default());
        self.store.version += 1;
    }

    fn tell(
        &mut self,
        environment: &Environment,
        plan: &Plan,
        acted: &Acted,
    ) -> Option<EnvironmentStatus> {
        let wanted = status::after(environment, plan, acted, true, self.store.now);
        let before = environment.status.clone();
        if before.as_ref() == Some(&wanted) {
            return None;
        }
        let told = Environment {
            status: Some(wanted),
            ..environment.clone()
        };
        self.store.set_status(&told);
        Some(before.unwrap_or_default())
    }

    /// Everything that could happen next without Towpath.
    #[must_use]
    pub fn possible(&self) -> Vec<Effect> {
        actors::possible(&self.store, &self.script, &self.gateway)
    }

    /// Lets one step of an actor happen.
    pub fn happen(&mut self, effect: &Effect) {
        effect.happen(&mut self.store);
        self.databases.tick(&self.store, &self.script);
    }

    /// Time goes by.
    pub fn wait(&mut self, seconds: i64) {
        self.store.now += SignedDuration::from_secs(seconds);
    }

    /// The names of the Environments.
    #[must_use]
    pub fn environments(&self) -> Vec<String> {
        self.store
            .environments
            .values()
            .map(|environment| environment.name_any())
            .collect()
    }
}
