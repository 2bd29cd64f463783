//! What is asked by previews, in the words of Forgejo, GitHub and GitLab.

mod forgejo;
mod github;
mod gitlab;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Host;
use super::store::{Comment, Pull, Repository};

/// Owner, name, and a number or a commit.
type At = Path<(String, String, String)>;

pub fn router(host: &Host) -> Router<Host> {
    let api = Router::new()
        .nest("/api/v1", forgejo::router())
        .nest("/api/v3", github::router())
        .nest("/api/v4", gitlab::router());
    api.layer(from_fn_with_state(host.clone(), known))
}

/// Only who has the token is answered; and it is counted, but for the list that is asked for by time.
async fn known(State(host): State<Host>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.ends_with("/pulls") && !path.ends_with("/merge_requests") {
        host.requests.fetch_add(1, Ordering::Relaxed);
    }
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

/// Whose the token is.
async fn user() -> Json<Value> {
    Json(json!({"login": "towpath", "username": "towpath"}))
}

impl Host {
    fn read<T>(
        &self,
        full: &str,
        read: impl FnOnce(&mut Repository) -> Option<T>,
    ) -> Result<T, StatusCode> {
        let mut store = self
            .store
            .lock()
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let repository = store.repositories.get_mut(full);
        repository.and_then(read).ok_or(StatusCode::NOT_FOUND)
    }

    fn pull<T>(
        &self,
        full: &str,
        number: &str,
        read: impl FnOnce(&mut Pull) -> T,
    ) -> Result<T, StatusCode> {
        let number = number.parse().map_err(|_| StatusCode::NOT_FOUND)?;
        self.read(full, |repository| {
            repository.pulls.get_mut(&number).map(read)
        })
    }

    /// The page of the list that was asked for, with a link to the next one, or that nothing has changed.
    fn page(&self, uri: &Uri, headers: &HeaderMap, all: &[Value]) -> Result<Response, StatusCode> {
        let etag = format!("\"{:x}\"", tag(all));
        if headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|known| known == etag.as_str())
        {
            return Ok(StatusCode::NOT_MODIFIED.into_response());
        }
        let asked: Vec<(&str, &str)> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let number = |names: &[&str]| {
            let found = asked.iter().find(|(name, _)| names.contains(name));
            found.and_then(|(_, value)| value.parse::<usize>().ok())
        };
        let page = number(&["page"]).unwrap_or(1).max(1);
        let limit = number(&["limit", "per_page"]).unwrap_or(50).clamp(1, 100);
        let shown: Vec<_> = all.iter().skip((page - 1) * limit).take(limit).collect();
        let mut answer = Json(json!(shown)).into_response();
        let mut put = |name, value: String| {
            let value = value.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
            answer.headers_mut().insert(name, value);
            Ok::<_, StatusCode>(())
        };
        put(header::ETAG, etag)?;
        if all.len() > page * limit {
            let same = asked.iter().filter(|(name, _)| *name != "page");
            let same: Vec<_> = same
                .map(|(name, value)| format!("{name}={value}&"))
                .collect();
            let (host, path) = (&self.url, uri.path());
            let next = format!(
                "<{host}{path}?{}page={}>; rel=\"next\"",
                same.concat(),
                page + 1
            );
            put(header::LINK, next)?;
        }
        Ok(answer)
    }
}

/// What tells one list from another.
fn tag(all: &[Value]) -> u64 {
    let mut hasher = DefaultHasher::new();
    all.iter()
        .for_each(|value| value.to_string().hash(&mut hasher));
    hasher.finish()
}

/// The open pull requests; the hosts call that state `open` or `opened`.
fn open(repository: &Repository) -> impl Iterator<Item = &Pull> {
    repository
        .pulls
        .values()
        .filter(|pull| pull.state == "open")
}

fn comment(pull: &mut Pull, said: &Value) -> Value {
    let id = pull.number * 1000 + pull.comments.len() as u64;
    let body = said["body"].as_str().unwrap_or_default().to_owned();
    pull.comments.push(Comment { id, body, edits: 0 });
    json!({"id": id})
}

fn edit(repository: &mut Repository, id: &str, said: &Value) -> Option<Value> {
    let mut all = repository
        .pulls
        .values_mut()
        .flat_map(|pull| &mut pull.comments);
    let comment = all.find(|comment| comment.id.to_string() == id)?;
    comment.body = said["body"].as_str().unwrap_or_default().to_owned();
    comment.edits += 1;
    Some(json!({"id": comment.id}))
}

/// Comments, with their author where this host has it.
fn comments(pull: &Pull, author: &str) -> Json<Value> {
    let all = pull.comments.iter();
    let shown =
        all.map(|known| json!({"id": known.id, "body": known.body, author: {"login": "towpath", "username": "towpath"}}));
    Json(shown.collect())
}

/// Keeps a status, and counts how often it was said.
fn keep_status(repository: &mut Repository, sha: String, context: &str, mut said: Value) -> Value {
    let key = (sha, context.to_owned());
    let before = repository.statuses.get(&key);
    let before = before.and_then(|known| known["count"].as_u64());
    said["count"] = json!(before.unwrap_or_default() + 1);
    repository.statuses.insert(key, said.clone());
    said
}

/// The statuses of a commit.
fn statuses(repository: &Repository, sha: &str) -> Vec<Value> {
    let said = repository.statuses.iter().filter(|((of, _), _)| of == sha);
    said.map(|(_, status)| status.clone()).collect()
}
