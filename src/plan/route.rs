//! `Routed`: the gateway serves the routes. It reports only: it never holds the target back and is never a verdict.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;

use super::situation::Situation;
use super::{Action, Gate, Key, Plan, diff, traffic};
use crate::api::{ConditionType, Reason};
use crate::build::http_route::{self, HttpRoute, ParentRef};
use crate::build::{ingress, names};
use crate::revision::Revision;
use crate::seen::{Routing, SeenEnvironment};

const STAGE: ConditionType = ConditionType::Routed;

/// Publishes what holds the slots on the hosts that the Environment holds.
pub fn publish(situation: &Situation<'_>, plan: &mut Plan, held: &Revision) {
    let seen = situation.seen;
    for published in traffic::published(seen, held) {
        let name = names::route(&seen.environment.name_any(), &published.host);
        match &seen.routing {
            Routing::Gateway {
                namespace,
                name: gateway,
                section,
            } => {
                let parent = parent(namespace, gateway, section.as_deref());
                let object = http_route::host(&seen.environment, &parent, &published);
                let live = seen.children.http_routes.get(&name).map(AsRef::as_ref);
                let change = diff::change(object, live, diff::Guarded::Nothing, &seen.stubborn);
                plan.want(
                    STAGE,
                    Key::new("HTTPRoute", name),
                    change,
                    Action::HttpRoute,
                );
            }
            Routing::Ingress(class) => {
                let object = ingress::host(&seen.environment, class.as_deref(), &published);
                let live = seen.children.ingresses.get(&name).map(AsRef::as_ref);
                let change = diff::change(object, live, diff::Guarded::Nothing, &seen.stubborn);
                plan.want(STAGE, Key::new("Ingress", name), change, Action::Ingress);
            }
            Routing::Nothing(_) => {}
        }
    }
}

fn parent(namespace: &str, name: &str, section: Option<&str>) -> ParentRef {
    ParentRef {
        group: http_route::gateway_group(),
        kind: http_route::gateway_kind(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
        section_name: section.map(str::to_owned),
    }
}

/// Says what the gateway says.
pub fn report(situation: &Situation<'_>, _plan: &mut Plan) -> Gate {
    answers(situation.seen)
}

/// The gateway's answers for every host, as one.
#[must_use]
pub fn answers(seen: &SeenEnvironment) -> Gate {
    if seen.environment.spec.hosts.is_empty() {
        return Gate::new(Reason::NotConfigured, "The Environment names no host");
    }
    if let Routing::Nothing(why) = &seen.routing {
        return Gate::new(Reason::NoGateway, why.clone());
    }
    let hosts = seen.environment.spec.hosts.iter();
    let answers = hosts.map(|host| answer(seen, &host.host));
    let mut pending = None;
    for gate in answers.filter(|gate| !gate.is_open()) {
        if gate.reason == Reason::RouteRefused {
            return gate;
        }
        pending.get_or_insert(gate);
    }
    pending.unwrap_or_else(|| Gate::new(Reason::Routed, "The gateway serves every host"))
}

fn answer(seen: &SeenEnvironment, host: &str) -> Gate {
    let name = names::route(&seen.environment.name_any(), host);
    let pending = || {
        Gate::new(
            Reason::RoutePending,
            format!("Waiting for the gateway to accept host '{host}'"),
        )
    };
    match &seen.routing {
        Routing::Gateway { .. } => seen
            .children
            .http_routes
            .get(&name)
            .map_or_else(pending, |route| judge(route, host).unwrap_or_else(pending)),
        // An Ingress has no condition; that it stands is all that can be said.
        _ if seen.children.ingresses.contains_key(&name) => {
            Gate::new(Reason::Routed, "The Ingress stands")
        }
        _ => pending(),
    }
}

/// Each parent must accept the route and find its Services, at the route's present generation.
fn judge(route: &HttpRoute, host: &str) -> Option<Gate> {
    let parents = &route.status.as_ref()?.parents;
    for wanted in &route.spec.parent_refs {
        let parent = parents
            .iter()
            .find(|parent| parent.parent_ref.name == wanted.name)?;
        for type_ in ["Accepted", "ResolvedRefs"] {
            let condition = parent
                .conditions
                .iter()
                .find(|condition| condition.type_ == type_)?;
            if let Some(gate) = refusal(route, wanted, condition, host)? {
                return Some(gate);
            }
        }
    }
    Some(Gate::new(Reason::Routed, "The gateway serves every host"))
}

/// `None`: the answer is about an older route. `Some(None)`: yes.
fn refusal(
    route: &HttpRoute,
    parent: &ParentRef,
    condition: &Condition,
    host: &str,
) -> Option<Option<Gate>> {
    if condition.observed_generation < route.metadata.generation {
        return None;
    }
    if condition.status == "True" {
        return Some(None);
    }
    let gateway = format!(
        "{}/{}",
        parent.namespace.as_deref().unwrap_or_default(),
        parent.name
    );
    Some(Some(Gate::new(
        Reason::RouteRefused,
        format!(
            "Gateway '{gateway}' does not serve host '{host}' ({}): {}; its listener must allow routes of this namespace and this host",
            condition.reason, condition.message
        ),
    )))
}
