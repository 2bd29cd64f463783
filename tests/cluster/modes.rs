//! Other ways to run: with Roles only, and on a cluster that gets the Gateway API later.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, ResourceExt};
use serde_json::json;
use towpath::api::{ConditionType, Reason};
use towpath::build::http_route::HttpRoute;

use crate::harness::audit::{self, Request};
use crate::harness::{Controller, Load, Place, Shop, Wanted, alone, command, seconds, setup};

/// Name of the second installation, and of its ServiceAccount.
const RELEASE: &str = "towpath-narrow";

#[test]
fn with_roles_only_it_sees_its_namespace_and_nothing_else() {
    alone("roles", async |place| {
        let controller = Controller::new(place);
        let image = controller.image().await;
        controller.stop().await;
        let outcome = AssertUnwindSafe(narrow(place, &image)).catch_unwind().await;
        uninstall(place);
        controller.start().await;
        let shop = outcome.unwrap_or_else(|panic| resume_unwind(panic));
        // The controller of the whole cluster takes over what the other one made, and publishes it by its own gateway.
        let lives = shop.lives("web").await;
        until_the_route_replaces_the_ingress(place).await;
        shop.until_ready().await;
        assert_eq!(shop.lives("web").await, lives);
    });
}

async fn until_the_route_replaces_the_ingress(place: &Place) {
    place
        .until("the route replaces the Ingress", async || {
            let (routes, ingresses) = (
                place.list::<HttpRoute>().await.len(),
                place.list::<Ingress>().await.len(),
            );
            if (routes, ingresses) == (1, 0) {
                Ok(())
            } else {
                Err(format!("{routes} routes, {ingresses} Ingresses"))
            }
        })
        .await;
}

/// Installs a second controller for this namespace, lets it work, and looks at what it asked for.
async fn narrow<'a>(place: &'a Place, image: &str) -> Shop<'a> {
    let moment = Timestamp::now();
    let elsewhere = Place::new(
        place.client.clone(),
        setup::namespace(&place.client, "elsewhere").await,
    );
    let unseen = elsewhere.make(&Wanted::light(&elsewhere)).await;
    install(place, image);
    let shop = place.make(&Wanted::example(place)).await;
    shop.until_ready().await;
    shop.until_answers("v1").await;
    assert_eq!(place.list::<Ingress>().await.len(), 1);
    assert!(
        unseen.see().await.status.is_none(),
        "another namespace is none of its business"
    );
    setup::delete(&place.client, &elsewhere.namespace).await;
    no_cluster_role(place).await;

    let requests = audit::since(moment, &audit::user(&place.namespace, RELEASE));
    assert!(
        requests.iter().any(Request::is_write),
        "the audit log must show its work"
    );
    let forbidden: Vec<&Request> = requests
        .iter()
        .filter(|request| request.is_forbidden())
        .collect();
    assert!(
        forbidden.is_empty(),
        "it lacks a right:\n{}",
        audit::lines(forbidden)
    );
    let outside: Vec<&Request> = requests
        .iter()
        .filter(|request| {
            !request.object_ref.resource.is_empty()
                && request.object_ref.namespace != place.namespace
        })
        .collect();
    assert!(
        outside.is_empty(),
        "it looks beyond its namespace:\n{}",
        audit::lines(outside)
    );
    shop
}

fn install(place: &Place, image: &str) {
    let (name, digest) = image.split_once('@').expect("an image by digest");
    let repository = name
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .map_or(name, |(repository, _)| repository);
    let charts = setup::checkout().join("charts");
    let mut helm = setup::tool("helm");
    helm.args(["install", RELEASE])
        .arg(charts.join("towpath"))
        .args(["--namespace", &place.namespace, "--wait", "--timeout", "5m"]);
    helm.arg("--values").arg(charts.join("local-values.yaml"));
    for value in [
        format!("image.repository={repository}"),
        format!("image.digest={digest}"),
        format!("watchNamespaces={{{}}}", place.namespace),
        // Beside the controller's own Lease it is refused.
        "activator.enabled=false".to_owned(),
        "crds.install=false".to_owned(),
        format!("config.clusterId={}", cluster_id()),
        "config.routing.mode=Ingress".to_owned(),
        "config.routing.ingressClassName=traefik".to_owned(),
    ] {
        helm.args(["--set", &value]);
    }
    // The secret of the local Git host is beside the main controller only.
    helm.args([
        "--set-json",
        "config.git.hosts=[]",
        "--set",
        "webhooks.enabled=false",
    ]);
    command::run(&mut helm).expect("the chart is installed");
}

/// The name of the cluster in the comments of databases: the same for whoever takes over.
fn cluster_id() -> String {
    let mut kubectl = setup::tool("kubectl");
    kubectl.args(["get", "namespace", "kube-system", "--output"]);
    kubectl.arg("jsonpath={.metadata.uid}");
    command::run(&mut kubectl).expect("the uid of kube-system")
}

fn uninstall(place: &Place) {
    let mut helm = setup::tool("helm");
    helm.args([
        "uninstall",
        RELEASE,
        "--ignore-not-found",
        "--wait",
        "--namespace",
        &place.namespace,
    ]);
    if let Err(error) = command::run(&mut helm) {
        eprintln!("{RELEASE} cannot be uninstalled: {error}");
    }
}

async fn no_cluster_role(place: &Place) {
    let selector = ListParams::default().labels(&format!("app.kubernetes.io/instance={RELEASE}"));
    let roles: Api<ClusterRole> = Api::all(place.client.clone());
    let bindings: Api<ClusterRoleBinding> = Api::all(place.client.clone());
    let roles = roles.list(&selector).await.expect("the roles");
    let bindings = bindings.list(&selector).await.expect("the bindings");
    let found: Vec<String> = roles
        .iter()
        .map(ResourceExt::name_any)
        .chain(bindings.iter().map(ResourceExt::name_any))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn without_the_gateway_api_it_starts_and_takes_it_up_when_it_comes() {
    alone("gateway", async |place| {
        let routes = HttpRoutes::of(place).await;
        routes.remove().await;
        let outcome = AssertUnwindSafe(started_without_routes(place))
            .catch_unwind()
            .await;
        let load = Load::on_health(&place.host(), 20);
        routes.restore(place).await;
        let shop = outcome.unwrap_or_else(|panic| resume_unwind(panic));
        let lives = shop.lives("web").await;
        until_the_route_replaces_the_ingress(place).await;
        shop.until(ConditionType::Routed, Reason::Routed).await;
        shop.until_ready().await;
        // The gateway has forgotten the Ingress by now.
        tokio::time::sleep(seconds(2)).await;
        load.stop().assert_none_failed();
        assert_eq!(shop.lives("web").await, lives, "no pod takes part in it");
    });
}

/// A controller that starts where HTTPRoutes are not known publishes by Ingress.
async fn started_without_routes(place: &Place) -> Shop<'_> {
    Controller::new(place).restart().await;
    let shop = place
        .make(&Wanted::light(place).hosts(&[&place.host()]))
        .await;
    shop.until_ready().await;
    shop.until_answers("v1").await;
    let made = place.list::<Ingress>().await;
    assert_eq!(made.len(), 1);
    // It heals as every other child does.
    let name = made[0].name_any();
    place.delete::<Ingress>(&name).await;
    place
        .until("the Ingress comes back", async || {
            let now: Ingress = place.find(&name).await.ok_or("it is gone")?;
            if now.spec == made[0].spec {
                Ok(())
            } else {
                Err(format!("it is {:?}", now.spec))
            }
        })
        .await;
    shop.until_answers("v1").await;
    shop
}

/// The definition of HTTPRoutes, which a test takes out of the cluster for a while.
struct HttpRoutes {
    api: Api<DynamicObject>,
    definition: DynamicObject,
}

impl HttpRoutes {
    const NAME: &str = "httproutes.gateway.networking.k8s.io";

    async fn of(place: &Place) -> Self {
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let api: Api<DynamicObject> =
            Api::all_with(place.client.clone(), &ApiResource::from_gvk(&kind));
        let mut definition = api
            .get(Self::NAME)
            .await
            .expect("the definition of HTTPRoutes");
        let metadata = &mut definition.metadata;
        metadata.uid = None;
        metadata.resource_version = None;
        metadata.managed_fields = None;
        definition.data["status"] = json!(null);
        Self { api, definition }
    }

    /// Returns when the apiserver knows no such kind any more.
    async fn remove(&self) {
        let deleted = self.api.delete(Self::NAME, &DeleteParams::default()).await;
        deleted.expect("the definition is deleted");
        while self
            .api
            .get_opt(Self::NAME)
            .await
            .expect("an answer")
            .is_some()
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns when the apiserver knows them again.
    async fn restore(&self, place: &Place) {
        let made = self
            .api
            .create(&PostParams::default(), &self.definition)
            .await;
        made.expect("the definition is made again");
        let routes = place.api::<HttpRoute>();
        while routes.list(&ListParams::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
