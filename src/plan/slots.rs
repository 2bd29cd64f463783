//! What the slots hold: workloads, Services and budgets of a revision, as they shall be.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::situation::Situation;
use super::{Action, Key, Plan, database, diff, door, policy, route, secrets, sleep};
use crate::api::{ConditionType, labels};
use crate::build::metadata::Of;
use crate::build::{budget, deployment, names, service, volume};
use crate::revision::{Rendered, Revision};

/// Keeps what serves as it shall be, whatever the gates say.
pub fn keep(situation: &Situation<'_>, plan: &mut Plan) {
    policy::keep(situation, plan);
    database::keep(situation, plan);
    if let Some(held) = situation.held() {
        hold(situation, plan, held);
    }
}

/// Puts a revision into the slots. Returns the components whose workload is written.
pub fn hold(situation: &Situation<'_>, plan: &mut Plan, revision: &Revision) -> Vec<String> {
    let mut changed = Vec::new();
    for rendered in &revision.decided.components {
        volumes(situation, plan, rendered);
        if workload(situation, plan, rendered) {
            changed.push(rendered.name.clone());
        }
        services(situation, plan, rendered);
    }
    for copy in revision.decided.configs.values() {
        plan.wanted.insert(Key::new("ConfigMap", copy));
    }
    door::keep(situation, plan);
    route::publish(situation, plan, revision);
    changed
}

/// Volumes are data; their size is live.
fn volumes(situation: &Situation<'_>, plan: &mut Plan, rendered: &Rendered) {
    let Ok(effective) = &situation.effective else {
        return;
    };
    let seen = situation.seen;
    let environment = &seen.environment;
    let Some(component) = effective
        .components
        .iter()
        .find(|component| component.name == rendered.name)
    else {
        return;
    };
    for declared in &component.volumes {
        let name = names::volume(&environment.name_any(), &component.name, &declared.name);
        let of = Of::component(environment, &component.name);
        let class = declared.storage_class_name.as_deref();
        let claim = volume::read_write_once(of, name.clone(), &declared.size, class);
        let live = seen.children.volumes.get(&name).map(AsRef::as_ref);
        let change = diff::change(claim, live, diff::Guarded::Nothing, &seen.stubborn);
        plan.want(
            ConditionType::RolledOut,
            Key::new("PersistentVolumeClaim", name),
            change,
            Action::Volume,
        );
    }
}

fn workload(situation: &Situation<'_>, plan: &mut Plan, rendered: &Rendered) -> bool {
    let seen = situation.seen;
    let environment = &seen.environment;
    let name = names::slot(&environment.name_any(), &rendered.name, names::ACTIVE_SLOT);
    let live = seen.children.deployments.get(&name).map(AsRef::as_ref);
    let (replicas, as_read) = replicas(situation, &rendered.name, live);
    let laid_over = lay_over(situation, plan, rendered, live);
    let overlay = deployment::Overlay {
        slot: names::ACTIVE_SLOT,
        replicas,
        template_annotations: laid_over.template,
        annotations: laid_over.own,
        progress_deadline_seconds: environment.spec.strategy.progress_deadline_seconds,
    };
    let object = deployment::component(environment, rendered, overlay);
    // While the template changes, what is not in the new one is mostly the old one's.
    let guarded = match is_of(live, rendered) {
        true => diff::Guarded::Template,
        false => diff::Guarded::Nothing,
    };
    let mut change = diff::change(object, live, guarded, &seen.stubborn);
    // Replicas as read must not undo what an autoscaler does meanwhile.
    if let (true, Some(change), Some(live)) = (as_read, change.as_mut(), live)
        && let Some(reference) = change.live.as_mut()
    {
        reference.resource_version = live.resource_version();
    }
    plan.want(
        ConditionType::RolledOut,
        Key::new("Deployment", name),
        change,
        Action::Deployment,
    )
}

/// How many pods; and whether that is only what was read, because nobody declares it.
fn replicas(situation: &Situation<'_>, component: &str, live: Option<&Deployment>) -> (i32, bool) {
    let declared = situation
        .effective
        .as_ref()
        .ok()
        .and_then(|effective| effective.replicas(component));
    let present = live
        .and_then(|live| live.spec.as_ref())
        .and_then(|spec| spec.replicas);
    match declared {
        _ if sleep::is_held_down(situation, present) => (0, false),
        Some(declared) => (declared, false),
        None => (present.unwrap_or(1), present.is_some()),
    }
}

fn services(situation: &Situation<'_>, plan: &mut Plan, rendered: &Rendered) {
    let seen = situation.seen;
    let environment = &seen.environment;
    let stage = ConditionType::RolledOut;
    if let Some(port) = rendered.port {
        let built = [
            service::slot(environment, &rendered.name, port, names::ACTIVE_SLOT),
            service::stable(environment, &rendered.name, port, names::ACTIVE_SLOT),
        ];
        for object in built {
            let name = object.name_any();
            let live = seen.children.services.get(&name).map(AsRef::as_ref);
            let change = diff::change(object, live, diff::Guarded::Service, &seen.stubborn);
            plan.want(stage, Key::new("Service", name), change, Action::Service);
        }
    }
    let name = names::component(&environment.name_any(), &rendered.name);
    let deployment = names::slot(&environment.name_any(), &rendered.name, names::ACTIVE_SLOT);
    let live = seen
        .children
        .deployments
        .get(&deployment)
        .map(AsRef::as_ref);
    // With one pod a budget would only block drains.
    if replicas(situation, &rendered.name, live).0 > 1 {
        let object = budget::component(environment, &rendered.name);
        let live = seen.children.budgets.get(&name).map(AsRef::as_ref);
        let change = diff::change(object, live, diff::Guarded::Nothing, &seen.stubborn);
        plan.want(
            stage,
            Key::new("PodDisruptionBudget", name),
            change,
            Action::Budget,
        );
    }
}

/// What lies over a stored template.
#[derive(Debug, Default)]
struct LaidOver {
    template: BTreeMap<String, String>,
    own: BTreeMap<String, String>,
}

/// A person's restart stays; the hash of Secrets is the present one, or stays as it is until a restart is due.
fn lay_over(
    situation: &Situation<'_>,
    plan: &mut Plan,
    rendered: &Rendered,
    live: Option<&Deployment>,
) -> LaidOver {
    let mut laid = LaidOver::default();
    let annotations = live.and_then(|live| {
        live.spec
            .as_ref()?
            .template
            .metadata
            .as_ref()?
            .annotations
            .as_ref()
    });
    let present = |key: &str| {
        annotations
            .and_then(|annotations| annotations.get(key))
            .cloned()
    };
    let last = live
        .and_then(|live| live.annotations().get(labels::SECRETS_RESTARTED))
        .cloned();
    if let Some(restarted) = present(labels::RESTARTED_AT) {
        laid.template
            .insert(labels::RESTARTED_AT.to_owned(), restarted);
    }
    let spec = rendered.template.spec.as_ref();
    let fresh = spec.and_then(|spec| secrets::hash(situation.seen, spec));
    let (hash, restarted) = if is_of(live, rendered) {
        let present = present(labels::SECRETS);
        let (hash, at) = secrets::due(situation, plan, fresh, present, last.as_deref());
        (hash, at.map(|at| at.to_string()).or(last))
    } else {
        (fresh, last)
    };
    laid.template
        .extend(hash.map(|hash| (labels::SECRETS.to_owned(), hash)));
    laid.own
        .extend(restarted.map(|at| (labels::SECRETS_RESTARTED.to_owned(), at)));
    laid
}

/// Whether a Deployment has the template of this rendering.
fn is_of(live: Option<&Deployment>, rendered: &Rendered) -> bool {
    live.and_then(|live| live.labels().get(labels::TEMPLATE)) == Some(&rendered.hash)
}
