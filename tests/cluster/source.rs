//! Pull requests of a Git host that become previews by themselves: the small host of the examples plays each of the three.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use kube::ResourceExt;
use serde_json::{Value, json};
use towpath::api::{Preview, Reason};

use crate::harness::{Place, Wanted, command, images, seconds, setup, together};
use crate::previews::{until, until_nothing_is_left, with_previews};

/// A Git host that the local values of the chart name.
struct Provider {
    /// As an App names it.
    name: &'static str,
    /// What the controller's configuration calls the host.
    host: &'static str,
    listens_on: &'static str,
    /// How many deployments it has of two commits.
    deployments: usize,
}

const FORGEJO: Provider = Provider {
    name: "Forgejo",
    host: "local",
    listens_on: "198.18.0.1:3080",
    deployments: 0,
};
const GITHUB: Provider = Provider {
    name: "GitHub",
    host: "local-github",
    listens_on: "198.18.0.1:3081",
    deployments: 2,
};
const GITLAB: Provider = Provider {
    name: "GitLab",
    host: "local-gitlab",
    listens_on: "198.18.0.1:3082",
    deployments: 0,
};

const REPOSITORY: &str = "acme/shop";
const TOKEN: &str = "a-token-of-the-test";
const NAME: &str = "shop-pr-1";

/// The Git host. It ends with the test.
struct Host {
    process: Child,
    url: String,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Host {
    /// Starts it; its webhooks go to the controller.
    async fn start(provider: &Provider) -> Self {
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
            .env("GIT_HOST_LISTEN", provider.listens_on)
            .env("GIT_HOST_TOKEN", TOKEN)
            .env(
                "GIT_HOST_HOOK_URL",
                format!("http://{}/hooks/git/{}", address.trim(), provider.host),
            )
            .env("GIT_HOST_HOOK_PROVIDER", provider.name)
            .env("GIT_HOST_HOOK_SECRET", secret.trim())
            .stdout(Stdio::null())
            .spawn()
            .expect("cargo build --example git-host has made it");
        let host = Self {
            process: child,
            url: format!("http://{}", provider.listens_on),
        };
        for _ in 0..100 {
            if images::http().get(&host.url).send().await.is_ok() {
                return host;
            }
            tokio::time::sleep(seconds(1) / 10).await;
        }
        panic!("the Git host does not answer");
    }

    /// What a person does there.
    async fn act(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/control/{REPOSITORY}{path}", self.url);
        let answer = images::http().post(url).json(&body).send().await;
        let answer = answer.expect("the host answers").error_for_status();
        answer.expect("it does so").json().await.expect("JSON")
    }

    /// What was told of the pull request.
    async fn told(&self) -> Value {
        let url = format!("{}/control/{REPOSITORY}/1", self.url);
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
    a_pull_request_lives_and_goes(&FORGEJO);
}

#[test]
fn so_does_one_of_github() {
    a_pull_request_lives_and_goes(&GITHUB);
}

#[test]
fn so_does_one_of_gitlab() {
    a_pull_request_lives_and_goes(&GITLAB);
}

fn a_pull_request_lives_and_goes(provider: &'static Provider) {
    together(&format!("source-{}", provider.host), async |place| {
        let said = provider.name;
        let host = Host::start(provider).await;
        place
            .apply(&json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-token", "namespace": place.namespace},
                "stringData": {"token": TOKEN},
            }))
            .await;
        let source = json!({
            "provider": provider.name, "host": provider.host, "repository": REPOSITORY, "secretRef": {"name": "git-token"},
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
        eprintln!("{said}: opened: a Preview after {:.1?}", began.elapsed());
        until(place, NAME, Reason::WaitingForImage).await;
        push_image("v1", &commit);
        until(place, NAME, Reason::Ready).await;
        eprintln!(
            "{said}: opened: ready after {:.1?}, its image pushed late",
            began.elapsed()
        );
        until_told(&host, place, "success").await;

        let commit = host.act("/1/push", json!({})).await;
        push_image("v1", &commit);
        let began = Instant::now();
        until_shown(place, &commit).await;
        until(place, NAME, Reason::Ready).await;
        eprintln!("{said}: pushed: ready after {:.1?}", began.elapsed());
        until_told(&host, place, "success").await;
        let told = host.told().await;
        assert_eq!(told["comments"].as_array().map(Vec::len), Some(1), "{told}");
        let deployments = told["deployments"].as_array().map(Vec::len);
        assert_eq!(deployments, Some(provider.deployments), "{told}");

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
        let told = host.told().await;
        for deployment in told["deployments"].as_array().expect("a list") {
            let said = deployment["said"].as_array().and_then(|said| said.last());
            let state = said.map(|said| &said["state"]);
            assert_eq!(state, Some(&json!("inactive")), "{told}");
        }
        eprintln!("{said}: closed: nothing left after {:.1?}", began.elapsed());
    });
}
