//! Looks at the simulated cluster as the controller looks at a real one: first what is there, then what that makes it ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::actors::is_ready;
use super::script::Runs;
use super::store::{Shelf, Stored};
use super::world::World;
use crate::api::{App, Environment, Reason, labels};
use crate::build::names;
use crate::caches::Place;
use crate::observe::belongs;
use crate::observe::checks::Counted;
use crate::plan::questions::{self, Address, By, CheckQuestion, Names};
use crate::postgres::{self, Access, Question};
use crate::probe;
use crate::registry;
use crate::revision::Revision;
use crate::seen::{Check, Children, Credentials, Hidden, SecretSeen, Seen, SeenEnvironment};

/// How long an answer of a database is good enough where an older one is.
const GOOD: SignedDuration = SignedDuration::from_mins(5);

/// What is remembered of an Environment from pass to pass; all of it may be lost.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub(super) checks: BTreeMap<String, Counted>,
    pub(super) database: Option<Answered>,
    pub(super) foreign: crate::apply::foreign::Foreign,
}

/// The last answer of a database.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    access: Access,
    question: Question,
    answer: postgres::Answer,
    at: Timestamp,
}

impl World {
    /// What the controller sees of an Environment now.
    #[must_use]
    pub fn see(&mut self, environment: &Arc<Environment>) -> SeenEnvironment {
        let mut seen = self.seen_without_asking(environment);
        seen.server = questions::server(&seen).and_then(|server| {
            let known = seen.config.postgres.server(&server.name)?;
            Some(self.databases.admin(&known.name))
        });
        let images = questions::images(&seen);
        let images = images
            .into_iter()
            .map(|image| (image.clone(), self.registry_says(&image)));
        let images: BTreeMap<_, _> = images.collect();
        seen.incarnation = questions::incarnation(&seen);
        let database = self.database_says(&seen);
        let checks = self.checks_say(&seen);
        seen.images = images;
        seen.database = database;
        seen.checks = checks;
        seen
    }

    /// What is there, before registries, databases and checks are asked.
    pub(super) fn seen_without_asking(&self, environment: &Arc<Environment>) -> SeenEnvironment {
        let app: Option<Arc<App>> = self.store.get(&environment.spec.app_ref.name);
        let names = questions::names(environment, app.as_deref());
        let children = self.children(environment);
        SeenEnvironment {
            now: self.store.now,
            environment: environment.clone(),
            app: app.map_or(Seen::Missing, Seen::Found),
            preview: self.preview_of(environment),
            config: self.config.clone(),
            revisions: self.revisions(environment),
            config_maps: names
                .config_maps
                .iter()
                .map(|name| (name.clone(), self.named(name)))
                .collect(),
            secrets: self.secrets(&names),
            images: BTreeMap::new(),
            database: None,
            incarnation: 0,
            bindings: self.bindings(environment, &children),
            credentials: credentials(environment, &children),
            server: None,
            checks: BTreeMap::new(),
            taken_hosts: self.taken_hosts(environment),
            database_sharer: self.database_sharer(environment, &children),
            children,
            routing: self.routing.clone(),
            activator: self.activator.clone(),
            stubborn: self.memory(environment).foreign.stubborn(),
        }
    }

    fn preview_of(&self, environment: &Environment) -> Option<String> {
        let preview = self.store.previews.get(&environment.name_any())?;
        preview.metadata.uid.clone()
    }

    fn memory(&self, environment: &Environment) -> Memory {
        self.memories
            .get(&environment.name_any())
            .cloned()
            .unwrap_or_default()
    }

    fn named<K: Stored>(&self, name: &str) -> Seen<Arc<K>> {
        if let Some(why) = self.unreadable.get(name) {
            return Seen::Unknown(why.clone());
        }
        self.store.get(name).map_or(Seen::Missing, Seen::Found)
    }

    fn secrets(&self, names: &Names) -> BTreeMap<String, Seen<SecretSeen>> {
        let hashed = |name: &String| {
            let seen = match self.named::<Secret>(name) {
                Seen::Found(secret) => Seen::Found(self.hash_key.seen(
                    &self.store.namespace,
                    name,
                    &data(&secret),
                )),
                Seen::Missing => Seen::Missing,
                Seen::Unknown(why) => Seen::Unknown(why),
            };
            (name.clone(), seen)
        };
        names.secrets.iter().map(hashed).collect()
    }

    fn bindings(
        &self,
        environment: &Environment,
        children: &Children,
    ) -> BTreeMap<String, SecretSeen> {
        let own = environment.name_any();
        let namespace = &self.store.namespace;
        let secrets = children.secrets.iter();
        let bindings = secrets.filter(|(name, _)| names::incarnation(&own, name).is_some());
        bindings
            .map(|(name, Hidden(secret))| {
                let seen = self.hash_key.seen(namespace, name, &data(secret));
                (name.clone(), seen)
            })
            .collect()
    }

    fn children(&self, environment: &Environment) -> Children {
        let store = &self.store;
        let secrets = owned(&store.secrets, environment).into_iter();
        let mut pods = store.pods.clone();
        let prefix = format!("{}-", environment.name_any());
        pods.retain(|_, pod| {
            let ours = pod.labels().get(labels::ENVIRONMENT) == Some(&environment.name_any());
            ours && pod
                .owner_references()
                .iter()
                .any(|owner| owner.name.starts_with(&prefix))
        });
        Children {
            deployments: owned(&store.deployments, environment),
            stateful_sets: owned(&store.stateful_sets, environment),
            services: owned(&store.services, environment),
            endpoint_slices: owned(&store.endpoint_slices, environment),
            leases: owned(&store.leases, environment),
            network_policies: owned(&store.network_policies, environment),
            budgets: owned(&store.budgets, environment),
            http_routes: owned(&store.http_routes, environment),
            ingresses: owned(&store.ingresses, environment),
            config_maps: owned(&store.config_maps, environment),
            secrets: secrets
                .map(|(name, secret)| (name, Hidden(secret)))
                .collect(),
            volumes: owned(&store.volumes, environment),
            jobs: owned(&store.jobs, environment),
            pods,
        }
    }

    /// The revisions of an Environment, by number.
    #[must_use]
    pub fn revisions(&self, environment: &Environment) -> Vec<Revision> {
        let objects = owned(&self.store.revisions, environment);
        let mut revisions: Vec<_> = objects
            .values()
            .filter_map(|object| Revision::read(object))
            .collect();
        revisions.sort_by_key(|revision| revision.number);
        revisions
    }

    fn older<'w>(&'w self, than: &'w Environment) -> impl Iterator<Item = &'w Arc<Environment>> {
        let others = self.store.environments.values().chain(&self.neighbours);
        others.filter(move |other| age(other) < age(than))
    }

    fn taken_hosts(&self, environment: &Environment) -> BTreeMap<String, String> {
        let hosts = environment.spec.hosts.iter().map(|host| &host.host);
        let held = hosts.filter_map(|host| {
            let names = |other: &&Arc<Environment>| {
                other.spec.hosts.iter().any(|known| known.host == *host)
            };
            let seniority = |other: &Environment| {
                let since = self.published(other, host).unwrap_or(Timestamp::MAX);
                (since, age(other))
            };
            let others = self.store.environments.values().chain(&self.neighbours);
            let holder = others
                .filter(names)
                .min_by_key(|other| seniority(other))
                .filter(|other| seniority(other) < seniority(environment))?;
            Some((host.clone(), full_name(holder)))
        });
        held.collect()
    }

    /// Since when an Environment publishes a host, if it does. The routes of a neighbour are not known: what serves is
    /// published where nobody else has the host.
    fn published(&self, environment: &Environment, host: &str) -> Option<Timestamp> {
        let name = names::route(&environment.name_any(), host);
        let route = owned(&self.store.http_routes, environment).remove(&name);
        let ingress = owned(&self.store.ingresses, environment).remove(&name);
        let created = [
            route.and_then(|route| route.creation_timestamp()),
            ingress.and_then(|ingress| ingress.creation_timestamp()),
        ];
        let since = created.into_iter().flatten().map(|time| time.0).min();
        let is_neighbour = || {
            let mut known = self.neighbours.iter();
            known.any(|known| known.metadata.uid == environment.metadata.uid)
        };
        let status = environment.status.as_ref().filter(|status| {
            let taken = Reason::HostTaken.as_str();
            status.serving.is_some() && !status.conditions.iter().any(|known| known.reason == taken)
        });
        let elsewhere = || {
            status
                .filter(|_| is_neighbour())
                .and_then(|_| age(environment).0)
        };
        since.or_else(elsewhere)
    }

    fn database_sharer(&self, environment: &Environment, children: &Children) -> Option<String> {
        let identities = |children: &Children| {
            let secrets = children
                .secrets
                .values()
                .map(|Hidden(secret)| secret.annotations());
            let records = children.config_maps.values().map(|map| map.annotations());
            let all: Vec<_> = secrets
                .chain(records)
                .filter_map(|all| all.get(labels::DATABASE_IDENTITY).cloned())
                .collect();
            all
        };
        let own = identities(children);
        let shares = |other: &&Arc<Environment>| {
            identities(&self.children(other))
                .iter()
                .any(|known| own.contains(known))
        };
        self.older(environment)
            .find(shares)
            .map(|older| full_name(older))
    }

    fn registry_says(&self, image: &str) -> registry::Answer {
        let missing =
            || registry::Answer::Missing(format!("Image '{image}' is not in its registry yet"));
        self.registry.get(image).cloned().unwrap_or_else(missing)
    }

    fn database_says(&mut self, seen: &SeenEnvironment) -> Option<postgres::Answer> {
        let asked = questions::database(seen)?;
        let access = match &asked.at {
            Address::Access(access) => access.clone(),
            Address::Secret { name, key } => {
                let secret = self.store.get::<Secret>(name)?;
                let url = data(&secret).get(key).cloned()?;
                match Access::parse(&String::from_utf8_lossy(&url.0)) {
                    Ok(access) => access,
                    Err(why) => return Some(postgres::Answer::Refused(why)),
                }
            }
        };
        let now = self.store.now;
        let memory = self
            .memories
            .entry(seen.environment.name_any())
            .or_default();
        let fits = |known: &&Answered| {
            now.duration_since(known.at) < GOOD
                && known.access == access
                && known.question == asked.question
        };
        if let Some(known) = memory
            .database
            .as_ref()
            .filter(|_| asked.cached)
            .filter(fits)
        {
            return Some(known.answer.clone());
        }
        let answer = self.databases.look(&self.store, &access, &asked.question);
        let good = !matches!(answer, postgres::Answer::Silent(_));
        let question = asked.question;
        memory.database = good.then(|| Answered {
            access,
            question,
            answer: answer.clone(),
            at: now,
        });
        Some(answer)
    }

    fn checks_say(&mut self, seen: &SeenEnvironment) -> BTreeMap<String, Check> {
        let asked = questions::checks(seen);
        let name = seen.environment.name_any();
        let now = self.store.now;
        let mut known = self
            .memories
            .entry(name.clone())
            .or_default()
            .checks
            .clone();
        known.retain(|key, _| asked.iter().any(|question| question.key == *key));
        let mut checks = BTreeMap::new();
        for question in asked {
            let mut counted = Counted::of(known.get(&question.key), question.revision);
            if counted.is_due(now) {
                counted.count(self.measure(&question), now);
            }
            checks.insert(question.key.clone(), counted.check().clone());
            known.insert(question.key, counted);
        }
        self.memories.entry(name).or_default().checks = known;
        checks
    }

    fn measure(&mut self, question: &CheckQuestion) -> probe::Answer {
        match &question.by {
            By::Http(address) | By::Tcp(address) => {
                let address = address.trim_start_matches("http://");
                self.by_service(|ip| address.starts_with(&format!("{ip}:")))
            }
            By::Host { host, path, .. } => self.by_host(host, path),
        }
    }

    fn by_service(&mut self, is_meant: impl Fn(&str) -> bool) -> probe::Answer {
        let mut services = self.store.services.values();
        let meant = services.find(|service| {
            let ip = service
                .spec
                .as_ref()
                .and_then(|spec| spec.cluster_ip.as_deref());
            ip.is_some_and(&is_meant)
        });
        let selector = meant
            .and_then(|service| service.spec.as_ref()?.selector.clone())
            .unwrap_or_default();
        self.by_pods(&selector)
    }

    fn by_pods(&mut self, selector: &BTreeMap<String, String>) -> probe::Answer {
        let pods = self.store.pods.values();
        let fits = |pod: &&Arc<k8s_openapi::api::core::v1::Pod>| {
            is_ready(pod)
                && selector
                    .iter()
                    .all(|(key, value)| pod.labels().get(key) == Some(value))
        };
        let behind: Vec<_> = pods.filter(fits).collect();
        self.asked += 1;
        // Requests go to one pod after the other.
        let Some(pod) = behind.get(self.asked % behind.len().max(1)) else {
            return probe::Answer::No("the connection was refused".to_owned());
        };
        let image = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.containers.first()?.image.clone());
        match self.script.of(&image.unwrap_or_default()).runs {
            Runs::AnswersErrors => probe::Answer::No("it answered 500".to_owned()),
            Runs::SaysNothing => probe::Answer::Unknown("it did not answer within 5 s".to_owned()),
            _ => probe::Answer::Yes,
        }
    }

    fn by_host(&mut self, host: &str, path: &str) -> probe::Answer {
        let routes = self.store.http_routes.values();
        let route = routes.filter(|route| route.spec.hostnames.iter().any(|known| known == host));
        let rules = route.flat_map(|route| &route.spec.rules);
        let rule = rules
            .filter(|rule| {
                rule.matches
                    .iter()
                    .any(|known| path.starts_with(&known.path.value))
            })
            .max_by_key(|rule| {
                rule.matches
                    .iter()
                    .map(|known| known.path.value.len())
                    .max()
            });
        let service = rule
            .and_then(|rule| rule.backend_refs.first())
            .map(|backend| backend.name.clone());
        let service = service.and_then(|name| self.store.services.get(&name).cloned());
        match service.and_then(|service| service.spec.as_ref()?.selector.clone()) {
            Some(selector) => self.by_pods(&selector),
            None => probe::Answer::No("it answered 404".to_owned()),
        }
    }
}

/// What decides who is older.
fn age(environment: &Environment) -> (Option<Timestamp>, Place) {
    let created = environment.creation_timestamp().map(|time| time.0);
    (created, Place::of(environment))
}

fn owned<K: Stored>(shelf: &Shelf<K>, environment: &Environment) -> Shelf<K> {
    let mut owned = shelf.clone();
    owned.retain(|_, object| {
        object.labels().get(labels::ENVIRONMENT) == Some(&environment.name_any())
            && belongs(&**object, environment)
    });
    owned
}

fn credentials(environment: &Environment, children: &Children) -> Option<Credentials> {
    let Hidden(secret) = children.secrets.get(&names::passwords(environment))?;
    let data = data(secret);
    let password = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    Some(Credentials {
        admin: password("admin"),
        owner: password("owner")?,
        app: password("app")?,
    })
}

fn data(secret: &Secret) -> BTreeMap<String, ByteString> {
    secret.data.clone().unwrap_or_default()
}

fn full_name(environment: &Environment) -> String {
    format!(
        "{}/{}",
        environment.namespace().unwrap_or_default(),
        environment.name_any()
    )
}
