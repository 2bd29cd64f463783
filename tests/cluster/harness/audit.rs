//! The apiserver's audit log: who asked for what.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Deserialize;

use super::setup::checkout;
use super::{Place, controller, seconds};

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub verb: String,
    pub user: User,
    #[serde(default)]
    pub object_ref: Object,
    #[serde(default)]
    pub response_status: Status,
    #[serde(rename = "requestURI")]
    pub uri: String,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    #[serde(rename = "requestReceivedTimestamp")]
    pub at: Timestamp,
}

/// Who asked.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    pub username: String,
}

/// What was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Object {
    pub api_group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

/// What was answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Status {
    pub code: u16,
}

impl Request {
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// Whether it is about the controller's Lease.
    pub fn is_lease(&self) -> bool {
        self.object_ref.resource == "leases" && self.object_ref.namespace == controller::NAMESPACE
    }

    /// Whether a right was lacking; a quota or a policy is answered alike, and no lack of a right.
    pub fn is_forbidden(&self) -> bool {
        let decision = self.annotations.get("authorization.k8s.io/decision");
        decision.is_some_and(|decision| decision == "forbid")
    }

    /// One line.
    pub fn line(&self) -> String {
        format!(
            "{} {} {} -> {}",
            self.at, self.verb, self.uri, self.response_status.code
        )
    }
}

/// The user of the installed controller.
pub fn controller_user() -> String {
    user(controller::NAMESPACE, controller::NAME)
}

/// The user of a ServiceAccount.
pub fn user(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}

/// What a user asked for since a moment; a watch counts when it begins and when it ends.
pub fn since(moment: Timestamp, user: &str) -> Vec<Request> {
    let mut requests = Vec::new();
    for file in files(moment) {
        let log =
            fs::File::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if !line.contains(user) {
                continue;
            }
            // The last line may be written just now.
            let Ok(request) = serde_json::from_str::<Request>(&line) else {
                continue;
            };
            if request.at >= moment && request.user.username == user {
                requests.push(request);
            }
        }
    }
    requests.sort_by_key(|request| request.at);
    requests
}

/// The log, and what of it was put aside since then.
fn files(moment: Timestamp) -> Vec<PathBuf> {
    let folder = checkout().join(".cluster/log");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: the audit log is that of `make cluster`",
            folder.display()
        )
    });
    let moment = SystemTime::from(moment);
    let files = entries.flatten().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        name.starts_with("audit") && name.ends_with(".log") && written.is_ok_and(|at| at >= moment)
    });
    files.map(|entry| entry.path()).collect()
}

/// Waits until the installed controller has written nothing in the namespace of a test for three seconds: the last pass is over.
pub async fn until_rest(place: &Place) {
    let user = controller_user();
    place
        .until("three seconds without a write", async || {
            tokio::time::sleep(seconds(3)).await;
            let moment = Timestamp::now() - jiff::SignedDuration::from_secs(3);
            let mut requests = since(moment, &user);
            requests.retain(|request| {
                request.is_write() && request.object_ref.namespace == place.namespace
            });
            if requests.is_empty() {
                Ok(())
            } else {
                Err(lines(&requests))
            }
        })
        .await;
}

/// The requests as lines, for a message.
pub fn lines<'a>(requests: impl IntoIterator<Item = &'a Request>) -> String {
    let lines: Vec<String> = requests.into_iter().map(Request::line).collect();
    lines.join("\n")
}

/// How many objects of a kind the installed controller made in a namespace since a moment.
pub fn made(namespace: &str, resource: &str, since_moment: Timestamp) -> usize {
    let requests = since(since_moment, &controller_user());
    let made = requests.iter().filter(|request| {
        request.verb == "create"
            && request.object_ref.resource == resource
            && request.object_ref.namespace == namespace
            && request.response_status.code == 201
    });
    made.count()
}
