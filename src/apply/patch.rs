//! Merge patches of metadata, bound to a uid: facts of a revision, owners of data, finalizers.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::stop::Stop;
use super::{Owner, Writer};
use crate::api::{Environment, Preview, labels};
use crate::caches::Kept;
use crate::error::Verb;
use crate::plan::{Fact, Key};

impl Writer<'_> {
    /// Writes what became known into annotations.
    pub(super) async fn record<K: Kept>(&self, fact: &Fact) -> Result<(), Stop> {
        let metadata = json!({"uid": fact.uid, "annotations": fact.annotations});
        self.merge::<K>(&fact.name, metadata).await
    }

    /// Sets the owners of data.
    pub(super) async fn own(
        &self,
        key: &Key,
        uid: &str,
        owners: &[OwnerReference],
    ) -> Result<(), Stop> {
        self.merge::<Secret>(&key.name, json!({"uid": uid, "ownerReferences": owners}))
            .await
    }

    /// Sets the finalizers of the owner. Without the last one it is gone.
    pub(super) async fn hold(
        &self,
        uid: &str,
        version: Option<&str>,
        finalizers: &[String],
    ) -> Result<(), Stop> {
        let name = self.owner.name();
        let metadata = json!({"uid": uid, "resourceVersion": version, "finalizers": finalizers});
        let ends = self.owner.meta().deletion_timestamp.is_some() && finalizers.is_empty();
        let caches = &self.ctx.caches;
        match self.owner {
            Owner::Preview(preview) => {
                self.merge::<Preview>(name, metadata).await?;
                if ends {
                    // The watch may have told of its end before the answer was here.
                    caches.previews.deleted(&self.place(name), uid);
                    caches.closed(preview);
                }
            }
            _ => {
                self.merge::<Environment>(name, metadata).await?;
                if ends {
                    caches.environments.deleted(&self.place(name), uid);
                    caches.cleared(&self.place(name));
                }
            }
        }
        Ok(())
    }

    async fn merge<K: Kept>(&self, name: &str, metadata: Value) -> Result<(), Stop> {
        let params = PatchParams {
            field_manager: Some(labels::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let uid = metadata.get("uid").and_then(Value::as_str);
        let uid = uid.unwrap_or_default().to_owned();
        let patch = Patch::Merge(json!({"metadata": metadata}));
        self.may::<K>(Verb::Patch)?;
        let patched = self.api::<K>().patch(name, &params, &patch).await;
        let patched = patched.map_err(|error| match error {
            kube::Error::Api(status) if status.is_not_found() => {
                K::shelf(&self.ctx.caches).deleted(&self.place(name), &uid);
                Stop::Again
            }
            error => Stop::of(Verb::Patch, &K::kind(&()), name, error),
        })?;
        self.wrote(patched);
        Ok(())
    }
}
