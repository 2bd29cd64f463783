//! Reads the part of a namespace that files concern, and changes nothing there.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::forecast::Assumptions;
use crate::api::{App, Environment, Preview, labels};
use crate::build::http_route::HttpRoute;
use crate::cli::cluster::{Cluster, Refusal};
use crate::cli::declared::Declared;
use crate::cli::exit::Failure;
use crate::cli::get::selector;
use crate::config::Config;
use crate::observe::{controller, routing};
use crate::plan::questions::{self, Names};
use crate::simulate::World;
use crate::simulate::store::Stored;

/// One namespace of a cluster.
struct Reader<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    world: World,
    assumptions: Assumptions,
}

/// The part of a namespace that files concern, as a world that goes on from it.
pub(super) async fn namespace(
    cluster: &Cluster,
    namespace: &str,
    declared: &Declared,
) -> Result<(World, Assumptions), Failure> {
    let mut reader = Reader {
        cluster,
        namespace,
        world: World::new(namespace, Timestamp::now()),
        assumptions: Assumptions::default(),
    };
    reader
        .read(declared)
        .await
        .map_err(|refusal| cluster.tell(refusal))?;
    Ok((reader.world, reader.assumptions))
}

impl Reader<'_> {
    async fn read(&mut self, declared: &Declared) -> Result<(), Refusal> {
        let environments = self.environments().await?;
        let apps: Vec<App> = self.all().await?;
        apps.into_iter()
            .for_each(|app| self.world.store.load(free(app)));
        let previews: Vec<Preview> = self.all().await?;
        let named = declared.previews.iter().map(ResourceExt::name_any);
        let mut concerned: BTreeSet<String> = declared
            .environments
            .iter()
            .map(ResourceExt::name_any)
            .chain(named)
            .collect();
        for preview in &previews {
            if concerned.contains(&preview.name_any()) {
                self.world.store.load(free(preview.clone()));
            }
        }
        for environment in environments {
            let name = environment.name_any();
            if concerned.contains(&name) || self.is_concerned(&environment, declared) {
                concerned.insert(name);
                self.environment(environment, &previews);
            } else {
                self.world.neighbours.push(environment.into());
            }
        }
        for name in &concerned {
            self.children(name).await?;
        }
        self.named(declared).await?;
        self.config().await?;
        self.world.resume();
        Ok(())
    }

    /// An Environment, and with it the Preview that owns it.
    fn environment(&mut self, environment: Environment, previews: &[Preview]) {
        let owner = controller(&environment).map(|owner| &owner.uid);
        let mut previews = previews.iter();
        match previews.find(|preview| preview.metadata.uid.as_ref() == owner) {
            Some(preview) if owner.is_some() => {
                self.world.store.load(free(preview.clone()));
                self.world.store.load(environment);
            }
            _ => self.world.store.load(free(environment)),
        }
    }

    /// The Environments of the namespace; those of others are neighbours, which may hold a host.
    async fn environments(&mut self) -> Result<Vec<Environment>, Refusal> {
        let everywhere: Api<Environment> = Api::all(self.cluster.client.clone());
        match self
            .cluster
            .ask(everywhere.list(&ListParams::default()))
            .await
        {
            Ok(list) => {
                let here = |environment: &Environment| {
                    environment.namespace().as_deref() == Some(self.namespace)
                };
                let (here, elsewhere): (Vec<_>, Vec<_>) = list.items.into_iter().partition(here);
                self.world
                    .neighbours
                    .extend(elsewhere.into_iter().map(Into::into));
                Ok(here)
            }
            Err(Refusal::Missing(_)) => {
                let sentence =
                    "Towpath is installed before: the cluster does not know Environments yet";
                self.assumptions.assumed.push(sentence.to_owned());
                Ok(Vec::new())
            }
            Err(Refusal::Forbidden(_)) => {
                let sentence = "no Environment of another namespace has one of the hosts: they may not be read";
                self.assumptions.assumed.push(sentence.to_owned());
                self.all().await
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether an Environment names something that the files declare.
    fn is_concerned(&self, environment: &Environment, declared: &Declared) -> bool {
        let app = &environment.spec.app_ref.name;
        let live = self.world.store.get::<App>(app);
        let names = questions::names(environment, live.as_deref());
        let is = |name: String, named: &BTreeSet<String>| named.contains(&name);
        declared.apps.iter().any(|known| known.name_any() == *app)
            || declared
                .config_maps
                .iter()
                .any(|map| is(map.name_any(), &names.config_maps))
            || declared
                .secrets
                .iter()
                .any(|secret| is(secret.name_any(), &names.secrets))
    }

    /// What an Environment owns, and the data that was kept for it.
    async fn children(&mut self, name: &str) -> Result<(), Refusal> {
        self.load::<ControllerRevision>(name).await?;
        self.load::<Deployment>(name).await?;
        self.load::<StatefulSet>(name).await?;
        self.load::<Service>(name).await?;
        self.load::<NetworkPolicy>(name).await?;
        self.doors(name).await?;
        self.load::<PodDisruptionBudget>(name).await?;
        self.load::<HttpRoute>(name).await?;
        self.load::<Ingress>(name).await?;
        self.load::<ConfigMap>(name).await?;
        self.load::<PersistentVolumeClaim>(name).await?;
        self.load::<Job>(name).await?;
        self.load::<Pod>(name).await?;
        match self.load::<Secret>(name).await {
            Err(Refusal::Forbidden(_)) => {
                if let Some(environment) = self.world.environment(name) {
                    self.world.assume_database_secrets(&environment);
                }
                let sentence =
                    "the Secrets that Towpath made are as it made them: Secrets may not be read";
                self.assumptions.assumed.push(sentence.to_owned());
                Ok(())
            }
            other => other,
        }
    }

    /// Only previews that may sleep have them, and not everybody may read them.
    async fn doors(&mut self, name: &str) -> Result<(), Refusal> {
        let read = [
            self.load::<EndpointSlice>(name).await,
            self.load::<Lease>(name).await,
        ];
        let silent = |answer: &Result<(), Refusal>| !matches!(answer, Err(Refusal::Forbidden(_)));
        read.into_iter().filter(silent).collect()
    }

    async fn load<K: Stored>(&mut self, name: &str) -> Result<(), Refusal> {
        let labelled = ListParams::default().labels(&selector(name));
        let objects: Vec<K> = self.list(&labelled).await?;
        objects
            .into_iter()
            .for_each(|object| self.world.store.load(object));
        Ok(())
    }

    /// The ConfigMaps and Secrets that Environments and Apps name, as they are and as they are declared.
    async fn named(&mut self, declared: &Declared) -> Result<(), Refusal> {
        let mut names = Names::default();
        for environment in self
            .world
            .store
            .environments
            .values()
            .map(AsRef::as_ref)
            .chain(&declared.environments)
        {
            let live = self.world.store.get::<App>(&environment.spec.app_ref.name);
            let apps = declared.apps.iter().chain(live.as_deref());
            for app in apps.filter(|app| app.name_any() == environment.spec.app_ref.name) {
                let named = questions::names(environment, Some(app));
                names.config_maps.extend(named.config_maps);
                names.secrets.extend(named.secrets);
            }
        }
        for name in &names.config_maps {
            if let Some(map) = self.get::<ConfigMap>(name).await? {
                self.world.store.load(free(map));
            }
        }
        for name in &names.secrets {
            match self.get::<Secret>(name).await {
                Ok(secret) => secret
                    .into_iter()
                    .for_each(|secret| self.world.store.load(free(secret))),
                Err(Refusal::Forbidden(_)) => {
                    self.assumptions.secrets.insert(name.clone());
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// The controller's own configuration, for whoever may read it; else it fits.
    async fn config(&mut self) -> Result<(), Refusal> {
        let api: Api<ConfigMap> = Api::all(self.cluster.client.clone());
        let labelled =
            ListParams::default().labels(&format!("{}={}", labels::NAME, labels::MANAGER));
        let maps = match self.cluster.ask(api.list(&labelled)).await {
            Ok(list) => list.items,
            Err(Refusal::Silent(why)) => return Err(Refusal::Silent(why)),
            Err(_) => Vec::new(),
        };
        let read = |map: &ConfigMap| {
            let text = map.data.as_ref()?.get("towpath.yaml")?;
            let mut config = Config::parse(text).ok()?;
            config.namespace = map.namespace().unwrap_or_default();
            Some(config)
        };
        let config = maps.iter().find_map(read);
        let Some(config) = config else {
            self.assumptions.config = true;
            return Ok(());
        };
        let gateway_api = self.has_gateway_api().await;
        self.world.routing = routing::of(&config.routing, gateway_api);
        self.world.config = config.into();
        Ok(())
    }

    async fn has_gateway_api(&self) -> bool {
        let api: Api<HttpRoute> = Api::namespaced(self.cluster.client.clone(), self.namespace);
        let one = self
            .cluster
            .ask(api.list(&ListParams::default().limit(1)))
            .await;
        !matches!(one, Err(Refusal::Missing(_)))
    }

    async fn all<K>(&self) -> Result<Vec<K>, Refusal>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        self.list(&ListParams::default()).await
    }

    /// Objects of a kind; of one that the cluster does not know there are none.
    async fn list<K>(&self, params: &ListParams) -> Result<Vec<K>, Refusal>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = Api::namespaced(self.cluster.client.clone(), self.namespace);
        match self.cluster.ask(api.list(params)).await {
            Ok(list) => Ok(list.items),
            Err(Refusal::Missing(_)) => Ok(Vec::new()),
            Err(refusal) => Err(refusal),
        }
    }

    async fn get<K: Stored>(&self, name: &str) -> Result<Option<K>, Refusal> {
        let api: Api<K> = Api::namespaced(self.cluster.client.clone(), self.namespace);
        self.cluster.ask(api.get_opt(name)).await
    }
}

/// An object of people: whoever owns it is not looked at, and does not take it along.
fn free<K: Stored>(mut object: K) -> K {
    object.meta_mut().owner_references = None;
    object
}
