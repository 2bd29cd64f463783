//! The controller has no right that it does not use.

use std::collections::BTreeSet;
use std::fs;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::Api;
use serde::Deserialize;

use crate::harness::audit::{self, Request};
use crate::harness::setup::{self, checkout};
use crate::harness::{alone, controller};

/// Group, resource (with its subresource) and verb.
type Right = (String, String, String);

/// A right that stays although no test uses it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    api_group: String,
    resource: String,
    verb: String,
    reason: String,
}

#[test]
fn every_right_is_used_or_explained() {
    alone("rights", async |place| {
        let cluster: Api<ClusterRole> = Api::all(place.client.clone());
        let own: Api<Role> = Api::namespaced(place.client.clone(), controller::NAMESPACE);
        let role = cluster
            .get(controller::NAME)
            .await
            .expect("the chart's ClusterRole");
        let itself = own
            .get(&format!("{}-self", controller::NAME))
            .await
            .expect("the chart's Role");
        let granted = rights(
            role.rules
                .iter()
                .flatten()
                .chain(itself.rules.iter().flatten()),
        );

        let began = setup::began();
        let requests = audit::since(began, &audit::controller_user());
        let used: BTreeSet<Right> = requests
            .iter()
            .filter(|request| !request.is_forbidden())
            .map(right)
            .collect();
        let refused: Vec<&Request> = requests
            .iter()
            .filter(|request| request.is_forbidden())
            .collect();
        assert!(
            refused.is_empty(),
            "the controller lacks a right:\n{}",
            audit::lines(refused)
        );

        let text = fs::read_to_string(checkout().join("tests/cluster/rbac-unused.yaml"))
            .expect("the list");
        let kept: Vec<Kept> = serde_saphyr::from_str(&text).expect("the list");
        assert!(
            kept.iter().all(|line| line.reason.len() > 10),
            "each line must have a reason"
        );
        let kept: BTreeSet<Right> = kept
            .into_iter()
            .map(|line| (line.api_group, line.resource, line.verb))
            .collect();
        let stale: Vec<&Right> = kept.difference(&granted).collect();
        assert!(
            stale.is_empty(),
            "the list explains what is not granted: {stale:?}"
        );
        let unused: Vec<&Right> = granted
            .iter()
            .filter(|right| !used.contains(*right) && !kept.contains(*right))
            .collect();
        assert!(
            unused.is_empty(),
            "granted, and not used by any test since {began} (run all of them), nor in tests/cluster/rbac-unused.yaml:\n{unused:#?}"
        );
        println!(
            "{} rights, {} of them used, {} explained",
            granted.len(),
            granted.intersection(&used).count(),
            kept.len()
        );
    });
}

fn rights<'a>(rules: impl Iterator<Item = &'a PolicyRule>) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                rights.extend(
                    rule.verbs
                        .iter()
                        .map(|verb| (group.clone(), resource.clone(), verb.clone())),
                );
            }
        }
    }
    rights
}

fn right(request: &Request) -> Right {
    let object = &request.object_ref;
    let resource = if object.subresource.is_empty() {
        object.resource.clone()
    } else {
        format!("{}/{}", object.resource, object.subresource)
    };
    (object.api_group.clone(), resource, request.verb.clone())
}
