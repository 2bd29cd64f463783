//! A gateway: it says of each route what it makes of it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::build::http_route::{HttpRoute, HttpRouteStatus, ParentStatus};
use crate::simulate::effect::Effect;

/// What a gateway makes of routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// It serves them.
    #[default]
    Serves,
    /// It refuses them, for this reason.
    Refuses(String),
    /// It says nothing.
    Silent,
}

/// What the gateway says of a route, if it has not said so of this generation.
pub(super) fn step(route: &HttpRoute, answers: &Answers, now: Timestamp) -> Option<Effect> {
    let (status, reason, message) = match answers {
        Answers::Serves => ("True", "Accepted", ""),
        Answers::Refuses(why) => ("False", "NotAllowedByListeners", why.as_str()),
        Answers::Silent => return None,
    };
    let said = route.status.iter().flat_map(|status| &status.parents);
    let mut said = said.flat_map(|parent| &parent.conditions);
    let known = said.find(|known| known.type_ == "Accepted");
    if known.is_some_and(|known| {
        known.status == status && known.observed_generation == route.metadata.generation
    }) {
        return None;
    }
    let condition = |type_: &str, status: &str, reason: &str| Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: route.metadata.generation,
        last_transition_time: Time(now),
    };
    let parents = route.spec.parent_refs.iter().map(|parent| ParentStatus {
        parent_ref: parent.clone(),
        conditions: vec![
            condition("Accepted", status, reason),
            condition("ResolvedRefs", "True", "ResolvedRefs"),
        ],
    });
    let status = Some(HttpRouteStatus {
        parents: parents.collect(),
    });
    Some(Effect::HttpRoute(Box::new(HttpRoute {
        status,
        ..route.clone()
    })))
}
