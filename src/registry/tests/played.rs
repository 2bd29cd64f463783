//! A small registry that can answer in every way.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::routing::{any, get};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::config::Config;
use crate::registry::{Answer, PullSecret, Registry, Secrets};

/// A registry on a local port, and what it was asked.
pub struct Played {
    pub host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

type Asked = State<(Arc<Mutex<Vec<String>>>, String)>;

pub fn sha256(content: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, content.as_bytes());
    format!(
        "sha256:{}",
        hash.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    )
}

pub fn config_of(label: &str) -> String {
    format!(r#"{{"config": {{"Labels": {{"dev.towpath.migrations": "{label}"}}}}}}"#)
}

pub fn manifest(config: &str) -> String {
    format!(
        r#"{{"schemaVersion": 2, "config": {{"digest": "{}"}}}}"#,
        sha256(config)
    )
}

pub fn index() -> String {
    let entry = |arch: &str, content: &str| {
        format!(
            r#"{{"digest": "{}", "platform": {{"os": "linux", "architecture": "{arch}"}}}}"#,
            sha256(content)
        )
    };
    let entries = [
        entry("arm64", &manifest(&config_of("arm"))),
        entry("amd64", &manifest(&config_of("9f2c"))),
    ];
    format!(r#"{{"manifests": [{}]}}"#, entries.join(","))
}

/// All content that the played registry has.
fn stored() -> Vec<String> {
    let configs = [
        config_of("9f2c"),
        config_of("arm"),
        config_of("not a key"),
        "{}".into(),
    ];
    let manifests = configs
        .iter()
        .map(|config| manifest(config))
        .collect::<Vec<_>>();
    [configs.to_vec(), manifests, vec![index()]].concat()
}

async fn answer(
    State((asked, host)): Asked,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response<Body> {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_string();
    asked.lock().expect("one writer").push(
        format!("{method} {path} {authorization}")
            .trim()
            .to_string(),
    );
    let status = |code: u16| Response::builder().status(code);
    let empty = |code: u16| status(code).body(Body::empty()).expect("a response");
    let (repository, wanted) = path
        .split_once("/manifests/")
        .or_else(|| path.split_once("/blobs/"))
        .unwrap_or((&path, ""));
    let basic = |login: &str| format!("Basic {}", STANDARD.encode(login));
    match repository {
        "gone" => return empty(404),
        "broken" => return empty(500),
        "busy" => return empty(429),
        "odd" => return empty(418),
        "hangs" => std::future::pending().await,
        "moved" => {
            return status(307)
                .header(
                    "location",
                    format!("http://{host}/v2/shop/manifests/{wanted}"),
                )
                .body(Body::empty())
                .expect("a response");
        }
        "basic" if authorization != basic("shop:right") => {
            return status(401)
                .header("www-authenticate", r#"Basic realm="registry""#)
                .body(Body::empty())
                .expect("a response");
        }
        "hidden" if authorization != basic("shop:right") => {
            let code = if authorization.is_empty() { 401 } else { 403 };
            return status(code)
                .header("www-authenticate", r#"Basic realm="registry""#)
                .body(Body::empty())
                .expect("a response");
        }
        "hidden" => return empty(404),
        "token" | "down" if authorization != "Bearer given" => {
            let challenge = format!(
                r#"Bearer realm="http://{host}/{repository}",service="played",scope="ignored""#
            );
            return status(401)
                .header("www-authenticate", challenge)
                .body(Body::empty())
                .expect("a response");
        }
        _ => {}
    }
    let content = match wanted {
        "1.0" => manifest(&config_of("9f2c")),
        "plain" => manifest("{}"),
        "odd-label" => manifest(&config_of("not a key")),
        "many" => index(),
        "large" => "x".repeat(5 * 1024 * 1024),
        digest => match stored()
            .into_iter()
            .find(|content| sha256(content) == digest)
        {
            Some(_) if repository == "forged" => "something else".into(),
            Some(content) => content,
            None => return empty(404),
        },
    };
    if method == Method::HEAD && repository == "no-head" {
        return empty(405);
    }
    let response = status(200);
    let response = if repository == "no-header" {
        response
    } else {
        response.header("docker-content-digest", sha256(&content))
    };
    response.body(Body::from(content)).expect("a response")
}

/// Gives a token to who knows the password.
async fn token(
    State((asked, _)): Asked,
    headers: HeaderMap,
    request: Request,
) -> (StatusCode, &'static str) {
    asked.lock().expect("one writer").push(format!(
        "TOKEN {}",
        request.uri().query().unwrap_or_default()
    ));
    let right = format!("Basic {}", STANDARD.encode("shop:right"));
    match headers.get("authorization") {
        Some(value) if value == right.as_str() => (StatusCode::OK, r#"{"token": "given"}"#),
        _ => (StatusCode::UNAUTHORIZED, "who are you?"),
    }
}

pub async fn play() -> Played {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let host = listener.local_addr().expect("its address").to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let app = Router::new()
        .route("/v2/{*path}", any(answer))
        .route("/token", get(token))
        .route("/down", get(|| async { StatusCode::BAD_GATEWAY }))
        .with_state((asked.clone(), host.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Played { host, asked }
}

impl Played {
    pub fn registry(&self) -> Registry {
        let config = Config::parse(&format!(
            "registries: [{{prefix: '{}', plainHTTP: true}}]",
            self.host
        ))
        .expect("a configuration");
        Registry::new(&config, &Secrets::new()).expect("a client")
    }

    pub async fn resolve(&self, image: &str, secrets: &[PullSecret], label: bool) -> Answer {
        self.registry()
            .resolve(&format!("{}/{image}", self.host), secrets, label)
            .await
    }

    pub fn secret(&self, password: &str) -> PullSecret {
        PullSecret::new(format!(
            r#"{{"auths": {{"{}": {{"username": "shop", "password": "{password}"}}}}}}"#,
            self.host
        ))
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("one reader").clone()
    }
}
