//! Tells a receiver that something happened to a pull request.

use std::time::Duration;

use reqwest::Client;
use ring::hmac;
use serde_json::{Value, json};

/// Who is told.
#[derive(Clone)]
pub struct Hook {
    url: String,
    key: hmac::Key,
    client: Client,
}

impl Hook {
    pub fn from_environment() -> Option<Self> {
        let url = std::env::var("GIT_HOST_HOOK_URL").ok()?;
        let secret = std::env::var("GIT_HOST_HOOK_SECRET").ok()?;
        let client = Client::builder().timeout(Duration::from_secs(5)).no_proxy();
        Some(Self {
            url,
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            client: client.build().ok()?,
        })
    }

    /// Sends the event; whether it was taken is printed, and nothing else depends on it.
    pub async fn tell(&self, action: &str, repository: &str, number: u64, shown: Value) {
        let body = json!({
            "action": action, "number": number, "pull_request": shown, "repository": {"full_name": repository},
        });
        let body = body.to_string();
        let code = hmac::sign(&self.key, body.as_bytes());
        let code: String = code
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let delivery = format!("{:032x}", rand::random::<u128>());
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-forgejo-event", "pull_request")
            .header("x-forgejo-delivery", delivery)
            .header("x-forgejo-signature", code)
            .body(body);
        match request.send().await {
            Ok(answer) => println!(
                "webhook: {action} {repository}#{number}: {}",
                answer.status()
            ),
            Err(error) => println!("webhook: {action} {repository}#{number}: {error}"),
        }
    }
}
