//! Server-side apply: without force on a name that is free, with force on what is ours by uid.

use std::borrow::Cow;

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::Writer;
use super::standing::Standing;
use super::stop::Stop;
use crate::api::labels;
use crate::caches::{Kept, locked};
use crate::error::Verb;
use crate::plan::Change;

impl Writer<'_> {
    /// Applies an object; removes what others added to it.
    pub(super) async fn change<K: Kept>(&self, change: &Change<K>) -> Result<(), Stop> {
        let mut object = (*change.object).clone();
        let uid = match &change.live {
            Some(live) => {
                object
                    .meta_mut()
                    .resource_version
                    .clone_from(&live.resource_version);
                Some(live.uid.clone())
            }
            None => self.uid_of_ours::<K>(&object.name_any()).await?,
        };
        let force = uid.is_some();
        object.meta_mut().uid = uid;
        let applied = self.apply(&object, force).await?;
        let foreign = change
            .live
            .as_ref()
            .map(|live| live.foreign.as_slice())
            .unwrap_or_default();
        if !foreign.is_empty() {
            self.strip(&*change.object, &applied, foreign).await?;
        }
        self.wrote(applied);
        Ok(())
    }

    /// A live read: the uid of what is there, if it is ours; nothing if the name is free.
    async fn uid_of_ours<K: Kept>(&self, name: &str) -> Result<Option<String>, Stop> {
        let there = self.read::<K>(name).await?;
        let Some(there) = there else { return Ok(None) };
        Standing::of(&there, self.environment).or_stop()?;
        Ok(there.uid())
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

    /// Puts what was rendered in the place of what is there, unless others keep putting theirs back.
    async fn strip<K: Kept>(
        &self,
        wanted: &K,
        applied: &K,
        foreign: &[String],
    ) -> Result<(), Stop> {
        let memory = self.ctx.memories.of(self.environment);
        if !locked(&memory.foreign).remove(foreign, self.ctx.now()) {
            return Ok(());
        }
        let name = wanted.name_any();
        tracing::info!(
            namespace = self.namespace,
            ?foreign,
            "removing what others added"
        );
        let patch = Patch::<()>::Json(patch(wanted, applied));
        let params = PatchParams {
            field_manager: Some(labels::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.may::<K>(Verb::Patch)?;
        let stripped = self.api::<K>().patch(&name, &params, &patch).await;
        let stripped =
            stripped.map_err(
                |error| match Stop::of(Verb::Patch, &K::kind(&()), &name, error) {
                    // A test of the patch that does not hold is answered like an invalid object.
                    Stop::Refused(..) => Stop::Again,
                    stop => stop,
                },
            )?;
        self.wrote(stripped);
        Ok(())
    }
}

/// What others may have added to, by kind.
pub(crate) fn replaced(kind: &str) -> &'static [&'static str] {
    match kind {
        "Deployment" | "StatefulSet" => &["/spec/template"],
        "Service" => &["/spec/selector", "/spec/ports"],
        _ => &[],
    }
}

/// Bound to exactly the object that was applied just now.
fn patch<K: Kept>(wanted: &K, applied: &K) -> json_patch::Patch {
    let kind: Cow<'_, str> = K::kind(&());
    let rendered = serde_json::to_value(wanted).unwrap_or(Value::Null);
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": applied.uid()}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": applied.resource_version()}),
    ];
    let parts = replaced(&kind).iter();
    let parts = parts.filter_map(|path| Some((path, rendered.pointer(path)?)));
    operations
        .extend(parts.map(|(path, value)| json!({"op": "add", "path": path, "value": value})));
    serde_json::from_value(Value::Array(operations)).unwrap_or_default()
}
