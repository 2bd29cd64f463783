//! GitHub's deployments: one per commit of a preview, found again by its payload.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::announcement::description;
use super::super::pages::{Ending, List};
use super::super::repository::escaped;
use super::super::session::Ask;
use super::super::{Deployment, DeploymentState, Failure, Repository};
use super::GitHub;

/// A deployment that is there.
#[derive(Deserialize)]
struct Deployed {
    id: u64,
    sha: String,
    #[serde(default)]
    payload: Value,
}

/// The deployment that was made.
#[derive(Deserialize)]
struct Made {
    id: u64,
}

/// What was said of a deployment.
#[derive(Default, Deserialize)]
struct Said {
    state: String,
    description: Option<String>,
    environment_url: Option<String>,
}

impl Deployed {
    /// Whether it is this preview's; GitHub returns a payload as it was sent, or as text of it.
    fn is_of(&self, preview: &str) -> bool {
        let text = self.payload.as_str();
        let parsed: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
        let payload = parsed.as_ref().unwrap_or(&self.payload);
        payload.get("preview").and_then(Value::as_str) == Some(preview)
    }
}

impl Said {
    fn says(&self, wanted: &Deployment) -> bool {
        self.state == wanted.state.as_str()
            && self.description.as_deref().unwrap_or_default() == description(&wanted.description)
            && self.environment_url.as_deref().unwrap_or_default()
                == wanted.url.as_deref().unwrap_or_default()
    }
}

impl GitHub {
    pub(super) async fn deploy(
        &self,
        repository: &Repository,
        sha: &str,
        wanted: &Deployment,
    ) -> Result<(), Failure> {
        let (environment, preview) = (&wanted.environment, &wanted.preview);
        let thing = deployment_of(repository, environment, preview);
        if self.0.memory.is_told(&thing, &(sha, wanted)) {
            return Ok(());
        }
        self.0
            .memory
            .forget_told(&end_of(repository, environment, preview));
        let query = format!("&sha={}", escaped(sha));
        let found = self.deployments(repository, environment, &query).await?;
        let found = found.into_iter().find(|found| found.is_of(preview));
        let id = match found {
            Some(found) => Some(found.id),
            None if wanted.state == DeploymentState::Inactive => None,
            None => Some(self.make(repository, sha, wanted).await?),
        };
        if let Some(id) = id
            && !self.said(repository, id).await?.says(wanted)
        {
            self.say(repository, id, wanted).await?;
        }
        self.0.memory.keep_told(&thing, &(sha, wanted));
        Ok(())
    }

    pub(super) async fn end(
        &self,
        repository: &Repository,
        sha: Option<&str>,
        environment: &str,
        preview: &str,
    ) -> Result<(), Failure> {
        let thing = end_of(repository, environment, preview);
        if self.0.memory.is_told(&thing, &sha) {
            return Ok(());
        }
        let begun = deployment_of(repository, environment, preview);
        self.0.memory.forget_told(&begun);
        let ended = Deployment {
            environment: environment.to_owned(),
            preview: preview.to_owned(),
            state: DeploymentState::Inactive,
            description: "The preview has moved on or is gone".into(),
            url: None,
        };
        let found = self.deployments(repository, environment, "").await?;
        let others = |found: &&Deployed| found.is_of(preview) && Some(found.sha.as_str()) != sha;
        for found in found.iter().filter(others) {
            let said = self.said(repository, found.id).await?;
            if said.state != ended.state.as_str() {
                self.say(repository, found.id, &ended).await?;
            }
        }
        self.0.memory.keep_told(&thing, &sha);
        Ok(())
    }

    /// The deployments to an environment, the newest first.
    async fn deployments(
        &self,
        repository: &Repository,
        environment: &str,
        query: &str,
    ) -> Result<Vec<Deployed>, Failure> {
        let list = List {
            path: &format!(
                "/repos/{repository}/deployments?environment={}{query}&per_page=100",
                escaped(environment)
            ),
            most_pages: 10,
            ending: Ending::Link,
            purpose: &purpose(repository),
        };
        let found = self.0.list(&list).await?;
        found.ok_or_else(|| {
            Failure::Refused(format!(
                "the environment {environment} of {repository} has more than 1,000 deployments: previews must have an \
                 environment of their own, or old ones must be deleted"
            ))
        })
    }

    async fn make(
        &self,
        repository: &Repository,
        sha: &str,
        wanted: &Deployment,
    ) -> Result<u64, Failure> {
        let path = format!("/repos/{repository}/deployments");
        let body = json!({
            "ref": sha,
            "environment": wanted.environment,
            "description": description(&wanted.description),
            "payload": {"preview": wanted.preview},
            // Neither merge into the branch nor wait for its checks.
            "auto_merge": false,
            "required_contexts": [],
            "transient_environment": true,
            "production_environment": false,
        });
        let purpose = purpose(repository);
        let ask = Ask::send(Method::POST, &path, body);
        let told = self.0.ask(&ask).await?;
        Ok(self.0.read::<Made>(&told, &purpose)?.id)
    }

    /// What was said of a deployment last; nothing yet is no state.
    async fn said(&self, repository: &Repository, id: u64) -> Result<Said, Failure> {
        let path = format!("/repos/{repository}/deployments/{id}/statuses?per_page=1");
        let said: Vec<Said> = self.0.get(&path, &purpose(repository)).await?;
        Ok(said.into_iter().next().unwrap_or_default())
    }

    async fn say(
        &self,
        repository: &Repository,
        id: u64,
        wanted: &Deployment,
    ) -> Result<(), Failure> {
        let path = format!("/repos/{repository}/deployments/{id}/statuses");
        let mut body = json!({
            "state": wanted.state.as_str(),
            "description": description(&wanted.description),
            // It would end other previews of the same environment.
            "auto_inactive": false,
        });
        if let (Some(url), Some(fields)) = (&wanted.url, body.as_object_mut()) {
            fields.insert("environment_url".into(), json!(url));
        }
        let purpose = purpose(repository);
        self.0.send(Method::POST, &path, body, &purpose).await
    }
}

fn deployment_of(repository: &Repository, environment: &str, preview: &str) -> String {
    format!("deployment {repository} {environment} {preview}")
}

fn end_of(repository: &Repository, environment: &str, preview: &str) -> String {
    format!("end of deployments {repository} {environment} {preview}")
}

fn purpose(repository: &Repository) -> String {
    format!("write deployments of {repository}")
}
