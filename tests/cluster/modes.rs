//! Other ways to run: with Roles only, and on a cluster that gets the Gateway API later.

use jiff::Timestamp;
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use towpath::build::http_route::HttpRoute;

use crate::harness::audit::{self, Request};
use crate::harness::{Controller, Place, Wanted, alone, command, seconds, setup};

/// Name of the second installation, and of its ServiceAccount.
const RELEASE: &str = "towpath-narrow";

#[test]
fn with_roles_only_it_sees_its_namespace_and_nothing_else() {
    alone("roles", async |place| {
        let controller = Controller::new(place);
        let image = controller.image().await;
        controller.stop().await;
        let outcome =
            futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(narrow(place, &image)))
                .await;
        uninstall(place);
        controller.start().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
        let shop = outcome.expect("it went well");
        // The controller of the whole cluster takes over what the other one made, and publishes it by its own gateway.
        let shop = crate::harness::Shop::new(place, &shop);
        let lives = shop.lives("web").await;
        place
            .until("the route replaces the Ingress", seconds(60), async || {
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
        shop.until_ready().await;
        assert_eq!(shop.lives("web").await, lives);
    });
}

/// Installs a second controller for this namespace, lets it work, and looks at what it asked for.
async fn narrow(place: &Place, image: &str) -> String {
    let moment = Timestamp::now();
    let elsewhere = Place::new(
        place.client.clone(),
        setup::namespace(&place.client, "elsewhere").await,
    );
    let unseen = elsewhere.make(&Wanted::light(&elsewhere)).await;
    install(place, image);
    let host = place.host();
    let shop = place.make(&Wanted::example(place)).await;
    shop.until_ready().await;
    place
        .until(
            "the Ingress leads to the shop",
            seconds(30),
            async || match shop.ask("/").await? {
                (200, version, _) if version == "v1" => Ok(()),
                (status, ..) => Err(format!("{host} answers {status}")),
            },
        )
        .await;
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
    shop.name
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
        .args(["--namespace", &place.namespace, "--wait", "--timeout", "2m"]);
    helm.arg("--values").arg(charts.join("local-values.yaml"));
    for value in [
        format!("image.repository={repository}"),
        format!("image.digest={digest}"),
        format!("watchNamespaces={{{}}}", place.namespace),
        "crds.install=false".to_owned(),
        "config.clusterId=tests".to_owned(),
        "config.routing.mode=Ingress".to_owned(),
        "config.routing.ingressClassName=traefik".to_owned(),
    ] {
        helm.args(["--set", &value]);
    }
    command::run(&mut helm).expect("the chart is installed");
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
