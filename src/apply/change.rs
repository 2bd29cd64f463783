//! Server-side apply: without force on a name that is free, with force on what is ours by uid.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::Writer;
use super::contest::Held;
use super::standing::Standing;
use super::stop::Stop;
use crate::api::{Environment, Preview, Reason, labels};
use crate::caches::{Kept, locked};
use crate::error::Verb;
use crate::plan::Change;

impl Writer<'_> {
    /// Applies an object. What others added to it is removed first: beside it, what is applied may not even be valid.
    pub(super) async fn change<K: Kept>(&self, change: &Change<K>) -> Result<(), Stop> {
        let mut object = (*change.object).clone();
        let uid = match &change.live {
            Some(live) => {
                if !live.foreign.is_empty() {
                    self.strip(&*change.object, &live.uid, &live.foreign)
                        .await?;
                }
                object
                    .meta_mut()
                    .resource_version
                    .clone_from(&live.resource_version);
                Some(live.uid.clone())
            }
            None => self.adopt(&*change.object).await?,
        };
        let force = uid.is_some();
        object.meta_mut().uid = uid;
        let applied = self.apply(&object, force).await?;
        self.wrote(applied);
        Ok(())
    }

    /// Applies an Environment that a Preview owns, or puts what it shall be in the place of what it is: nobody else writes it.
    pub(super) async fn stamp(&self, change: &Change<Environment>) -> Result<(), Stop> {
        match &change.live {
            Some(live) => {
                self.put(&*change.object, &live.uid).await?;
            }
            None => self.change(change).await?,
        }
        // What a watch tells of own writes concerns nobody; this one does.
        let place = self.place(&change.object.name_any());
        self.ctx.caches.stamped(&place);
        Ok(())
    }

    /// Makes the Preview of a pull request, or puts what it shall show in the place of what it shows.
    pub(super) async fn show(&self, change: &Change<Preview>) -> Result<(), Stop> {
        let preview = &*change.object;
        match &change.live {
            Some(live) => self.put(preview, &live.uid).await?,
            None => self.create(preview).await?,
        }
        let place = self.place(&preview.name_any());
        self.ctx.caches.shown(&place);
        Ok(())
    }

    /// Puts what an object shall be in the place of what it is, as often as a person changes it.
    async fn put<K: Kept>(&self, wanted: &K, uid: &str) -> Result<(), Stop> {
        let (kind, name) = (K::kind(&()), wanted.name_any());
        let object = format!("{kind}/{name}");
        let shall = digest(wanted);
        let there = K::shelf(&self.ctx.caches).get(&self.place(&name));
        let there = there.map_or_else(String::new, |there| digest(&*there));
        let now = self.ctx.now();
        let may = locked(&self.memory.contest).may_put(&object, &shall, &there, now);
        may.map_err(|held| self.contested(held, &kind, &name))?;
        let became = self.replace(wanted, uid).await?;
        locked(&self.memory.contest).put(&object, &shall, &became, now);
        Ok(())
    }

    fn contested(&self, held: Held, kind: &str, name: &str) -> Stop {
        let owner = self.owner.kind();
        let who = match held {
            Held::Mutated => format!("An admission webhook changes {kind} {name}"),
            Held::Contested => format!("{kind} {name} is changed each time that it is put back"),
        };
        let sentence = format!("{who}: it must be left to the {owner} that it belongs to");
        Stop::Refused(Reason::ObjectRefused, sentence)
    }

    /// A live read: the uid of what is there, if it is ours; nothing if the name is free.
    async fn adopt<K: Kept>(&self, wanted: &K) -> Result<Option<String>, Stop> {
        let there = self.read::<K>(&wanted.name_any()).await?;
        let Some(there) = there else { return Ok(None) };
        Standing::of(&there, self.owner).or_stop()?;
        let uid = there.uid().unwrap_or_default();
        if differs(wanted, &there) {
            self.replace(wanted, &uid).await?;
        }
        Ok(Some(uid))
    }

    /// A live read.
    pub(super) async fn read<K: Kept>(&self, name: &str) -> Result<Option<K>, Stop> {
        let found = self.api::<K>().get_opt(name).await;
        found.map_err(|error| Stop::of(Verb::Get, &K::kind(&()), name, error))
    }

    async fn apply<K: Kept>(&self, object: &K, force: bool) -> Result<K, Stop> {
        let params = PatchParams {
            force,
            ..PatchParams::apply(labels::MANAGER)
        };
        let name = object.name_any();
        self.may::<K>(Verb::Apply)?;
        let applied = self
            .api::<K>()
            .patch(&name, &params, &Patch::Apply(object))
            .await;
        applied.map_err(|error| Stop::of(Verb::Apply, &K::kind(&()), &name, error))
    }

    /// Removes what others added, unless they keep putting it back.
    async fn strip<K: Kept>(&self, wanted: &K, uid: &str, foreign: &[String]) -> Result<(), Stop> {
        if !locked(&self.memory.foreign).remove(foreign, self.ctx.now()) {
            tracing::warn!(
                namespace = self.namespace,
                ?foreign,
                "what others added came back at once: it is left"
            );
            return Ok(());
        }
        tracing::info!(
            namespace = self.namespace,
            ?foreign,
            "removing what others added"
        );
        let stripped = self.replace(wanted, uid).await;
        if stripped.is_err() {
            locked(&self.memory.foreign).still_there(foreign);
        }
        stripped.map(|_| ())
    }

    /// Puts what was rendered in the place of what is there; the hash of what became of it.
    async fn replace<K: Kept>(&self, wanted: &K, uid: &str) -> Result<String, Stop> {
        let name = wanted.name_any();
        let patch = Patch::<()>::Json(patch(wanted, uid));
        let params = PatchParams {
            field_manager: Some(labels::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.may::<K>(Verb::Patch)?;
        let replaced = self.api::<K>().patch(&name, &params, &patch).await;
        let replaced =
            replaced.map_err(|error| Stop::of(Verb::Patch, &K::kind(&()), &name, error))?;
        let became = digest(&replaced);
        self.wrote(replaced);
        Ok(became)
    }
}

/// What others may have added to, by kind.
pub(crate) fn replaced(kind: &str) -> &'static [&'static str] {
    match kind {
        "Deployment" | "StatefulSet" => &["/spec/template"],
        "Service" => &["/spec/selector", "/spec/ports"],
        "Environment" => &["/spec"],
        "Preview" => &["/spec/pullRequest", "/spec/release"],
        "NetworkPolicy" => &["/spec"],
        _ => &[],
    }
}

/// The parts of an object that others may have added to, as they shall be.
fn parts<K: Kept>(wanted: &K) -> Vec<(&'static str, Value)> {
    let rendered = serde_json::to_value(wanted).unwrap_or(Value::Null);
    let pointers = replaced(&K::kind(&())).iter();
    pointers
        .filter_map(|pointer| Some((*pointer, rendered.pointer(pointer)?.clone())))
        .collect()
}

/// The hash of these parts.
fn digest<K: Kept>(object: &K) -> String {
    crate::build::hash::of(&parts(object), 16)
}

fn differs<K: Kept>(wanted: &K, there: &K) -> bool {
    let there = serde_json::to_value(there).unwrap_or(Value::Null);
    parts(wanted)
        .iter()
        .any(|(pointer, part)| there.pointer(pointer) != Some(part))
}

/// Bound to this very object: the apiserver refuses another uid. Whatever else changed in it meanwhile, these parts shall be
/// so; the controllers of Kubernetes write its status all the time.
fn patch<K: Kept>(wanted: &K, uid: &str) -> json_patch::Patch {
    let uid = json!({"op": "add", "path": "/metadata/uid", "value": uid});
    let parts = parts(wanted).into_iter();
    let parts = parts.map(|(pointer, part)| json!({"op": "add", "path": pointer, "value": part}));
    let operations = std::iter::once(uid).chain(parts).collect();
    serde_json::from_value(Value::Array(operations)).unwrap_or_default()
}
