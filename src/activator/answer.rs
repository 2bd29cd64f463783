//! What the activator answers by itself.

use axum::body::Body;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::table::Preview;

/// The page that reloads by itself.
const PAGE: &str = include_str!("page.html");
/// Nothing is loaded from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Seconds after which it is worth asking again.
const SOON: &str = "3";

/// Who asks, as far as the form of an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A browser that opens a page.
    Browser,
    /// A program that reads JSON.
    Program,
    /// Anybody else.
    Other,
}

impl Asker {
    /// By method and `Accept`.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        let accepts = |what: &str| {
            let mut lists = headers.get_all(ACCEPT).iter();
            lists.any(|list| list.to_str().is_ok_and(|list| list.contains(what)))
        };
        let opens = matches!(*method, Method::GET | Method::HEAD);
        match () {
            () if opens && accepts("text/html") => Self::Browser,
            () if accepts("json") => Self::Program,
            () => Self::Other,
        }
    }
}

/// The preview does not answer yet: it wakes, or is on its way.
pub fn waking(preview: &Preview, asker: Asker) -> Response<Body> {
    let (app, number) = (&preview.app, preview.number);
    let sentence = preview.stage.sentence();
    let title = format!("{app} pull request {number} is waking up");
    let mut response = match asker {
        Asker::Browser => {
            let page = PAGE
                .replace("{title}", &escaped(&title))
                .replace("{sentence}", &escaped(sentence));
            text(
                StatusCode::SERVICE_UNAVAILABLE,
                "text/html; charset=utf-8",
                page,
            )
        }
        _ => said(
            StatusCode::SERVICE_UNAVAILABLE,
            asker,
            &format!("{title}. {sentence}"),
        ),
    };
    set(&mut response, RETRY_AFTER, SOON);
    response
}

/// As many requests to the preview are open as may be.
pub fn busy(asker: Asker) -> Response<Body> {
    let sentence = "The preview has too many open requests: ask again soon.";
    let mut response = said(StatusCode::SERVICE_UNAVAILABLE, asker, sentence);
    set(&mut response, RETRY_AFTER, "1");
    response
}

/// A sentence, in the form that is asked for.
pub fn said(status: StatusCode, asker: Asker, sentence: &str) -> Response<Body> {
    match asker {
        Asker::Program => {
            let body = json!({"status": status.as_u16(), "message": sentence});
            text(status, "application/json", format!("{body}\n"))
        }
        Asker::Browser | Asker::Other => {
            text(status, "text/plain; charset=utf-8", format!("{sentence}\n"))
        }
    }
}

fn text(status: StatusCode, type_: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, type_);
    set(&mut response, CACHE_CONTROL, "no-store");
    set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &'static str) {
    let headers = response.headers_mut();
    headers.insert(name, HeaderValue::from_static(value));
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_opens_a_page_gets_one() {
        let accept = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(value).unwrap());
            headers
        };
        let page = accept("text/html,application/xhtml+xml,*/*;q=0.8");
        assert_eq!(Asker::of(&Method::GET, &page), Asker::Browser);
        assert_eq!(Asker::of(&Method::POST, &page), Asker::Other);
        let json = accept("application/json");
        assert_eq!(Asker::of(&Method::GET, &json), Asker::Program);
        assert_eq!(Asker::of(&Method::GET, &HeaderMap::new()), Asker::Other);
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escaped("<a b=\"'&'\">"),
            "&lt;a b=&quot;&#39;&amp;&#39;&quot;&gt;"
        );
    }
}
