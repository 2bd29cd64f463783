//! Pull requests that are live, on a real cluster.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use towpath::api::{Environment, Preview, Reason, labels};

use crate::harness::database::Database;
use crate::harness::fixtures::image;
use crate::harness::images::{self, Layer};
use crate::harness::{Place, Wanted, together};

pub const NUMBER: i64 = 7;
pub const NAME: &str = "shop-pr-7";

/// The host of a pull request: in the first label, so that it is nobody else's.
pub fn host(place: &Place, number: i64) -> String {
    format!("pr-{number}-{}", place.host())
}

/// The App of a test with previews.
pub fn with_previews(place: &Place, mut wanted: Wanted, more: Value) -> Value {
    let mut preview = json!({
        "hosts": [{"host": format!("pr-{{number}}-{}", place.host()), "routes": [{"path": "/", "component": "web"}]}],
        "components": [{"name": "web"}],
    });
    let fields = more.as_object().expect("fields").clone();
    preview.as_object_mut().expect("fields").extend(fields);
    wanted.app["spec"]["preview"] = preview;
    wanted.app
}

pub fn pull_request(place: &Place, number: i64, image: &str) -> Value {
    json!({
        "apiVersion": "towpath.dev/v1alpha1",
        "kind": "Preview",
        "metadata": {"name": format!("shop-pr-{number}"), "namespace": place.namespace},
        "spec": {
            "appRef": {"name": "shop"},
            "pullRequest": {"number": number, "branch": "\"; DROP DATABASE app; --"},
            "release": {"image": image},
        },
    })
}

/// The reason of `Ready` at the present generation.
pub async fn reason(place: &Place, name: &str) -> Result<String, String> {
    let preview: Preview = place.get(name).await;
    let generation = preview.metadata.generation;
    let status = preview.status.ok_or("no status yet")?;
    if status.observed_generation != generation {
        return Err("nothing is said of the present generation".to_owned());
    }
    let mut conditions = status.conditions.into_iter();
    let ready = conditions.find(|known| known.type_ == "Ready");
    ready
        .map(|ready| ready.reason)
        .ok_or_else(|| "not judged yet".to_owned())
}

pub async fn until(place: &Place, name: &str, wanted: Reason) {
    let what = format!("Preview {name} is {}", wanted.as_str());
    place
        .until(&what, async || match reason(place, name).await? {
            said if said == wanted.as_str() => Ok(()),
            said => Err(said),
        })
        .await;
}

pub async fn edit(place: &Place, change: Value) {
    let patch = Patch::Merge(change);
    let params = PatchParams::default();
    let edited = place.api::<Preview>().patch(NAME, &params, &patch).await;
    edited.expect("the Preview can be edited");
}

async fn push(place: &Place, image: &str) {
    edit(place, json!({"spec": {"release": {"image": image}}})).await;
}

/// The page of a pull request, once it is answered by this release.
pub async fn answered_by(place: &Place, release: &str) {
    let what = format!("the preview is answered by {release}");
    place
        .until(&what, async || {
            let request = images::http()
                .get("http://198.18.0.1:8080/health")
                .header("host", host(place, NUMBER));
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let header = |name: &str| {
                let value = answer.headers().get(name);
                value.map(|value| value.to_str().unwrap_or_default().to_owned())
            };
            let (version, robots) = (header("shop-version"), header("x-robots-tag"));
            match version {
                Some(version) if version == release => {
                    assert_eq!(robots.as_deref(), Some("noindex"));
                    Ok(())
                }
                other => Err(format!("{} by {other:?}", answer.status())),
            }
        })
        .await;
}

/// Everything of these kinds that is left in the namespace.
async fn left(place: &Place) -> Vec<String> {
    async fn of<K>(place: &Place) -> Vec<String>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let all = place.list::<K>().await;
        let names = all
            .iter()
            .map(|object| format!("{} {}", K::kind(&()), object.name_any()));
        names.collect()
    }
    let mut left = of::<Environment>(place).await;
    left.extend(of::<Pod>(place).await);
    left.extend(of::<Service>(place).await);
    left.extend(of::<Secret>(place).await);
    left.extend(of::<ConfigMap>(place).await);
    left.extend(of::<PersistentVolumeClaim>(place).await);
    left.extend(of::<Job>(place).await);
    left.extend(of::<NetworkPolicy>(place).await);
    left.retain(|name| !name.contains("kube-root-ca"));
    left
}

pub async fn until_nothing_is_left(place: &Place) {
    place
        .until("nothing of it is left", async || match left(place).await {
            left if left.is_empty() => Ok(()),
            left => Err(left.join(", ")),
        })
        .await;
}

#[test]
fn a_pull_request_keeps_its_data_until_its_migrations_change_and_leaves_nothing() {
    together("preview", async |place| {
        let database = json!({
            "provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"},
            "seed": ["/shop", "migrate"],
        });
        let wanted = Wanted::with_database(place);
        let app = with_previews(place, wanted, json!({"database": database}));
        place.apply(&app).await;
        let first = pull_request(place, NUMBER, &image("v1"));
        place.apply(&first).await;
        until(place, NAME, Reason::Ready).await;
        answered_by(place, "v1").await;
        let database = Database::connect(place, NAME).await;
        database.execute("CREATE TABLE kept (by text)").await;
        database.execute("INSERT INTO kept VALUES ('me')").await;
        let filled = "SELECT count(*) FROM towpath.migrations WHERE key LIKE 'towpath:seed:%'";
        assert_eq!(database.count(filled).await, 1);
        assert_eq!(database.record().await.len(), 2);

        // A push whose migrations are the same: the data stays, and nothing is migrated.
        let folder = tempfile::tempdir().expect("a folder");
        let layer = Layer::push("v1", &place.namespace, folder.path());
        push(place, &image(&layer.release)).await;
        until(place, NAME, Reason::Ready).await;
        assert_eq!(database.record().await.len(), 2);
        assert_eq!(database.count("SELECT count(*) FROM kept").await, 1);

        // With other migrations it is another database, and the one before goes although this client holds on to it.
        push(place, &image("v2")).await;
        until(place, NAME, Reason::Ready).await;
        answered_by(place, "v2").await;
        let fresh = Database::connect_to(place, NAME, "app_3").await;
        assert_eq!(fresh.count(filled).await, 1);
        assert_eq!(fresh.record().await.len(), 2);
        let kept = "SELECT count(*) FROM pg_class WHERE relname = 'kept'";
        assert_eq!(fresh.count(kept).await, 0, "none of the data of before");
        until_dropped(place, &fresh, "app").await;

        // A person's word.
        let preview: Preview = place.get(NAME).await;
        let token = format!("{}.1", preview.uid().expect("a uid"));
        edit(
            place,
            json!({"metadata": {"annotations": {(labels::RESET): token}}}),
        )
        .await;
        until_dropped(
            place,
            &Database::connect_to(place, NAME, "postgres").await,
            "app_3",
        )
        .await;
        until(place, NAME, Reason::Ready).await;
        answered_by(place, "v2").await;

        drop((database, fresh));
        place.delete::<Preview>(NAME).await;
        until_nothing_is_left(place).await;
    });
}

/// The database is gone, and so is the Secret with its URLs.
async fn until_dropped(place: &Place, server: &Database, name: &str) {
    let number = name.strip_prefix("app").unwrap_or_default();
    let binding = format!("{NAME}-database{}", number.replace('_', "-"));
    let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    place
        .until(&format!("{name} is dropped"), async || {
            let bound = place.find::<Secret>(&binding).await.is_some();
            match (server.count(&there).await, bound) {
                (0, false) => Ok(()),
                (count, bound) => Err(format!("{count} of it, bound: {bound}")),
            }
        })
        .await;
}

#[test]
fn a_preview_waits_its_turn_expires_and_is_revived() {
    together("queue", async |place| {
        let limits = json!({"maxPreviews": 1, "ttlSeconds": 60});
        let app = with_previews(place, Wanted::light(place), limits);
        place.apply(&app).await;
        let first = image("v1");
        place.apply(&pull_request(place, NUMBER, &first)).await;
        until(place, NAME, Reason::Ready).await;
        place.apply(&pull_request(place, 8, &first)).await;
        until(place, "shop-pr-8", Reason::Queued).await;

        // The first one's time is up: it stays as it is said, and makes room.
        until(place, NAME, Reason::Expired).await;
        place
            .until("its place is taken", async || {
                match place.find::<Environment>("shop-pr-8").await {
                    Some(_) => Ok(()),
                    None => Err("there is no Environment yet".to_owned()),
                }
            })
            .await;
        assert!(place.find::<Environment>(NAME).await.is_none());

        place.delete::<Preview>("shop-pr-8").await;
        let preview: Preview = place.get(NAME).await;
        let token = format!("{}.1", preview.uid().expect("a uid"));
        let word = json!({"metadata": {"annotations": {(labels::EXTEND): token}}});
        edit(place, word).await;
        until(place, NAME, Reason::Ready).await;
        answered_by(place, "v1").await;
    });
}
