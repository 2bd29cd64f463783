//! Tells: the status after every pass, written only when it differs, and an event when something happened.

mod conditions;
mod events;

use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use crate::api::environment::EnvironmentStatus;
use crate::api::{ConditionType, Environment, Reason, labels};
use crate::apply::Acted;
use crate::caches::Place;
use crate::context::Context;
use crate::error::{Error, Verb};
use crate::plan::{Gate, Plan};

/// How often a pass must fail in a row before the status says so: one lost answer is no news.
const NEWS: u32 = 1;

/// Tells what a pass saw and did.
pub async fn report(
    environment: &Environment,
    plan: &Plan,
    acted: &Acted,
    ctx: &Context,
) -> Result<(), Error> {
    let failing = ctx.failures.count(&Place::of(environment)) >= NEWS;
    let wanted = after(environment, plan, acted, failing, ctx.now());
    if is_too_early(acted, &wanted) {
        return Ok(());
    }
    write(environment, wanted, ctx).await
}

/// Whether a status says that all is well on the strength of a write that was not done.
fn is_too_early(acted: &Acted, wanted: &EnvironmentStatus) -> bool {
    let unfinished = acted.again || acted.failed.is_some();
    let mut conditions = wanted.conditions.iter();
    unfinished
        && conditions
            .any(|known| known.type_ == ConditionType::Ready.as_str() && known.status == "True")
}

/// The status after a pass. Pure.
#[must_use]
pub fn after(
    environment: &Environment,
    plan: &Plan,
    acted: &Acted,
    failing: bool,
    now: Timestamp,
) -> EnvironmentStatus {
    conditions::merge(environment, plan, &gates(plan, acted, failing), now)
}

/// Tells that a pass could not be finished, by the controller's own fault.
pub async fn report_fault(
    environment: &Environment,
    fault: &Error,
    ctx: &Context,
) -> Result<(), Error> {
    let gate = Gate::new(Reason::InternalError, fault.sentence());
    let before = environment.status.clone().unwrap_or_default();
    let said = [ConditionType::Ready];
    let wanted = conditions::amend(
        before,
        &said,
        &gate,
        environment.metadata.generation,
        ctx.now(),
    );
    write(environment, wanted, ctx).await
}

/// Tells of an Environment whose spec cannot be read; its status may be.
pub async fn report_unreadable(place: &Place, why: &str, ctx: &Context) -> Result<(), Error> {
    let failed = |verb, error| Error::api(verb, "Environment", &place.name, error);
    let resource = ApiResource::erase::<Environment>(&());
    let api: Api<DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), &place.namespace, &resource);
    let found = api.get_opt(&place.name).await;
    let Some(found) = found.map_err(|error| failed(Verb::Get, error))? else {
        return Ok(());
    };
    let status = found.data.get("status").cloned().unwrap_or_default();
    let before: EnvironmentStatus = serde_json::from_value(status).unwrap_or_default();
    let message = format!("This version of the controller cannot read the Environment: {why}");
    let gate = Gate::new(Reason::SpecInvalid, message);
    let said = [ConditionType::Accepted, ConditionType::Ready];
    let generation = found.metadata.generation;
    let wanted = conditions::amend(before.clone(), &said, &gate, generation, ctx.now());
    if conditions::same(&before, &wanted) {
        return Ok(());
    }
    ctx.may_write("Environment", "patch")?;
    let patch = Patch::Apply(body(&place.name, found.uid(), &wanted));
    let patched = api.patch_status(&place.name, &params(), &patch).await;
    patched
        .map(|_| ())
        .map_err(|error| failed(Verb::Patch, error))
}

/// What each stage says after all: what the plan said, but for the one that was refused.
fn gates(plan: &Plan, acted: &Acted, failing: bool) -> Vec<(ConditionType, Gate)> {
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
    let mut gates = plan.gates.clone();
    for (stage, gate) in refused.into_iter().chain(failed) {
        gates.retain(|(known, _)| *known != stage);
        gates.push((stage, gate));
    }
    gates.sort_by_key(|(stage, _)| *stage);
    gates
}

async fn write(
    environment: &Environment,
    wanted: EnvironmentStatus,
    ctx: &Context,
) -> Result<(), Error> {
    let before = environment.status.as_ref();
    if before.is_some_and(|before| conditions::same(before, &wanted)) {
        return Ok(());
    }
    ctx.may_write("Environment", "patch")?;
    let name = environment.name_any();
    let api: Api<Environment> = ctx.api(&environment.namespace().unwrap_or_default());
    let patch = Patch::Apply(body(&name, environment.uid(), &wanted));
    match api.patch_status(&name, &params(), &patch).await {
        Ok(written) => {
            ctx.caches.environments.wrote(written);
            // An Event would be another object in a namespace that takes none.
            if !ctx.memories.of(environment).is_ended() {
                events::publish(environment, &wanted, ctx).await;
            }
            Ok(())
        }
        // It is gone, or another one of the same name is there: nobody is left to tell.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(Error::api(Verb::Patch, "Environment", &name, error)),
    }
}

fn params() -> PatchParams {
    PatchParams::apply(labels::MANAGER).force()
}

/// The uid binds it to the object that was looked at.
fn body(name: &str, uid: Option<String>, status: &EnvironmentStatus) -> Value {
    json!({
        "apiVersion": Environment::api_version(&()),
        "kind": Environment::kind(&()),
        "metadata": {"name": name, "uid": uid},
        "status": status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
