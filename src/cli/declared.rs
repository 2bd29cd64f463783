//! Objects as people declare them in files: Apps and Environments, and the ConfigMaps and Secrets beside them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;

use super::exit::Failure;
use super::lint::schema::without_nulls;
use super::lint::{Object, objects};
use super::yaml;
use crate::api::{App, Environment, Preview};
use crate::simulate::World;
use crate::simulate::store::Stored;

/// What files declare; every object has its namespace.
#[derive(Debug, Default)]
pub struct Declared {
    /// Apps.
    pub apps: Vec<App>,
    /// Environments.
    pub environments: Vec<Environment>,
    /// Previews.
    pub previews: Vec<Preview>,
    /// ConfigMaps.
    pub config_maps: Vec<ConfigMap>,
    /// Secrets.
    pub secrets: Vec<Secret>,
    /// Objects of kinds that nothing is made of here.
    pub passed_over: Vec<String>,
}

/// Reads the objects of texts that `lint` has nothing to say of. Without a namespace they are in the one given.
pub fn read(sources: &[(String, String)], namespace: &str) -> Result<Declared, Failure> {
    let mut declared = Declared::default();
    for (file, text) in sources {
        let (documents, _) = yaml::documents(text);
        for object in documents.into_iter().flat_map(|node| objects(file, node)) {
            declared.take(&object, namespace)?;
        }
    }
    Ok(declared)
}

impl Declared {
    fn take(&mut self, object: &Object, namespace: &str) -> Result<(), Failure> {
        let core = object.node.text("apiVersion") == Some("v1");
        match (object.kind.as_str(), core) {
            ("App", false) => self.apps.push(typed(object, namespace)?),
            ("Environment", false) => self.environments.push(typed(object, namespace)?),
            ("Preview", false) => self.previews.push(typed(object, namespace)?),
            ("ConfigMap", true) => self.config_maps.push(typed(object, namespace)?),
            ("Secret", true) => self.secrets.push(with_texts(typed(object, namespace)?)),
            _ => self.passed_over.push(object.title()),
        }
        Ok(())
    }

    /// The namespaces that something is declared in.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<String> {
        let apps = self.apps.iter().filter_map(ResourceExt::namespace);
        let environments = self.environments.iter().filter_map(ResourceExt::namespace);
        let previews = self.previews.iter().filter_map(ResourceExt::namespace);
        let maps = self.config_maps.iter().filter_map(ResourceExt::namespace);
        let secrets = self.secrets.iter().filter_map(ResourceExt::namespace);
        apps.chain(environments)
            .chain(previews)
            .chain(maps)
            .chain(secrets)
            .collect()
    }

    /// Writes everything of the world's namespace into it, as `kubectl apply` does.
    pub fn apply(&self, world: &mut World) {
        all(&self.config_maps, world);
        all(&self.secrets, world);
        all(&self.apps, world);
        all(&self.environments, world);
        all(&self.previews, world);
        // What follows is about Environments: those of Previews are there from the beginning.
        for name in world.previews() {
            world.pass_preview(&name);
        }
    }
}

fn all<K: Stored>(objects: &[K], world: &mut World) {
    let namespace = world.store.namespace.clone();
    for object in objects
        .iter()
        .filter(|object| object.namespace().as_ref() == Some(&namespace))
    {
        let mut object = object.clone();
        if let Some(live) = world.store.get::<K>(&object.name_any()) {
            let known = live.meta();
            let meta = object.meta_mut();
            meta.labels = laid_over(known.labels.as_ref(), meta.labels.take());
            meta.annotations = laid_over(known.annotations.as_ref(), meta.annotations.take());
            meta.deletion_timestamp
                .clone_from(&known.deletion_timestamp);
        }
        // The name is this object's own, so that nothing can be refused.
        let _ = world.store.declare(object);
    }
}

/// What is there stays where the file does not say otherwise.
fn laid_over(
    present: Option<&BTreeMap<String, String>>,
    declared: Option<BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    let mut all = present.cloned().unwrap_or_default();
    all.extend(declared.unwrap_or_default());
    (!all.is_empty()).then_some(all)
}

/// The object in its type, without what an export brings along.
fn typed<K: Stored>(object: &Object, namespace: &str) -> Result<K, Failure> {
    let mut value = without_nulls(&object.node.json());
    if let Some(value) = value.as_object_mut() {
        value.remove("status");
    }
    let mut read: K = serde_json::from_value(value).map_err(|error| {
        let place = format!("{}:{}", object.file, object.node.line);
        Failure::Unreadable(format!(
            "{place}: {} must be readable: {error}",
            object.title()
        ))
    })?;
    let meta = read.meta_mut();
    *meta = kube::core::ObjectMeta {
        name: meta.name.take(),
        namespace: Some(
            meta.namespace
                .take()
                .unwrap_or_else(|| namespace.to_owned()),
        ),
        labels: meta.labels.take(),
        annotations: meta.annotations.take(),
        ..kube::core::ObjectMeta::default()
    };
    Ok(read)
}

/// `stringData` as the apiserver keeps it.
fn with_texts(mut secret: Secret) -> Secret {
    let texts = secret.string_data.take().unwrap_or_default().into_iter();
    let data = secret.data.get_or_insert_default();
    data.extend(texts.map(|(key, text)| (key, ByteString(text.into_bytes()))));
    secret
}
