//! Which slot of which component gets how much of a route: one pure function of what is seen.

use std::collections::BTreeSet;

use kube::ResourceExt;

use crate::api::Environment;
use crate::api::app::Role;
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
                let backends = backends(environment, held, &route.component)?;
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
