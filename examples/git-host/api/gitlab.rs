//! GitLab's words. A project is named by its escaped path, a pull request is a merge request.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::super::store::Pull;
use super::{Host, user};

type Of = Path<(String, String)>;

pub fn router() -> Router<Host> {
    let of_project = Router::new()
        .route("/merge_requests", get(merge_requests))
        .route("/merge_requests/{number}", get(merge_request))
        .route("/merge_requests/{number}/diffs", get(diffs))
        .route("/merge_requests/{number}/notes", get(notes).post(note))
        .route("/merge_requests/{number}/notes/{id}", put(edit))
        .route("/repository/commits/{sha}/statuses", get(statuses))
        .route("/statuses/{sha}", post(set_status));
    Router::new()
        .nest("/projects/{project}", of_project)
        .route("/user", get(user))
}

impl Pull {
    /// As GitLab's API shows it.
    pub fn merge_request(&self, project: &str, url: &str) -> Value {
        let source = match self.from == project {
            true => 1,
            false => 2,
        };
        let state = match self.state {
            "open" => "opened",
            state => state,
        };
        json!({
            "iid": self.number, "title": self.title, "state": state, "draft": self.draft, "labels": self.labels,
            "web_url": format!("{url}/{project}/-/merge_requests/{}", self.number),
            "author": {"id": 7, "username": self.author}, "sha": self.sha, "source_branch": self.branch,
            "source_project_id": source, "target_project_id": 1, "updated_at": self.updated.to_string(),
        })
    }
}

async fn merge_requests(
    State(host): State<Host>,
    Path(project): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let all: Vec<Value> = host.read(&project, |repository| {
        let open = super::open(repository);
        let shown = open.map(|pull| pull.merge_request(&project, &host.url));
        Some(shown.collect())
    })?;
    host.page(&uri, &headers, &all)
}

async fn merge_request(
    State(host): State<Host>,
    Path((project, number)): Of,
) -> Result<Json<Value>, StatusCode> {
    host.pull(&project, &number, |pull| {
        Json(pull.merge_request(&project, &host.url))
    })
}

async fn diffs(
    State(host): State<Host>,
    Path((project, number)): Of,
) -> Result<Json<Value>, StatusCode> {
    host.pull(&project, &number, |pull| {
        let files = pull.files.iter();
        let shown = files.map(|name| json!({"old_path": name, "new_path": name, "diff": ""}));
        Json(shown.collect())
    })
}

async fn notes(
    State(host): State<Host>,
    Path((project, number)): Of,
) -> Result<Json<Value>, StatusCode> {
    host.pull(&project, &number, |pull| super::comments(pull, "author"))
}

async fn note(
    State(host): State<Host>,
    Path((project, number)): Of,
    Json(said): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.pull(&project, &number, |pull| {
        (StatusCode::CREATED, Json(super::comment(pull, &said)))
    })
}

async fn edit(
    State(host): State<Host>,
    Path((project, _, id)): Path<(String, String, String)>,
    Json(said): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    host.read(&project, |repository| {
        super::edit(repository, &id, &said).map(Json)
    })
}

async fn statuses(
    State(host): State<Host>,
    Path((project, sha)): Of,
) -> Result<Json<Value>, StatusCode> {
    host.read(&project, |repository| {
        Some(Json(json!(super::statuses(repository, &sha))))
    })
}

async fn set_status(
    State(host): State<Host>,
    Path((project, sha)): Of,
    Json(mut said): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.read(&project, |repository| {
        let name = said["name"].as_str()?.to_owned();
        said["status"] = said["state"].clone();
        let kept = super::keep_status(repository, sha, &name, said);
        Some((StatusCode::CREATED, Json(kept)))
    })
}
