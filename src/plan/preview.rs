//! Decides for a Preview: whether it may live, and what its Environment is. Pure.

mod accept;
mod announce;
mod comment;
mod deploy;
mod farewell;
mod lifetime;
pub(super) mod queue;
mod state;

pub use farewell::{is_held, with_way_out};
pub use queue::is_refused;

use super::{Gate, Plan};
use crate::api::preview::PreviewStatus;
use crate::api::{ConditionType, Reason};
use crate::seen::SeenPreview;

/// A step of bringing a preview up; it may add to the plan, and says whether the next step may act.
type Stage = fn(&SeenPreview, &mut Plan<PreviewStatus>) -> Gate;

/// How a pull request becomes live, in this order. What its Git host is told follows from what they say.
const STAGES: &[(ConditionType, Stage)] = &[
    (ConditionType::Accepted, accept::accept),
    (ConditionType::Deployed, deploy::deploy),
];

/// Decides what to do for a Preview, and what to say of it.
#[must_use]
pub fn plan(seen: &SeenPreview) -> Plan<PreviewStatus> {
    if is_held(&seen.preview) {
        return farewell::farewell(seen);
    }
    let mut plan = Plan::default();
    lifetime::note(seen, &mut plan);
    for &(condition, stage) in STAGES {
        let gate = stage(seen, &mut plan);
        let open = gate.is_open();
        plan.gates.push((condition, gate));
        if !open {
            break;
        }
    }
    // A preview that sleeps is well, and `Ready` tells that it sleeps.
    let deployed = plan.gate(ConditionType::Deployed);
    plan.ready = deployed
        .filter(|gate| gate.reason == Reason::Asleep)
        .cloned();
    let gate = announce::announce(seen, &mut plan);
    plan.gates.push((ConditionType::Announced, gate));
    plan.status = status(seen);
    plan
}

fn status(seen: &SeenPreview) -> PreviewStatus {
    let told = seen.environment.as_ref();
    let told = told.and_then(|environment| environment.status.as_ref());
    PreviewStatus {
        url: told.and_then(|told| told.url.clone()),
        release: told.and_then(|told| told.release.clone()),
        expires_time: lifetime::of(seen).map(|life| lifetime::text(life.ends)),
        ..PreviewStatus::default()
    }
}

#[cfg(test)]
mod tests;
