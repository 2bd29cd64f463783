//! What is known of Secrets: their keys, hashed. Values leave this module for masking and logins only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use super::own_secret;
use crate::api::Environment;
use crate::build::names;
use crate::context::Context;
use crate::registry::PullSecret;
use crate::seen::{Children, Credentials, SecretSeen, Seen, SeenEnvironment};

/// Secrets that an Environment names, with their values.
pub(super) type Named = BTreeMap<String, Seen<Arc<Secret>>>;

/// The Secrets of these names.
pub(super) fn named(namespace: &str, names: &BTreeSet<String>, ctx: &Context) -> Named {
    let look = |name: &String| (name.clone(), ctx.named.secret(namespace, name));
    names.iter().map(look).collect()
}

/// What a plan may know of them.
pub(super) fn seen(
    namespace: &str,
    named: Named,
    ctx: &Context,
) -> BTreeMap<String, Seen<SecretSeen>> {
    let hashed = |(name, secret): (String, Seen<Arc<Secret>>)| {
        let seen = match secret {
            Seen::Found(secret) => Seen::Found(ctx.hash_key.seen(namespace, &name, &data(&secret))),
            Seen::Missing => Seen::Missing,
            Seen::Unknown(why) => Seen::Unknown(why),
        };
        (name, seen)
    };
    named.into_iter().map(hashed).collect()
}

/// Every value that must not be shown.
pub(super) fn values(named: &Named, children: &Children) -> BTreeSet<String> {
    let named = named.values().filter_map(super::found);
    let own = children.secrets.values().map(|hidden| &*hidden.0);
    let values = named
        .chain(own)
        .flat_map(|secret| data(secret).into_values());
    values
        .filter_map(|value| String::from_utf8(value.0).ok())
        .collect()
}

/// What a plan may know of the bindings of databases that are made here.
pub(super) fn bindings(
    environment: &Environment,
    children: &Children,
    ctx: &Context,
) -> BTreeMap<String, SecretSeen> {
    let name = environment.name_any();
    let namespace = environment.namespace().unwrap_or_default();
    let secrets = children.secrets.iter();
    let bindings = secrets.filter(|(secret, _)| names::incarnation(&name, secret).is_some());
    let seen = bindings.map(|(name, hidden)| {
        let seen = ctx.hash_key.seen(&namespace, name, &data(&hidden.0));
        (name.clone(), seen)
    });
    seen.collect()
}

/// The passwords of a database that is made here, when they have been made.
pub(super) fn credentials(environment: &Environment, children: &Children) -> Option<Credentials> {
    let secret = own_secret(children, &names::passwords(environment))?;
    let password = |key: &str| text(secret, key);
    Some(Credentials {
        admin: password("admin"),
        owner: password("owner")?,
        app: password("app")?,
    })
}

/// The logins that the App names for its registries, and the versions of their Secrets.
pub(super) fn pull_secrets(
    seen: &SeenEnvironment,
    ctx: &Context,
) -> (Vec<PullSecret>, Vec<String>) {
    let namespace = seen.environment.namespace().unwrap_or_default();
    let references = super::found(&seen.app).map(|app| app.spec.image_pull_secrets.as_slice());
    let secrets = references.unwrap_or_default().iter();
    let secrets =
        secrets.filter_map(
            |reference| match ctx.named.secret(&namespace, &reference.name) {
                Seen::Found(secret) => Some(secret),
                Seen::Missing | Seen::Unknown(_) => None,
            },
        );
    let login = |secret: Arc<Secret>| {
        let document = data(&secret).remove(".dockerconfigjson")?;
        Some((
            PullSecret::new(document.0),
            secret.resource_version().unwrap_or_default(),
        ))
    };
    secrets.filter_map(login).unzip()
}

/// The text under a key of a Secret that the Environment names.
pub(super) fn named_text(
    seen: &SeenEnvironment,
    name: &str,
    key: &str,
    ctx: &Context,
) -> Option<String> {
    let namespace = seen.environment.namespace().unwrap_or_default();
    match ctx.named.secret(&namespace, name) {
        Seen::Found(secret) => text(&secret, key),
        Seen::Missing | Seen::Unknown(_) => None,
    }
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let value = secret.data.as_ref()?.get(key)?;
    String::from_utf8(value.0.clone()).ok()
}

fn data(secret: &Secret) -> BTreeMap<String, ByteString> {
    secret.data.clone().unwrap_or_default()
}
