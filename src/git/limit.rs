//! How many requests a host takes, as its headers say.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// How long a host that says no more than "too many" is left alone.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest time that a host is left alone for: a header is not trusted to silence the controller.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is left of the requests that a token may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests that are left until then.
    pub remaining: u64,
    /// When they are counted anew.
    pub reset: Timestamp,
}

impl RateLimit {
    /// Reads the headers: `X-RateLimit-*` of GitHub, `RateLimit-*` of GitLab and of proxies before Forgejo.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let read = |name: &str| {
            let header = headers.get(format!("x-{name}")).or(headers.get(name))?;
            header.to_str().ok()?.trim().parse::<i64>().ok()
        };
        Some(Self {
            remaining: u64::try_from(read("ratelimit-remaining")?).ok()?,
            reset: Timestamp::from_second(read("ratelimit-reset")?).ok()?,
        })
    }
}

/// Until when the host takes no more requests, if that is what this answer says.
pub(super) fn until(
    status: StatusCode,
    headers: &HeaderMap,
    content: &[u8],
    now: Timestamp,
) -> Option<Timestamp> {
    let retry = retry_after(headers, now);
    let limit = RateLimit::of(headers);
    let exhausted = limit.filter(|limit| limit.remaining == 0);
    let says_so = match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        // GitHub also answers so to a token that may not do something.
        StatusCode::FORBIDDEN => retry.is_some() || exhausted.is_some() || tells_of_limit(content),
        _ => false,
    };
    if !says_so {
        return None;
    }
    let reset = exhausted.map(|limit| limit.reset);
    let until = retry.or(reset).unwrap_or(now + PAUSE);
    Some(until.clamp(now + Duration::from_secs(1), now + LONGEST))
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(now + Duration::from_secs(seconds.into()));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text);
    date.ok()
}

fn tells_of_limit(content: &[u8]) -> bool {
    String::from_utf8_lossy(content).contains("rate limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, http::HeaderValue::from_static(value))
            })
            .collect()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_000_000).expect("a time")
    }

    fn seconds(status: u16, pairs: &[(&'static str, &'static str)], text: &str) -> Option<i64> {
        let status = StatusCode::from_u16(status).expect("a status");
        let until = until(status, &headers(pairs), text.as_bytes(), now())?;
        Some(until.as_second() - now().as_second())
    }

    #[test]
    fn every_hosts_headers_are_read() {
        let github = [
            ("x-ratelimit-remaining", "4999"),
            ("x-ratelimit-reset", "1000060"),
        ];
        let gitlab = [
            ("ratelimit-remaining", "4999"),
            ("ratelimit-reset", "1000060"),
        ];
        for pairs in [&github, &gitlab] {
            let read = RateLimit::of(&headers(pairs)).expect("a limit");
            assert_eq!((read.remaining, read.reset.as_second()), (4999, 1_000_060));
        }
        assert_eq!(
            RateLimit::of(&headers(&[("ratelimit-remaining", "many")])),
            None
        );
    }

    #[test]
    fn a_host_that_takes_no_more_says_until_when() {
        let none = ("x-ratelimit-remaining", "0");
        let reset = ("x-ratelimit-reset", "1000090");
        assert_eq!(seconds(429, &[("retry-after", "30")], ""), Some(30));
        assert_eq!(
            seconds(403, &[("retry-after", "30"), none, reset], ""),
            Some(30)
        );
        assert_eq!(seconds(403, &[none, reset], ""), Some(90));
        assert_eq!(
            seconds(403, &[], "You have exceeded a secondary rate limit."),
            Some(60)
        );
        assert_eq!(seconds(429, &[], ""), Some(60));
        let date = [("retry-after", "Mon, 12 Jan 1970 13:47:20 GMT")];
        assert_eq!(seconds(429, &date, ""), Some(40));
    }

    #[test]
    fn a_refusal_is_no_limit_and_no_header_silences_for_longer_than_an_hour() {
        assert_eq!(seconds(403, &[], "Resource not accessible"), None);
        let left = [
            ("x-ratelimit-remaining", "12"),
            ("x-ratelimit-reset", "1000090"),
        ];
        assert_eq!(seconds(403, &left, ""), None);
        assert_eq!(seconds(500, &[("retry-after", "30")], ""), None);
        assert_eq!(
            seconds(429, &[("retry-after", "4000000000")], ""),
            Some(3600)
        );
        assert_eq!(seconds(429, &[("retry-after", "0")], ""), Some(1));
    }
}
