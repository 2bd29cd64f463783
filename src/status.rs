//! Tells: the status after every pass, written only when it differs, and an event when something happened.

mod conditions;
mod events;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

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
    write(environment, wanted, ctx).await
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
    let gate = Gate {
        reason: Reason::InternalError,
        message: fault.sentence(),
    };
    let wanted = conditions::faulty(environment, &gate, ctx.now());
    write(environment, wanted, ctx).await
}

/// Tells of an Environment that cannot be read, where nothing but its name is known.
pub async fn report_unreadable(place: &Place, why: &str, ctx: &Context) -> Result<(), Error> {
    let failed = |verb, error| Error::api(verb, "Environment", &place.name, error);
    let resource = kube::api::ApiResource::erase::<Environment>(&());
    let api: Api<kube::api::DynamicObject> =
        Api::namespaced_with(ctx.client.clone(), &place.namespace, &resource);
    let found = api
        .get_opt(&place.name)
        .await
        .map_err(|error| failed(Verb::Get, error))?;
    let Some(found) = found else { return Ok(()) };
    let wanted = conditions::unreadable(&found, why, ctx.now());
    if found.data.pointer("/status/conditions") == Some(&wanted) {
        return Ok(());
    }
    ctx.may_write("Environment", "patch")?;
    let patch = json!({"metadata": {"uid": found.uid()}, "status": {"conditions": wanted}});
    let patched = api
        .patch_status(&place.name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
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
    if environment.status.as_ref() == Some(&wanted) {
        return Ok(());
    }
    ctx.may_write("Environment", "patch")?;
    let name = environment.name_any();
    let api: Api<Environment> = ctx.api(&environment.namespace().unwrap_or_default());
    let body = json!({
        "apiVersion": Environment::api_version(&()),
        "kind": Environment::kind(&()),
        "metadata": {"name": name, "uid": environment.uid()},
        "status": wanted,
    });
    let params = PatchParams::apply(labels::MANAGER).force();
    match api.patch_status(&name, &params, &Patch::Apply(body)).await {
        Ok(written) => {
            ctx.caches.environments.wrote(written);
            events::publish(environment, &wanted, ctx).await;
            Ok(())
        }
        // It is gone, or another one of the same name is there: nobody is left to tell.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(Error::api(Verb::Patch, "Environment", &name, error)),
    }
}
