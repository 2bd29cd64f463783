//! Tells a receiver that something happened to a pull request.

use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::Client;
use ring::hmac;
use serde_json::{Value, json};

/// Who is told, and in whose words.
#[derive(Clone)]
pub struct Hook {
    url: String,
    provider: Provider,
    secret: String,
    client: Client,
}

#[derive(Clone, Copy)]
enum Provider {
    Forgejo,
    GitHub,
    GitLab,
}

impl Hook {
    /// The hook that the environment names, if it does.
    pub fn from_environment() -> Result<Option<Self>> {
        let Ok(url) = std::env::var("GIT_HOST_HOOK_URL") else {
            return Ok(None);
        };
        let provider = match std::env::var("GIT_HOST_HOOK_PROVIDER").as_deref() {
            Err(_) | Ok("Forgejo") => Provider::Forgejo,
            Ok("GitHub") => Provider::GitHub,
            Ok("GitLab") => Provider::GitLab,
            Ok(other) => {
                bail!("GIT_HOST_HOOK_PROVIDER must be Forgejo, GitHub or GitLab; it is {other:?}")
            }
        };
        let client = Client::builder().timeout(Duration::from_secs(5)).no_proxy();
        Ok(Some(Self {
            url,
            provider,
            secret: std::env::var("GIT_HOST_HOOK_SECRET")?,
            client: client.build()?,
        }))
    }

    /// Sends the event; whether it was taken is printed, and nothing else depends on it.
    pub async fn tell(&self, action: &str, repository: &str, pull: &Value, merge_request: &Value) {
        let number = &pull["number"];
        let body = match self.provider {
            Provider::Forgejo | Provider::GitHub => json!({
                "action": action, "number": number, "pull_request": pull, "repository": {"full_name": repository},
            }),
            Provider::GitLab => json!({
                "object_kind": "merge_request", "event_type": "merge_request", "object_attributes": merge_request,
                "project": {"id": 1, "path_with_namespace": repository},
            }),
        };
        let body = body.to_string();
        let headers = self.headers(&body);
        let request = self.client.post(&self.url).body(body);
        let request = headers.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        match request
            .header("content-type", "application/json")
            .send()
            .await
        {
            Ok(answer) => println!(
                "webhook: {action} {repository}#{number}: {}",
                answer.status()
            ),
            Err(error) => println!("webhook: {action} {repository}#{number}: {error}"),
        }
    }

    fn headers(&self, body: &str) -> [(&'static str, String); 3] {
        let delivery = format!("{:032x}", rand::random::<u128>());
        match self.provider {
            Provider::Forgejo => [
                ("x-forgejo-event", "pull_request".to_owned()),
                ("x-forgejo-delivery", delivery),
                ("x-forgejo-signature", self.code(body)),
            ],
            Provider::GitHub => [
                ("x-github-event", "pull_request".to_owned()),
                ("x-github-delivery", delivery),
                ("x-hub-signature-256", format!("sha256={}", self.code(body))),
            ],
            Provider::GitLab => [
                ("x-gitlab-event", "Merge Request Hook".to_owned()),
                ("idempotency-key", delivery),
                ("x-gitlab-token", self.secret.clone()),
            ],
        }
    }

    fn code(&self, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let code = hmac::sign(&key, body.as_bytes());
        let digits = code.as_ref().iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }
}
