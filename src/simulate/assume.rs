//! What is taken for granted where nobody can be asked: images are in their registries, and what may not be read is there.
//! Each assumption is a sentence.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;

use super::script::Build;
use super::world::World;
use crate::api::{App, Environment, labels};
use crate::build::{binding, door, names, postgres};
use crate::config::{ActivatorRef, Config, PostgresImage};
use crate::plan::database::{self, dedicated_spec};
use crate::plan::questions;
use crate::postgres::Identity;
use crate::seen::{Activator, Credentials, Routing};

/// A URL that leads nowhere.
const URL: &str = "postgres://app@database.invalid/app";
/// What stands for a value that is not known.
const ANY: &str = "any";

/// An image that a release names is found; this says its migration key, if its label has one.
pub type Label = fn(&str) -> Option<String>;

impl World {
    /// Every image that would be asked for is in its registry, and does this.
    pub fn assume_images(
        &mut self,
        environment: &Arc<Environment>,
        build: Build,
        label: Label,
    ) -> Vec<String> {
        let asked = questions::images(&self.seen_without_asking(environment));
        for image in &asked {
            self.push_image(image, build, label(image).as_deref());
        }
        asked
    }

    /// Everything of these names that is not there is there with its keys. Returns what was missing, as `Secret 'name'`.
    pub fn assume_references(
        &mut self,
        environment: &Environment,
        is_meant: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let app: Option<Arc<App>> = self.store.get(&environment.spec.app_ref.name);
        let named = questions::names(environment, app.as_deref());
        let mut missing = Vec::new();
        for name in named.config_maps.iter().filter(|name| is_meant(name)) {
            if self.store.get::<ConfigMap>(name).is_none() {
                let mut map = ConfigMap::default();
                map.metadata.name = Some(name.clone());
                let keys = keys(environment, app.as_deref(), name);
                map.data = Some(keys.into_iter().map(|key| (key, ANY.to_owned())).collect());
                self.store.create(map);
                missing.push(format!("ConfigMap '{name}'"));
            }
        }
        for name in named.secrets.iter().filter(|name| is_meant(name)) {
            if self.store.get::<Secret>(name).is_none() {
                self.store.create(secret(environment, app.as_deref(), name));
                missing.push(format!("Secret '{name}'"));
            }
        }
        missing
    }

    /// The Secrets of a dedicated database that stands are as they were made; who may not read them cannot see that.
    pub fn assume_database_secrets(&mut self, environment: &Environment) {
        let name = environment.name_any();
        let app: Option<Arc<App>> = self.store.get(&environment.spec.app_ref.name);
        let database = app.as_ref().and_then(|app| app.spec.database.as_ref());
        let stands = self
            .store
            .stateful_sets
            .contains_key(&names::postgres(&name));
        let (Some(database), true) = (database, stands) else {
            return;
        };
        let passwords = Credentials {
            admin: Some(ANY.to_owned()),
            owner: ANY.to_owned(),
            app: ANY.to_owned(),
        };
        let mut own = postgres::credentials(environment);
        let filled = postgres::PASSWORDS.map(|key| (key.to_owned(), ByteString(ANY.into())));
        own.data = Some(filled.into());
        self.store.create(own);
        let place = binding::Place {
            secret: &names::binding(&name),
            host: &postgres::host(environment),
            port: postgres::PORT,
            database: postgres::DATABASE,
            owner: postgres::OWNER,
            app: postgres::APP,
        };
        let identity = Identity {
            server: ANY.to_owned(),
            database: postgres::DATABASE.to_owned(),
            oid: 1,
        };
        self.store.create(binding::secret(
            environment,
            database,
            &place,
            &passwords,
            &identity.to_string(),
        ));
    }

    /// A database that exists elsewhere answers, and is the one that is known.
    pub fn assume_external_database(&mut self, environment: &Arc<Environment>) {
        let seen = self.seen_without_asking(environment);
        let database = environment.spec.database.as_ref();
        let at = database
            .filter(|database| database.external.is_some())
            .and_then(|_| self.database_at(&seen));
        let Some(at) = at.filter(|at| !self.databases.has(at)) else {
            return;
        };
        match database::known(&seen).and_then(|known| known.parse().ok()) {
            Some(identity) => self.databases.restore(&at, identity, Vec::new()),
            None => self.databases.put(&at, 1),
        }
    }

    /// The controller's configuration fits what is declared, and what stands. Whether the way in is a guess.
    pub fn assume_config(&mut self, environment: &Environment) -> bool {
        let mut config = Config::clone(&self.config);
        if let Some(dedicated) = dedicated_spec(environment) {
            let image = self.database_image(environment);
            let known = config.postgres.image(&dedicated.version).map(str::to_owned);
            let image = image.or(known).unwrap_or_else(|| ANY.to_owned());
            let version = dedicated.version.clone();
            config
                .postgres
                .images
                .retain(|known| known.version != version);
            config
                .postgres
                .images
                .push(PostgresImage { version, image });
        }
        self.config = Arc::new(config);
        let database = environment.spec.database.as_ref();
        if let Some(server) = database.and_then(|database| database.server.as_ref()) {
            self.share(&server.name);
        }
        let present = self.present_routing();
        let is_guess = present.is_none() && !environment.spec.hosts.is_empty();
        if let Some(routing) = present {
            self.routing = routing;
        }
        is_guess
    }

    /// The activator is where the doors of previews lead; where none stands, somewhere. Where the configuration is known, it
    /// says whether there is one at all.
    pub fn assume_activator(&mut self, is_known: bool) {
        if is_known && self.config.activator.is_none() {
            return;
        }
        let mut config = Config::clone(&self.config);
        config.activator.get_or_insert_with(|| ActivatorRef {
            service: ANY.to_owned(),
        });
        self.config = Arc::new(config);
        let mut slices = self.store.endpoint_slices.values();
        let door = slices.find(|slice| leads(slice));
        self.activator = Some(door.map_or_else(somewhere, |slice| leading(slice)));
    }

    fn database_image(&self, environment: &Environment) -> Option<String> {
        let set = self
            .store
            .stateful_sets
            .get(&names::postgres(&environment.name_any()))?;
        let pod = set.spec.as_ref()?.template.spec.as_ref()?;
        pod.containers.first()?.image.clone()
    }

    /// The way by which hosts are published already.
    fn present_routing(&self) -> Option<Routing> {
        let parents = self
            .store
            .http_routes
            .values()
            .flat_map(|route| &route.spec.parent_refs);
        let gateway = parents.into_iter().next().map(|parent| Routing::Gateway {
            namespace: parent.namespace.clone().unwrap_or_default(),
            name: parent.name.clone(),
            section: parent.section_name.clone(),
        });
        let class = |ingress: &Arc<k8s_openapi::api::networking::v1::Ingress>| {
            Routing::Ingress(
                ingress
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.ingress_class_name.clone()),
            )
        };
        gateway.or_else(|| self.store.ingresses.values().next().map(class))
    }
}

fn somewhere() -> Activator {
    Activator {
        family: "IPv4".to_owned(),
        addresses: vec![ANY.to_owned()],
        port: 80,
    }
}

/// Others keep EndpointSlices too, for Services with the same labels.
fn leads(slice: &EndpointSlice) -> bool {
    let keeper = slice.labels().get(door::KEPT_BY);
    keeper.is_some_and(|keeper| keeper == labels::MANAGER)
}

/// Where a door leads.
fn leading(slice: &EndpointSlice) -> Activator {
    let endpoints = slice.endpoints.iter().flatten();
    let ports = slice.ports.iter().flatten();
    Activator {
        family: slice.address_type.clone(),
        addresses: endpoints.flat_map(|one| one.addresses.clone()).collect(),
        port: ports.filter_map(|port| port.port).next().unwrap_or(80),
    }
}

fn secret(environment: &Environment, app: Option<&App>, name: &str) -> Secret {
    let mut secret = Secret::default();
    secret.metadata.name = Some(name.to_owned());
    let keys = keys(environment, app, name).into_iter();
    secret.data = Some(keys.map(|key| (key, ByteString(ANY.into()))).collect());
    let database = environment.spec.database.as_ref();
    if let Some(external) = database.and_then(|database| database.external.as_ref())
        && external.secret_ref.name == name
    {
        let urls = [Some(&external.url_key), external.migration_url_key.as_ref()];
        let urls = urls.into_iter().flatten();
        let data = secret.data.get_or_insert_default();
        data.extend(urls.map(|key| (key.clone(), ByteString(URL.into()))));
    }
    secret
}

/// The keys that variables read of the ConfigMap or Secret of this name.
fn keys(environment: &Environment, app: Option<&App>, name: &str) -> BTreeSet<String> {
    let here = &environment.spec;
    let overrides = here.components.iter().flat_map(|entry| &entry.env);
    let app = app.iter().flat_map(|app| {
        let components = app
            .spec
            .components
            .iter()
            .flat_map(|component| &component.env);
        app.spec.env.iter().chain(components)
    });
    let variables = here.env.iter().chain(overrides).chain(app);
    let keys =
        variables.flat_map(|variable| variable.secret_ref.iter().chain(&variable.config_map_ref));
    keys.filter(|key| key.name == name)
        .map(|key| key.key.clone())
        .collect()
}
