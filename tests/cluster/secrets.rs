//! Secrets are read as they are now: a changed value restarts what reads it, once.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde_json::json;
use towpath::api::labels;

use crate::harness::{Load, Place, Wanted, audit, seconds, together};

async fn write(place: &Place, key: &str, value: &str) {
    place
        .edit::<Secret>("stripe", json!({"stringData": {key: value}}))
        .await;
}

#[test]
fn a_changed_secret_restarts_once() {
    together("rotation", async |place| {
        let host = place.host();
        let mut wanted = Wanted::with_database(place).hosts(&[&host]).replicas(2);
        wanted.app["spec"]["env"] =
            json!([{"name": "STRIPE_KEY", "secretRef": {"name": "stripe", "key": "api-key"}}]);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stripe"}, "stringData": {"api-key": "one"}});
        place.apply(&secret).await;
        let shop = place.make(&wanted).await;
        shop.until_ready().await;
        let load = Load::start(&host, 20);
        let before = shop.lives("web").await;
        let moment = Timestamp::now();

        // A key that nobody reads.
        write(place, "other", "x").await;
        place
            .never(
                "a key that nobody reads restarts nothing",
                seconds(10),
                async || {
                    let now = shop.lives("web").await;
                    if now == before {
                        Ok(())
                    } else {
                        Err(format!("{now:?} instead of {before:?}"))
                    }
                },
            )
            .await;

        write(place, "api-key", "two").await;
        place
            .until("every pod is replaced", async || {
                let now = shop.lives("web").await;
                let replaced = now.len() == 2 && now.iter().all(|pod| !before.contains(pod));
                if replaced {
                    Ok(())
                } else {
                    Err(format!("there are {now:?}"))
                }
            })
            .await;
        shop.until_ready().await;
        let after = shop.lives("web").await;
        let restarted = shop
            .deployment("web")
            .await
            .annotations()
            .get(labels::SECRETS_RESTARTED)
            .cloned();
        assert!(restarted.is_some(), "it is remembered when");

        // The next change comes too soon after that; it is not forgotten, but waits for its time.
        write(place, "api-key", "three").await;
        place
            .never("one restart in five minutes", seconds(20), async || {
                let now = shop.lives("web").await;
                if now == after {
                    Ok(())
                } else {
                    Err(format!("{now:?} instead of {after:?}"))
                }
            })
            .await;
        load.stop().assert_none_failed();
        assert_eq!(
            shop.replica_sets("web").await.len(),
            2,
            "one template before, one after"
        );
        assert_eq!(
            shop.revisions().await.len(),
            1,
            "a Secret is no part of a revision"
        );
        assert_eq!(
            audit::made(&place.namespace, "jobs", moment),
            0,
            "nothing is migrated for it"
        );

        // Five minutes later, which this annotation tells; not when they are over.
        let over: Timestamp = restarted.expect("when").parse().expect("a time");
        let over = over + jiff::SignedDuration::from_mins(5);
        let earlier = moment - jiff::SignedDuration::from_mins(6);
        let name = shop.deployment_name("web");
        let annotation =
            json!({"metadata": {"annotations": {labels::SECRETS_RESTARTED: earlier.to_string()}}});
        place
            .edit::<k8s_openapi::api::apps::v1::Deployment>(&name, annotation)
            .await;
        place
            .until("the change that waited is read", async || {
                let now = shop.lives("web").await;
                let replaced = now.len() == 2 && now.iter().all(|pod| !after.contains(pod));
                if replaced {
                    Ok(())
                } else {
                    Err(format!("there are {now:?}"))
                }
            })
            .await;
        for pod in shop.pods("web").await {
            let made = pod.metadata.creation_timestamp.as_ref().expect("a time").0;
            assert!(made < over, "{} was made at {made}", pod.name_any());
        }
    });
}
