//! Credentials of registries, from `.dockerconfigjson`.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The bytes of the key `.dockerconfigjson` of a pull Secret. Its Debug prints nothing of them.
#[derive(Clone)]
pub struct PullSecret(Vec<u8>);

/// User and password at a registry. Its Debug prints nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: String,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl PullSecret {
    /// Wraps the bytes; they are read when an image is asked for.
    pub fn new(dockerconfigjson: impl Into<Vec<u8>>) -> Self {
        Self(dockerconfigjson.into())
    }

    /// The logins for an image's registry and repository, with the length of the prefix that each is for. A Secret that
    /// does not read as what it should be holds none: the registry's refusal tells the user.
    fn logins(&self, name: &str) -> Vec<(usize, Login)> {
        let Ok(config) = serde_json::from_slice::<DockerConfig>(&self.0) else {
            return Vec::new();
        };
        let fitting = config.auths.iter().filter_map(|(server, auth)| {
            let prefix = prefix_of(server);
            fits(prefix, name).then(|| Some((prefix.len(), auth.login()?)))?
        });
        fitting.collect()
    }
}

impl Auth {
    fn login(&self) -> Option<Login> {
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Some(Login {
                user: user.clone(),
                password: password.clone(),
            });
        }
        let decoded = STANDARD.decode(self.auth.as_deref()?.trim()).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Login {
            user: user.into(),
            password: password.trim_end_matches('\0').into(),
        })
    }
}

/// The logins to try for an image, the closest first and each once. As the kubelet does, all that fit are tried.
pub fn logins(secrets: &[PullSecret], name: &str) -> Vec<Login> {
    let mut found: Vec<_> = secrets
        .iter()
        .flat_map(|secret| secret.logins(name))
        .collect();
    found.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    let mut logins: Vec<Login> = Vec::new();
    for (_, login) in found {
        if !logins.contains(&login) {
            logins.push(login);
        }
    }
    logins
}

/// A server as it is written in a Docker configuration, as a prefix of image names: without scheme and API version, and
/// with Docker Hub's older names replaced.
fn prefix_of(server: &str) -> &str {
    let bare = server
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let bare = bare
        .strip_suffix("/v1")
        .or_else(|| bare.strip_suffix("/v2"))
        .unwrap_or(bare);
    match bare {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        _ => bare,
    }
}

/// Whether a prefix is of this name: whole parts of the path, and `*` for a label of the host.
pub fn fits(prefix: &str, name: &str) -> bool {
    let (host, path) = prefix.split_once('/').unwrap_or((prefix, ""));
    let (name_host, name_path) = name.split_once('/').unwrap_or((name, ""));
    let path_fits = path.is_empty()
        || name_path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path_fits && host_fits(host, name_host)
}

fn host_fits(pattern: &str, host: &str) -> bool {
    let (pattern, host): (Vec<_>, Vec<_>) =
        (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern
            .iter()
            .zip(&host)
            .all(|(pattern, label)| *pattern == "*" || pattern == label)
}

impl fmt::Debug for PullSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PullSecret(..)")
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(secrets: &[PullSecret], name: &str) -> Vec<String> {
        logins(secrets, name)
            .into_iter()
            .map(|login| login.user)
            .collect()
    }

    #[test]
    fn the_longest_prefix_is_tried_first() {
        let secret = PullSecret::new(
            r#"{"auths": {
                "registry.example.com": {"username": "all", "password": "x"},
                "registry.example.com/team": {"username": "team", "password": "x"},
                "registry.example.com/teams": {"username": "other", "password": "x"},
                "https://index.docker.io/v1/": {"username": "hub", "password": "x"},
                "*.example.com": {"username": "star", "password": "x"}}}"#,
        );
        let secrets = [secret];
        assert_eq!(
            users(&secrets, "registry.example.com/team/shop"),
            ["team", "all", "star"]
        );
        assert_eq!(
            users(&secrets, "registry.example.com/shop"),
            ["all", "star"]
        );
        assert_eq!(users(&secrets, "docker.io/library/redis"), ["hub"]);
        assert!(users(&secrets, "registry.example.com.evil.net/shop").is_empty());
        assert!(users(&secrets, "example.com/shop").is_empty());
    }

    #[test]
    fn a_login_can_be_one_encoded_field() {
        let auth = STANDARD.encode("shop:s:cret");
        let secret = PullSecret::new(format!(
            r#"{{"auths": {{"http://localhost:5000/v2/": {{"auth": "{auth}"}}}}}}"#
        ));
        let found = logins(&[secret.clone(), secret], "localhost:5000/shop");
        assert_eq!(found.len(), 1, "the same login is tried once");
        assert_eq!(
            (found[0].user.as_str(), found[0].password.as_str()),
            ("shop", "s:cret")
        );
    }

    #[test]
    fn a_secret_that_is_something_else_holds_no_login() {
        for text in [
            "",
            "not json",
            "[]",
            "{}",
            r#"{"auths": {"a.example.com": {}}}"#,
            r#"{"auths": {"a.example.com": {"auth": "%"}}}"#,
        ] {
            assert!(
                logins(&[PullSecret::new(text)], "a.example.com/shop").is_empty(),
                "{text}"
            );
        }
    }

    #[test]
    fn debug_prints_no_credential() {
        let login = Login {
            user: "shop".into(),
            password: "secret".into(),
        };
        assert_eq!(
            format!("{login:?} {:?}", PullSecret::new("secret")),
            "Login(..) PullSecret(..)"
        );
    }
}
