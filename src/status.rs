//! Tells: the status after every pass, written only when it differs, and an event when something happened.

mod conditions;
mod events;

use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::api::{ConditionType, Reason, labels};
use crate::apply::Acted;
use crate::caches::Place;
use crate::context::Context;
use crate::error::{Error, Verb};
use crate::managed::{Managed, Status};
use crate::plan::{Action, Gate, Plan, Step};
use crate::seen::Obstacle;

/// How often a pass must fail in a row before the status says so: one lost answer is no news.
const NEWS: u32 = 1;

/// Tells what a pass saw and did.
pub async fn report<K: Managed>(
    object: &K,
    plan: &Plan<K::Status>,
    acted: &Acted,
    ctx: &Context,
) -> Result<(), Error> {
    let failing = ctx.failures.count(&(K::NAME, Place::of(object))) >= NEWS;
    let wanted = after(object, plan, acted, failing, ctx.now());
    if is_too_early(acted, &wanted) {
        return Ok(());
    }
    write(object, wanted, ctx).await
}

/// Whether a status says that all is well on the strength of a write that was not done.
fn is_too_early<S: Status>(acted: &Acted, wanted: &S) -> bool {
    let unfinished = acted.again || acted.failed.is_some();
    let mut conditions = wanted.conditions().iter();
    unfinished
        && conditions
            .any(|known| known.type_ == ConditionType::Ready.as_str() && known.status == "True")
}

/// The status after a pass. Pure.
#[must_use]
pub fn after<K: Managed>(
    object: &K,
    plan: &Plan<K::Status>,
    acted: &Acted,
    failing: bool,
    now: Timestamp,
) -> K::Status {
    conditions::merge(object, plan, &gates(plan, acted, failing), now)
}

/// Tells that a pass could not be finished, by the controller's own fault.
pub async fn report_fault<K: Managed>(
    object: &K,
    fault: &Error,
    ctx: &Context,
) -> Result<(), Error> {
    let gate = Gate::new(Reason::InternalError, fault.sentence());
    let before = object.status().cloned().unwrap_or_default();
    let said = [ConditionType::Ready];
    let wanted = conditions::amend(before, &said, &gate, object.meta().generation, ctx.now());
    write(object, wanted, ctx).await
}

/// Tells of an object whose spec cannot be read; its status may be.
pub async fn report_unreadable<K: Managed>(
    place: &Place,
    why: &str,
    ctx: &Context,
) -> Result<(), Error> {
    let failed = |verb, error| Error::api(verb, K::NAME, &place.name, error);
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), &place.namespace, &resource);
    let found = api.get_opt(&place.name).await;
    let Some(found) = found.map_err(|error| failed(Verb::Get, error))? else {
        return Ok(());
    };
    let status = found.data.get("status").cloned().unwrap_or_default();
    let before: K::Status = serde_json::from_value(status).unwrap_or_default();
    let message = format!(
        "This version of the controller cannot read the {}: {why}",
        K::NAME
    );
    let gate = Gate::new(Reason::SpecInvalid, message);
    let first = K::STAGES.first().copied();
    let said: Vec<_> = first.into_iter().chain([ConditionType::Ready]).collect();
    let generation = found.metadata.generation;
    let wanted = conditions::amend(before.clone(), &said, &gate, generation, ctx.now());
    if conditions::same(&before, &wanted) {
        return Ok(());
    }
    ctx.may_write(K::NAME, "patch")?;
    let patch = Patch::Apply(body::<K>(&place.name, found.uid(), &wanted));
    let patched = api.patch_status(&place.name, &params(), &patch).await;
    patched
        .map(|_| ())
        .map_err(|error| failed(Verb::Patch, error))
}

/// What each stage says after all: what the plan said, but for the one that was refused.
fn gates<S>(plan: &Plan<S>, acted: &Acted, failing: bool) -> Vec<(ConditionType, Gate)> {
    let refused = acted
        .refused
        .clone()
        .map(|(stage, reason, message)| (stage, Gate { reason, message }));
    let failed = acted.failed.as_ref().filter(|_| failing);
    let failed = failed.map(|(stage, error)| {
        (
            *stage,
            Gate {
                reason: Reason::NoAnswer,
                message: error.sentence(),
            },
        )
    });
    let untold = acted.untold.clone().map(|Obstacle { reason, message }| {
        let gate = Gate { reason, message };
        (ConditionType::Announced, gate)
    });
    let mut gates = plan.gates.clone();
    // Nobody was told: what it said last stands.
    if acted.wrote < plan.steps.len() {
        let announces = |step: &Step| matches!(step.action, Action::Announce(_));
        let announces = plan.steps.iter().any(announces);
        gates.retain(|(stage, _)| !announces || *stage != ConditionType::Announced);
    }
    for (stage, gate) in refused.into_iter().chain(failed).chain(untold) {
        gates.retain(|(known, _)| *known != stage);
        gates.push((stage, gate));
    }
    gates.sort_by_key(|(stage, _)| *stage);
    gates
}

async fn write<K: Managed>(object: &K, wanted: K::Status, ctx: &Context) -> Result<(), Error> {
    let before = object.status();
    if before.is_some_and(|before| conditions::same(before, &wanted)) {
        return Ok(());
    }
    ctx.may_write(K::NAME, "patch")?;
    let name = object.name_any();
    let api: Api<K> = ctx.api(&object.namespace().unwrap_or_default());
    let patch = Patch::Apply(body::<K>(&name, object.uid(), &wanted));
    match api.patch_status(&name, &params(), &patch).await {
        Ok(written) => {
            K::shelf(&ctx.caches).wrote(written);
            // An Event would be another object in a namespace that takes none.
            if !ctx.memories.at(K::NAME, object.meta()).is_ended() {
                events::publish(object, &wanted, ctx).await;
            }
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            // It went with this pass, which may have something to say of that.
            if object.meta().deletion_timestamp.is_some() {
                events::publish(object, &wanted, ctx).await;
            }
            // Were it still held, a pass would work for it again and again.
            let uid = object.uid().unwrap_or_default();
            K::shelf(&ctx.caches).deleted(&Place::of(object), &uid);
            Ok(())
        }
        // Another one of the same name is there: nobody is left to tell.
        Err(kube::Error::Api(status)) if status.is_conflict() => Ok(()),
        Err(error) => Err(Error::api(Verb::Patch, K::NAME, &name, error)),
    }
}

fn params() -> PatchParams {
    PatchParams::apply(labels::MANAGER).force()
}

/// The uid binds it to the object that was looked at.
fn body<K: Managed>(name: &str, uid: Option<String>, status: &K::Status) -> Value {
    json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": uid},
        "status": status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EnvironmentStatus;

    fn ready(status: &str) -> EnvironmentStatus {
        let condition = json!({
            "type": "Ready", "status": status, "reason": "Ready", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(json!({"conditions": [condition]})).unwrap()
    }

    #[test]
    fn nobody_is_told_that_all_is_well_before_it_is_written_down() {
        let lost = Acted {
            failed: Some((ConditionType::Verified, Error::Budget)),
            ..Acted::default()
        };
        let overtaken = Acted {
            again: true,
            ..Acted::default()
        };
        for acted in [lost, overtaken] {
            assert!(is_too_early(&acted, &ready("True")));
            assert!(!is_too_early(&acted, &ready("False")));
        }
        assert!(!is_too_early(&Acted::default(), &ready("True")));
    }
}
