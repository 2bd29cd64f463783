//! What people do on a Git host, by the demo and the tests: open, push, label, close.

use std::sync::atomic::Ordering;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Host;
use super::store::{Opening, Pull};

type At = Path<(String, String, u64)>;
type Answer = Result<Json<Value>, StatusCode>;

pub fn router() -> Router<Host> {
    Router::new()
        .route("/control", get(asked))
        .route("/control/{owner}/{name}", post(open))
        .route("/control/{owner}/{name}/{number}", get(look))
        .route("/control/{owner}/{name}/{number}/push", post(push))
        .route("/control/{owner}/{name}/{number}/label", post(label))
        .route("/control/{owner}/{name}/{number}/close", post(close))
}

async fn open(
    State(host): State<Host>,
    Path((owner, name)): Path<(String, String)>,
    Json(opening): Json<Opening>,
) -> Answer {
    let full = format!("{owner}/{name}");
    let number = {
        let mut store = host
            .store
            .lock()
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        store
            .repositories
            .entry(full.clone())
            .or_default()
            .open(&full, opening)
    };
    change(&host, &full, number, "opened", |_| ()).await
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Push {
    sha: Option<String>,
}

async fn push(
    State(host): State<Host>,
    Path((owner, name, number)): At,
    Json(push): Json<Push>,
) -> Answer {
    change(
        &host,
        &format!("{owner}/{name}"),
        number,
        "synchronized",
        |pull| pull.push(push.sha),
    )
    .await
}

#[derive(Deserialize)]
struct Label {
    name: String,
    by: String,
}

async fn label(
    State(host): State<Host>,
    Path((owner, name, number)): At,
    Json(label): Json<Label>,
) -> Answer {
    let give = |pull: &mut Pull| pull.label(&label.name, &label.by);
    change(
        &host,
        &format!("{owner}/{name}"),
        number,
        "label_updated",
        give,
    )
    .await
}

async fn close(State(host): State<Host>, Path((owner, name, number)): At) -> Answer {
    change(
        &host,
        &format!("{owner}/{name}"),
        number,
        "closed",
        Pull::close,
    )
    .await
}

/// Changes it, and tells of it.
async fn change(
    host: &Host,
    repository: &str,
    number: u64,
    action: &str,
    change: impl FnOnce(&mut Pull),
) -> Answer {
    let (sha, pull, merge_request) = {
        let mut store = host
            .store
            .lock()
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let found = store.repositories.get_mut(repository);
        let pull = found
            .and_then(|found| found.pulls.get_mut(&number))
            .ok_or(StatusCode::NOT_FOUND)?;
        change(pull);
        (
            pull.sha.clone(),
            pull.shown(repository, &host.url),
            pull.merge_request(repository, &host.url),
        )
    };
    if let Some(hook) = &host.hook {
        hook.tell(action, repository, &pull, &merge_request).await;
    }
    Ok(Json(json!({"number": number, "sha": sha})))
}

/// How often the API was asked.
async fn asked(State(host): State<Host>) -> Json<Value> {
    Json(json!({"requests": host.requests.load(Ordering::Relaxed)}))
}

/// What was told of it.
async fn look(State(host): State<Host>, Path((owner, name, number)): At) -> Answer {
    let store = host
        .store
        .lock()
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let repository = store
        .repositories
        .get(&format!("{owner}/{name}"))
        .ok_or(StatusCode::NOT_FOUND)?;
    let pull = repository.pulls.get(&number).ok_or(StatusCode::NOT_FOUND)?;
    let said = repository
        .statuses
        .iter()
        .filter(|((sha, _), _)| *sha == pull.sha);
    let statuses: Vec<&Value> = said.map(|(_, status)| status).collect();
    let comments = pull.comments.iter();
    let comments: Vec<Value> = comments
        .map(|known| json!({"body": known.body, "edits": known.edits}))
        .collect();
    let deployments = repository.deployments.iter();
    let deployments: Vec<Value> = deployments
        .map(|known| json!({"ref": known.made["ref"], "environment": known.made["environment"], "said": known.said}))
        .collect();
    Ok(Json(json!({
        "sha": pull.sha, "state": pull.state, "statuses": statuses, "comments": comments, "deployments": deployments,
    })))
}
