//! The other actors of a cluster. Each is pure: objects in, possible next steps out. They know neither the store nor the order
//! in which they act, so that the same steps can be played against a real apiserver.

mod deployment;
mod garbage;
mod gateway;
mod job;
mod kubelet;
mod pods;
mod stateful_set;

pub use gateway::Answers;
pub use pods::{adopted, is_available, is_leaving, is_ready, owned_by, template_of};

use super::effect::Effect;
use super::script::Script;
use super::store::Store;

/// Everything that could happen next, in a fixed order.
#[must_use]
pub fn possible(store: &Store, script: &Script, gateway: &Answers) -> Vec<Effect> {
    let mut effects = Vec::new();
    let now = store.now;
    let pods: Vec<_> = store.pods.values().map(AsRef::as_ref).collect();
    for pod in &pods {
        effects.extend(kubelet::step(pod, script, now));
    }
    for deployment in store.deployments.values() {
        let owned = owned_by(&pods, &**deployment);
        effects.extend(deployment::steps(deployment, &owned, script, now));
    }
    for set in store.stateful_sets.values() {
        effects.extend(stateful_set::steps(set, &pods));
    }
    for job in store.jobs.values() {
        effects.extend(job::step(job, &owned_by(&pods, &**job), now));
    }
    for route in store.http_routes.values() {
        effects.extend(gateway::step(route, gateway, now));
    }
    effects.extend(garbage::steps(&store.everything()));
    effects
}
