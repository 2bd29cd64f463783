//! What must hold after every step, whoever made it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec, Secret};
use kube::ResourceExt;
use towpath::api::condition::Class;
use towpath::api::{Environment, Reason, labels};
use towpath::build::{config_map, names};
use towpath::plan::{self, Step, secrets};
use towpath::postgres::{Entry, Outcome};
use towpath::revision::Revision;
use towpath::simulate::actors::{is_available, owned_by};
use towpath::simulate::{Effect, Pass, World};

/// Watches a world.
#[derive(Default)]
pub struct Watcher {
    seen: BTreeMap<String, Arc<Deployment>>,
    passes: usize,
    /// Deployments whose pods were all available, and nothing happened since that excuses fewer.
    up: BTreeSet<String>,
    data: BTreeSet<(&'static str, String, String)>,
    /// When a changed Secret restarted a Deployment.
    restarted: BTreeMap<String, jiff::Timestamp>,
    /// Deployments that somebody else has changed.
    meddled: BTreeSet<String>,
}

impl Watcher {
    /// A person is about to act.
    pub fn person(&mut self, world: &World) {
        self.look(world);
    }

    /// A person has acted: what is missing now is no fault of the controller.
    pub fn acted(&mut self, world: &World) {
        self.up.clear();
        self.data.clear();
        for (name, deployment) in &world.store.deployments {
            let known = self.seen.get(name);
            if known.is_some_and(|known| template(known) != template(deployment)) {
                self.meddled.insert(name.clone());
            }
        }
        self.seen.clone_from(&world.store.deployments);
        self.remember_data(world);
    }

    /// An actor is about to act.
    pub fn before(&mut self, world: &World, effect: &Effect) {
        match effect {
            Effect::Pod(pod, words)
                if words.starts_with("crashes") || words.starts_with("is not ready") =>
            {
                self.excuse(pod);
            }
            Effect::MakePod(pod) => may_start(world, pod),
            _ => {}
        }
    }

    /// An actor has acted.
    pub fn effect(&mut self, world: &World, _: &Effect) {
        self.look(world);
    }

    /// The controller has written.
    pub fn step(&mut self, world: &World, _: &Step) {
        self.look(world);
    }

    /// A pass is over.
    pub fn pass(&mut self, world: &World, pass: &Pass, careful: bool) {
        self.passes += 1;
        if careful && self.passes.is_multiple_of(8) {
            let again = plan::environment(&pass.seen);
            assert_eq!(
                format!("{:?}", pass.plan),
                format!("{again:?}"),
                "a plan depends on nothing but what was seen"
            );
        }
        if let Some(environment) = world.environment(&pass.seen.environment.name_any()) {
            conditions_fit_their_reasons(&environment);
        }
    }

    fn excuse(&mut self, pod: &Pod) {
        for owner in pod.owner_references() {
            self.up.remove(&owner.name);
        }
    }

    fn look(&mut self, world: &World) {
        one_migration_at_a_time(world);
        self.templates_change_for_a_reason(world);
        self.enough_pods_serve(world);
        self.remember_data(world);
    }

    fn templates_change_for_a_reason(&mut self, world: &World) {
        let before = std::mem::replace(&mut self.seen, world.store.deployments.clone());
        for (name, deployment) in &world.store.deployments {
            let Some(before) = before.get(name) else {
                is_held(world, deployment, "a workload is made");
                continue;
            };
            let (before, now) = match Arc::ptr_eq(before, deployment) {
                true => continue,
                false => (template(before), template(deployment)),
            };
            if before == now {
                continue;
            }
            if label(before) != label(now) {
                is_held(world, deployment, "a template changes");
            } else if without_hash(before) == without_hash(now) {
                self.secret_restarts(world, name, deployment);
            } else {
                assert!(
                    self.meddled.remove(name),
                    "template of {name} changes for no reason: {before:?} -> {now:?}"
                );
            }
        }
    }

    /// A changed Secret restarts at most every five minutes, and only while nothing is on its way.
    fn secret_restarts(&mut self, world: &World, name: &str, deployment: &Deployment) {
        let newest = revisions_of(world, deployment).pop().expect("a revision");
        let settled = newest.facts.verified.is_some() || newest.facts.given_up.is_some();
        assert!(
            settled,
            "{name} restarts for a Secret while revision {} is on its way",
            newest.number
        );
        let now = world.store.now;
        if let Some(last) = self.restarted.insert(name.to_owned(), now) {
            let pause = now.duration_since(last).as_secs();
            assert!(pause >= 300, "{name} restarts for a Secret after {pause} s");
        }
    }

    fn enough_pods_serve(&mut self, world: &World) {
        let pods: Vec<&Pod> = world.store.pods.values().map(Arc::as_ref).collect();
        for (name, deployment) in &world.store.deployments {
            let spec = deployment.spec.as_ref().unwrap();
            let strategy = spec
                .strategy
                .as_ref()
                .and_then(|strategy| strategy.type_.as_deref());
            let declared = usize::try_from(spec.replicas.unwrap_or(1)).unwrap();
            let owned = owned_by(&pods, &**deployment);
            let available = owned
                .iter()
                .filter(|pod| is_available(pod, 5, world.store.now))
                .count();
            // What sleeps has no pods, and wakes without any.
            if strategy != Some("RollingUpdate") || declared == 0 {
                self.up.remove(name);
            } else if available >= declared {
                self.up.insert(name.clone());
            } else {
                assert!(
                    !self.up.contains(name),
                    "only {available} of {declared} pods of {name} serve"
                );
            }
        }
        self.up.retain(|name| {
            let there = world.store.deployments.contains_key(name);
            // What goes with its Environment, or is wanted no more, goes as a whole.
            there || !is_wanted(world, name)
        });
    }

    /// Data goes only with its owner, if it has one.
    fn remember_data(&mut self, world: &World) {
        let mut data = BTreeSet::new();
        let mut owned = BTreeSet::new();
        let secrets = world
            .store
            .secrets
            .values()
            .map(|it| ("Secret", it.metadata.clone()));
        let volumes = world
            .store
            .volumes
            .values()
            .map(|it| ("PersistentVolumeClaim", it.metadata.clone()));
        let maps = world
            .store
            .config_maps
            .values()
            .map(|it| ("ConfigMap", it.metadata.clone()));
        for (kind, metadata) in secrets.chain(volumes).chain(maps) {
            let marked = metadata
                .labels
                .iter()
                .flatten()
                .any(|(label, _)| label == labels::DATA);
            let key = (kind, metadata.name.unwrap(), metadata.uid.unwrap());
            if marked
                && metadata
                    .owner_references
                    .is_none_or(|owners| owners.is_empty())
            {
                data.insert(key);
            } else if marked {
                owned.insert(key);
            }
        }
        let lost: Vec<_> = self
            .data
            .difference(&data)
            .filter(|key| !owned.contains(*key))
            .collect();
        assert!(lost.is_empty(), "data is gone: {lost:?}");
        self.data = data;
    }
}

fn template(deployment: &Deployment) -> &PodTemplateSpec {
    &deployment.spec.as_ref().unwrap().template
}

fn label(template: &PodTemplateSpec) -> Option<&String> {
    template
        .metadata
        .as_ref()?
        .labels
        .as_ref()?
        .get(labels::TEMPLATE)
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(metadata) = &mut template.metadata {
        metadata
            .annotations
            .get_or_insert_default()
            .remove(labels::SECRETS);
    }
    template
}

fn revisions_of(world: &World, deployment: &Deployment) -> Vec<Revision> {
    let name = deployment.labels().get(labels::ENVIRONMENT).unwrap();
    world
        .environment(name)
        .map(|environment| world.revisions(&environment))
        .unwrap_or_default()
}

/// What the slots hold, by the facts alone: the newest revision, if it has entered and was not given up, else the newest verified.
fn held(revisions: &[Revision]) -> Option<&Revision> {
    let newest = revisions
        .last()
        .filter(|newest| newest.facts.entered.is_some() && newest.facts.given_up.is_none());
    let verified = |revision: &&Revision| {
        revision.facts.verified.is_some() && revision.facts.given_up.is_none()
    };
    newest.or_else(|| revisions.iter().rev().find(verified))
}

fn is_held(world: &World, deployment: &Deployment, what: &str) {
    let revisions = revisions_of(world, deployment);
    let component = &deployment.labels()[labels::COMPONENT];
    let held = held(&revisions).and_then(|held| held.component(component));
    let template = template(deployment);
    assert_eq!(
        held.map(|held| &held.hash),
        label(template),
        "{what} ({}), but the facts say that the slots hold another revision",
        deployment.name_any()
    );
}

/// Whether the revision that holds the slots has a component for this Deployment.
fn is_wanted(world: &World, name: &str) -> bool {
    world
        .environments()
        .iter()
        .filter_map(|environment| world.environment(environment))
        .any(|environment| {
            let revisions = world.revisions(&environment);
            let component = name.strip_prefix(&format!("{}-", environment.name_any()));
            let component = component
                .and_then(|rest| rest.strip_suffix("-a"))
                .unwrap_or_default();
            held(&revisions).is_some_and(|held| held.component(component).is_some())
        })
}

/// No pod of a revision starts before that revision has entered, and its migration is in the record.
fn may_start(world: &World, pod: &Pod) {
    let (Some(hash), Some(component)) = (
        pod.labels().get(labels::TEMPLATE),
        pod.labels().get(labels::COMPONENT),
    ) else {
        return;
    };
    let Some(environment) = world.environment(&pod.labels()[labels::ENVIRONMENT]) else {
        return;
    };
    reads_what_is_there(world, &environment, pod);
    let record = record(world, &environment);
    let allowed = world.revisions(&environment).iter().any(|revision| {
        let known = revision
            .component(component)
            .is_some_and(|rendered| rendered.hash == *hash);
        let key = revision
            .decided
            .migration
            .as_ref()
            .map(|migration| &migration.key);
        let migrated = key.is_none_or(|key| {
            record
                .iter()
                .any(|entry| entry.key == *key && entry.outcome != Outcome::Failed)
        });
        known && revision.facts.entered.is_some() && migrated
    });
    assert!(
        allowed,
        "a pod of {component} ({hash}) starts before its migration is recorded"
    );
}

/// The database that a pod of a preview is told of is there: none is dropped that something runs on.
fn reads_what_is_there(world: &World, environment: &Environment, pod: &Pod) {
    if environment.spec.preview.is_none() {
        return;
    }
    let name = environment.name_any();
    let keys = secrets::keys(pod.spec.as_ref().unwrap());
    for binding in keys.filter(|key| names::incarnation(&name, &key.name).is_some()) {
        let secret = world.store.get::<Secret>(&binding.name);
        let secret = secret.unwrap_or_else(|| panic!("{} is gone", binding.name));
        let known = &secret.annotations()[labels::DATABASE_IDENTITY];
        let mut databases = world.databases.all();
        assert!(
            databases.any(|server| server.identity.to_string() == *known),
            "a pod starts whose database is gone: {known}"
        );
    }
}

fn record(world: &World, environment: &Environment) -> Vec<Entry> {
    let kept = world
        .store
        .config_maps
        .get(&format!("{}-migrations", environment.name_any()));
    let kept = kept.map(|map| config_map::entries(map)).unwrap_or_default();
    let servers = world
        .databases
        .all()
        .flat_map(|server| server.record.clone());
    servers.chain(kept).collect()
}

fn one_migration_at_a_time(world: &World) {
    let migrating = world.store.pods.values().filter(|pod| {
        let migrates = pod
            .labels()
            .get(labels::PURPOSE)
            .is_some_and(|purpose| purpose == "migration" || purpose == "seed");
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        migrates && phase == Some("Running")
    });
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in migrating {
        let environment = pod.labels()[labels::ENVIRONMENT].clone();
        names.entry(environment).or_default().push(pod.name_any());
    }
    let two = names.values().find(|names| names.len() > 1);
    assert_eq!(two, None, "two migrations run at a time");
}

fn conditions_fit_their_reasons(environment: &Environment) {
    let Some(status) = environment.status.clone() else {
        return;
    };
    for condition in &status.conditions {
        let known = Reason::ALL
            .iter()
            .find(|(reason, ..)| reason.as_str() == condition.reason);
        let (_, class, _) =
            known.unwrap_or_else(|| panic!("{condition:?} has a reason that nobody knows"));
        let wanted = match (condition.type_.as_str(), class) {
            ("Stalled", Class::Refused | Class::Failed)
            | ("Reconciling", Class::Waiting | Class::Unknown) => "True",
            // What nobody has asked for yet is not known.
            (_, Class::Waiting)
                if condition.reason == "Pending" && condition.status == "Unknown" =>
            {
                "Unknown"
            }
            (_, Class::Open) => "True",
            (_, Class::Unknown) => "Unknown",
            (_, Class::Waiting | Class::Refused | Class::Failed) => "False",
        };
        assert_eq!(condition.status, wanted, "{condition:?}");
    }
    let has = |type_: &str| status.conditions.iter().any(|known| known.type_ == type_);
    let ready = status
        .conditions
        .iter()
        .any(|known| known.type_ == "Ready" && known.status == "True");
    assert_ne!(ready, has("Stalled") || has("Reconciling"), "{status:?}");
    assert!(!(has("Stalled") && has("Reconciling")), "{status:?}");
}
