//! What the chart makes for golden databases, against a real apiserver: it is taken as it is written, also where pods are held to
//! the restricted level.

use std::path::Path;
use std::process::Command;

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::apiserver::Apiserver;

/// The CronJobs of the chart with everything on. `None`: there is no Helm here.
fn chart(namespace: &str) -> Option<Vec<Value>> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
    let helm = checkout.join(".cluster/bin/helm");
    if !helm.exists() {
        eprintln!("SKIPPED: there is no .cluster/bin/helm: run `make cluster`");
        return None;
    }
    let rendered = Command::new(helm)
        .args(["template", "towpath", "charts/towpath", "--namespace"])
        .args([
            namespace,
            "--values=charts/towpath/ci/all-on-values.yaml",
            "--show-only=templates/golden/cronjobs.yaml",
        ])
        .current_dir(checkout)
        .output()
        .expect("helm runs");
    assert!(rendered.status.success(), "{rendered:?}");
    let text = String::from_utf8(rendered.stdout).expect("text");
    let (documents, problems) = towpath::cli::yaml::documents(&text);
    assert!(problems.is_empty(), "{} problems", problems.len());
    Some(documents.iter().map(|document| document.json()).collect())
}

#[tokio::test]
async fn golden_databases_are_made_by_pods_of_the_restricted_level() {
    let Some(server) = Apiserver::shared() else {
        return;
    };
    let client = server.client();
    let namespace = server.namespace("golden").await;
    let Some(objects) = chart(&namespace) else {
        return;
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let restricted =
        json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let labelled = namespaces
        .patch(
            &namespace,
            &PatchParams::default(),
            &Patch::Merge(restricted),
        )
        .await;
    labelled.expect("a label");
    let jobs: Api<CronJob> = Api::namespaced(client.clone(), &namespace);
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    assert_eq!(objects.len(), 3);
    for object in &objects {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let strict = PatchParams::apply("tests").validation_strict();
        let applied = jobs.patch(name, &strict, &Patch::Apply(object)).await;
        let applied = applied.unwrap_or_else(|error| panic!("{name}: {error}"));
        let job = applied.spec.job_template.spec.expect("a Job");
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": job.template.spec.expect("a pod"),
        }))
        .expect("a pod");
        let made = pods.create(&PostParams::default(), &pod).await;
        made.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
