//! The page that people look at.

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;

use super::Host;
use super::store::{Pull, Repository};

pub fn router() -> Router<Host> {
    Router::new().route("/", get(page))
}

async fn page(State(host): State<Host>) -> Html<String> {
    let mut text = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <meta http-equiv=refresh content=2><title>Pull requests</title><style>\
         :root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}\
         article{border:1px solid #8886;border-radius:.5rem;padding:.5rem 1rem;margin:1rem 0}h2{font-size:1.1rem;margin:.3rem 0}\
         code,pre{font-size:.85rem;white-space:pre-wrap;overflow-wrap:anywhere}.closed{opacity:.6}\
         .success{color:#1a7f37}.pending{color:#9a6700}.failure,.error{color:#cf222e}</style><h1>Pull requests</h1>",
    );
    if let Ok(store) = host.store.lock() {
        for (name, repository) in &store.repositories {
            for pull in repository.pulls.values().rev() {
                text.push_str(&article(name, repository, pull));
            }
        }
    }
    Html(text)
}

fn article(name: &str, repository: &Repository, pull: &Pull) -> String {
    let mut text = format!(
        "<article class={}><h2>{}#{} {}</h2><p>{} &middot; {} &middot; <code>{}</code> &middot; {}</p>",
        pull.state,
        escaped(name),
        pull.number,
        escaped(&pull.title),
        escaped(&pull.author),
        escaped(&pull.branch),
        escaped(&pull.sha),
        pull.state
    );
    for ((sha, context), status) in &repository.statuses {
        if *sha == pull.sha {
            let word = |key: &str| escaped(status[key].as_str().unwrap_or_default());
            text.push_str(&format!(
                "<p class={}><b>{}</b> {}: {} <a href='{}'>{}</a></p>",
                word("state"),
                escaped(context),
                word("state"),
                word("description"),
                word("target_url"),
                word("target_url")
            ));
        }
    }
    for comment in &pull.comments {
        text.push_str(&format!("<pre>{}</pre>", escaped(&comment.body)));
    }
    text + "</article>"
}

fn escaped(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('\'', "&#39;").replace('"', "&quot;")
}
