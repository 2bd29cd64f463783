//! Does what a plan asks for, as the controller's own writer does it against a real apiserver.

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;

use super::store::{Refusal, Stored, value};
use super::world::World;
use crate::api::{ConditionType, Environment, Preview, Reason};
use crate::apply::standing::Standing;
use crate::apply::{Acted, Owner, replaced};
use crate::plan::{Action, Change, Plan, Step};
use crate::postgres::Failure;
use crate::seen::{Hidden, Obstacle};

/// Why nothing more is sent.
enum Stop {
    Refused(Reason, String),
    Untold(Obstacle),
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
    pub(super) fn perform<S>(
        &mut self,
        owner: Owner<'_>,
        plan: &Plan<S>,
        most: usize,
        watch: &mut dyn FnMut(&Self, &Step),
    ) -> Acted {
        let mut acted = Acted::default();
        for (place, step) in plan.steps.iter().enumerate().take(most) {
            match self.take(owner, step.stage, &step.action) {
                Ok(()) => {
                    acted.wrote += 1;
                    watch(self, step);
                }
                Err(Stop::Again) => {
                    acted.again = true;
                    return acted;
                }
                Err(Stop::Untold(obstacle)) => {
                    acted.untold = Some(obstacle);
                    return acted;
                }
                Err(Stop::Refused(reason, why)) => {
                    acted.refused.get_or_insert((step.stage, reason, why));
                    if !step.action.stands_alone() {
                        return acted;
                    }
                    acted.passed_over.push(place);
                }
            }
        }
        // A controller that ends before it has noted what it told.
        if let Some(Action::Announce(announcement)) = plan.steps.get(most).map(|step| &step.action)
        {
            self.tell_git(announcement);
        }
        acted
    }

    fn take(
        &mut self,
        owner: Owner<'_>,
        stage: ConditionType,
        action: &Action,
    ) -> Result<(), Stop> {
        if let Some(key) = action.key() {
            self.quota(key.kind, &key.name)?;
        }
        match action {
            Action::Decide(revision) => match self.post(owner, &**revision)? {
                true => Ok(()),
                false => Err(Stop::Again),
            },
            Action::Copy(map) => self.post(owner, &**map).map(drop),
            Action::Migrate(job) => self.post(owner, &**job).map(drop),
            Action::Invent { secret, generate } => self.invent(owner, secret, generate),
            Action::Record(fact) => {
                let patch = json!({"metadata": {"uid": fact.uid, "annotations": fact.annotations}});
                Ok(self
                    .store
                    .patch::<ControllerRevision>(&fact.name, &patch)
                    .map(drop)?)
            }
            Action::Note(fact) => {
                let patch = json!({"metadata": {"uid": fact.uid, "annotations": fact.annotations}});
                Ok(self.store.patch::<Preview>(&fact.name, &patch).map(drop)?)
            }
            Action::Own { key, uid, owners } => {
                let patch = json!({"metadata": {"uid": uid, "ownerReferences": owners}});
                Ok(self.store.patch::<Secret>(&key.name, &patch).map(drop)?)
            }
            Action::Deployment(change) => self.change(owner, change),
            Action::StatefulSet(change) => self.change(owner, change),
            Action::Service(change) => self.change(owner, change),
            Action::EndpointSlice(change) => self.change(owner, change),
            Action::Lease(change) => self.change(owner, change),
            Action::Budget(change) => self.change(owner, change),
            Action::NetworkPolicy(change) => self.change(owner, change),
            Action::Environment(change) => self.stamp(owner, change),
            Action::Preview(change) => self.show(owner, change),
            Action::HttpRoute(change) => self.change(owner, change),
            Action::Ingress(change) => self.change(owner, change),
            Action::Volume(change) => self.change(owner, change),
            Action::ConfigMap(change) => self.change(owner, change),
            Action::Binding(Hidden(change)) => self.change(owner, change),
            Action::Hold {
                name,
                uid,
                finalizers,
                ..
            } => {
                let patch = json!({"metadata": {"uid": uid, "finalizers": finalizers}});
                let done = match owner {
                    Owner::Environment(_) => {
                        self.store.patch::<Environment>(name, &patch).map(drop)
                    }
                    Owner::Preview(_) => self.store.patch::<Preview>(name, &patch).map(drop),
                    Owner::App(_) => Ok(()),
                };
                Ok(done?)
            }
            Action::Announce(announcement) => match owner {
                Owner::Preview(preview) => match self.announce(preview, announcement)? {
                    Some(obstacle) => Err(Stop::Untold(obstacle)),
                    None => Ok(()),
                },
                Owner::Environment(_) | Owner::App(_) => Ok(()),
            },
            Action::Drop(access, unwanted) => {
                let done = self.databases.remove(&self.store, access, unwanted);
                self.changed_database(owner, done)
            }
            Action::Provide(access, wanted) => {
                let done = self.databases.provide(&self.store, access, wanted);
                self.changed_database(owner, done)
            }
            Action::Enter(access, entry) => {
                let done = self.databases.enter(&self.store, access, entry);
                self.changed_database(owner, done)
            }
            Action::Delete { key, uid } => {
                let of_preview = ["Environment", "Preview"].contains(&key.kind);
                let early = !of_preview && stage < ConditionType::DatabaseReady;
                debug_assert!(!early, "{key:?}");
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
    fn post<K: Stored>(&mut self, owner: Owner<'_>, object: &K) -> Result<bool, Stop> {
        if self.store.create(object.clone()).is_some() {
            return Ok(true);
        }
        self.ours::<K>(owner, &object.name_any()).map(|_| false)
    }

    fn invent(
        &mut self,
        owner: Owner<'_>,
        secret: &Secret,
        generate: &[String],
    ) -> Result<(), Stop> {
        let mut secret = secret.clone();
        let data = secret.data.get_or_insert_default();
        // Nobody makes the same passwords twice.
        let now = self.store.now.as_second();
        data.extend(generate.iter().map(|key| {
            let password = format!("made-up-{key}-{now}");
            (key.clone(), ByteString(password.into_bytes()))
        }));
        self.post(owner, &secret).map(drop)
    }

    /// The uid of what has this name, if it is ours.
    fn ours<K: Stored>(&self, owner: Owner<'_>, name: &str) -> Result<Option<String>, Stop> {
        let Some(there) = self.store.get::<K>(name) else {
            return Ok(None);
        };
        match Standing::of(&*there, owner) {
            Standing::Ours => Ok(there.uid()),
            Standing::Leaving(why) => Err(Stop::Refused(Reason::Terminating, why)),
            Standing::Taken(why) => Err(Stop::Refused(Reason::NameTaken, why)),
        }
    }

    fn change<K: Stored>(&mut self, owner: Owner<'_>, change: &Change<K>) -> Result<(), Stop> {
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
            None => object.meta_mut().uid = self.ours::<K>(owner, &name)?,
        }
        self.store.apply(&object)?;
        let foreign = change
            .live
            .as_ref()
            .map(|live| live.foreign.as_slice())
            .unwrap_or_default();
        let now = self.store.now;
        let memory = self.memories.entry(owner.name().to_owned()).or_default();
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

    fn stamp(&mut self, owner: Owner<'_>, change: &Change<Environment>) -> Result<(), Stop> {
        if change.live.is_none() {
            return self.change(owner, change);
        }
        let spec = json!(change.object.spec);
        let name = change.object.name_any();
        Ok(self
            .store
            .put_at::<Environment>(&name, &[("/spec", spec)])
            .map(drop)?)
    }

    fn show(&mut self, owner: Owner<'_>, change: &Change<Preview>) -> Result<(), Stop> {
        if change.live.is_none() {
            return self.post(owner, &*change.object).map(drop);
        }
        let spec = &change.object.spec;
        let parts = [
            ("/spec/pullRequest", json!(spec.pull_request)),
            ("/spec/release", json!(spec.release)),
        ];
        let name = change.object.name_any();
        Ok(self.store.put_at::<Preview>(&name, &parts).map(drop)?)
    }

    /// What the database said before does not count any more.
    fn changed_database(
        &mut self,
        owner: Owner<'_>,
        done: Result<(), Failure>,
    ) -> Result<(), Stop> {
        self.memories
            .entry(owner.name().to_owned())
            .or_default()
            .database = None;
        done.map_err(|failure| match failure {
            Failure::Refused(why) => Stop::Refused(Reason::DatabaseRefused, why),
            Failure::Silent(why) => Stop::Refused(Reason::DatabaseSilent, why),
            Failure::Busy(why) => Stop::Refused(Reason::DatabaseBusy, why),
        })
    }
}
