//! What GitHub has and Forgejo has not: deployments.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::store::Deployment;
use super::{At, Host, forgejo, user};

pub fn router() -> Router<Host> {
    let of_repository = forgejo::shared()
        .route("/deployments", get(deployments).post(deploy))
        .route("/deployments/{id}/statuses", get(said).post(say));
    Router::new()
        .nest("/repos/{owner}/{name}", of_repository)
        .route("/user", get(user))
}

#[derive(Deserialize)]
struct Wanted {
    environment: Option<String>,
    sha: Option<String>,
}

async fn deployments(
    State(host): State<Host>,
    Path((owner, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, StatusCode> {
    host.read(&format!("{owner}/{name}"), |repository| {
        let all = repository.deployments.iter().rev().filter(|known| {
            let is = |field: &str, wanted: &Option<String>| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| known.made[field] == *wanted)
            };
            is("environment", &wanted.environment) && is("ref", &wanted.sha)
        });
        let shown = all.map(|known| {
            json!({"id": known.id, "sha": known.made["ref"], "payload": known.made["payload"]})
        });
        Some(Json(shown.collect()))
    })
}

async fn deploy(
    State(host): State<Host>,
    Path((owner, name)): Path<(String, String)>,
    Json(made): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.read(&format!("{owner}/{name}"), |repository| {
        let id = repository.deployments.len() as u64 + 1;
        let said = Vec::new();
        repository.deployments.push(Deployment { id, made, said });
        Some((StatusCode::CREATED, Json(json!({"id": id}))))
    })
}

/// The newest first.
async fn said(
    State(host): State<Host>,
    Path((owner, name, id)): At,
) -> Result<Json<Value>, StatusCode> {
    host.read(&format!("{owner}/{name}"), |repository| {
        let mut all = repository.deployments.iter();
        let found = all.find(|known| known.id.to_string() == id)?;
        Some(Json(found.said.iter().rev().cloned().collect()))
    })
}

async fn say(
    State(host): State<Host>,
    Path((owner, name, id)): At,
    Json(said): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.read(&format!("{owner}/{name}"), |repository| {
        let mut all = repository.deployments.iter_mut();
        let found = all.find(|known| known.id.to_string() == id)?;
        found.said.push(said.clone());
        Some((StatusCode::CREATED, Json(said)))
    })
}
