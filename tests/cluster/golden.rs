//! Golden databases that the chart's CronJobs make anew, on the shared server that the chart runs.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::harness::{Controller, Place, Shop, Wanted, alone, command, seconds, setup};
use crate::many_previews::Login;

const CRON_JOB: &str = "towpath-golden-test";
const TEMPLATE: &str = "test_golden";

/// Renders the CronJob of the installed chart, as `goldenDatabases` says.
async fn rendered(server: &Place, script: &str) -> Value {
    let image = Controller::new(server).image().await;
    let (name, digest) = image.split_once('@').expect("an image by digest");
    let repository = name
        .rsplit_once(':')
        .filter(|(_, tag)| !tag.contains('/'))
        .map_or(name, |(repository, _)| repository);
    let entry = json!([{
        "name": "test",
        "server": "previews",
        "template": TEMPLATE,
        // Never by itself: the test says when.
        "schedule": "@yearly",
        "suspend": true,
        "command": ["sh", "-euc", script],
    }]);
    let charts = setup::checkout().join("charts");
    let mut helm = setup::tool("helm");
    helm.args(["template", "towpath"])
        .arg(charts.join("towpath"));
    helm.arg("--values").arg(charts.join("local-values.yaml"));
    helm.args(["--namespace", &server.namespace]);
    helm.args(["--show-only", "templates/golden/cronjobs.yaml"]);
    helm.args([
        "--set",
        &format!("image.repository={repository},image.digest={digest}"),
    ]);
    helm.args(["--set-json", &format!("goldenDatabases={entry}")]);
    let text = command::run(&mut helm).expect("the chart is rendered");
    let (documents, problems) = towpath::cli::yaml::documents(&text);
    assert!(problems.is_empty() && documents.len() == 1, "{text}");
    documents[0].json()
}

/// What fills with one row, after a while in which it can be disturbed.
fn filling(word: &str) -> String {
    let sql = format!("CREATE TABLE golden (word text); INSERT INTO golden VALUES ('{word}')");
    format!(
        "sleep 5; psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname=service=golden --command=\"{sql}\""
    )
}

/// Starts a Job of the CronJob by hand, as people do.
async fn start(server: &Place, script: &str, job: &str) {
    server.apply(&rendered(server, script).await).await;
    let mut kubectl = setup::tool("kubectl");
    kubectl.args(["create", "job", "--namespace", &server.namespace]);
    kubectl.args([&format!("--from=cronjob/{CRON_JOB}"), job]);
    command::run(&mut kubectl).expect("a Job");
}

/// The pods of a Job.
async fn pods(server: &Place, job: &str) -> Vec<Pod> {
    let selector = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
    let pods = server.api::<Pod>().list(&selector).await;
    pods.expect("the pods").items
}

/// What the pods of a Job said, for a test that fails.
async fn said(server: &Place, job: &str) -> String {
    let mut kubectl = setup::tool("kubectl");
    kubectl.args([
        "logs",
        "--namespace",
        &server.namespace,
        "--all-containers",
        "--prefix",
    ]);
    kubectl.args(["--selector", &format!("batch.kubernetes.io/job-name={job}")]);
    command::run(&mut kubectl).unwrap_or_else(|why| why)
}

/// Waits until a Job has ended; says whether it succeeded.
async fn ended(server: &Place, job: &str) -> bool {
    server
        .until(&format!("Job {job} has ended"), async || {
            let found: Job = server.get(job).await;
            let conditions = found.status.and_then(|status| status.conditions);
            let conditions = conditions.unwrap_or_default();
            let is = |kind: &str| {
                let mut known = conditions.iter();
                known.any(|condition| condition.type_ == kind && condition.status == "True")
            };
            match (is("Complete"), is("Failed")) {
                (true, _) => Ok(true),
                (_, true) => Ok(false),
                _ => Err(said(server, job).await),
            }
        })
        .await
}

/// An Environment whose database is a copy; it is ready with it.
async fn copy<'a>(place: &'a Place, name: &str) -> Shop<'a> {
    let mut wanted = Wanted::with_database(place).named(name);
    wanted.environment["spec"]["database"] =
        json!({"provider": "Server", "server": {"name": "previews", "template": TEMPLATE}});
    wanted.environment["spec"]["deletionPolicy"] = json!("Delete");
    let shop = place.make(&wanted).await;
    shop.until_ready().await;
    shop
}

/// The row in the database of an Environment, as its app reads it.
async fn word(place: &Place, server: &Place, environment: &str) -> String {
    let app = Login::of(place, environment).await.connect(server).await;
    let row = app
        .expect("its database")
        .query_one("SELECT word FROM golden", &[])
        .await;
    row.expect("the row that was filled in").get(0)
}

/// Takes away what the test made.
async fn clean_up(server: &Place, admin: &Client) {
    let api = server.api::<CronJob>();
    let gone = api.delete(CRON_JOB, &DeleteParams::background()).await;
    gone.expect("the CronJob is deleted");
    for statement in [
        "ALTER DATABASE test_golden WITH IS_TEMPLATE false",
        "DROP DATABASE test_golden",
        "DROP DATABASE test_golden_next WITH (FORCE)",
        "DROP ROLE test_golden_fill",
    ] {
        admin.batch_execute(statement).await.expect(statement);
    }
}

#[test]
fn a_golden_database_is_made_anew_and_copied_and_a_failure_changes_nothing() {
    alone("golden", async |place| {
        let server = Place::new(place.client.clone(), "towpath-system".to_owned());
        let admin = Login::provisioner(&server).await.connect(&server).await;
        let admin = admin.expect("the server takes the controller's role");
        // Of this run alone: the Jobs of an earlier one may still be there.
        let job = |number: usize| format!("golden-{number}-{}", std::process::id());

        start(&server, &filling("first"), &job(1)).await;
        assert!(
            ended(&server, &job(1)).await,
            "{}",
            said(&server, &job(1)).await
        );
        let first = copy(place, "first").await;
        assert_eq!(word(place, &server, "first").await, "first");
        let lives = first.lives("web").await;

        // The pod goes while the second one is filled: another begins anew.
        start(&server, &filling("second"), &job(2)).await;
        let filler = server
            .until("the fill runs", async || {
                let pods = pods(&server, &job(2)).await;
                let running = pods.iter().find(|pod| is_filling(pod));
                running
                    .map(ResourceExt::name_any)
                    .ok_or_else(|| "none does".to_owned())
            })
            .await;
        server.delete::<Pod>(&filler).await;
        assert!(
            ended(&server, &job(2)).await,
            "{}",
            said(&server, &job(2)).await
        );
        copy(place, "second").await;
        assert_eq!(word(place, &server, "second").await, "second");
        assert_eq!(word(place, &server, "first").await, "first");

        // What holds nothing is refused, at once and for good.
        start(&server, "true", &job(3)).await;
        assert!(!ended(&server, &job(3)).await);
        let refusal = said(&server, &job(3)).await;
        assert!(refusal.contains("must hold something"), "{refusal}");
        assert_eq!(
            pods(&server, &job(3)).await.len(),
            1,
            "it is not tried again"
        );
        copy(place, "third").await;
        assert_eq!(word(place, &server, "third").await, "second");
        assert_eq!(
            first.lives("web").await,
            lives,
            "nothing of this reaches what runs"
        );

        let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'test_golden%' AND datallowconn IS NOT TRUE";
        let left = admin.query_one(left, &[]).await.expect("a count");
        assert_eq!(left.get::<_, i64>(0), 1);
        tokio::time::sleep(seconds(1)).await;
        clean_up(&server, &admin).await;
    });
}

/// Whether the container that fills runs.
fn is_filling(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let mut containers = status
        .and_then(|status| status.init_container_statuses.as_ref())
        .into_iter()
        .flatten();
    containers.any(|container| {
        let state = container.state.as_ref();
        container.name == "fill" && state.is_some_and(|state| state.running.is_some())
    })
}
