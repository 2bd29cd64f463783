//! How a registry says what authorization it wants.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What a registry wants of a client that it answered 401.
#[derive(Debug, PartialEq, Eq)]
pub enum Challenge {
    /// A token of this token server.
    Bearer {
        realm: String,
        service: Option<String>,
    },
    /// The login itself.
    Basic,
}

impl Challenge {
    /// The challenge in these headers; a token before the login itself.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter();
        let found: Vec<_> = values
            .filter_map(|value| Self::read(value.to_str().ok()?))
            .collect();
        let bearer = found.iter().position(|challenge| *challenge != Self::Basic);
        found.into_iter().nth(bearer.unwrap_or(0))
    }

    fn read(value: &str) -> Option<Self> {
        let (scheme, parameters) = value.split_once(' ').unwrap_or((value, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => {
                let realm = parameter(parameters, "realm")?;
                Some(Self::Bearer {
                    realm,
                    service: parameter(parameters, "service"),
                })
            }
            "basic" => Some(Self::Basic),
            _ => None,
        }
    }
}

/// A parameter of a challenge, such as `realm` of `realm="https://auth.example.com/token",service="registry"`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.into());
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_challenge_are_found() {
        let hub = r#"realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        assert_eq!(
            parameter(hub, "realm").as_deref(),
            Some("https://auth.docker.io/token")
        );
        assert_eq!(
            parameter(hub, "scope").as_deref(),
            Some("repository:a/b:pull,push")
        );
        assert_eq!(
            parameter("Realm=x, service=y", "service").as_deref(),
            Some("y")
        );
        assert_eq!(parameter(hub, "error"), None);
        assert_eq!(parameter(r#"realm="open"#, "realm"), None);
    }

    #[test]
    fn a_token_is_preferred_to_the_login_itself() {
        let mut headers = HeaderMap::new();
        assert_eq!(Challenge::of(&headers), None);
        for value in [
            "Negotiate",
            "Basic realm=\"r\"",
            "Bearer realm=\"https://auth.example.com\"",
        ] {
            headers.append(WWW_AUTHENTICATE, value.parse().expect("a header"));
        }
        let realm = "https://auth.example.com".to_string();
        assert_eq!(
            Challenge::of(&headers),
            Some(Challenge::Bearer {
                realm,
                service: None
            })
        );
        headers.remove(WWW_AUTHENTICATE);
        headers.append(WWW_AUTHENTICATE, "basic".parse().expect("a header"));
        assert_eq!(Challenge::of(&headers), Some(Challenge::Basic));
    }
}
