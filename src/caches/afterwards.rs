//! Who must look after an own write: the watch shows that write only, and so triggers nobody.

use super::{Caches, Place};
use crate::api::Preview;
use crate::plan::preview::is_refused;

impl Caches {
    /// The Environment of a Preview was written here.
    pub fn stamped(&self, place: &Place) {
        self.triggers.exists(place);
        self.triggers.look(place);
        let environment = self.environments.get(place);
        if let Some(app) = environment.map(|known| known.spec.app_ref.name.clone()) {
            self.app_triggers.look(&Place::new(&place.namespace, app));
        }
    }

    /// The Preview of a pull request was written here.
    pub fn shown(&self, place: &Place) {
        self.preview_triggers.exists(place);
        self.preview_triggers.look(place);
    }

    /// A Preview of this App was deleted here: another one may take its place.
    pub fn withdrawn(&self, namespace: &str, app: &str) {
        self.look_at_queued();
        for sibling in self.previews.group(namespace, app).into_keys() {
            self.preview_triggers.look(&Place::new(namespace, sibling));
        }
    }

    /// A Preview was deleted here: its App makes it anew if it shall be there, and another one may take its place.
    pub fn closed(&self, preview: &Preview) {
        let (namespace, app) = (Place::of(preview).namespace, &preview.spec.app_ref.name);
        self.withdrawn(&namespace, app);
        self.app_triggers.look(&Place::new(namespace, app));
    }

    /// An Environment was deleted here, perhaps one of a Preview: that has its name. No watch tells of it any more; where a
    /// finalizer holds it, what it waits for begins now.
    pub fn cleared(&self, place: &Place) {
        self.triggers.look(place);
        if let Some(preview) = self.previews.get(place) {
            self.preview_triggers.look(place);
            let app = Place::new(&place.namespace, &preview.spec.app_ref.name);
            self.app_triggers.look(&app);
        }
        self.look_at_queued();
    }

    /// A place may be free for previews that have no Environment yet.
    pub(super) fn look_at_queued(&self) {
        self.look_at_waiting(|_| true);
    }

    /// A place is free for previews that have no Environment yet and may get one: who was refused tries again by time.
    pub(super) fn look_at_next(&self) {
        self.look_at_waiting(|preview| !is_refused(preview));
    }

    fn look_at_waiting(&self, may: impl Fn(&Preview) -> bool) {
        let waits = |place: &&Place| self.environments.get(place).is_none();
        let may = |place: &&Place| self.previews.get(place).is_none_or(|known| may(&known));
        let places = self.previews.places();
        let waiting = places.iter().filter(waits).filter(may);
        waiting.for_each(|place| self.preview_triggers.look(place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_that_was_deleted_here_is_looked_at() {
        let caches = Caches::default();
        let mut queue = caches.triggers.open();
        let place = Place::new("shop-previews", "shop-pr-42");
        // The watch shows an own write only, which triggers nobody.
        caches.cleared(&place);
        let looked = queue.try_recv().map(|found| found.name);
        assert_eq!(looked.as_deref(), Ok("shop-pr-42"));
    }
}
