//! Pull requests of a Git host that become previews by themselves: the small host of the examples plays it.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::{Preview, Reason};

use crate::harness::{Place, Wanted, command, images, seconds, setup, together};
use crate::previews::{until, until_nothing_is_left, with_previews};

const URL: &str = "http://198.18.0.1:3080";
const REPOSITORY: &str = "acme/shop";
const TOKEN: &str = "a-token-of-the-test";
const NAME: &str = "shop-pr-1";

/// The Git host. It ends with the test.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Host {
    /// Starts it; its webhooks go to the controller.
    async fn start() -> Self {
        let kubectl = |arguments: &[&str]| {
            let mut kubectl = setup::tool("kubectl");
            let said = command::run(kubectl.args(["-n", "towpath-system", "-o"]).args(arguments));
            said.expect("the controller is installed with webhooks")
        };
        let secret = kubectl(&[
            "go-template={{.data.secret | base64decode}}",
            "get",
            "secret",
            "local-git",
        ]);
        let address = kubectl(&[
            "jsonpath={.spec.clusterIP}",
            "get",
            "service",
            "towpath-webhooks",
        ]);
        let mut host = Command::new(setup::checkout().join("target/debug/examples/git-host"));
        let child = host
            .env("GIT_HOST_LISTEN", URL.trim_start_matches("http://"))
            .env("GIT_HOST_TOKEN", TOKEN)
            .env(
                "GIT_HOST_HOOK_URL",
                format!("http://{}/hooks/git/local", address.trim()),
            )
            .env("GIT_HOST_HOOK_SECRET", secret.trim())
            .stdout(Stdio::null())
            .spawn()
            .expect("cargo build --example git-host has made it");
        let host = Self(child);
        for _ in 0..100 {
            if images::http().get(URL).send().await.is_ok() {
                return host;
            }
            tokio::time::sleep(seconds(1) / 10).await;
        }
        panic!("the Git host does not answer");
    }

    /// What a person does there.
    async fn act(&self, path: &str, body: Value) -> Value {
        let url = format!("{URL}/control/{REPOSITORY}{path}");
        let answer = images::http().post(url).json(&body).send().await;
        let answer = answer.expect("the host answers").error_for_status();
        answer.expect("it does so").json().await.expect("JSON")
    }

    /// What was told of the pull request.
    async fn told(&self) -> Value {
        let url = format!("{URL}/control/{REPOSITORY}/1");
        let answer = images::http()
            .get(url)
            .send()
            .await
            .expect("the host answers");
        answer.json().await.expect("JSON")
    }
}

/// CI pushes the image of a commit.
fn push_image(release: &str, commit: &Value) {
    let sha = commit["sha"].as_str().expect("a commit");
    let mut crane = setup::tool("crane");
    crane.args([
        "tag",
        "--insecure",
        &format!("198.18.0.1:5000/shop:{release}"),
    ]);
    command::run(crane.arg(format!("pr-1-{}", &sha[..7]))).expect("tagged");
}

async fn until_shown(place: &Place, commit: &Value) {
    place
        .until("the Preview is of the commit", async || {
            let preview = place.find::<Preview>(NAME).await.ok_or("there is none")?;
            let shown = preview.spec.release.commit.map(|commit| commit.sha);
            match shown.as_deref() == commit["sha"].as_str() {
                true => Ok(()),
                false => Err(format!("{shown:?}")),
            }
        })
        .await;
}

async fn until_told(host: &Host, place: &Place, state: &str) {
    place
        .until("the host is told", async || {
            let told = host.told().await;
            match told["statuses"][0]["state"] == state {
                true => Ok(()),
                false => Err(told.to_string()),
            }
        })
        .await;
}

#[test]
fn a_pull_request_becomes_a_preview_and_leaves_nothing() {
    together("source", async |place| {
        let host = Host::start().await;
        place
            .apply(&json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-token", "namespace": place.namespace},
                "stringData": {"token": TOKEN},
            }))
            .await;
        let source = json!({
            "provider": "Forgejo", "host": "local", "repository": REPOSITORY, "secretRef": {"name": "git-token"},
            "image": "198.18.0.1:5000/shop:pr-{number}-{shortSha}", "comment": true,
        });
        let database = json!({"provider": "Server", "server": {"name": "previews"}});
        let more = json!({"source": source, "database": database});
        place
            .apply(&with_previews(place, Wanted::with_database(place), more))
            .await;

        let began = Instant::now();
        let opening =
            json!({"title": "Faster cart", "branch": "\"; DROP DATABASE x; --", "author": "dev"});
        let commit = host.act("", opening).await;
        until_shown(place, &commit).await;
        eprintln!("opened: a Preview after {:.1?}", began.elapsed());
        until(place, NAME, Reason::WaitingForImage).await;
        push_image("v1", &commit);
        until(place, NAME, Reason::Ready).await;
        eprintln!(
            "opened: ready after {:.1?}, its image pushed late",
            began.elapsed()
        );
        until_told(&host, place, "success").await;

        let commit = host.act("/1/push", json!({})).await;
        push_image("v1", &commit);
        let began = Instant::now();
        until_shown(place, &commit).await;
        until(place, NAME, Reason::Ready).await;
        eprintln!("pushed: ready after {:.1?}", began.elapsed());
        until_told(&host, place, "success").await;
        let told = host.told().await;
        assert_eq!(told["comments"].as_array().map(Vec::len), Some(1), "{told}");

        host.act("/1/close", json!({})).await;
        let began = Instant::now();
        place
            .until("the Preview is gone", async || {
                match place.list::<Preview>().await {
                    left if left.is_empty() => Ok(()),
                    left => Err(left.iter().map(ResourceExt::name_any).collect()),
                }
            })
            .await;
        place
            .delete::<k8s_openapi::api::core::v1::Secret>("git-token")
            .await;
        until_nothing_is_left(place).await;
        eprintln!("closed: nothing left after {:.1?}", began.elapsed());
    });
}
