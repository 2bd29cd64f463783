//! DELETE, with the uid that is meant. What is gone already is done.

use either::Either;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use super::Writer;
use super::stop::Stop;
use crate::api::{Environment, Preview, Reason};
use crate::build::http_route::HttpRoute;
use crate::caches::Kept;
use crate::error::Verb;
use crate::plan::Key;

impl Writer<'_> {
    /// Deletes an object of a kind that a plan may delete; volumes are none of them, and of Secrets only bindings of databases
    /// that are dropped.
    pub(super) async fn delete(&self, key: &Key, uid: &str) -> Result<(), Stop> {
        let name = &key.name;
        match key.kind {
            "ControllerRevision" => self.delete_one::<ControllerRevision>(name, uid).await,
            "Deployment" => self.delete_one::<Deployment>(name, uid).await,
            "StatefulSet" => self.delete_one::<StatefulSet>(name, uid).await,
            "Service" => self.delete_one::<Service>(name, uid).await,
            "PodDisruptionBudget" => self.delete_one::<PodDisruptionBudget>(name, uid).await,
            "EndpointSlice" => self.delete_one::<EndpointSlice>(name, uid).await,
            "Lease" => self.delete_one::<Lease>(name, uid).await,
            "HTTPRoute" => self.delete_one::<HttpRoute>(name, uid).await,
            "Ingress" => self.delete_one::<Ingress>(name, uid).await,
            "Job" => self.delete_one::<Job>(name, uid).await,
            "ConfigMap" => self.delete_one::<ConfigMap>(name, uid).await,
            "Secret" => self.delete_one::<Secret>(name, uid).await,
            "Environment" => {
                self.delete_one::<Environment>(name, uid).await?;
                self.ctx.caches.cleared(&self.place(name));
                Ok(())
            }
            "Preview" => {
                self.delete_one::<Preview>(name, uid).await?;
                // What its Git host shows may hold it.
                self.ctx.caches.preview_triggers.look(&self.place(name));
                self.ctx
                    .caches
                    .withdrawn(&self.namespace, self.owner.name());
                Ok(())
            }
            kind => Err(Stop::Refused(
                Reason::InternalError,
                format!("The controller cannot delete {kind} {name}"),
            )),
        }
    }

    async fn delete_one<K: Kept>(&self, name: &str, uid: &str) -> Result<(), Stop> {
        let only = Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        };
        let params = DeleteParams::background().preconditions(only);
        self.may::<K>(Verb::Delete)?;
        match self.api::<K>().delete(name, &params).await {
            // Finalizers hold it: it is leaving, and still there.
            Ok(Either::Left(leaving)) if !leaving.finalizers().is_empty() => self.wrote(leaving),
            Ok(_) => self.gone::<K>(name, uid),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                self.gone::<K>(name, uid);
            }
            Err(error) => return Err(Stop::of(Verb::Delete, &K::kind(&()), name, error)),
        }
        Ok(())
    }

    fn gone<K: Kept>(&self, name: &str, uid: &str) {
        tracing::info!(kind = %K::kind(&()), name, namespace = self.namespace, "deleted");
        K::shelf(&self.ctx.caches).deleted(&self.place(name), uid);
    }
}
