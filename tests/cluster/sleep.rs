//! Previews that sleep while nobody asks for them, on a real cluster; the activator runs there.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use towpath::api::{App, Preview, Reason, labels};

use crate::harness::database::Database;
use crate::harness::fixtures::image;
use crate::harness::images;
use crate::harness::{Place, Wanted, seconds, together};
use crate::previews::{
    NAME, NUMBER, answered_by, edit, host, pull_request, until, until_nothing_is_left,
    with_previews,
};

/// Pods that run; those of migrations have ended.
async fn running(place: &Place) -> Vec<String> {
    let pods = place.list::<Pod>().await;
    let runs = |pod: &&Pod| {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        !matches!(phase, Some("Succeeded" | "Failed"))
    };
    pods.iter()
        .filter(runs)
        .map(ResourceExt::name_any)
        .collect()
}

async fn until_no_pod_runs(place: &Place) {
    place
        .until("no pod runs", async || match running(place).await {
            running if running.is_empty() => Ok(()),
            running => Err(running.join(", ")),
        })
        .await;
    let set: StatefulSet = place.get(&format!("{NAME}-postgres")).await;
    assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(0));
    place
        .get::<PersistentVolumeClaim>(&format!("{NAME}-postgres"))
        .await;
}

/// While a preview sleeps, nobody touches what it has.
async fn nothing_is_written(place: &Place) {
    let versions = async || {
        let slice: EndpointSlice = place.get(&format!("{NAME}-door")).await;
        let door: Service = place.get(&format!("{NAME}-door")).await;
        let lease: Lease = place.get(&format!("{NAME}-activity")).await;
        let set: StatefulSet = place.get(&format!("{NAME}-postgres")).await;
        let preview: Preview = place.get(NAME).await;
        [
            slice.resource_version(),
            door.resource_version(),
            lease.resource_version(),
            set.resource_version(),
            preview.resource_version(),
        ]
    };
    // Controllers of Kubernetes may still tell that the last pod has gone.
    tokio::time::sleep(seconds(10)).await;
    let before = versions().await;
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(versions().await, before);
}

async fn say(place: &Place, word: &str) {
    let preview: Preview = place.get(NAME).await;
    let token = format!("{}.1", preview.uid().expect("a uid"));
    edit(place, json!({"metadata": {"annotations": {word: token}}})).await;
}

/// One request as a browser or a program sends it.
async fn ask(place: &Place, accept: &str) -> (u16, Option<String>, String) {
    let request = images::http()
        .get("http://198.18.0.1:8080/health")
        .header("host", host(place, NUMBER))
        .header("accept", accept);
    let answer = request.send().await.expect("the gateway answers");
    let status = answer.status().as_u16();
    let retry = answer.headers().get("retry-after");
    let retry = retry.map(|value| value.to_str().expect("text").to_owned());
    (status, retry, answer.text().await.expect("text"))
}

async fn let_sleep(place: &Place, seconds: Value) {
    let patch = Patch::Merge(json!({"spec": {"preview": {"sleepAfterSeconds": seconds}}}));
    let params = PatchParams::default();
    let edited = place.api::<App>().patch("shop", &params, &patch).await;
    edited.expect("the App can be edited");
}

#[test]
fn a_preview_sleeps_wakes_by_a_request_and_keeps_its_rows() {
    together("sleep", async |place| {
        let database =
            json!({"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}});
        let more = json!({"database": database, "sleepAfterSeconds": 3600});
        let app = with_previews(place, Wanted::with_database(place), more);
        place.apply(&app).await;
        place
            .apply(&pull_request(place, NUMBER, &image("v1")))
            .await;
        until(place, NAME, Reason::Ready).await;
        // By the activator: routes name nothing else.
        answered_by(place, "v1").await;
        let door: Service = place.get(&format!("{NAME}-door")).await;
        assert!(door.spec.expect("a spec").selector.is_none());
        let slice: EndpointSlice = place.get(&format!("{NAME}-door")).await;
        assert!(slice.endpoints.is_some_and(|all| !all.is_empty()));
        let database = Database::connect(place, NAME).await;
        database
            .execute("CREATE TABLE kept AS SELECT generate_series(1, 3) AS n")
            .await;
        drop(database);

        say(place, labels::SLEEP).await;
        until(place, NAME, Reason::Asleep).await;
        until_no_pod_runs(place).await;

        nothing_is_written(place).await;

        // Programs are told to ask again; a browser is shown what happens. The first of both wakes it.
        let (status, retry, told) = ask(place, "application/json").await;
        assert_eq!((status, retry.as_deref()), (503, Some("3")), "{told}");
        let told: Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["status"], 503);
        let (status, _, page) = ask(place, "text/html").await;
        assert!(
            status == 503 && page.contains("pull request 7 is waking up"),
            "{status}: {page}"
        );
        answered_by(place, "v1").await;
        until(place, NAME, Reason::Ready).await;
        let database = Database::connect(place, NAME).await;
        assert_eq!(database.count("SELECT count(*) FROM kept").await, 3);
        assert_eq!(
            database.record().await.len(),
            1,
            "nothing was migrated again"
        );
        drop(database);

        // By itself, when nobody asks for a minute.
        let_sleep(place, json!(60)).await;
        until(place, NAME, Reason::Asleep).await;
        until_no_pod_runs(place).await;
        say(place, labels::WAKE).await;
        answered_by(place, "v1").await;

        // Without sleep there is no door, and requests go to the pods.
        let_sleep(place, Value::Null).await;
        place
            .until("the door is gone", async || {
                let slice = place.find::<EndpointSlice>(&format!("{NAME}-door")).await;
                let lease = place.find::<Lease>(&format!("{NAME}-activity")).await;
                match (slice, lease) {
                    (None, None) => Ok(()),
                    (slice, lease) => Err(format!("{} {}", slice.is_some(), lease.is_some())),
                }
            })
            .await;
        answered_by(place, "v1").await;
        place.delete::<Preview>(NAME).await;
        until_nothing_is_left(place).await;
    });
}

#[test]
fn a_push_wakes_a_preview_and_one_that_sleeps_leaves_nothing() {
    together("sleep-push", async |place| {
        let more = json!({"sleepAfterSeconds": 3600});
        let app = with_previews(place, Wanted::light(place), more);
        place.apply(&app).await;
        place
            .apply(&pull_request(place, NUMBER, &image("v1")))
            .await;
        until(place, NAME, Reason::Ready).await;
        say(place, labels::SLEEP).await;
        until(place, NAME, Reason::Asleep).await;
        edit(place, json!({"spec": {"release": {"image": image("v2")}}})).await;
        until(place, NAME, Reason::Ready).await;
        answered_by(place, "v2").await;
        let preview: Preview = place.get(NAME).await;
        let token = format!("{}.2", preview.uid().expect("a uid"));
        edit(
            place,
            json!({"metadata": {"annotations": {(labels::SLEEP): token}}}),
        )
        .await;
        until(place, NAME, Reason::Asleep).await;
        place.delete::<Preview>(NAME).await;
        until_nothing_is_left(place).await;
    });
}
