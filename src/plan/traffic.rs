//! Which slot of which component gets how much of a route: one pure function of what is seen.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{door, verify};
use crate::api::Environment;
use crate::api::app::Role;
use crate::api::environment::Route;
use crate::build::names;
use crate::revision::Revision;
use crate::seen::SeenEnvironment;

/// A host as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The host.
    pub host: String,
    /// Its paths; the longest first.
    pub routes: Vec<PublishedRoute>,
}

/// A path of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedRoute {
    /// Prefix of the path.
    pub path: String,
    /// Where its requests go.
    pub backends: Vec<Backend>,
}

/// A slot's Service and its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The Service.
    pub service: String,
    /// Its port.
    pub port: i32,
    /// Its weight.
    pub weight: i32,
}

/// The hosts that this Environment holds, with the slots that serve them. Published for what holds the slots, whatever the
/// gates say.
#[must_use]
pub fn published(seen: &SeenEnvironment, held: &Revision) -> Vec<Published> {
    let environment = &seen.environment;
    let taken: BTreeSet<&String> = seen.taken_hosts.keys().collect();
    let free = environment
        .spec
        .hosts
        .iter()
        .filter(|host| !taken.contains(&host.host));
    free.map(|host| {
        let mut routes: Vec<_> = host
            .routes
            .iter()
            .filter_map(|route| {
                let backends = ready(seen, held, &host.host, route)?;
                Some(PublishedRoute {
                    path: route.path.clone(),
                    backends,
                })
            })
            .collect();
        routes.sort_by(|one, other| {
            other
                .path
                .len()
                .cmp(&one.path.len())
                .then(one.path.cmp(&other.path))
        });
        Published {
            host: host.host.clone(),
            routes,
        }
    })
    .filter(|published| !published.routes.is_empty())
    .collect()
}

/// A component without a pod that takes requests takes over none from one that has some. A path whose component the held
/// revision lacks stays where it is, as long as that is to stay.
fn ready(
    seen: &SeenEnvironment,
    held: &Revision,
    host: &str,
    route: &Route,
) -> Option<Vec<Backend>> {
    let wanted = backends(&seen.environment, held, &route.component);
    if let (Some(door), true) = (door::backend(seen), wanted.is_some()) {
        return Some(vec![door]);
    }
    let takes_requests = |backends: &Vec<Backend>| {
        let mut known = backends.iter();
        !backends.is_empty() && known.all(|backend| available(seen, &backend.service) > 0)
    };
    if wanted.as_ref().is_some_and(takes_requests) {
        return wanted;
    }
    let is_held = |backend: &Backend| {
        held.decided.components.iter().any(|rendered| {
            let slot = names::slot(
                &seen.environment.name_any(),
                &rendered.name,
                names::ACTIVE_SLOT,
            );
            slot == backend.service
        })
    };
    present(seen, host, &route.path)
        .filter(takes_requests)
        .filter(|present| wanted.is_some() || present.iter().all(is_held))
        .or(wanted)
}

/// A slot's Service and its Deployment have one name.
fn available(seen: &SeenEnvironment, slot: &str) -> i32 {
    let live = seen.children.deployments.get(slot);
    let status = live.and_then(|live| live.status.as_ref());
    status
        .and_then(|status| status.available_replicas)
        .unwrap_or(0)
}

/// Where the requests of a path go now.
fn present(seen: &SeenEnvironment, host: &str, path: &str) -> Option<Vec<Backend>> {
    let name = names::route(&seen.environment.name_any(), host);
    let live = seen.children.http_routes.get(&name);
    let rules = live.into_iter().flat_map(|live| &live.spec.rules);
    let by_route = rules.filter_map(|rule| {
        let backends = rule.backend_refs.iter().map(|backend| Backend {
            service: backend.name.clone(),
            port: backend.port,
            weight: backend.weight,
        });
        Some((&rule.matches.first()?.path.value, backends.collect()))
    });
    let live = seen.children.ingresses.get(&name);
    let rules = live.and_then(|live| live.spec.as_ref()?.rules.as_ref());
    let paths = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule.http.as_ref());
    let by_ingress = paths.flat_map(|http| &http.paths).filter_map(|known| {
        let service = known.backend.service.as_ref()?;
        let backend = Backend {
            service: service.name.clone(),
            port: service.port.as_ref()?.number?,
            weight: 1,
        };
        Some((known.path.as_ref()?, vec![backend]))
    });
    let known = by_ingress.chain(by_route);
    let covering = known.filter(|(prefix, _)| verify::matches(prefix, path));
    let longest = covering.max_by_key(|(prefix, _)| prefix.len());
    longest.map(|(_, backends)| backends)
}

/// `RollingUpdate` has one slot, which gets everything.
fn backends(environment: &Environment, held: &Revision, component: &str) -> Option<Vec<Backend>> {
    let rendered = held
        .component(component)
        .filter(|rendered| rendered.role == Role::Web)?;
    Some(vec![Backend {
        service: names::slot(&environment.name_any(), component, names::ACTIVE_SLOT),
        port: rendered.port?,
        weight: 1,
    }])
}
