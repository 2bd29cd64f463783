//! Looks: caches and the outside into one snapshot. It cannot fail: what could not be looked at is itself observed.

mod backends;
pub(crate) mod checks;
mod children;
pub(crate) mod database;
pub mod git;
mod hosts;
pub(crate) mod images;
pub(crate) mod mask;
mod previews;
pub(crate) mod routing;
mod secrets;
pub mod server;
pub(crate) mod source;

pub(crate) use children::{belongs, controller};
pub(crate) use database::silence;
pub use previews::preview;
pub use source::app as source;

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;

use crate::api::{App, Environment};
use crate::caches::{Caches, Place, locked};
use crate::context::Context;
use crate::managed::Managed;
use crate::plan::questions::{self, Names};
use crate::revision::Revision;
use crate::seen::{Children, Seen, SeenEnvironment};

/// Everything that a pass over this Environment decides on.
pub async fn environment(environment: &Arc<Environment>, ctx: &Context) -> SeenEnvironment {
    let place = Place::of(&**environment);
    let name = &environment.spec.app_ref.name;
    let app = app(&place.namespace, name, &ctx.caches);
    let names = questions::names(environment, found(&app));
    let user = (Environment::NAME, place);
    ctx.named.need(&user, &names).await;
    let mut seen = from_caches(environment, app, &names, ctx);
    seen.server = server::admin(&seen, ctx).await;
    seen.incarnation = questions::incarnation(&seen);
    let database = async {
        match backends::hidden(&seen, ctx) {
            Some(refused) => Some(refused),
            None => database::ask(&seen, ctx).await,
        }
    };
    let (images, database, checks) =
        tokio::join!(images::ask(&seen, ctx), database, checks::ask(&seen, ctx));
    seen.images = images;
    seen.database = database;
    seen.checks = checks;
    seen.now = ctx.now();
    seen
}

/// What can be seen without asking anybody.
fn from_caches(
    environment: &Arc<Environment>,
    app: Seen<Arc<App>>,
    names: &Names,
    ctx: &Context,
) -> SeenEnvironment {
    let namespace = environment.namespace().unwrap_or_default();
    let mut children = children::of(environment, &ctx.caches);
    let secrets = secrets::named(&namespace, &names.secrets, ctx);
    let values = secrets::values(&secrets, &children);
    let hidden = locked(&ctx.memories.of(environment).hidden).with(values);
    mask::pods(&mut children, &hidden);
    SeenEnvironment {
        now: ctx.now(),
        environment: environment.clone(),
        app,
        preview: previews::uid(environment, &ctx.caches),
        config: ctx.config.clone(),
        revisions: revisions(environment, &ctx.caches),
        config_maps: config_maps(&namespace, names, ctx),
        secrets: secrets::seen(&namespace, secrets, ctx),
        images: BTreeMap::new(),
        bindings: secrets::bindings(environment, &children, ctx),
        credentials: secrets::credentials(environment, &children),
        server: None,
        database_sharer: hosts::database_sharer(environment, &children, &ctx.caches),
        children,
        incarnation: 0,
        database: None,
        checks: BTreeMap::new(),
        taken_hosts: hosts::taken(environment, &ctx.caches),
        routing: routing::of(&ctx.config.routing, ctx.caches.has_gateway_api()),
        activator: ctx.caches.activator(),
        stubborn: ctx.stubborn(environment),
    }
}

fn app(namespace: &str, name: &str, caches: &Caches) -> Seen<Arc<App>> {
    let place = Place::new(namespace, name);
    match (caches.apps.get(&place), caches.apps.unreadable(&place)) {
        (Some(app), _) => Seen::Found(app),
        (None, Some(why)) => {
            Seen::Unknown(format!("this controller cannot read App {name}: {why}"))
        }
        (None, None) => Seen::Missing,
    }
}

fn found<T>(seen: &Seen<Arc<T>>) -> Option<&T> {
    match seen {
        Seen::Found(found) => Some(found),
        Seen::Missing | Seen::Unknown(_) => None,
    }
}

fn revisions(environment: &Environment, caches: &Caches) -> Vec<Revision> {
    let objects = children::owned(&caches.revisions, environment);
    let mut revisions: Vec<Revision> = objects
        .values()
        .filter_map(|object| Revision::read(object))
        .collect();
    revisions.sort_by_key(|revision| revision.number);
    revisions
}

fn config_maps(
    namespace: &str,
    names: &Names,
    ctx: &Context,
) -> BTreeMap<String, Seen<Arc<k8s_openapi::api::core::v1::ConfigMap>>> {
    let look = |name: &String| (name.clone(), ctx.named.config_map(namespace, name));
    names.config_maps.iter().map(look).collect()
}

/// The Secret of the children with that name.
fn own_secret<'a>(
    children: &'a Children,
    name: &str,
) -> Option<&'a k8s_openapi::api::core::v1::Secret> {
    children.secrets.get(name).map(|hidden| &*hidden.0)
}
