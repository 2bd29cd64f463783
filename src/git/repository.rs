//! Names of repositories.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::GitProvider;

/// What may stand in an address as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Longest name of a repository that any of the hosts has.
const MOST_BYTES: usize = 512;

/// The name of a repository at its host, such as `acme/shop`: parts that no address can be bent by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(String);

impl Repository {
    /// Reads a name: owner and repository, and with GitLab the groups before it.
    pub fn parse(provider: GitProvider, name: &str) -> Result<Self, String> {
        let most = match provider {
            GitProvider::GitLab => 21,
            GitProvider::GitHub | GitProvider::Forgejo => 2,
        };
        let parts = name.split('/').count();
        let fits = (2..=most).contains(&parts) && name.len() <= MOST_BYTES;
        if fits && name.split('/').all(is_part) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!(
                "the repository must be named as its host names it, such as acme/shop; it is {:?}",
                name.chars().take(100).collect::<String>()
            ))
        }
    }

    /// Whether both are the same repository; hosts do not distinguish large and small letters.
    pub fn is(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as one part of a path, as GitLab wants it.
    pub(super) fn as_one_part(&self) -> String {
        escaped(&self.0)
    }
}

/// Letters, digits and `-._`, but neither `.` nor `..`, which an address would resolve.
fn is_part(part: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !part.is_empty() && part.chars().all(fits) && part != "." && part != ".."
}

/// Text of others as part of an address: one segment of its path, or one value of its query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_named_as_its_host_names_it() {
        for name in ["acme/shop", "Acme-1/shop.web_2", "a/b"] {
            let parsed = Repository::parse(GitProvider::GitHub, name).expect(name);
            assert_eq!(parsed.as_str(), name);
        }
        let deep = Repository::parse(GitProvider::GitLab, "acme/team/shop").expect("a subgroup");
        assert_eq!(deep.as_one_part(), "acme%2Fteam%2Fshop");
        let other = Repository::parse(GitProvider::GitLab, "Acme/Team/Shop").expect("letters");
        assert!(deep.is(&other));
    }

    #[test]
    fn a_name_that_could_bend_an_address_is_refused() {
        for name in [
            "",
            "shop",
            "acme/",
            "/shop",
            "acme/shop/pulls",
            "acme/..",
            "./shop",
            "acme/shop?x=1",
            "acme/shop#",
            "acme/%2e%2e",
            "acme/sh op",
            "acme/shöp",
            "acme\\shop/x",
        ] {
            let refusal = Repository::parse(GitProvider::GitHub, name).expect_err(name);
            assert!(refusal.contains("must be named"), "{refusal}");
        }
        let long = format!("acme/{}", "x".repeat(600));
        assert!(Repository::parse(GitProvider::Forgejo, &long).is_err());
        assert!(Repository::parse(GitProvider::GitLab, &"a/".repeat(30)).is_err());
    }

    #[test]
    fn text_of_others_cannot_leave_its_place() {
        assert_eq!(escaped("feat/cart?x=1&y#z"), "feat%2Fcart%3Fx%3D1%26y%23z");
        assert_eq!(escaped("\"; DROP"), "%22%3B%20DROP");
        assert_eq!(escaped("🛒"), "%F0%9F%9B%92");
    }
}
