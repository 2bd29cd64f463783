//! What is asked by previews, in Forgejo's words.

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Host;
use super::store::{Comment, Pull, Repository};

type At = Path<(String, String, String)>;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    state: String,
    page: Option<usize>,
    limit: Option<usize>,
}

pub fn router(host: &Host) -> Router<Host> {
    let of_repository = Router::new()
        .route("/pulls", get(pulls))
        .route("/pulls/{number}", get(pull))
        .route("/pulls/{number}/files", get(files))
        .route("/issues/{number}/timeline", get(timeline))
        .route("/issues/{number}/comments", get(comments).post(comment))
        .route("/issues/comments/{id}", patch(edit))
        .route("/collaborators/{login}/permission", get(permission))
        .route("/commits/{sha}/status", get(statuses))
        .route("/statuses/{sha}", post(set_status));
    let api = Router::new()
        .nest("/repos/{owner}/{name}", of_repository)
        .route("/user", get(async || Json(json!({"login": "towpath"}))));
    Router::new().nest(
        "/api/v1",
        api.layer(from_fn_with_state(host.clone(), known)),
    )
}

/// Only who has the token is answered.
async fn known(State(host): State<Host>, request: Request, next: Next) -> Response {
    let said = request.headers().get(header::AUTHORIZATION);
    let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
    match said.split_once(' ') {
        Some((_, token)) if token == &*host.token => next.run(request).await,
        _ => (
            StatusCode::UNAUTHORIZED,
            Json(json!({"message": "the token must be right"})),
        )
            .into_response(),
    }
}

impl Host {
    fn read<T>(
        &self,
        owner: &str,
        name: &str,
        read: impl FnOnce(&mut Repository) -> Option<T>,
    ) -> Result<T, StatusCode> {
        let mut store = self
            .store
            .lock()
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let repository = store.repositories.get_mut(&format!("{owner}/{name}"));
        repository.and_then(read).ok_or(StatusCode::NOT_FOUND)
    }

    fn pull<T>(
        &self,
        (owner, name, number): &(String, String, String),
        read: impl FnOnce(&mut Pull) -> T,
    ) -> Result<T, StatusCode> {
        let number = number.parse().map_err(|_| StatusCode::NOT_FOUND)?;
        self.read(owner, name, |repository| {
            repository.pulls.get_mut(&number).map(read)
        })
    }
}

async fn pulls(
    State(host): State<Host>,
    Path((owner, name)): Path<(String, String)>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let full = format!("{owner}/{name}");
    let all = host.read(&owner, &name, |repository| {
        let fitting = repository
            .pulls
            .values()
            .filter(|pull| page.state.is_empty() || page.state == pull.state);
        Some(
            fitting
                .map(|pull| pull.shown(&full, &host.url))
                .collect::<Vec<_>>(),
        )
    })?;
    let (number, limit) = (
        page.page.unwrap_or(1).max(1),
        page.limit.unwrap_or(50).clamp(1, 50),
    );
    let etag = format!("\"{:x}\"", crc(&all));
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == etag.as_str())
    {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let shown: Vec<_> = all.iter().skip((number - 1) * limit).take(limit).collect();
    let mut answer = Json(json!(shown)).into_response();
    if all.len() > number * limit {
        let next = format!(
            "<{}/api/v1/repos/{full}/pulls?state={}&limit={limit}&page={}>; rel=\"next\"",
            host.url,
            page.state,
            number + 1
        );
        answer.headers_mut().insert(
            header::LINK,
            next.parse().map_err(|_| StatusCode::BAD_REQUEST)?,
        );
    }
    answer.headers_mut().insert(
        header::ETAG,
        etag.parse().map_err(|_| StatusCode::BAD_REQUEST)?,
    );
    Ok(answer)
}

/// What tells one list from another.
fn crc(all: &[Value]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    all.iter()
        .for_each(|value| value.to_string().hash(&mut hasher));
    hasher.finish()
}

async fn pull(State(host): State<Host>, Path(at): At) -> Result<Json<Value>, StatusCode> {
    let full = format!("{}/{}", at.0, at.1);
    host.pull(&at, |pull| Json(pull.shown(&full, &host.url)))
}

async fn files(State(host): State<Host>, Path(at): At) -> Result<Json<Value>, StatusCode> {
    host.pull(&at, |pull| {
        let files = pull
            .files
            .iter()
            .map(|name| json!({"filename": name, "status": "changed"}));
        Json(files.collect())
    })
}

/// All of it is on the first page.
async fn timeline(
    State(host): State<Host>,
    Path(at): At,
    Query(page): Query<Page>,
) -> Result<Json<Value>, StatusCode> {
    host.pull(&at, |pull| match page.page {
        Some(2..) => Json(json!([])),
        _ => Json(json!(pull.timeline)),
    })
}

async fn comments(State(host): State<Host>, Path(at): At) -> Result<Json<Value>, StatusCode> {
    host.pull(&at, |pull| {
        let all = pull.comments.iter();
        let all = all
            .map(|known| json!({"id": known.id, "body": known.body, "user": {"login": "towpath"}}));
        Json(all.collect())
    })
}

async fn comment(
    State(host): State<Host>,
    Path(at): At,
    Json(said): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.pull(&at, |pull| {
        let id = pull.number * 1000 + pull.comments.len() as u64;
        let body = said["body"].as_str().unwrap_or_default().to_owned();
        pull.comments.push(Comment { id, body, edits: 0 });
        (StatusCode::CREATED, Json(json!({"id": id})))
    })
}

async fn edit(
    State(host): State<Host>,
    Path((owner, name, id)): At,
    Json(said): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    host.read(&owner, &name, |repository| {
        let mut all = repository
            .pulls
            .values_mut()
            .flat_map(|pull| &mut pull.comments);
        let comment = all.find(|comment| comment.id.to_string() == id)?;
        comment.body = said["body"].as_str().unwrap_or_default().to_owned();
        comment.edits += 1;
        Some(Json(json!({"id": comment.id})))
    })
}

/// Whose name begins so may write.
async fn permission(Path((_, _, login)): At) -> Json<Value> {
    let permission = if login.starts_with("maintainer") {
        "write"
    } else {
        "read"
    };
    Json(json!({"permission": permission}))
}

async fn statuses(
    State(host): State<Host>,
    Path((owner, name, sha)): At,
) -> Result<Json<Value>, StatusCode> {
    host.read(&owner, &name, |repository| {
        let said = repository.statuses.iter().filter(|((of, _), _)| *of == sha);
        let said: Vec<&Value> = said.map(|(_, status)| status).collect();
        Some(Json(json!({"statuses": said})))
    })
}

async fn set_status(
    State(host): State<Host>,
    Path((owner, name, sha)): At,
    Json(mut said): Json<Value>,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    host.read(&owner, &name, |repository| {
        let context = said["context"].as_str()?.to_owned();
        said["status"] = said["state"].clone();
        let count = repository.statuses.get(&(sha.clone(), context.clone()));
        said["count"] = json!(
            count
                .and_then(|known| known["count"].as_u64())
                .unwrap_or_default()
                + 1
        );
        repository.statuses.insert((sha, context), said.clone());
        Some((StatusCode::CREATED, Json(said)))
    })
}
