//! Bad input: each with its sentence, and nothing lost.

use serde_json::{Value, json};
use towpath::api::{ConditionType, Reason};

use crate::harness::place::part;
use crate::harness::{Place, Wanted, together};

#[test]
fn what_the_schema_refuses_never_gets_in() {
    together("schema", async |place| {
        let wanted = Wanted::light(place);
        let long = "x".repeat(100_000);
        let cases: Vec<(&str, Box<dyn Fn(&mut Wanted)>, &str)> = vec![
            (
                "port 0",
                Box::new(|wanted| wanted.component("web")["port"] = json!(0)),
                "greater than or equal to 1",
            ),
            (
                "a malformed quantity",
                Box::new(|wanted| {
                    wanted.component("web")["resources"] = json!({"requests": {"cpu": "much"}})
                }),
                "cpu must be a quantity",
            ),
            (
                "two replicas on a ReadWriteOnce volume",
                Box::new(|wanted| {
                    let web = wanted.component("web");
                    web["replicas"] = json!(2);
                    web["volumes"] = json!([{"name": "files", "path": "/data", "size": "1Gi"}]);
                }),
                "replicas must be 1 with a ReadWriteOnce volume",
            ),
            (
                "a long value",
                Box::new(move |wanted| {
                    wanted.component("web")["env"] = json!([{"name": "LONG", "value": long}])
                }),
                "may not be more than 8192",
            ),
            (
                "a long name",
                Box::new(|wanted| {
                    wanted.app["metadata"]["name"] = json!("a-name-that-is-much-too-long")
                }),
                "at most 20 characters",
            ),
        ];
        for (what, change, sentence) in cases {
            let mut wrong = wanted.clone();
            change(&mut wrong);
            let refused = refusal(place, &wrong.app).await;
            assert!(refused.contains(sentence), "{what}: {refused}");
        }
        let mut unknown = wanted.app.clone();
        unknown["spec"]["componentz"] = json!([]);
        let refused = refusal(place, &unknown).await;
        assert!(refused.contains("componentz"), "{refused}");
    });
}

async fn refusal(place: &Place, object: &Value) -> String {
    match place.try_apply(object).await {
        Ok(taken) => panic!("it was taken: {taken:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_wrong_with_a_release_is_said_and_what_serves_serves_on() {
    together("release", async |place| {
        let mut wanted = Wanted::light(place);
        // Else a registry that does not exist is refused before it is asked.
        wanted.app["spec"]
            .as_object_mut()
            .expect("a spec")
            .remove("image");
        place.apply(&wanted.environment).await;
        let shop = crate::harness::Shop::new(place, "shop");
        let message = shop
            .until(ConditionType::Accepted, Reason::AppMissing)
            .await;
        assert!(message.contains("App 'shop' must exist"), "{message}");
        place.apply(&wanted.app).await;
        shop.until_ready().await;
        let lives = shop.lives("web").await;

        shop.release("never-built").await;
        let missing = shop
            .until(ConditionType::Resolved, Reason::WaitingForImage)
            .await;
        assert!(missing.contains("shop:never-built"), "{missing}");
        shop.edit(json!({"spec": {"release": {"image": "198.18.0.1:1/shop:v1"}}}))
            .await;
        let silent = shop
            .until(ConditionType::Resolved, Reason::RegistrySilent)
            .await;
        assert_ne!(
            missing, silent,
            "an image that is missing and a registry that is down are different things"
        );
        shop.edit(json!({"spec": {"release": {"image": null, "components": [{"name": "other", "image": "a/b:c"}]}}})).await;
        let message = shop
            .until(ConditionType::Accepted, Reason::SpecInvalid)
            .await;
        assert!(message.contains("it has none named 'other'"), "{message}");
        assert_eq!(shop.lives("web").await, lives, "what serves serves on");
    });
}

#[test]
fn a_host_belongs_to_the_older_environment() {
    together("host", async |place| {
        let host = place.host();
        let wanted = Wanted::light(place).hosts(&[&host]);
        let older = place.make(&wanted).await;
        older.until_ready().await;
        let younger = place.make(&wanted.clone().named("younger")).await;
        let message = younger
            .until(ConditionType::Accepted, Reason::HostTaken)
            .await;
        assert!(
            message.contains(&host) && message.contains(&format!("{}/shop", place.namespace)),
            "{message}"
        );
        older.until_ready().await;
    });
}

#[test]
fn a_quota_that_refuses_pods_is_named() {
    together("quota", async |place| {
        place
            .apply(&json!({
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
                "spec": {"hard": {"pods": "0"}},
            }))
            .await;
        let shop = place.make(&Wanted::light(place)).await;
        let message = shop
            .until(ConditionType::RolledOut, Reason::ObjectRefused)
            .await;
        assert!(message.contains("exceeded quota"), "{message}");
    });
}

#[test]
fn a_wrong_password_is_said_without_it() {
    together("password", async |place| {
        let mut wanted = Wanted::with_database(place);
        let server = place.make(&wanted.clone().named("server")).await;
        server.until_ready().await;
        let url = "postgresql://app:hunter2-is-wrong@server-postgres/app";
        let address: k8s_openapi::api::core::v1::Service = place.get("server-postgres").await;
        let address = part(&address, "/spec/clusterIP");
        let url = url.replace("server-postgres", address.as_str().expect("an address"));
        place
            .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"url": url}}))
            .await;
        wanted.environment["spec"]["database"] =
            json!({"provider": "External", "external": {"secretRef": {"name": "db"}}});
        let shop = place.make(&wanted.clone().named("shop")).await;
        let message = shop
            .until(ConditionType::DatabaseReady, Reason::DatabaseRefused)
            .await;
        assert!(
            message.contains("must hold the right password"),
            "{message}"
        );
        assert!(!format!("{:?}", shop.see().await.status).contains("hunter2"));
    });
}
