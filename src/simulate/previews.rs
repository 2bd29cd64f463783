//! Previews in the simulated cluster: passes over them, as the controller makes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;

use super::world::World;
use crate::api::preview::PreviewStatus;
use crate::api::{App, Environment, Preview};
use crate::apply::Acted;
use crate::build::environment::owner;
use crate::observe::git::source;
use crate::plan::{self, Plan};
use crate::seen::{KnownPreview, Seen, SeenPreview};
use crate::status;

/// What a pass over a Preview did.
#[derive(Debug)]
pub struct PreviewPass {
    /// What it decided.
    pub plan: Plan<PreviewStatus>,
    /// What became of it.
    pub acted: Acted,
    /// The status before, if another one was written.
    pub before: Option<PreviewStatus>,
}

impl World {
    /// One pass over a Preview. `None`: there is nothing to pass over.
    pub fn pass_preview(&mut self, name: &str) -> Option<PreviewPass> {
        self.pass_preview_cut(name, usize::MAX)
    }

    /// A pass whose controller ends after so many writes, if there are as many, and tells nothing then.
    pub fn pass_preview_cut(&mut self, name: &str, most: usize) -> Option<PreviewPass> {
        let preview: Arc<Preview> = self.store.get(name)?;
        if preview.metadata.deletion_timestamp.is_some() && !plan::preview::is_held(&preview) {
            return None;
        }
        let seen = self.see_preview(&preview);
        let plan = plan::preview::plan(&seen);
        let acted = self.perform((&*preview).into(), &plan, most, &mut |_, _| {});
        if acted.tried() >= most && plan.steps.len() > most {
            self.forget();
            return Some(PreviewPass {
                plan,
                acted,
                before: None,
            });
        }
        let wanted = status::after(&*preview, &plan, &acted, true, self.store.now);
        let before = preview.status.clone();
        let same = before.as_ref() == Some(&wanted);
        if !same {
            let told = Preview {
                status: Some(wanted),
                ..Preview::clone(&preview)
            };
            self.store.set_status(&told);
        }
        Some(PreviewPass {
            plan,
            acted,
            before: (!same).then(|| before.unwrap_or_default()),
        })
    }

    /// The names of the Previews.
    #[must_use]
    pub fn previews(&self) -> Vec<String> {
        self.store.previews.keys().cloned().collect()
    }

    fn see_preview(&self, preview: &Arc<Preview>) -> SeenPreview {
        let app: Option<Arc<App>> = self.store.get(&preview.spec.app_ref.name);
        SeenPreview {
            now: self.store.now,
            preview: preview.clone(),
            obstacle: self.git_obstacle(app.as_deref().and_then(source)),
            put_off: self.shown.put_off.clone(),
            app: app.map_or(Seen::Missing, Seen::Found),
            environment: self.environment_of(preview),
            config: self.config.clone(),
            previews: self.known_previews(),
            live: self.live_previews(),
        }
    }

    pub(super) fn known_previews(&self) -> Vec<KnownPreview> {
        let previews = self.store.previews.values().map(|known| KnownPreview {
            preview: known.clone(),
            app: self.store.get(&known.spec.app_ref.name),
            live: self.environment_of(known).is_some(),
        });
        previews.collect()
    }

    fn environment_of(&self, preview: &Preview) -> Option<Arc<Environment>> {
        let found = self.environment(&preview.name_any())?;
        let uid = owner(&found).map(|owner| &owner.uid);
        (uid == preview.metadata.uid.as_ref()).then_some(found)
    }

    pub(super) fn live_previews(&self) -> BTreeMap<(String, String), usize> {
        let mut live = BTreeMap::new();
        for environment in self.store.environments.values() {
            if owner(environment).is_some() {
                let app = environment.spec.app_ref.name.clone();
                *live.entry((self.store.namespace.clone(), app)).or_default() += 1;
            }
        }
        live
    }
}
