//! What a pass over a Preview decides on. All of it is in caches, or remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;

use super::git;
use crate::api::{App, Environment, Preview};
use crate::build::environment::owner;
use crate::caches::{Caches, Place, locked};
use crate::context::Context;
use crate::managed::Managed;
use crate::seen::{KnownPreview, Obstacle, PutOff, SeenPreview};

/// Everything that a pass over this Preview decides on.
pub async fn preview(preview: &Arc<Preview>, ctx: &Context) -> SeenPreview {
    let caches = &ctx.caches;
    let namespace = preview.namespace().unwrap_or_default();
    let app = super::app(&namespace, &preview.spec.app_ref.name, caches);
    let obstacle = obstacle(preview, super::found(&app), ctx).await;
    SeenPreview {
        now: ctx.now(),
        preview: preview.clone(),
        put_off: put_off(preview, super::found(&app), ctx),
        obstacle,
        app,
        environment: environment(preview, caches),
        config: ctx.config.clone(),
        previews: known(caches),
        live: live(caches),
    }
}

/// What keeps the Git host from being told. The Secret of its token is watched as long as the App names a host.
async fn obstacle(preview: &Preview, app: Option<&App>, ctx: &Context) -> Option<Obstacle> {
    let user = (Preview::NAME, Place::of(preview));
    match app.and_then(git::source) {
        Some(source) => {
            let connected = git::connect(&user, source, ctx).await;
            connected.err().map(|why| why.obstacle(source))
        }
        None => {
            ctx.named.forget(&user);
            None
        }
    }
}

/// What was tried to tell it.
fn put_off(preview: &Preview, app: Option<&App>, ctx: &Context) -> Vec<PutOff> {
    let namespace = preview.namespace().unwrap_or_default();
    let silence = ctx
        .silences
        .of(&Place::new(&namespace, &preview.spec.app_ref.name));
    let source = app.and_then(git::source);
    let version = source.and_then(|source| git::version(&namespace, source, ctx));
    let memory = ctx.memories.at(Preview::NAME, &preview.metadata);
    let refused = locked(&memory.refused).with(version.as_deref());
    silence.into_iter().chain(refused).collect()
}

/// The Environment that a Preview owns.
fn environment(preview: &Preview, caches: &Caches) -> Option<Arc<Environment>> {
    let found = caches.environments.get(&Place::of(preview))?;
    is_of(&found, preview).then_some(found)
}

fn is_of(environment: &Environment, preview: &Preview) -> bool {
    owner(environment).map(|owner| &owner.uid) == preview.metadata.uid.as_ref()
}

/// The uid of the Preview that has the name of an Environment.
pub(super) fn uid(environment: &Environment, caches: &Caches) -> Option<String> {
    let preview = caches.previews.get(&Place::of(environment))?;
    preview.metadata.uid.clone()
}

pub(super) fn known(caches: &Caches) -> Vec<KnownPreview> {
    let previews = caches.previews.all().into_iter();
    let known = previews.map(|preview| {
        let namespace = preview.namespace().unwrap_or_default();
        KnownPreview {
            app: caches
                .apps
                .get(&Place::new(namespace, &preview.spec.app_ref.name)),
            live: environment(&preview, caches).is_some(),
            preview,
        }
    });
    known.collect()
}

/// Environments count until they are gone, also when their Preview is gone before.
pub(super) fn live(caches: &Caches) -> BTreeMap<(String, String), usize> {
    let mut live = BTreeMap::new();
    for environment in caches.environments.all() {
        if owner(&environment).is_some() {
            let namespace = environment.namespace().unwrap_or_default();
            let app = environment.spec.app_ref.name.clone();
            *live.entry((namespace, app)).or_default() += 1;
        }
    }
    live
}
