//! Which Git hosts may be asked. An App names one of them, never an address.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::unique;

/// The Git hosts that may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Git {
    /// The hosts. Default: github.com and gitlab.com. An empty list: none may be asked.
    pub hosts: Vec<GitHostConfig>,
    /// How often each repository is asked for its open pull requests, in seconds; what webhooks tell of is asked at once.
    /// From 10 to 3600. Default: 60.
    pub poll_seconds: u32,
}

/// A Git host that may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitHostConfig {
    /// Name that an App says the host by, and under which its webhooks arrive: `/hooks/git/{name}`. Default: the
    /// provider in small letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose API it speaks.
    pub provider: GitProvider,
    /// Address of the host. Default: `https://api.github.com` for GitHub, `https://gitlab.com` for GitLab; Forgejo has
    /// none. For GitHub it is the address of the API: `https://ghe.example.com/api/v3` of an own server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether `http://` is allowed although the host is not this machine: the token then passes in clear. Default:
    /// false.
    #[serde(default, rename = "plainHTTP")]
    pub plain_http: bool,
    /// Secret in the controller's namespace whose key `ca.crt` holds certificates to trust beside the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<String>,
    /// Secret in the controller's namespace that webhooks of this host are signed with. The value of every key counts, so
    /// that a new one can stand beside the old. Default: its webhooks are refused, and the host is polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
}

/// Whose API a Git host speaks.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum GitProvider {
    /// GitHub, or GitHub Enterprise Server.
    GitHub,
    /// GitLab.
    GitLab,
    /// Forgejo, or Gitea.
    Forgejo,
}

impl GitProvider {
    /// The provider's own name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Forgejo => "Forgejo",
        }
    }

    /// Name of a host that has none of its own.
    fn small(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Forgejo => "forgejo",
        }
    }
}

impl Default for Git {
    fn default() -> Self {
        let hosts = [GitProvider::GitHub, GitProvider::GitLab];
        Self {
            hosts: hosts.map(GitHostConfig::public).into(),
            poll_seconds: 60,
        }
    }
}

impl GitHostConfig {
    /// The host that everybody knows by the provider's name.
    fn public(provider: GitProvider) -> Self {
        Self {
            name: None,
            provider,
            url: None,
            plain_http: false,
            ca_secret: None,
            webhook_secret: None,
        }
    }

    /// The name it goes by.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.provider.small())
    }

    /// Where its API is, without a slash at the end.
    pub fn api(&self) -> String {
        let url = self.url.as_deref().unwrap_or(match self.provider {
            GitProvider::GitHub => "https://api.github.com",
            GitProvider::GitLab => "https://gitlab.com",
            GitProvider::Forgejo => "",
        });
        let path = match self.provider {
            GitProvider::GitHub => "",
            GitProvider::GitLab => "/api/v4",
            GitProvider::Forgejo => "/api/v1",
        };
        format!("{}{path}", url.trim_end_matches('/'))
    }

    fn check(&self) -> Result<(), String> {
        let name = self.name();
        if !is_name(name) {
            return Err(format!(
                "git.hosts[].name must have 1 to 30 small letters, digits and dashes; it is {name:?}"
            ));
        }
        let Some(url) = &self.url else {
            return match self.provider {
                GitProvider::Forgejo => Err(format!("git.hosts[] {name} must have a url")),
                _ => Ok(()),
            };
        };
        let Some((scheme, host)) = address(url) else {
            return Err(format!(
                "git.hosts[] {name} must have a url such as https://git.example.com, without user, query and fragment; \
                 it is {url:?}"
            ));
        };
        let is_here = host == "127.0.0.1" || host == "[::1]";
        if scheme == "http" && !is_here && !self.plain_http {
            return Err(format!(
                "git.hosts[] {name} must have a url that begins with https://, or plainHTTP: true"
            ));
        }
        if scheme == "http" && self.ca_secret.is_some() {
            return Err(format!(
                "git.hosts[] {name} must have a url with https:// or no caSecret"
            ));
        }
        Ok(())
    }
}

impl Git {
    /// The host of a provider that is meant: the one of that name, or without a name the only one there is.
    pub fn host(&self, provider: GitProvider, name: Option<&str>) -> Option<&GitHostConfig> {
        let mut fitting = self
            .hosts
            .iter()
            .filter(|host| host.provider == provider)
            .filter(|host| name.is_none_or(|name| host.name() == name));
        let found = fitting.next();
        found.filter(|_| fitting.next().is_none())
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(10..=3600).contains(&self.poll_seconds) {
            let sentence = "git.pollSeconds must be from 10 to 3600";
            return Err(sentence.into());
        }
        self.hosts.iter().try_for_each(GitHostConfig::check)?;
        unique(
            "git.hosts[].name",
            self.hosts.iter().map(GitHostConfig::name),
        )
    }
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=30).contains(&text.len()) && text.chars().all(fits)
}

/// Scheme and host of an address that names nothing but a place.
fn address(url: &str) -> Option<(String, String)> {
    let uri: http::Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|s| ["https", "http"].contains(s))?;
    let authority = uri.authority()?;
    let is_bare = uri.query().is_none() && !url.contains(['@', '#']);
    (is_bare && super::is_address(authority.as_str()))
        .then(|| (scheme.to_owned(), authority.host().to_owned()))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, GitProvider};

    fn refusal(text: &str) -> String {
        let refused = Config::parse(text).expect_err("this text must be refused");
        refused.to_string()
    }

    #[test]
    fn the_public_hosts_may_be_asked_unless_others_are_named() {
        let git = Config::default().git;
        let named: Vec<_> = git.hosts.iter().map(|h| (h.name(), h.api())).collect();
        assert_eq!(
            named,
            [
                ("github", "https://api.github.com".to_owned()),
                ("gitlab", "https://gitlab.com/api/v4".to_owned())
            ]
        );
        let none = Config::parse("git: {hosts: []}").expect("no host");
        assert!(none.git.hosts.is_empty());
        assert_eq!(none.git.poll_seconds, 60);
        assert!(refusal("git: {pollSeconds: 9}").contains("must be from 10 to 3600"));
    }

    #[test]
    fn a_host_is_meant_when_nothing_else_can_be() {
        let text = r#"
git:
  hosts:
  - {provider: GitHub}
  - {name: ghe, provider: GitHub, url: "https://ghe.example.com/api/v3"}
  - {name: inner, provider: Forgejo, url: "https://git.example.com"}
"#;
        let git = Config::parse(text).expect("the documented shape").git;
        let named = |provider, name| git.host(provider, name).map(|host| host.name());
        assert_eq!(named(GitProvider::Forgejo, None), Some("inner"));
        assert_eq!(named(GitProvider::GitHub, Some("ghe")), Some("ghe"));
        assert_eq!(named(GitProvider::GitHub, None), None);
        assert_eq!(named(GitProvider::GitLab, Some("ghe")), None);
    }

    #[test]
    fn an_own_host_is_read() {
        let text = r#"
git:
  hosts:
  - {provider: Forgejo, url: "https://git.example.com/", caSecret: ca, webhookSecret: hooks}
  - {name: ghe, provider: GitHub, url: "https://ghe.example.com/api/v3"}
  - {name: inner, provider: GitLab, url: "http://gitlab.example.com:8080/git", plainHTTP: true}
  - {name: local, provider: Forgejo, url: "http://127.0.0.1:3000"}
"#;
        let config = Config::parse(text).expect("the documented shape");
        let hosts = &config.git.hosts;
        assert_eq!(hosts[0].name(), "forgejo");
        assert_eq!(hosts[0].provider, GitProvider::Forgejo);
        assert_eq!(hosts[0].api(), "https://git.example.com/api/v1");
        assert_eq!(hosts[0].webhook_secret.as_deref(), Some("hooks"));
        assert_eq!(hosts[1].api(), "https://ghe.example.com/api/v3");
        assert_eq!(hosts[2].api(), "http://gitlab.example.com:8080/git/api/v4");
        assert_eq!(hosts[3].api(), "http://127.0.0.1:3000/api/v1");
        let again = serde_saphyr::to_string(&config).expect("it can be written");
        assert_eq!(Config::parse(&again).expect("and read again"), config);
    }

    #[test]
    fn a_host_that_cannot_hold_is_answered_by_what_must() {
        for (host, part) in [
            ("{provider: Forgejo}", "must have a url"),
            (
                "{provider: GitHub, name: 'a b'}",
                "git.hosts[].name must have",
            ),
            ("{provider: GitHub, name: ''}", "git.hosts[].name must have"),
            (
                "{provider: GitHub, url: 'api.example.com'}",
                "must have a url such as",
            ),
            (
                "{provider: GitHub, url: 'ftp://a.example.com'}",
                "must have a url such as",
            ),
            (
                "{provider: GitHub, url: 'https://a:b@a.example.com'}",
                "must have a url such as",
            ),
            (
                "{provider: GitHub, url: 'https://a.example.com?x=1'}",
                "must have a url such as",
            ),
            (
                "{provider: GitHub, url: 'https://a.example.com#x'}",
                "must have a url such as",
            ),
            (
                "{provider: GitHub, url: 'http://a.example.com'}",
                "or plainHTTP: true",
            ),
            (
                "{provider: GitHub, url: 'http://127.0.0.1.example.com'}",
                "or plainHTTP: true",
            ),
            (
                "{provider: GitHub, url: 'http://127.0.0.1', caSecret: ca}",
                "or no caSecret",
            ),
            (
                "{provider: GitHub}, {provider: GitHub}",
                "git.hosts[].name must be unique",
            ),
            ("{provider: Gitea}", "Gitea"),
        ] {
            let said = refusal(&format!("git: {{hosts: [{host}]}}"));
            assert!(said.contains(part), "{host}: {said}");
        }
    }
}
