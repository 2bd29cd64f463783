//! Mistakes, each answered by its own sentence, and nothing that serves is lost.

use std::io::Write;

use k8s_openapi::api::core::v1::{ResourceQuota, Secret};
use serde_json::{Value, json};
use towpath::api::{App, ConditionType, Environment, Reason};

use crate::harness::database::Database;
use crate::harness::fixtures::image;
use crate::harness::{Place, Shop, Wanted, command, images, seconds, setup, together};

/// What serves while a mistake is made.
struct Served<'a> {
    shop: &'a Shop<'a>,
    lives: Vec<(String, i32)>,
    serving: Option<i64>,
}

impl<'a> Served<'a> {
    async fn by(shop: &'a Shop<'a>) -> Self {
        shop.until_ready().await;
        Self {
            shop,
            lives: shop.lives("web").await,
            serving: shop.serving().await,
        }
    }

    /// The same pods, as before.
    async fn still(&self) {
        let most = seconds(3);
        self.shop
            .place
            .never("what serves is lost", most, async || {
                let (lives, serving) = (self.shop.lives("web").await, self.shop.serving().await);
                if lives == self.lives && serving == self.serving {
                    Ok(())
                } else {
                    Err(format!("{lives:?}, revision {serving:?}"))
                }
            })
            .await;
        self.shop
            .until_status(ConditionType::Available, "True")
            .await;
    }
}

#[test]
fn an_app_that_is_not_there_is_waited_for() {
    together("app", async |place| {
        let wanted = Wanted::light(place);
        place.apply(&wanted.environment).await;
        let shop = Shop::new(place, "shop");
        let message = shop.until(ConditionType::Ready, Reason::AppMissing).await;
        assert_eq!(
            message,
            format!("App 'shop' must exist in namespace '{}'", place.namespace)
        );
        place.apply(&wanted.app).await;
        shop.until_ready().await;
    });
}

#[test]
fn an_image_that_is_not_there_and_a_registry_that_is_down_are_two_things() {
    together("image", async |place| {
        let mut wanted = Wanted::light(place);
        wanted.app["spec"]
            .as_object_mut()
            .expect("a spec")
            .remove("image");
        let shop = place.make(&wanted).await;
        let served = Served::by(&shop).await;

        let tag = place.namespace.clone();
        shop.release(&tag).await;
        let missing = shop
            .until(ConditionType::Ready, Reason::WaitingForImage)
            .await;
        assert!(
            missing.contains(&image(&tag)) && missing.contains("198.18.0.1:5000"),
            "{missing}"
        );
        served.still().await;

        // Nobody listens there.
        shop.edit(json!({"spec": {"release": {"image": "198.18.0.1:5999/shop:v1"}}}))
            .await;
        let silent = shop
            .until(ConditionType::Ready, Reason::RegistrySilent)
            .await;
        assert!(silent.contains("198.18.0.1:5999"), "{silent}");
        // No answer is not a no.
        shop.until_status(ConditionType::Ready, "Unknown").await;
        served.still().await;

        // The image comes, and is taken without a word by anyone.
        shop.release(&tag).await;
        shop.until(ConditionType::Ready, Reason::WaitingForImage)
            .await;
        images::variant("v2", &tag, &[]);
        shop.until_ready().await;
    });
}

#[test]
fn a_secret_that_is_not_there_or_lacks_a_key_is_named() {
    together("secret", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        let served = Served::by(&shop).await;
        shop.edit(json!({"spec": {"env": [{"name": "STRIPE_KEY", "secretRef": {"name": "stripe", "key": "api-key"}}]}})).await;
        let message = shop
            .until(ConditionType::Ready, Reason::ReferenceMissing)
            .await;
        assert!(
            message.starts_with("Secret 'stripe' must exist"),
            "{message}"
        );
        served.still().await;

        let secret = |key: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stripe"}, "stringData": {key: "sk_test"}});
        place.apply(&secret("wrong-key")).await;
        let message = shop.until(ConditionType::Ready, Reason::KeyMissing).await;
        assert_eq!(message, "Secret 'stripe' must have the key 'api-key'");
        served.still().await;

        place.apply(&secret("api-key")).await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(2));
    });
}

#[test]
fn names_that_are_too_long_are_refused() {
    together("names", async |place| {
        let wanted = Wanted::light(place);
        let mut app = wanted.app.clone();
        app["metadata"]["name"] = json!("a".repeat(21));
        refused(
            place,
            &app,
            "the name of an App must have at most 20 characters",
        )
        .await;
        let mut environment = wanted.environment.clone();
        environment["metadata"]["name"] = json!("a".repeat(31));
        refused(
            place,
            &environment,
            "the name of an Environment must have at most 30 characters",
        )
        .await;
        let mut component = wanted;
        component.component("web")["name"] = json!("a".repeat(16));
        refused(
            place,
            &component.app,
            "Too long: may not be more than 15 bytes",
        )
        .await;
    });
}

#[test]
fn values_out_of_their_bounds_are_refused() {
    together("bounds", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        let served = Served::by(&shop).await;
        let with = |change: fn(&mut Wanted)| {
            let mut wanted = Wanted::light(place);
            change(&mut wanted);
            wanted
        };
        let port = with(|wanted| wanted.component("web")["port"] = json!(0));
        refused(place, &port.app, "spec.components[0].port: Invalid value: 0: spec.components[0].port in body should be greater than or equal to 1").await;
        let amount = with(|wanted| {
            wanted.component("web")["resources"]["limits"]["memory"] = json!("128 megabytes")
        });
        refused(
            place,
            &amount.app,
            "memory must be a quantity such as 128Mi or 2Gi",
        )
        .await;
        let value = with(|wanted| {
            wanted.environment["spec"]["env"] =
                json!([{"name": "LARGE", "value": "x".repeat(100 * 1024)}])
        });
        refused(
            place,
            &value.environment,
            "Too long: may not be more than 8192 bytes",
        )
        .await;
        let two = with(|wanted| {
            let web = wanted.component("web");
            web["volumes"] = json!([{"name": "data", "path": "/data", "size": "1Gi"}]);
            web["update"] = json!("Recreate");
            web["replicas"] = json!(2);
        });
        refused(
            place,
            &two.app,
            "replicas must be 1 with a ReadWriteOnce volume",
        )
        .await;
        served.still().await;
    });
}

/// The apiserver refuses an object with this in its sentence.
async fn refused(place: &Place, object: &Value, part: &str) {
    match place.try_apply(object).await {
        Ok(_) => panic!("{part:?} must be said, and the apiserver takes it: {object}"),
        Err(kube::Error::Api(status)) => assert!(
            status.message.contains(part),
            "{part:?} must be said: {}",
            status.message
        ),
        Err(error) => panic!("no answer: {error}"),
    }
}

#[test]
fn two_pods_on_one_volume_are_refused_in_an_override_too() {
    together("two-pods", async |place| {
        let mut wanted = Wanted::light(place);
        let web = wanted.component("web");
        web["volumes"] = json!([{"name": "data", "path": "/data", "size": "1Gi"}]);
        web["update"] = json!("Recreate");
        let shop = place.make(&wanted).await;
        let served = Served::by(&shop).await;
        shop.edit(json!({"spec": {"components": [{"name": "web", "replicas": 2}]}}))
            .await;
        let message = shop.until(ConditionType::Ready, Reason::SpecInvalid).await;
        assert_eq!(
            message,
            "replicas of 'web' must be 1: it has a ReadWriteOnce volume"
        );
        served.still().await;
        shop.edit(json!({"spec": {"components": []}})).await;
        shop.until_ready().await;
        served.still().await;
    });
}

#[test]
fn the_older_environment_keeps_a_host() {
    together("host", async |place| {
        let host = place.host();
        let older = place.make(&Wanted::light(place).hosts(&[&host])).await;
        let served = Served::by(&older).await;
        // The order of age is told in seconds.
        tokio::time::sleep(seconds(2)).await;
        let younger = place
            .make(
                &Wanted::light(place)
                    .named("younger")
                    .release("v2")
                    .hosts(&[&host]),
            )
            .await;
        let message = younger.until(ConditionType::Ready, Reason::HostTaken).await;
        let holder = format!("{}/shop", place.namespace);
        assert_eq!(
            message,
            format!("Host '{host}' belongs to Environment '{holder}'; another host must be named")
        );
        served.still().await;
        older.until_answers("v1").await;

        // It is free when the older one is gone.
        older.delete().await;
        younger.until_ready().await;
        younger.until_answers("v2").await;
    });
}

#[test]
fn a_release_without_an_image_for_a_component_is_refused() {
    together("component", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        let served = Served::by(&shop).await;
        let mut two = Wanted::light(place);
        two.components().push(
            json!({"name": "site", "role": "Web", "port": 8000, "image": "198.18.0.1:5000/site"}),
        );
        place.apply(&two.app).await;
        let message = shop
            .until(ConditionType::Ready, Reason::ReleaseInvalid)
            .await;
        assert_eq!(
            message,
            "release must name an image for component 'site', which has a repository of its own"
        );
        served.still().await;

        place.apply(&Wanted::light(place).app).await;
        shop.edit(json!({"spec": {"release": {"image": "198.18.0.1:5000/other:v1"}}}))
            .await;
        let from = "must come from '198.18.0.1:5000/shop'";
        shop.until_says(ConditionType::Ready, Reason::ReleaseInvalid, from)
            .await;
        served.still().await;
    });
}

#[test]
fn a_database_secret_with_a_wrong_password_is_refused_and_not_shown() {
    together("password", async |place| {
        let shop = place.make(&Wanted::with_database(place)).await;
        let served = Served::by(&shop).await;
        let database = Database::connect(place, "shop").await;
        database
            .execute("CREATE ROLE outside LOGIN PASSWORD 'right-password'")
            .await;
        database
            .execute("CREATE DATABASE outside OWNER outside")
            .await;

        let url = |password: &str| {
            format!(
                "postgresql://outside:{password}@shop-postgres.{}.svc:5432/outside",
                place.namespace
            )
        };
        let secret = |password: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "outside"}, "stringData": {"url": url(password)}});
        place.apply(&secret("wrong-password")).await;
        let mut outside = Wanted::with_database(place).named("outside");
        outside.environment["spec"]["database"] =
            json!({"provider": "External", "external": {"secretRef": {"name": "outside"}}});
        let other = place.make(&outside).await;
        let message = other
            .until(ConditionType::Ready, Reason::DatabaseRefused)
            .await;
        assert!(
            message.contains("password"),
            "the database's own words: {message}"
        );
        assert!(!message.contains("wrong-password"), "{message}");
        let status = serde_json::to_string(&other.see().await.status).expect("JSON");
        assert!(!status.contains("wrong-password"), "{status}");
        served.still().await;

        place.apply(&secret("right-password")).await;
        other.until_ready().await;
        let secret: Secret = place.get("outside").await;
        assert!(
            secret.metadata.owner_references.is_none(),
            "what exists is not taken"
        );
        other.delete().await;
        place
            .until("the other Environment is gone", async || {
                match place.find::<Environment>("outside").await {
                    None => Ok(()),
                    Some(_) => Err("it is there".to_owned()),
                }
            })
            .await;
        let left = database
            .count("SELECT count(*) FROM pg_database WHERE datname = 'outside'")
            .await;
        assert_eq!(left, 1, "what exists is never dropped");
        served.still().await;
    });
}

#[test]
fn yaml_with_an_unknown_field_is_refused_by_name() {
    together("yaml", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        let served = Served::by(&shop).await;
        let mut app = Wanted::light(place).app;
        app["spec"]["components"][0]["replica"] = json!(3);
        let mut environment = Wanted::light(place).environment;
        environment["spec"]["strategy"]["progressDeadlineSecond"] = json!(3);
        let objects = [
            (&app, "spec.components[0].replica"),
            (&environment, "spec.strategy.progressDeadlineSecond"),
        ];
        for (object, field) in objects {
            let last = field.rsplit('.').next().expect("a name");
            let modes = [
                ("--server-side=false", format!("unknown field \"{field}\"")),
                (
                    "--server-side=true",
                    format!(".{last}: field not declared in schema"),
                ),
            ];
            for (mode, sentence) in modes {
                let said = apply(object, &[mode, "--validate=strict"]);
                let said = said.expect_err("it must be refused");
                assert!(said.contains(&sentence), "{mode}: {said}");
            }
        }
        assert!(place.find::<App>("shop").await.is_some());
        served.still().await;
    });
}

fn apply(object: &Value, options: &[&str]) -> Result<String, String> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(object.to_string().as_bytes())
        .expect("a file");
    command::run(
        setup::tool("kubectl")
            .arg("apply")
            .args(options)
            .arg("--filename")
            .arg(file.path()),
    )
}

#[test]
fn a_quota_that_refuses_pods_is_told_with_its_sentence() {
    together("quota", async |place| {
        let shop = place.make(&Wanted::light(place)).await;
        let served = Served::by(&shop).await;
        let quota = |pods: &str| json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": pods}}});
        place.apply(&quota("1")).await;
        place
            .until("the quota counts", async || {
                let quota: ResourceQuota = place.get("small").await;
                let used = quota
                    .status
                    .and_then(|status| status.used)
                    .unwrap_or_default();
                if used.get("pods").is_some_and(|pods| pods.0 == "1") {
                    Ok(())
                } else {
                    Err(format!("{used:?}"))
                }
            })
            .await;
        shop.release("v2").await;
        let message = shop
            .until(ConditionType::Ready, Reason::ObjectRefused)
            .await;
        assert!(
            message.starts_with(
                "The apiserver refuses pods of component 'web': exceeded quota: small"
            ),
            "{message}"
        );
        shop.until_status(ConditionType::Stalled, "True").await;
        served.still().await;

        place.apply(&quota("5")).await;
        shop.until_ready().await;
        assert_eq!(shop.serving().await, Some(2));
    });
}
