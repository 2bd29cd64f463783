//! The namespace of a test.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::{PATIENCE, Shop, Wanted, dump};

const PAUSE: Duration = Duration::from_millis(250);
/// The field manager of a person at a keyboard.
const PERSON: &str = "somebody";

/// The namespace of a test, and the way to the cluster.
pub struct Place {
    pub client: Client,
    pub namespace: String,
    /// When the test began.
    pub began: Timestamp,
}

impl Place {
    pub fn new(client: Client, namespace: String) -> Self {
        Self {
            client,
            namespace,
            began: Timestamp::now(),
        }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A host that no other test has; the cluster's names lead it to the gateway.
    pub fn host(&self) -> String {
        format!("{}.localhost", self.namespace)
    }

    /// Declares an App and its Environment.
    pub async fn make(&self, wanted: &Wanted) -> Shop<'_> {
        self.apply(&wanted.app).await;
        self.apply(&wanted.environment).await;
        let name = wanted.environment["metadata"]["name"].as_str();
        Shop::new(self, name.expect("a name"))
    }

    /// Applies an object as a person does; the apiserver must take it.
    pub async fn apply(&self, object: &Value) -> DynamicObject {
        let applied = self.try_apply(object).await;
        applied.unwrap_or_else(|error| panic!("the apiserver refuses {object}: {error}"))
    }

    /// Applies an object of this namespace as a person does.
    pub async fn try_apply(&self, object: &Value) -> kube::Result<DynamicObject> {
        let mut object: DynamicObject = serde_json::from_value(object.clone()).expect("an object");
        object.metadata.namespace = Some(self.namespace.clone());
        let types = object.types.clone().expect("apiVersion and kind");
        let api = self.dynamic(&types);
        let params = PatchParams::apply("tests").force();
        api.patch(&object.name_any(), &params, &Patch::Apply(&object))
            .await
    }

    fn dynamic(&self, types: &TypeMeta) -> Api<DynamicObject> {
        let kind = GroupVersionKind::try_from(types).expect("a kind");
        let plural = match types.kind.as_str() {
            "App" => "towpathapps".to_owned(),
            kind if kind.ends_with('s') => format!("{}es", kind.to_lowercase()),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let resource = kube::api::ApiResource::from_gvk_with_plural(&kind, &plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    /// Changes an object as a person does, by `kubectl edit`.
    pub async fn edit<K>(&self, name: &str, patch: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let params = PatchParams {
            field_manager: Some(PERSON.to_owned()),
            ..PatchParams::default()
        };
        let edited = self
            .api::<K>()
            .patch(name, &params, &Patch::Strategic(&patch))
            .await;
        edited.unwrap_or_else(|error| panic!("{} {name} cannot be edited: {error}", K::kind(&())))
    }

    pub async fn get<K>(&self, name: &str) -> K
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let found = self.find(name).await;
        found.unwrap_or_else(|| panic!("{} {name} must exist", K::kind(&())))
    }

    pub async fn find<K>(&self, name: &str) -> Option<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        self.api::<K>()
            .get_opt(name)
            .await
            .expect("an answer of the apiserver")
    }

    pub async fn list<K>(&self) -> Vec<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let listed = self.api::<K>().list(&ListParams::default()).await;
        listed.expect("an answer of the apiserver").items
    }

    pub async fn delete<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let deleted = self
            .api::<K>()
            .delete(name, &DeleteParams::background())
            .await;
        deleted
            .unwrap_or_else(|error| panic!("{} {name} cannot be deleted: {error}", K::kind(&())));
    }

    /// Looks until what is looked for is there; then gives it back. Says at the end what it saw instead.
    pub async fn until<T>(
        &self,
        what: &str,
        mut look: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let saw = match look().await {
                Ok(found) => return found,
                Err(saw) => saw,
            };
            if Instant::now() > deadline {
                let tree = dump::tree(self).await;
                panic!("{what}: not within {} s; {saw}\n{tree}", PATIENCE.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Looks for as long as is said, and again and again: what must not happen must not happen meanwhile.
    pub async fn never(
        &self,
        what: &str,
        during: Duration,
        mut look: impl AsyncFnMut() -> Result<(), String>,
    ) {
        let end = Instant::now() + during;
        while Instant::now() < end {
            if let Err(saw) = look().await {
                panic!("{what}: {saw}\n{}", dump::tree(self).await);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The spec of an object, or another part of it.
pub fn part<K: Serialize>(object: &K, pointer: &str) -> Value {
    let value = serde_json::to_value(object).expect("JSON");
    value.pointer(pointer).cloned().unwrap_or_default()
}
