//! The binding Secret of what serves, where the target runs on another of the databases of a preview.

use kube::ResourceExt;

use super::Site;
use crate::api::app::AppDatabase;
use crate::api::labels;
use crate::build::names;
use crate::plan::Plan;
use crate::plan::situation::Situation;
use crate::postgres::SeenDatabase;
use crate::seen::Hidden;

/// What serves keeps its login as long as its database is there, which the server says. A key that only its pods know of, under
/// a name that the App does not give it any more, stays.
pub fn bind(
    situation: &Situation<'_>,
    plan: &mut Plan,
    app: &AppDatabase,
    site: &Site,
    found: &SeenDatabase,
) {
    let seen = situation.seen;
    let other = |number: &i64| *number != seen.incarnation;
    let serving = situation.serving.map(|known| known.decided.incarnation);
    let Some(number) = serving.filter(other) else {
        return;
    };
    let database = names::nth(site.wanted.family.as_str(), '_', number);
    if !found.others.iter().any(|known| known.as_str() == database) {
        return;
    }
    let name = names::binding_of(&seen.environment.name_any(), number);
    let live = seen.children.secrets.get(&name);
    let noted = live.and_then(|Hidden(live)| live.annotations().get(labels::DATABASE_IDENTITY));
    let migrated = || situation.serving?.facts.migrated.clone();
    let identity = noted.cloned().or_else(migrated).unwrap_or_default();
    let mut secret = site.binding(&seen.environment, app, &name, &database, &identity);
    if identity.is_empty() {
        secret.annotations_mut().remove(labels::DATABASE_IDENTITY);
    }
    let data = secret.data.get_or_insert_default();
    let kept = live.and_then(|Hidden(live)| live.data.clone());
    for (key, value) in kept.unwrap_or_default() {
        data.entry(key).or_insert(value);
    }
    super::bind(seen, plan, secret);
}
