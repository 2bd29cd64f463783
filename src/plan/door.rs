//! The way of requests to a preview that may sleep: always by the activator, also while it is awake.

use kube::ResourceExt;

use super::situation::Situation;
use super::traffic::Backend;
use super::{Action, Key, Plan, diff, sleep};
use crate::api::ConditionType;
use crate::build::{door, names};
use crate::seen::{Activator, SeenEnvironment};

const STAGE: ConditionType = ConditionType::RolledOut;
/// The port of the Service, where no EndpointSlice says another.
const PORT: i32 = 80;

/// Keeps the Service, where it leads, and the Lease, as long as the preview may sleep.
pub fn keep(situation: &Situation<'_>, plan: &mut Plan) {
    let seen = situation.seen;
    if sleep::of(seen).is_none() {
        return;
    }
    let environment = &seen.environment;
    let children = &seen.children;
    let name = names::door(&environment.name_any());
    let live = children.services.get(&name).map(AsRef::as_ref);
    let object = door::service(environment, PORT);
    let change = diff::change(object, live, diff::Guarded::Service, &seen.stubborn);
    plan.want(STAGE, Key::new("Service", &name), change, Action::Service);
    let lease = names::activity(&environment.name_any());
    let live = children.leases.get(&lease).map(AsRef::as_ref);
    let object = door::activity(environment);
    let change = diff::change(object, live, diff::Guarded::Nothing, &seen.stubborn);
    plan.want(STAGE, Key::new("Lease", lease), change, Action::Lease);
    endpoints(seen, plan, name);
}

/// While no pod of the activator is ready, the last ones stay: there is nowhere else to go.
fn endpoints(seen: &SeenEnvironment, plan: &mut Plan, name: String) {
    let key = Key::new("EndpointSlice", name);
    let live = seen.children.endpoint_slices.get(&key.name);
    let Some(activator) = ready(seen) else {
        plan.wanted.insert(key);
        return;
    };
    // Its family cannot be changed: one of another family goes, and the next pass makes it anew.
    if let Some(live) = live.filter(|live| live.address_type != activator.family) {
        let uid = live.uid().unwrap_or_default();
        plan.wanted.insert(key.clone());
        plan.push(STAGE, Action::Delete { key, uid });
        return;
    }
    let object = door::endpoints(&seen.environment, activator);
    let live = live.map(AsRef::as_ref);
    let change = diff::change(object, live, diff::Guarded::Nothing, &seen.stubborn);
    plan.want(STAGE, key, change, Action::EndpointSlice);
}

fn ready(seen: &SeenEnvironment) -> Option<&Activator> {
    let activator = seen.activator.as_ref()?;
    (!activator.addresses.is_empty()).then_some(activator)
}

/// What routes name instead of slots, once it leads somewhere.
#[must_use]
pub fn backend(seen: &SeenEnvironment) -> Option<Backend> {
    sleep::of(seen)?;
    let name = names::door(&seen.environment.name_any());
    let leads = ready(seen).is_some() || seen.children.endpoint_slices.contains_key(&name);
    leads.then_some(Backend {
        service: name,
        port: PORT,
        weight: 1,
    })
}
