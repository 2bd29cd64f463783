//! Does what a plan asks for, as the controller's own writer does it against a real apiserver.

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;

use super::store::{Refusal, Stored, value};
use super::world::World;
use crate::api::{ConditionType, Environment, Reason};
use crate::apply::standing::Standing;
use crate::apply::{Acted, replaced};
use crate::plan::{Action, Change, Plan, Step};
use crate::postgres::Failure;
use crate::seen::Hidden;

/// Why nothing more is sent.
enum Stop {
    Refused(Reason, String),
    Again,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict => Self::Again,
            Refusal::Invalid(why) => Self::Refused(Reason::ObjectRefused, why),
        }
    }
}

impl World {
    /// Does the first steps of a plan, at most so many of them; shows each when it is done.
    pub(super) fn perform(
        &mut self,
        environment: &Environment,
        plan: &Plan,
        most: usize,
        watch: &mut dyn FnMut(&Self, &Step),
    ) -> Acted {
        let mut acted = Acted::default();
        for step in plan.steps.iter().take(most) {
            match self.take(environment, step.stage, &step.action) {
                Ok(()) => {
                    acted.wrote += 1;
                    watch(self, step);
                }
                Err(Stop::Again) => {
                    acted.again = true;
                    return acted;
                }
                Err(Stop::Refused(reason, why)) => {
                    acted.refused = Some((step.stage, reason, why));
                    return acted;
                }
            }
        }
        acted
    }

    fn take(
        &mut self,
        environment: &Environment,
        stage: ConditionType,
        action: &Action,
    ) -> Result<(), Stop> {
        if let Some(key) = action.key() {
            self.quota(key.kind, &key.name)?;
        }
        match action {
            Action::Decide(revision) => match self.post(environment, &**revision)? {
                true => Ok(()),
                false => Err(Stop::Again),
            },
            Action::Copy(map) => self.post(environment, &**map).map(drop),
            Action::Migrate(job) => self.post(environment, &**job).map(drop),
            Action::Invent { secret, generate } => self.invent(environment, secret, generate),
            Action::Record(fact) => {
                let patch = json!({"metadata": {"uid": fact.uid, "annotations": fact.annotations}});
                Ok(self
                    .store
                    .patch::<ControllerRevision>(&fact.name, &patch)
                    .map(drop)?)
            }
            Action::Own { key, uid, owners } => {
                let patch = json!({"metadata": {"uid": uid, "ownerReferences": owners}});
                Ok(self.store.patch::<Secret>(&key.name, &patch).map(drop)?)
            }
            Action::Deployment(change) => self.change(environment, change),
            Action::StatefulSet(change) => self.change(environment, change),
            Action::Service(change) => self.change(environment, change),
            Action::Budget(change) => self.change(environment, change),
            Action::HttpRoute(change) => self.change(environment, change),
            Action::Ingress(change) => self.change(environment, change),
            Action::Volume(change) => self.change(environment, change),
            Action::ConfigMap(change) => self.change(environment, change),
            Action::Binding(Hidden(change)) => self.change(environment, change),
            Action::Hold {
                name,
                uid,
                finalizers,
                ..
            } => {
                let patch = json!({"metadata": {"uid": uid, "finalizers": finalizers}});
                Ok(self.store.patch::<Environment>(name, &patch).map(drop)?)
            }
            Action::Drop(access, unwanted) => {
                let done = self.databases.remove(access, unwanted);
                self.changed_database(environment, done)
            }
            Action::Provide(access, wanted) => {
                let done = self.databases.provide(&self.store, access, wanted);
                self.changed_database(environment, done)
            }
            Action::Enter(access, entry) => {
                let done = self.databases.enter(&self.store, access, entry);
                self.changed_database(environment, done)
            }
            Action::Delete { key, uid } => {
                debug_assert!(stage >= ConditionType::DatabaseReady, "{key:?}");
                self.store.delete_any(key.kind, &key.name, uid);
                Ok(())
            }
        }
    }

    /// What the apiserver is told to refuse, by kind and the beginning of the name.
    fn quota(&self, kind: &str, name: &str) -> Result<(), Stop> {
        let refusal = self
            .refuses
            .iter()
            .find(|(known, prefix, _)| known == kind && name.starts_with(prefix));
        match refusal {
            Some((.., why)) => Err(Stop::Refused(
                Reason::ObjectRefused,
                format!("The apiserver refused {kind} {name}: {why}"),
            )),
            None => Ok(()),
        }
    }

    /// Whether it was made now; what is there already must be ours.
    fn post<K: Stored>(&mut self, environment: &Environment, object: &K) -> Result<bool, Stop> {
        if self.store.create(object.clone()).is_some() {
            return Ok(true);
        }
        self.ours::<K>(environment, &object.name_any())
            .map(|_| false)
    }

    fn invent(
        &mut self,
        environment: &Environment,
        secret: &Secret,
        generate: &[String],
    ) -> Result<(), Stop> {
        let mut secret = secret.clone();
        let data = secret.data.get_or_insert_default();
        data.extend(generate.iter().map(|key| {
            (
                key.clone(),
                ByteString(format!("made-up-{key}").into_bytes()),
            )
        }));
        self.post(environment, &secret).map(drop)
    }

    /// The uid of what has this name, if it is ours.
    fn ours<K: Stored>(
        &self,
        environment: &Environment,
        name: &str,
    ) -> Result<Option<String>, Stop> {
        let Some(there) = self.store.get::<K>(name) else {
            return Ok(None);
        };
        match Standing::of(&*there, environment) {
            Standing::Ours => Ok(there.uid()),
            Standing::Leaving(why) => Err(Stop::Refused(Reason::Terminating, why)),
            Standing::Taken(why) => Err(Stop::Refused(Reason::NameTaken, why)),
        }
    }

    fn change<K: Stored>(
        &mut self,
        environment: &Environment,
        change: &Change<K>,
    ) -> Result<(), Stop> {
        let mut object = (*change.object).clone();
        let name = object.name_any();
        match &change.live {
            Some(live) => {
                object
                    .meta_mut()
                    .resource_version
                    .clone_from(&live.resource_version);
                object.meta_mut().uid = Some(live.uid.clone());
            }
            None => object.meta_mut().uid = self.ours::<K>(environment, &name)?,
        }
        self.store.apply(&object)?;
        let foreign = change
            .live
            .as_ref()
            .map(|live| live.foreign.as_slice())
            .unwrap_or_default();
        let now = self.store.now;
        let memory = self.memories.entry(environment.name_any()).or_default();
        if !foreign.is_empty() && memory.foreign.remove(foreign, now) {
            let rendered = value(&*change.object);
            let parts = replaced(&K::kind(&())).iter();
            let parts: Vec<_> = parts
                .filter_map(|path| Some((*path, rendered.pointer(path)?.clone())))
                .collect();
            self.store.put_at::<K>(&name, &parts)?;
        }
        Ok(())
    }

    /// What the database said before does not count any more.
    fn changed_database(
        &mut self,
        environment: &Environment,
        done: Result<(), Failure>,
    ) -> Result<(), Stop> {
        self.memories
            .entry(environment.name_any())
            .or_default()
            .database = None;
        done.map_err(|failure| match failure {
            Failure::Refused(why) => Stop::Refused(Reason::DatabaseRefused, why),
            Failure::Silent(why) => Stop::Refused(Reason::DatabaseSilent, why),
            Failure::Busy(why) => Stop::Refused(Reason::DatabaseBusy, why),
        })
    }
}
