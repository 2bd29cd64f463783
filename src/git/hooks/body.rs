//! Bodies of webhooks: read up to a limit of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use futures::StreamExt;

use super::Refusal;

/// More than any event of a pull request has.
const MOST_BYTES: usize = 1024 * 1024;
/// How long a body may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn too_large() -> Refusal {
    let sentence = "the webhook must have 1 MiB or less";
    Refusal(StatusCode::PAYLOAD_TOO_LARGE, sentence.into())
}

/// Refuses what says itself that it is too large, without reading any of it.
pub(super) fn must_fit(headers: &HeaderMap) -> Result<(), Refusal> {
    let said = headers
        .get(CONTENT_LENGTH)
        .and_then(|said| said.to_str().ok());
    let said: Option<u64> = said.and_then(|said| said.parse().ok());
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    if said.is_some_and(|said| said > most) {
        return Err(too_large());
    }
    Ok(())
}

/// Reads a body. Of one that is too large nothing more is read than tells so.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let reading = async {
        let mut content = Vec::new();
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| {
                let sentence = "the webhook must be sent to its end";
                Refusal(StatusCode::BAD_REQUEST, sentence.into())
            })?;
            if content.len() + chunk.len() > MOST_BYTES {
                return Err(too_large());
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    };
    let read = tokio::time::timeout(TIMEOUT, reading).await;
    read.unwrap_or_else(|_| {
        let sentence = "the webhook must be sent within 10 s";
        Err(Refusal(StatusCode::REQUEST_TIMEOUT, sentence.into()))
    })
}
