//! Ends a plan: clears away what is not wanted any more, and fills the status.

use std::collections::BTreeSet;

use kube::{Resource, ResourceExt};

use super::situation::Situation;
use super::{Action, Gate, Key, Plan, Step, incarnation, rollout, sleep, work};
use crate::api::environment::{ComponentStatus, EnvironmentStatus, MigrationStatus};
use crate::api::{ConditionType, Reason};
use crate::build::names;
use crate::revision::Revision;
use crate::seen::SeenEnvironment;

/// So many revisions are kept, those that serve or are on their way among them.
const KEPT: usize = 5;

/// A plan that does nothing and says why.
#[must_use]
pub fn only(seen: &SeenEnvironment, gate: Gate) -> Plan {
    let mut plan = Plan {
        gates: vec![(ConditionType::Accepted, gate)],
        ..Plan::default()
    };
    let serving = super::situation::serving(seen);
    plan.available = Some(available(seen, serving));
    // What it said before still holds: nothing is changed.
    plan.status = EnvironmentStatus {
        release: serving.map(Revision::summary),
        serving: serving.map(|serving| serving.number),
        url: url(seen),
        hosts: held(seen),
        conditions: Vec::new(),
        ..seen.environment.status.clone().unwrap_or_default()
    };
    plan
}

/// Prunes when the plan is complete, and fills the status.
pub fn finish(situation: &Situation<'_>, plan: &mut Plan) {
    let verified = plan
        .gate(ConditionType::Verified)
        .is_some_and(Gate::is_open);
    // Of what is not recorded yet only its Job knows.
    let recorded = !plan
        .steps
        .iter()
        .any(|step| matches!(step.action, Action::Enter(..)));
    if recorded && is_complete(situation, verified) {
        prune(situation, plan);
    } else {
        withdraw(situation.seen, plan);
    }
    // Facts first: what acts on them comes after, also when the controller ends in between.
    plan.steps.sort_by_key(rank);
    plan.available = Some(available(situation.seen, situation.held()));
    // Who is verified in this pass serves from now on.
    let serving = situation
        .target
        .as_ref()
        .filter(|_| verified)
        .or(situation.serving);
    plan.status = status(situation, serving);
}

/// Fills the status of a preview that sleeps. What is not wanted any more went while it was awake.
pub fn asleep(situation: &Situation<'_>, plan: &mut Plan, gate: Gate) {
    withdraw(situation.seen, plan);
    plan.steps.sort_by_key(rank);
    plan.available = Some(gate);
    plan.status = status(situation, situation.serving);
}

/// A plan that does not know everything that shall be there must not say what shall not. It does when the target is verified,
/// and when it was given up for what serves: then nothing of the target shall run on.
fn is_complete(situation: &Situation<'_>, verified: bool) -> bool {
    let facts = situation.target.as_ref().map(|target| &target.facts);
    facts.is_some_and(|facts| match &facts.given_up {
        Some(_) => situation.serving.is_some(),
        None => verified && facts.verified.is_some(),
    })
}

/// What is written beside the data comes first, then what is decided, then the stages in their order, and in the end what is
/// dropped.
fn rank(step: &Step) -> (u8, ConditionType) {
    match &step.action {
        Action::Enter(..) | Action::ConfigMap(_) => (0, ConditionType::Accepted),
        Action::Decide(_) | Action::Record(_) => (1, ConditionType::Accepted),
        // What is left of other databases holds up nobody.
        Action::Drop(..) => (3, step.stage),
        Action::Delete { key, .. } if key.kind == "Secret" => (3, step.stage),
        _ => (2, step.stage),
    }
}

fn prune(situation: &Situation<'_>, plan: &mut Plan) {
    let seen = situation.seen;
    let kept = kept(seen);
    let copies: BTreeSet<&String> = kept
        .iter()
        .flat_map(|revision| revision.decided.configs.values())
        .collect();
    plan.wanted
        .extend(copies.into_iter().map(|copy| Key::new("ConfigMap", copy)));
    plan.wanted.extend(
        kept.iter()
            .map(|revision| Key::new("ControllerRevision", &revision.name)),
    );
    let newest = kept.last().map_or(0, |revision| revision.number);
    let environment = seen.environment.name_any();
    let jobs = [
        names::migration(&environment, newest),
        names::seed(&environment, newest),
    ];
    plan.wanted.extend(jobs.map(|job| Key::new("Job", job)));
    keep_what_publishes(plan);
    let unwanted: Vec<_> = owned(seen)
        .into_iter()
        .filter(|(key, _)| !plan.wanted.contains(key))
        .collect();
    for (key, uid) in unwanted {
        plan.push(ConditionType::Verified, Action::Delete { key, uid });
    }
    incarnation::clear(situation, plan);
}

/// Hosts are live: what is published on one that the Environment does not hold any more goes, whatever a release waits for.
fn withdraw(seen: &SeenEnvironment, plan: &mut Plan) {
    let environment = &seen.environment;
    let hosts = environment.spec.hosts.iter().map(|host| &host.host);
    let named: BTreeSet<String> = hosts
        .filter(|host| !seen.taken_hosts.contains_key(*host))
        .map(|host| names::route(&environment.name_any(), host))
        .collect();
    let is_route = |key: &Key| matches!(key.kind, "HTTPRoute" | "Ingress");
    let routes = owned(seen).into_iter().filter(|(key, _)| is_route(key));
    for (key, uid) in routes.filter(|(key, _)| !named.contains(&key.name)) {
        plan.push(ConditionType::Verified, Action::Delete { key, uid });
    }
}

/// An Ingress goes when the gateway has taken the route that replaces it, not before: its host would be served by nothing.
fn keep_what_publishes(plan: &mut Plan) {
    if plan.gate(ConditionType::Routed).is_some_and(Gate::is_open) {
        return;
    }
    let routes = plan.wanted.iter().filter(|key| key.kind == "HTTPRoute");
    let ingresses: Vec<Key> = routes
        .map(|route| Key::new("Ingress", &route.name))
        .collect();
    plan.wanted.extend(ingresses);
}

/// The newest revisions, and what serves.
fn kept(seen: &SeenEnvironment) -> Vec<&Revision> {
    let serving = super::situation::serving(seen).map(|serving| serving.number);
    let oldest = seen.revisions.len().saturating_sub(KEPT);
    let newest = seen.revisions.iter().enumerate();
    newest
        .filter(|(index, revision)| *index >= oldest || Some(revision.number) == serving)
        .map(|(_, revision)| revision)
        .collect()
}

/// Everything that goes when nothing wants it. Data is not among it.
fn owned(seen: &SeenEnvironment) -> Vec<(Key, String)> {
    fn of<'a, K: Resource + 'a>(
        kind: &'static str,
        objects: impl Iterator<Item = &'a std::sync::Arc<K>> + 'a,
    ) -> impl Iterator<Item = (Key, String)> + 'a {
        objects
            .filter(|object| {
                !object.labels().contains_key(crate::api::labels::DATA)
                    && object.meta().deletion_timestamp.is_none()
            })
            .map(move |object| {
                (
                    Key::new(kind, object.name_any()),
                    object.uid().unwrap_or_default(),
                )
            })
    }
    let children = &seen.children;
    let running = |key: &Key| work::is_running_named(seen, &key.name);
    let mut owned: Vec<_> = of("HTTPRoute", children.http_routes.values())
        .chain(of("Ingress", children.ingresses.values()))
        .chain(of("Service", children.services.values()))
        .chain(of("PodDisruptionBudget", children.budgets.values()))
        .chain(of("EndpointSlice", children.endpoint_slices.values()))
        .chain(of("Lease", children.leases.values()))
        .chain(of("Deployment", children.deployments.values()))
        .chain(of("ConfigMap", children.config_maps.values()))
        .chain(of("Job", children.jobs.values()).filter(|(key, _)| !running(key)))
        .collect();
    let revisions = seen.revisions.iter();
    owned.extend(revisions.map(|revision| {
        (
            Key::new("ControllerRevision", &revision.name),
            revision.uid.clone(),
        )
    }));
    owned
}

/// Whether every component that holds a slot has a pod that takes work.
fn available(seen: &SeenEnvironment, held: Option<&Revision>) -> Gate {
    let Some(held) = held else {
        return Gate::new(Reason::NothingServes, "Nothing serves yet");
    };
    if sleep::wakes(seen) {
        return Gate::new(Reason::NothingServes, "The preview wakes");
    }
    let idle = held.decided.components.iter().find(|rendered| {
        let live = rollout::deployment(seen, rendered);
        let wanted = live
            .and_then(|live| live.spec.as_ref()?.replicas)
            .unwrap_or(1);
        let available = live
            .and_then(|live| live.status.as_ref()?.available_replicas)
            .unwrap_or(0);
        wanted > 0 && available == 0
    });
    match idle {
        Some(idle) => Gate::new(
            Reason::NothingServes,
            format!("No pod of component '{}' is available", idle.name),
        ),
        None => Gate::new(Reason::Available, "Every component serves"),
    }
}

fn status(situation: &Situation<'_>, serving: Option<&Revision>) -> EnvironmentStatus {
    let seen = situation.seen;
    let components = situation
        .held()
        .map(|held| held.decided.components.iter())
        .into_iter()
        .flatten();
    EnvironmentStatus {
        observed_generation: None,
        app: situation.app_seen(),
        release: serving.map(Revision::summary),
        serving: serving.map(|serving| serving.number),
        target: situation.target.as_ref().map(|target| target.number),
        url: url(seen),
        hosts: held(seen),
        components: components
            .map(|rendered| ComponentStatus {
                name: rendered.name.clone(),
                slot: names::ACTIVE_SLOT.to_owned(),
                replicas: rollout::deployment(seen, rendered)
                    .and_then(|live| live.spec.as_ref()?.replicas)
                    .unwrap_or_default(),
                port: rendered.port,
            })
            .collect(),
        migration: migration_status(situation),
        handled_tokens: seen
            .revisions
            .last()
            .map(|newest| newest.facts.handled.clone())
            .unwrap_or_default(),
        conditions: Vec::new(),
    }
}

/// The newest entry of the record; while the database does not answer, what the revisions know of it.
fn migration_status(situation: &Situation<'_>) -> Option<MigrationStatus> {
    let recorded = situation.record.newest().map(|entry| MigrationStatus {
        key: entry.key.clone(),
        revision: entry.revision,
    });
    let migrated = |revision: &&Revision| revision.facts.migrated.is_some();
    let known = || {
        let newest = situation.seen.revisions.iter().rev().find(migrated)?;
        Some(MigrationStatus {
            key: newest.decided.migration.as_ref()?.key.clone(),
            revision: newest.number,
        })
    };
    match super::situation::has_answered(situation.seen) {
        true => recorded,
        false => recorded.or_else(known),
    }
}

/// The hosts that a preview holds; its activator believes nothing else.
fn held(seen: &SeenEnvironment) -> Vec<String> {
    let spec = &seen.environment.spec;
    if spec.preview.is_none() {
        return Vec::new();
    }
    let hosts = spec.hosts.iter().map(|host| host.host.clone());
    let held = hosts.filter(|host| !seen.taken_hosts.contains_key(host));
    held.collect()
}

fn url(seen: &SeenEnvironment) -> Option<String> {
    let host = seen
        .environment
        .spec
        .hosts
        .iter()
        .find(|host| !seen.taken_hosts.contains_key(&host.host))?;
    Some(format!("http://{}", host.host))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a plan wants that wants a route and has this answer of the gateway.
    fn wanted(reason: Reason) -> BTreeSet<Key> {
        let mut plan = Plan {
            gates: vec![(ConditionType::Routed, Gate::new(reason, "as it says"))],
            wanted: [Key::new("HTTPRoute", "shop-1")].into(),
            ..Plan::default()
        };
        keep_what_publishes(&mut plan);
        plan.wanted
    }

    #[test]
    fn an_ingress_stays_until_the_gateway_has_taken_its_route() {
        let ingress = Key::new("Ingress", "shop-1");
        assert!(wanted(Reason::RoutePending).contains(&ingress));
        assert!(wanted(Reason::RouteRefused).contains(&ingress));
        assert!(!wanted(Reason::Routed).contains(&ingress));
    }
}
