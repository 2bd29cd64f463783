//! An Environment under test, as a person works with it.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use towpath::api::environment::AppSeen;
use towpath::api::{App, ConditionType, Environment, Reason, labels};

use super::fixtures::image;
use super::{Place, images};

/// An Environment under test.
pub struct Shop<'a> {
    pub place: &'a Place,
    pub name: String,
}

impl<'a> Shop<'a> {
    pub fn new(place: &'a Place, name: &str) -> Self {
        Self {
            place,
            name: name.to_owned(),
        }
    }

    pub async fn see(&self) -> Environment {
        self.place.get(&self.name).await
    }

    /// Changes the Environment as a person does.
    pub async fn edit(&self, patch: Value) -> Environment {
        let edited = self.try_edit(patch).await;
        edited.unwrap_or_else(|error| panic!("the Environment cannot be edited: {error}"))
    }

    pub async fn try_edit(&self, patch: Value) -> kube::Result<Environment> {
        let api = self.place.api::<Environment>();
        api.patch(&self.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
    }

    /// Changes the App as a person does.
    pub async fn edit_app(&self, patch: Value) {
        let app = self.see().await.spec.app_ref.name;
        let api = self.place.api::<App>();
        let edited = api
            .patch(&app, &PatchParams::default(), &Patch::Merge(&patch))
            .await;
        edited.unwrap_or_else(|error| panic!("the App cannot be edited: {error}"));
    }

    /// Names a release.
    pub async fn release(&self, release: &str) {
        self.edit(json!({"spec": {"release": {"image": image(release)}}}))
            .await;
    }

    /// Names a release, and how long it may make no progress: a short time where it is meant to fail, and a long one after
    /// that where it is not.
    pub async fn release_within(&self, release: &str, seconds: u32) {
        let strategy = json!({"progressDeadlineSeconds": seconds});
        self.edit(json!({"spec": {"release": {"image": image(release)}, "strategy": strategy}}))
            .await;
    }

    /// Sets a variable of every component: a release with another pod template.
    pub async fn set_variable(&self, name: &str, value: &str) {
        self.edit(json!({"spec": {"env": [{"name": name, "value": value}]}}))
            .await;
    }

    /// Says `retry`, as `kubectl towpath retry` does.
    pub async fn retry(&self) {
        let uid = self.see().await.uid().expect("a uid");
        let token = format!("{uid}.{}", jiff::Timestamp::now().as_microsecond());
        self.edit(json!({"metadata": {"annotations": {labels::RETRY: token}}}))
            .await;
    }

    /// Deletes the Environment, as `kubectl delete` does.
    pub async fn delete(&self) {
        let api = self.place.api::<Environment>();
        api.delete(&self.name, &DeleteParams::background())
            .await
            .expect("it is deleted");
    }

    /// A condition, once it speaks of the present generation, of the Environment and of its App.
    pub async fn condition(&self, type_: ConditionType) -> Option<Condition> {
        let environment = self.see().await;
        let app: Option<App> = self.place.find(&environment.spec.app_ref.name).await;
        let status = environment.status?;
        if status.observed_generation != environment.metadata.generation {
            return None;
        }
        // What waits for its first revision says nothing of an App.
        let (app, seen) = (app.as_ref().map(AppSeen::of), &status.app);
        if app.is_some() && seen.is_some() && app != *seen {
            return None;
        }
        status
            .conditions
            .into_iter()
            .find(|known| known.type_ == type_.as_str())
    }

    /// Waits until everything that is declared runs.
    pub async fn until_ready(&self) -> Environment {
        let what = format!("Environment {} is ready", self.name);
        self.place
            .until(&what, async || {
                let ready = self.condition(ConditionType::Ready).await;
                match ready {
                    Some(ready) if ready.status == "True" => Ok(self.see().await),
                    other => Err(told(other.as_ref())),
                }
            })
            .await
    }

    /// Waits until a condition gives this reason; returns its message.
    pub async fn until(&self, type_: ConditionType, reason: Reason) -> String {
        let what = format!("{} of {} is {}", type_.as_str(), self.name, reason.as_str());
        self.place
            .until(&what, async || {
                let condition = self.condition(type_).await;
                match condition {
                    Some(found) if found.reason == reason.as_str() => Ok(found.message),
                    other => Err(told(other.as_ref())),
                }
            })
            .await
    }

    /// Waits until a condition has this status.
    pub async fn until_status(&self, type_: ConditionType, status: &str) {
        let what = format!("{} of {} is {status}", type_.as_str(), self.name);
        self.place
            .until(&what, async || match self.condition(type_).await {
                Some(found) if found.status == status => Ok(()),
                other => Err(told(other.as_ref())),
            })
            .await;
    }

    /// Waits until a condition gives this reason with this in its message.
    pub async fn until_says(&self, type_: ConditionType, reason: Reason, part: &str) -> String {
        let what = format!("{} of {} says {part:?}", type_.as_str(), self.name);
        self.place
            .until(&what, async || {
                let condition = self.condition(type_).await;
                match condition {
                    Some(found)
                        if found.reason == reason.as_str() && found.message.contains(part) =>
                    {
                        Ok(found.message)
                    }
                    other => Err(told(other.as_ref())),
                }
            })
            .await
    }

    /// Number of the revision that serves.
    pub async fn serving(&self) -> Option<i64> {
        self.see().await.status.and_then(|status| status.serving)
    }

    /// Revisions, oldest first. Workloads of Kubernetes keep such objects of their own, with the same labels.
    pub async fn revisions(&self) -> Vec<ControllerRevision> {
        let mut revisions = self.place.list::<ControllerRevision>().await;
        revisions.retain(|revision| {
            let mut owners = revision.owner_references().iter();
            owners.any(|owner| owner.kind == "Environment" && owner.name == self.name)
        });
        revisions.sort_by_key(|revision| revision.revision);
        revisions
    }

    /// Migrations that are there now.
    pub async fn jobs(&self) -> Vec<Job> {
        let mut jobs = self.place.list::<Job>().await;
        jobs.retain(|job| job.labels().get(labels::ENVIRONMENT) == Some(&self.name));
        jobs
    }

    /// The migration of a revision.
    pub async fn job(&self, revision: i64) -> Job {
        self.place
            .get(&format!("{}-migrate-{revision}", self.name))
            .await
    }

    /// Waits until a migration's pod runs.
    pub async fn until_migrating(&self, revision: i64) -> Job {
        let name = format!("{}-migrate-{revision}", self.name);
        self.place
            .until(&format!("Job {name} runs"), async || {
                let job: Option<Job> = self.place.find(&name).await;
                let running = job.as_ref().and_then(|job| job.status.as_ref()?.active);
                let started = self.place.pod_of(&name).await;
                let started = started.is_some_and(|pod| {
                    pod.status.and_then(|status| status.phase).as_deref() == Some("Running")
                });
                match job {
                    Some(job) if running == Some(1) && started => Ok(job),
                    other => Err(format!("it is {:?}", other.and_then(|job| job.status))),
                }
            })
            .await
    }

    /// The Deployment of a component.
    pub async fn deployment(&self, component: &str) -> Deployment {
        self.place.get(&self.deployment_name(component)).await
    }

    pub fn deployment_name(&self, component: &str) -> String {
        format!("{}-{component}-a", self.name)
    }

    /// Waits until this release answers through the gateway, which learns a moment later than Kubernetes which pods there are.
    pub async fn until_answers(&self, release: &str) {
        let what = format!("{release} answers at the host of {}", self.name);
        self.place
            .until(&what, async || match self.ask("/health").await? {
                (200, version, _) if version == release => Ok(()),
                (status, version, _) => Err(format!("{version} answered {status}")),
            })
            .await;
    }

    /// Waits until the shop's page says this at this id.
    pub async fn until_shown(&self, id: &str, text: &str) {
        self.place
            .until(
                &format!("the page shows {id} {text}"),
                async || match self.shown(id).await? {
                    shown if shown == text => Ok(()),
                    shown => Err(format!("it shows {shown}")),
                },
            )
            .await;
    }

    /// One request through the gateway: the status, the release that answered, and the body.
    pub async fn ask(&self, path: &str) -> Result<(u16, String, String), String> {
        let url = format!("http://198.18.0.1:8080{path}");
        let request = images::http().get(url).header("host", self.place.host());
        let answer = request.timeout(super::seconds(5)).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let version = answer.headers().get("shop-version");
        let version = version
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        Ok((status, version, body))
    }

    /// Places an order on the shop's page, once that is there.
    pub async fn order(&self) {
        self.place
            .until("the shop shows its page", async || {
                match self.ask("/").await? {
                    (200, ..) => Ok(()),
                    (status, _, page) => Err(format!("{status}: {page}")),
                }
            })
            .await;
        let request = images::http()
            .post("http://198.18.0.1:8080/orders")
            .header("host", self.place.host());
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body("product=1");
        let answer = request.send().await.expect("an answer of the shop");
        assert!(
            answer.status().is_redirection(),
            "the order was answered by {}",
            answer.status()
        );
    }

    /// What the shop's page says at this id.
    async fn shown(&self, id: &str) -> Result<String, String> {
        let (status, _, page) = self.ask("/").await?;
        let opening = format!("id=\"{id}\">");
        let from = page.split_once(&opening).map(|(_, rest)| rest);
        let text = from.and_then(|rest| rest.split('<').next());
        text.map(str::to_owned)
            .ok_or_else(|| format!("nothing named {id} in {status}: {page}"))
    }
}

fn told(condition: Option<&Condition>) -> String {
    match condition {
        Some(found) => format!(
            "it is {} ({}): {}",
            found.status, found.reason, found.message
        ),
        None => "nothing is said of the present generation yet".to_owned(),
    }
}
