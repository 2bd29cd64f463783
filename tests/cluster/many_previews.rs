//! Many pull requests at once, on the shared server that the chart runs.

use std::time::Instant;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::ResourceExt;
use serde_json::json;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use towpath::api::{Environment, Preview, Reason};

use crate::harness::fixtures::image;
use crate::harness::{Place, Wanted, alone, seconds};
use crate::previews::{pull_request, reason, until_nothing_is_left, with_previews};

const MANY: i64 = 30;

/// What a Secret says of how to log in.
pub struct Login {
    user: String,
    password: String,
    database: String,
}

impl Login {
    /// As the app of a preview or another Environment logs in.
    pub async fn of(place: &Place, preview: &str) -> Self {
        let secret: Secret = place.get(&format!("{preview}-database")).await;
        let data = secret.data.expect("a binding");
        let text = |key: &str| String::from_utf8(data[key].0.clone()).expect("text");
        Self {
            user: text("user"),
            password: text("password"),
            database: text("database"),
        }
    }

    /// As the controller logs in.
    pub async fn provisioner(server: &Place) -> Self {
        let secret: Secret = server.get("towpath-postgres").await;
        let data = secret.data.expect("passwords");
        let password = String::from_utf8(data["provisioner"].0.clone()).expect("text");
        Self {
            user: "towpath".to_owned(),
            password,
            database: "postgres".to_owned(),
        }
    }

    pub async fn connect(&self, server: &Place) -> Result<Client, tokio_postgres::Error> {
        let service: Service = server.get("towpath-postgres").await;
        let address = service.spec.and_then(|spec| spec.cluster_ip);
        let mut config = Config::new();
        config
            .host(address.expect("an address"))
            .port(5432)
            .user(&self.user)
            .password(&self.password)
            .dbname(&self.database);
        config.connect_timeout(seconds(10));
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The databases of a namespace's Environments, by their comments.
async fn databases(admin: &Client, namespace: &str) -> Vec<String> {
    let sql = "SELECT datname::text FROM pg_database
        WHERE shobj_description(oid, 'pg_database') LIKE '% namespace=' || $1 || ' %'";
    let rows = admin.query(sql, &[&namespace]).await;
    let rows = rows.expect("the server tells its databases");
    rows.iter().map(|row| row.get(0)).collect()
}

/// How many roles there are of these databases.
async fn roles(admin: &Client, databases: &[String]) -> i64 {
    let sql = "SELECT count(*) FROM pg_roles WHERE rolname ~ ('^(' || array_to_string($1::text[], '|') || ')_')";
    let row = admin.query_one(sql, &[&databases]).await;
    row.expect("the server counts").get(0)
}

async fn until_all_are(place: &Place, wanted: Reason) {
    for number in 1..=MANY {
        let name = format!("shop-pr-{number}");
        let what = format!("Preview {name} is {}", wanted.as_str());
        place
            .until(&what, async || match reason(place, &name).await? {
                said if said == wanted.as_str() => Ok(()),
                said => Err(said),
            })
            .await;
    }
}

#[test]
fn thirty_previews_open_at_once_and_nothing_is_left_of_them() {
    alone("many", async |place| {
        let server = Place::new(place.client.clone(), "towpath-system".to_owned());
        let admin = Login::provisioner(&server).await.connect(&server).await;
        let admin = admin.expect("the server takes the controller's role");
        let database = json!({"provider": "Server", "server": {"name": "previews"}});
        let more = json!({"database": database, "maxPreviews": MANY});
        let app = with_previews(place, Wanted::with_database(place), more);
        place.apply(&app).await;

        let began = Instant::now();
        let (first, objects) = (image("v1"), 1..=MANY);
        let objects: Vec<_> = objects
            .map(|number| pull_request(place, number, &first))
            .collect();
        join_all(objects.iter().map(|object| place.apply(object))).await;
        until_all_are(place, Reason::Ready).await;
        eprintln!(
            "{MANY} previews were Ready after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        let made = databases(&admin, &place.namespace).await;
        assert_eq!(i64::try_from(made.len()), Ok(MANY));
        assert_eq!(roles(&admin, &made).await, 2 * MANY);

        // The credentials of one preview open its own database, and no other.
        let own = Login::of(place, "shop-pr-1").await;
        let holding = own.connect(&server).await.expect("its own database");
        for foreign in [
            Login::of(place, "shop-pr-2").await.database,
            "postgres".to_owned(),
        ] {
            let wrong = Login {
                database: foreign,
                ..Login::of(place, "shop-pr-1").await
            };
            let refusal = wrong
                .connect(&server)
                .await
                .map(drop)
                .expect_err("it must be refused");
            assert_eq!(
                refusal.code(),
                Some(&SqlState::INSUFFICIENT_PRIVILEGE),
                "{refusal}"
            );
        }

        // All close while a client holds a connection to the database of one.
        let began = Instant::now();
        let names: Vec<String> = place
            .list::<Preview>()
            .await
            .iter()
            .map(ResourceExt::name_any)
            .collect();
        join_all(names.iter().map(|name| place.delete::<Preview>(name))).await;
        place
            .until("no Environment is left", async || {
                match place.list::<Environment>().await.len() {
                    0 => Ok(()),
                    left => Err(format!("{left} are left")),
                }
            })
            .await;
        until_nothing_is_left(place).await;
        eprintln!(
            "nothing was left of {MANY} previews after {:.1} s",
            began.elapsed().as_secs_f64()
        );
        assert!(databases(&admin, &place.namespace).await.is_empty());
        assert_eq!(roles(&admin, &made).await, 0);
        drop(holding);
    });
}
