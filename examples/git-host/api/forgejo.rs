//! Forgejo's words; GitHub's are the same for what both have.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{At, Host, user};

pub fn router() -> Router<Host> {
    let of_repository = shared()
        .route("/issues/{number}/timeline", get(timeline))
        .route("/collaborators/{login}/permission", get(permission));
    Router::new()
        .nest("/repos/{owner}/{name}", of_repository)
        .route("/user", get(user))
}

/// What GitHub has too.
pub fn shared() -> Router<Host> {
    Router::new()
        .route("/pulls", get(pulls))
        .route("/pulls/{number}", get(pull))
        .route("/pulls/{number}/files", get(files))
        .route("/issues/{number}/comments", get(comments).post(comment))
        .route("/issues/comments/{id}", patch(edit))
        .route("/commits/{sha}/status", get(statuses))
        .route("/statuses/{sha}", post(set_status))
}

async fn pulls(
    State(host): State<Host>,
    Path((owner, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let full = format!("{owner}/{name}");
    let all: Vec<Value> = host.read(&full, |repository| {
        let open = super::open(repository);
        Some(open.map(|pull| pull.shown(&full, &host.url)).collect())
    })?;
    host.page(&uri, &headers, &all)
}

async fn pull(
    State(host): State<Host>,
    Path((owner, name, number)): At,
) -> Result<Json<Value>, StatusCode> {
    let full = format!("{owner}/{name}");
    host.pull(&full, &number, |pull| Json(pull.shown(&full, &host.url)))
}

async fn files(
    State(host): State<Host>,
    Path((owner, name, number)): At,
) -> Result<Json<Value>, StatusCode> {
    host.pull(&format!("{owner}/{name}"), &number, |pull| {
        let files = pull.files.iter();
        let shown = files.map(|name| json!({"filename": name, "status": "changed"}));
        Json(shown.collect())
    })
}

/// All of it is on the first page.
async fn timeline(
    State(host): State<Host>,
    Path((owner, name, number)): At,
    uri: Uri,
) -> Result<Json<Value>, StatusCode> {
    let query = uri.query().unwrap_or_default();
    let is_first = !query.contains("page=") || query.contains("page=1");
    host.pull(&format!("{owner}/{name}"), &number, |pull| match is_first {
        true => Json(json!(pull.timeline)),
        false => Json(json!([])),
    })
}

async fn comments(
    State(host): State<Host>,
    Path((owner, name, number)): At,
) -> Result<Json<Value>, StatusCode> {
    host.pull(&format!("{owner}/{name}"), &number, |pull| {
        super::comments(pull, "user")
    })
}

async fn comment(
    State(host): State<Host>,
    Path((owner, name, number)): At,
    Json(said): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.pull(&format!("{owner}/{name}"), &number, |pull| {
        (StatusCode::CREATED, Json(super::comment(pull, &said)))
    })
}

async fn edit(
    State(host): State<Host>,
    Path((owner, name, id)): At,
    Json(said): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    host.read(&format!("{owner}/{name}"), |repository| {
        super::edit(repository, &id, &said).map(Json)
    })
}

/// Whose name begins so may write.
async fn permission(Path((_, _, login)): At) -> Json<Value> {
    let permission = match login.starts_with("maintainer") {
        true => "write",
        false => "read",
    };
    Json(json!({"permission": permission}))
}

async fn statuses(
    State(host): State<Host>,
    Path((owner, name, sha)): At,
) -> Result<Json<Value>, StatusCode> {
    host.read(&format!("{owner}/{name}"), |repository| {
        Some(Json(json!({"statuses": super::statuses(repository, &sha)})))
    })
}

async fn set_status(
    State(host): State<Host>,
    Path((owner, name, sha)): At,
    Json(mut said): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.read(&format!("{owner}/{name}"), |repository| {
        let context = said["context"].as_str()?.to_owned();
        said["status"] = said["state"].clone();
        let kept = super::keep_status(repository, sha, &context, said);
        Some((StatusCode::CREATED, Json(kept)))
    })
}
