//! What a pass over a Preview decides on. All of it is in caches.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;

use super::controller;
use crate::api::{Environment, Preview};
use crate::caches::{Caches, Place};
use crate::context::Context;
use crate::seen::{KnownPreview, SeenPreview};

/// Everything that a pass over this Preview decides on.
pub fn preview(preview: &Arc<Preview>, ctx: &Context) -> SeenPreview {
    let caches = &ctx.caches;
    let namespace = preview.namespace().unwrap_or_default();
    SeenPreview {
        now: ctx.now(),
        preview: preview.clone(),
        app: super::app(&namespace, &preview.spec.app_ref.name, caches),
        environment: environment(preview, caches),
        config: ctx.config.clone(),
        previews: known(caches),
        live: live(caches),
    }
}

/// The Environment that a Preview owns.
fn environment(preview: &Preview, caches: &Caches) -> Option<Arc<Environment>> {
    let found = caches.environments.get(&Place::of(preview))?;
    is_of(&found, preview).then_some(found)
}

fn is_of(environment: &Environment, preview: &Preview) -> bool {
    controller(environment).map(|owner| &owner.uid) == preview.metadata.uid.as_ref()
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
        if controller(&*environment).is_some_and(|owner| owner.kind == "Preview") {
            let namespace = environment.namespace().unwrap_or_default();
            let app = environment.spec.app_ref.name.clone();
            *live.entry((namespace, app)).or_default() += 1;
        }
    }
    live
}
