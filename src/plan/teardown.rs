//! How an Environment goes whose database on a shared server goes with it: step by step, and nothing is made any more. What is
//! gone already is done.

use kube::core::ObjectMeta;
use kube::{Resource, ResourceExt};

use super::{Action, Gate, Key, Plan, database, finish, stages, tokens};
use crate::api::environment::DeletionPolicy;
use crate::api::{ConditionType, Environment, Reason, labels};
use crate::seen::{Hidden, SeenEnvironment};

/// A step of taking down. `None`: it is done.
pub type Step = fn(&SeenEnvironment, &mut Plan) -> Option<Gate>;

/// How an Environment goes, in this order; the stage whose work is undone tells how far it is.
pub const TEARDOWN: &[(ConditionType, Step)] = &[
    (ConditionType::Routed, withdraw),
    (ConditionType::RolledOut, stop),
    (ConditionType::DatabaseReady, drop),
];

/// Whether the Environment is on its way out and waits for us.
#[must_use]
pub fn is_held(environment: &Environment) -> bool {
    let mut finalizers = environment.finalizers().iter();
    environment.metadata.deletion_timestamp.is_some()
        && finalizers.any(|known| known == labels::FINALIZER)
}

/// What to do for an Environment that waits for us.
#[must_use]
pub fn environment(seen: &SeenEnvironment) -> Plan {
    let leaving = Gate::new(Reason::Deleting, "The Environment is on its way out");
    let mut plan = finish::only(seen, leaving);
    if tokens::fresh(seen, labels::LET_GO).is_some() {
        let_go(seen, &mut plan);
        return plan;
    }
    if seen.environment.spec.deletion_policy == DeletionPolicy::Retain {
        keep_data(seen, &mut plan);
        let_go(seen, &mut plan);
        return plan;
    }
    for &(condition, step) in TEARDOWN {
        if let Some(gate) = step(seen, &mut plan) {
            plan.gates = vec![(condition, gate)];
            plan.look_at(seen.now + stages::OUTSIDE);
            break;
        }
    }
    plan
}

fn withdraw(seen: &SeenEnvironment, plan: &mut Plan) -> Option<Gate> {
    let routes = delete(seen, plan, ConditionType::Routed, &["HTTPRoute", "Ingress"]);
    waits("routes", &routes)
}

/// Workloads and migrations, and then their pods.
fn stop(seen: &SeenEnvironment, plan: &mut Plan) -> Option<Gate> {
    let stage = ConditionType::RolledOut;
    let makers = delete(seen, plan, stage, &["Deployment", "Job"]);
    if let Some(gate) = waits("workloads", &makers) {
        return Some(gate);
    }
    let runs = |phase: &str| !matches!(phase, "Succeeded" | "Failed");
    let pods = seen.children.pods.values().filter(|pod| {
        let status = pod.status.as_ref();
        status
            .and_then(|status| status.phase.as_deref())
            .is_none_or(runs)
    });
    let pods: Vec<String> = pods.map(|pod| pod.name_any()).collect();
    waits("pods", &pods)
}

fn drop(seen: &SeenEnvironment, plan: &mut Plan) -> Option<Gate> {
    let (admin, unwanted) = match database::unwanted(seen) {
        Ok(found) => found,
        Err(gate) => {
            let message = format!("{}. {}", gate.message, way_out(&seen.environment.metadata));
            return Some(Gate::new(gate.reason, message));
        }
    };
    let unwanted = Box::new(unwanted);
    plan.push(ConditionType::DatabaseReady, Action::Drop(admin, unwanted));
    let_go(seen, plan);
    Some(Gate::new(Reason::Deleting, "Dropping the database"))
}

/// How a person lets go an Environment whose database cannot be dropped.
#[must_use]
pub fn way_out(environment: &ObjectMeta) -> String {
    format!(
        "To leave the database there and let the Environment go: kubectl annotate tenv {} {}={}.1",
        environment.name.as_deref().unwrap_or_default(),
        labels::LET_GO,
        environment.uid.as_deref().unwrap_or_default()
    )
}

/// The policy was another one when the finalizer was put on: the Secrets of the database stay with it.
fn keep_data(seen: &SeenEnvironment, plan: &mut Plan) {
    for (name, Hidden(secret)) in &seen.children.secrets {
        let owned = !secret.owner_references().is_empty();
        if owned && secret.labels().contains_key(labels::DATA) {
            let action = Action::Own {
                key: Key::new("Secret", name),
                uid: secret.uid().unwrap_or_default(),
                owners: Vec::new(),
            };
            plan.push(ConditionType::DatabaseReady, action);
        }
    }
}

/// Nobody waits for the database any more.
fn let_go(seen: &SeenEnvironment, plan: &mut Plan) {
    let mut finalizers = seen.environment.finalizers().to_vec();
    finalizers.retain(|known| known != labels::FINALIZER);
    let action = Action::hold("Environment", &seen.environment.metadata, finalizers);
    plan.push(ConditionType::DatabaseReady, action);
}

/// Deletes what is there of these kinds, and names what is left.
fn delete(
    seen: &SeenEnvironment,
    plan: &mut Plan,
    stage: ConditionType,
    kinds: &[&'static str],
) -> Vec<String> {
    let mut left = Vec::new();
    for (key, uid, leaving) in children(seen) {
        if !kinds.contains(&key.kind) {
            continue;
        }
        left.push(key.name.clone());
        if !leaving {
            plan.push(stage, Action::Delete { key, uid });
        }
    }
    left
}

/// What runs and what leads there: name, uid, and whether it is on its way out already.
fn children(seen: &SeenEnvironment) -> impl Iterator<Item = (Key, String, bool)> {
    fn of<'a, K: Resource + 'a>(
        kind: &'static str,
        objects: impl Iterator<Item = &'a std::sync::Arc<K>> + 'a,
    ) -> impl Iterator<Item = (Key, String, bool)> + 'a {
        objects.map(move |object| {
            let leaving = object.meta().deletion_timestamp.is_some();
            let key = Key::new(kind, object.name_any());
            (key, object.uid().unwrap_or_default(), leaving)
        })
    }
    let children = &seen.children;
    of("HTTPRoute", children.http_routes.values())
        .chain(of("Ingress", children.ingresses.values()))
        .chain(of("Deployment", children.deployments.values()))
        .chain(of("Job", children.jobs.values()))
}

fn waits(what: &str, left: &[String]) -> Option<Gate> {
    let first = left.first()?;
    let more = match left.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let sentence = format!("Before the database is dropped, {what} must be gone: {first}{more}");
    Some(Gate::new(Reason::Deleting, sentence))
}
