//! A namespace with an Environment as a controller would leave it, and the binary that asks for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use towpath::api::{App, Environment};
use towpath::cli::{declared, yaml};
use towpath::simulate::Build;

use crate::support::apiserver::Apiserver;

/// A namespace of a test.
pub struct World {
    pub client: Client,
    pub namespace: String,
    pub kubeconfig: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub async fn new(prefix: &str) -> Option<Self> {
        let server = Apiserver::shared()?;
        let namespace = server.namespace(prefix).await;
        let kubeconfig = server.directory.join("kubeconfig");
        Some(Self {
            client: server.client(),
            namespace,
            kubeconfig,
        })
    }

    /// A kubeconfig of someone who may do only what the rules say.
    pub async fn kubeconfig_of(&self, user: &str, rules: Value) -> PathBuf {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": user}, "rules": rules});
        let group = "rbac.authorization.k8s.io";
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": user},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}]});
        self.post(&format!("/apis/{group}/v1"), "roles", &role)
            .await;
        self.post(&format!("/apis/{group}/v1"), "rolebindings", &binding)
            .await;
        let text = std::fs::read_to_string(&self.kubeconfig).expect("a kubeconfig");
        let path = self.kubeconfig.with_file_name(format!("kubeconfig-{user}"));
        std::fs::write(
            &path,
            text.replace(
                "token: administrator",
                &format!("token: administrator, as: {user}"),
            ),
        )
        .expect("a file");
        path
    }

    /// Makes the objects of a golden's fixture; the Environment is as old as it says.
    pub async fn make(&self, fixture: &str) {
        let text = std::fs::read_to_string(format!(
            "{}/tests/goldens/get/{fixture}.yaml",
            env!("CARGO_MANIFEST_DIR")
        ));
        let (documents, _) = yaml::documents(&text.expect("a fixture"));
        for document in documents {
            let mut object = document.json();
            let kind = document.text("kind").expect("a kind").to_owned();
            complete(&kind, &mut object);
            let group = match object["apiVersion"].as_str().expect("a version") {
                "v1" => "/api/v1".to_owned(),
                version => format!("/apis/{version}"),
            };
            let plural = format!("{}s", kind.to_lowercase());
            self.post(&group, &plural, &object).await;
            if kind == "Environment" {
                self.say(object["status"].clone()).await;
            } else if kind == "Pod" {
                let path = format!(
                    "{group}/namespaces/{}/pods/{}/status",
                    self.namespace,
                    name(&object)
                );
                self.send("PATCH", &path, &json!({"status": object["status"]}))
                    .await;
            }
        }
    }

    /// Makes what a controller would have made of these files, as far as an apiserver keeps it by itself: no pods, no Jobs.
    pub async fn release(&self, files: &str) {
        let declared = declared::read(&[("files".to_owned(), files.to_owned())], &self.namespace);
        let now = "2026-03-02T09:00:00Z".parse().expect("a time");
        let mut simulated = towpath::simulate::World::new(&self.namespace, now);
        declared.expect("files").apply(&mut simulated);
        let environment = simulated.environment("shop").expect("an Environment");
        simulated.assume_images(&environment, Build::default(), |_| None);
        assert!(simulated.settle(40, &mut |_, _| {}), "it comes to rest");
        let store = &simulated.store;
        let environment = simulated.environment("shop").expect("an Environment");
        let towpath = "/apis/towpath.dev/v1alpha1";
        self.apply(towpath, "towpathapps", &store.apps, "").await;
        self.apply(towpath, "environments", &store.environments, "")
            .await;
        self.say(json!(environment.status)).await;
        let owner = self.environment().await.metadata.uid.expect("a uid");
        let apps = "/apis/apps/v1";
        self.apply(apps, "controllerrevisions", &store.revisions, &owner)
            .await;
        self.apply(apps, "deployments", &store.deployments, &owner)
            .await;
        self.apply(apps, "statefulsets", &store.stateful_sets, &owner)
            .await;
        let core = "/api/v1";
        self.apply(core, "services", &store.services, &owner).await;
        self.apply(core, "secrets", &store.secrets, &owner).await;
        self.apply(core, "persistentvolumeclaims", &store.volumes, &owner)
            .await;
        self.apply(
            "/apis/policy/v1",
            "poddisruptionbudgets",
            &store.budgets,
            &owner,
        )
        .await;
    }

    /// Applies objects of a simulated cluster as the controller does.
    async fn apply<K: serde::Serialize>(
        &self,
        group: &str,
        plural: &str,
        objects: &BTreeMap<String, Arc<K>>,
        owner: &str,
    ) {
        for (name, object) in objects {
            let mut object = json!(**object);
            object.as_object_mut().expect("an object").remove("status");
            let metadata = object["metadata"].as_object_mut().expect("metadata");
            for key in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
                metadata.remove(key);
            }
            let owners = metadata
                .get_mut("ownerReferences")
                .and_then(Value::as_array_mut);
            for reference in owners.into_iter().flatten() {
                reference["uid"] = json!(owner);
            }
            // The apiserver gives out addresses of its own.
            for key in ["clusterIP", "clusterIPs"] {
                let spec = object.get_mut("spec").and_then(Value::as_object_mut);
                spec.and_then(|spec| spec.remove(key));
            }
            let path = format!(
                "{group}/namespaces/{}/{plural}/{name}?fieldManager=towpath&force=true",
                self.namespace
            );
            let request = http::Request::builder()
                .method("PATCH")
                .uri(&path)
                .header("content-type", "application/apply-patch+yaml")
                .body(object.to_string().into_bytes());
            let answer = self.client.request_text(request.expect("a request")).await;
            answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }

    /// Makes an App whose generation is 1.
    pub async fn app(&self) -> App {
        let app = json!({"apiVersion": "towpath.dev/v1alpha1", "kind": "App", "metadata": {"name": "shop"},
            "spec": {"components": [{"name": "web", "role": "Web", "port": 80}]}});
        self.post("/apis/towpath.dev/v1alpha1", "towpathapps", &app)
            .await;
        self.apps().get("shop").await.expect("the App")
    }

    /// Writes the status of the Environment, with the App's uid and the generations that are there, if so many are meant.
    pub async fn say(&self, status: Value) {
        if !status.is_null() {
            let path = format!(
                "/apis/towpath.dev/v1alpha1/namespaces/{}/environments/shop/status",
                self.namespace
            );
            self.send("PATCH", &path, &json!({"status": status})).await;
        }
    }

    /// A status as the controller writes it of what is there now.
    pub async fn present(&self, ready: (&str, &str), stalled: bool) -> Value {
        let generation = self.environment().await.metadata.generation;
        let app = self.apps().get("shop").await.expect("the App").metadata;
        let condition = |type_: &str, status: &str, reason: &str| {
            json!({"type": type_, "status": status, "reason": reason, "message": "a sentence", "observedGeneration": generation,
                "lastTransitionTime": "2026-11-21T12:00:00Z"})
        };
        let mut conditions = vec![condition("Ready", ready.0, ready.1)];
        if stalled {
            conditions.push(condition("Stalled", "True", ready.1));
        }
        json!({"observedGeneration": generation, "conditions": conditions,
            "app": {"name": "shop", "uid": app.uid, "generation": app.generation}})
    }

    pub async fn environment(&self) -> Environment {
        self.environments()
            .get("shop")
            .await
            .expect("the Environment")
    }

    pub fn environments(&self) -> Api<Environment> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn apps(&self) -> Api<App> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Changes a field of a spec, so that the generation grows.
    pub async fn edit<K>(api: &Api<K>, spec: Value)
    where
        K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        let patch = Patch::Merge(json!({"spec": spec}));
        api.patch("shop", &PatchParams::default(), &patch)
            .await
            .expect("an edit");
    }

    async fn post(&self, group: &str, plural: &str, object: &Value) {
        self.send(
            "POST",
            &format!("{group}/namespaces/{}/{plural}", self.namespace),
            object,
        )
        .await;
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) {
        let kind = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind);
        let request = request
            .body(body.to_string().into_bytes())
            .expect("a request");
        let answer = self.client.request_text(request).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    }

    /// The binary, with the arguments separated by blanks, about this namespace.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = towpath(arguments);
        command
            .args(["--namespace", &self.namespace])
            .env("KUBECONFIG", &self.kubeconfig);
        command
    }

    pub async fn run(&self, arguments: &str) -> Ended {
        run(self.command(arguments)).await
    }
}

/// The binary, in a UTF-8 locale and without colours.
pub fn towpath(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command
        .args(arguments.split_whitespace())
        .env("LC_ALL", "C.UTF-8")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

/// Runs a command; the tests' runtime goes on meanwhile.
pub async fn run(mut command: Command) -> Ended {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic");
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        code: status.code().expect("an exit code"),
        out: text(stdout),
        err: text(stderr),
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("a name")
}

/// Goldens leave out what is not shown; the apiserver wants it.
fn complete(kind: &str, object: &mut Value) {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for key in [
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "ownerReferences",
        "generation",
    ] {
        metadata.remove(key);
    }
    match kind {
        "Deployment" => {
            object["spec"]["selector"] = json!({"matchLabels": {"a": "b"}});
            object["spec"]["template"]["metadata"] = json!({"labels": {"a": "b"}});
        }
        "Job" => {
            let pod = json!({"restartPolicy": "Never", "containers": [{"name": "migrate", "image": "shop"}]});
            object["spec"] = json!({"template": {"spec": pod}});
        }
        "Pod" if object["spec"].is_null() => {
            object["spec"] = json!({"containers": [{"name": "web", "image": "shop"}]})
        }
        _ => {}
    }
}
