//! Hints of webhooks: the Apps whose source they are about look at that pull request at once.

use std::sync::{Arc, OnceLock};

use crate::api::App;
use crate::caches::{Place, locked};
use crate::context::Context;
use crate::git::webhook::Hint;
use crate::git::{Hints, Repository};
use crate::managed::Managed;

/// How many hints an App remembers; what is beyond the poll finds.
const MOST: usize = 1000;

/// Takes hints while this replica leads, and none before. Clones are one.
#[derive(Clone, Default)]
pub struct Leading(Arc<OnceLock<Arc<Context>>>);

impl Leading {
    /// From now on hints are acted on.
    pub fn lead(&self, ctx: Arc<Context>) {
        // Who leads already goes on.
        let _ = self.0.set(ctx);
    }
}

impl Hints for Leading {
    fn take(&self, hint: Hint) -> bool {
        let Some(ctx) = self.0.get().filter(|ctx| ctx.held.check().is_ok()) else {
            return false;
        };
        let apps = ctx.caches.apps.all().into_iter();
        let about: Vec<Arc<App>> = apps.filter(|app| is_about(&hint, app, ctx)).collect();
        about.iter().all(|app| take(&hint, app, ctx))
    }
}

/// Whether a hint is about the source of an App.
fn is_about(hint: &Hint, app: &App, ctx: &Context) -> bool {
    let template = app.spec.preview.as_ref();
    let Some(source) = template.and_then(|template| template.source.as_ref()) else {
        return false;
    };
    let host = ctx.config.git.host(source.provider, source.host.as_deref());
    let repository = Repository::parse(source.provider, &source.repository);
    source.provider == hint.provider
        && host.is_some_and(|host| host.name() == hint.host)
        && repository.is_ok_and(|repository| repository.is(&hint.repository))
}

/// `false`: there is no room.
fn take(hint: &Hint, app: &App, ctx: &Context) -> bool {
    let memory = ctx.memories.at(App::NAME, &app.metadata);
    let mut hints = locked(&memory.hints);
    if hints.len() >= MOST && !hints.contains(&hint.number) {
        return false;
    }
    hints.insert(hint.number);
    drop(hints);
    ctx.caches.app_triggers.look(&Place::of(app));
    true
}
