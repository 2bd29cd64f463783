//! The stages of an Environment, and how a target passes them.

use jiff::SignedDuration;

use super::situation::Situation;
use super::{Gate, Plan, database, migration, rollout, route, verify};
use crate::api::{ConditionType, Reason};
use crate::seen::SeenEnvironment;

/// A step of bringing the target up; it may add to the plan, and says whether the next step may act.
pub type Stage = fn(&Situation<'_>, &mut Plan) -> Gate;

/// How a release reaches an environment, in this order.
pub const STAGES: &[(ConditionType, Stage)] = &[
    (ConditionType::Accepted, |situation, _| situation.accepted()),
    (ConditionType::Resolved, |situation, _| situation.resolved()),
    (ConditionType::Configured, |situation, plan| {
        situation.configured(plan)
    }),
    (ConditionType::DatabaseReady, database::provide),
    (ConditionType::Migrated, migration::run), // once per migration key, before any pod of the revision starts
    (ConditionType::RolledOut, rollout::roll),
    (ConditionType::Routed, route::report),
    (ConditionType::Verified, verify::judge),
];

/// What is outside is looked at again after this time; how often it is really asked is the memory's affair.
pub const OUTSIDE: SignedDuration = SignedDuration::from_secs(10);
/// People wait for the image of a preview, which CI is building.
const IMAGE_OF_PREVIEW: SignedDuration = SignedDuration::from_secs(5);

/// Runs the stages in order. Behind the first closed gate the target does not advance; later conditions keep what they said
/// last. After entry a closing gate up to `Migrated` is reported but neither stops nor reverts; `Routed` only reports.
pub fn run(situation: &Situation<'_>, plan: &mut Plan) {
    for &(condition, stage) in STAGES {
        let gate = stage(situation, plan);
        let open = gate.is_open();
        if is_outside(gate.reason) {
            plan.look_at(situation.seen.now + pause(situation.seen, gate.reason));
        }
        // Who waits for an earlier stage has nothing to say: what it said last stands.
        if gate.reason != Reason::Pending {
            plan.gates.push((condition, gate));
        }
        let past = situation.has_entered() && condition <= ConditionType::Migrated;
        let reports_only = condition == ConditionType::Routed;
        if !open && !past && !reports_only {
            return;
        }
    }
}

/// When what is outside is looked at again.
fn pause(seen: &SeenEnvironment, reason: Reason) -> SignedDuration {
    let is_preview = seen.environment.spec.preview.is_some();
    match reason {
        Reason::WaitingForImage if is_preview => IMAGE_OF_PREVIEW,
        _ => OUTSIDE,
    }
}

/// Whether nobody tells when this ends: registries and databases must be asked.
fn is_outside(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::WaitingForImage
            | Reason::ImageRefused
            | Reason::RegistrySilent
            | Reason::DatabaseSilent
            | Reason::DatabaseRefused
    )
}

/// Why the controller does nothing here, if so.
#[must_use]
pub fn stopped(seen: &SeenEnvironment) -> Option<Gate> {
    if seen.environment.metadata.deletion_timestamp.is_some() {
        return Some(Gate::new(
            Reason::Deleting,
            "The Environment is on its way out",
        ));
    }
    let suspended = "spec.suspend is true: nothing is changed here until it is false";
    seen.environment
        .spec
        .suspend
        .then(|| Gate::new(Reason::Suspended, suspended))
}
