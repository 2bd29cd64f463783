//! A conversation with one repository, under one login: requests, authorization, and what each status means.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use reqwest::Response;
use serde::Deserialize;

use super::Answer;
use super::challenge::Challenge;
use super::credentials::Login;
use super::image::MANIFEST_TYPES;
use super::reference::{Reference, is_digest};
use crate::outbound::Fault;

/// More than any manifest or image configuration has; a registry is not trusted with the controller's memory.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A conversation with one repository. An `Err` is the answer to give the user.
pub struct Session<'a> {
    pub http: &'a reqwest::Client,
    /// Scheme and host.
    pub base: String,
    pub reference: &'a Reference,
    /// The reference as the user wrote it.
    pub image: &'a str,
    pub login: Option<&'a Login>,
    authorization: Option<HeaderValue>,
}

/// What the token server answers; either name is in use.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl<'a> Session<'a> {
    pub fn new(
        http: &'a reqwest::Client,
        base: String,
        reference: &'a Reference,
        image: &'a str,
    ) -> Self {
        Self {
            http,
            base,
            reference,
            image,
            login: None,
            authorization: None,
        }
    }

    /// The same conversation from its beginning, under another login.
    pub fn log_in(&mut self, login: Option<&'a Login>) {
        self.login = login;
        self.authorization = None;
    }

    /// The digest of the manifest that the reference names.
    pub async fn digest(&mut self) -> Result<String, Answer> {
        let path = format!("manifests/{}", self.reference.version());
        let response = self.ask(Method::HEAD, &path).await?;
        let header = response
            .headers()
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok());
        if response.status().is_success()
            && let Some(digest) = header.filter(|digest| is_digest(digest))
        {
            return Ok(digest.into());
        }
        // Not every registry answers HEAD, or puts the digest into a header; then the content tells.
        if matches!(
            response.status(),
            StatusCode::OK
                | StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::NOT_IMPLEMENTED
        ) {
            let content = self.get(&path).await?;
            return Ok(digest_of("sha256", &content));
        }
        Err(self.status(response.status()))
    }

    /// A manifest or blob by its digest; content that does not match it is refused.
    pub async fn content(&mut self, kind: &str, digest: &str) -> Result<Vec<u8>, Answer> {
        let content = self.get(&format!("{kind}/{digest}")).await?;
        let algorithm = digest
            .split_once(':')
            .map_or("", |(algorithm, _)| algorithm);
        if digest_of(algorithm, &content) != digest {
            return Err(Answer::Refused(format!(
                "{} sent content for {} that does not match its digest",
                self.host(),
                self.image
            )));
        }
        Ok(content)
    }

    async fn get(&mut self, path: &str) -> Result<Vec<u8>, Answer> {
        let response = self.ask(Method::GET, path).await?;
        if response.status() != StatusCode::OK {
            return Err(self.status(response.status()));
        }
        self.read(response).await
    }

    /// Sends a request, and once more after the registry has said how to authorize it.
    async fn ask(&mut self, method: Method, path: &str) -> Result<Response, Answer> {
        let response = self.send(method.clone(), path).await?;
        if response.status() != StatusCode::UNAUTHORIZED || self.authorization.is_some() {
            return Ok(response);
        }
        match self.authorize(response.headers()).await? {
            Some(authorization) => self.authorization = Some(authorization),
            None => return Ok(response),
        }
        self.send(method, path).await
    }

    async fn send(&self, method: Method, path: &str) -> Result<Response, Answer> {
        let url = format!("{}/v2/{}/{path}", self.base, self.reference.repository);
        let mut request = self
            .http
            .request(method, url)
            .header(ACCEPT, MANIFEST_TYPES);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request
            .send()
            .await
            .map_err(|error| self.silent(&Fault::of(&error).to_string()))
    }

    /// Answers the registry's challenge: with a token that its token server gives, or with the login itself.
    async fn authorize(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Answer> {
        match (Challenge::of(headers), self.login) {
            (Some(Challenge::Bearer { realm, service }), _) => {
                let token = self.token(&realm, service).await?;
                Ok(secret_header(&format!("Bearer {token}")))
            }
            (Some(Challenge::Basic), Some(login)) => {
                let login = STANDARD.encode(format!("{}:{}", login.user, login.password));
                Ok(secret_header(&format!("Basic {login}")))
            }
            _ => Ok(None),
        }
    }

    async fn token(&self, realm: &str, service: Option<String>) -> Result<String, Answer> {
        let mut query = vec![(
            "scope",
            format!("repository:{}:pull", self.reference.repository),
        )];
        query.extend(service.map(|service| ("service", service)));
        let mut url = reqwest::Url::parse(realm)
            .map_err(|_| self.silent("its token server has no address"))?;
        url.query_pairs_mut().extend_pairs(query);
        let mut request = self.http.get(url);
        if let Some(login) = self.login {
            request = request.basic_auth(&login.user, Some(&login.password));
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.silent(&format!("of its token server: {}", Fault::of(&error))))?;
        match response.status() {
            StatusCode::OK => {}
            // A token server has no tags to miss: what it does not know, it does not let in.
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => {
                return Err(self.status(StatusCode::UNAUTHORIZED));
            }
            status => return Err(self.status(status)),
        }
        let token = serde_json::from_slice::<Token>(&self.read(response).await?).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        token.ok_or_else(|| self.silent("its token server gave no token"))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Answer> {
        let mut content = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.silent(&Fault::of(&error).to_string()))?
        {
            if content.len() + chunk.len() > MOST_BYTES {
                return Err(Answer::Refused(format!(
                    "{} sent more than 4 MiB for {}",
                    self.host(),
                    self.image
                )));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    }

    /// What a status other than success means to the user.
    fn status(&self, status: StatusCode) -> Answer {
        let (host, image, code) = (self.host(), self.image, status.as_u16());
        match status {
            StatusCode::NOT_FOUND => Answer::Missing(format!(
                "{image} is not in the registry: {host} answered 404"
            )),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Refused(format!(
                "{host} refused {image} ({code}): the release must name a digest or a pull secret that may read it"
            )),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                self.silent(&format!("it answered {code}"))
            }
            status if status.is_client_error() => {
                Answer::Refused(format!("{host} refused {image} ({code})"))
            }
            _ => self.silent(&format!("it answered {code}")),
        }
    }

    fn silent(&self, why: &str) -> Answer {
        Answer::Silent(format!(
            "{} gave no answer for {}: {why}",
            self.host(),
            self.image
        ))
    }

    /// The host that is asked.
    pub fn host(&self) -> &str {
        self.base
            .split_once("://")
            .map_or(&self.base, |(_, host)| host)
    }
}

/// A header value that neither logs nor Debug show.
fn secret_header(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn digest_of(algorithm: &str, content: &[u8]) -> String {
    let hash = if algorithm == "sha512" {
        &ring::digest::SHA512
    } else {
        &ring::digest::SHA256
    };
    let hex: String = ring::digest::digest(hash, content)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{algorithm}:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_lower_case_hexadecimal() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest_of("sha256", b""), empty);
        assert!(is_digest(&digest_of("sha512", b"")));
    }
}
