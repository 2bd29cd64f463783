//! Pull requests, as their host tells of them.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// A pull request. Title, branch and labels are text of whoever opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// What it asks to merge.
    pub head: Head,
    /// Its title.
    pub title: String,
    /// Its page at the host.
    pub url: String,
    /// Login of who opened it.
    pub author: String,
    /// Whether a program opened it: as the host says, else by the author's name.
    pub is_bot: bool,
    /// Whether it is a draft.
    pub is_draft: bool,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Whether it is open: neither closed nor merged.
    pub is_open: bool,
    /// When anything about it changed last: a push, a label, a comment.
    pub updated: Timestamp,
}

/// What a pull request asks to merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the pull request.
    pub number: u64,
    /// The newest commit, 40 small hexadecimal digits.
    pub sha: String,
    /// Name of the branch.
    pub branch: String,
    /// Whether the branch is in another repository than the pull request.
    pub is_from_fork: bool,
    /// The repository of the branch. Absent: it is gone, or the host does not name it, as GitLab does not name forks.
    pub repository: Option<String>,
}

/// The open pull requests of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// In the order of their numbers.
    pub pull_requests: Vec<PullRequest>,
    /// Whether there are more than were read; those are the ones that nothing has happened to for longest.
    pub is_cut: bool,
}

/// The paths that a pull request changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// All of them.
    Paths(Vec<String>),
    /// More than are worth reading: take it as touching everything.
    TooMany,
}

impl Files {
    /// The paths that were read, each once.
    pub(super) fn of(read: Option<impl Iterator<Item = String>>) -> Self {
        let Some(paths) = read else {
            return Self::TooMany;
        };
        let paths: BTreeSet<String> = paths.collect();
        Self::Paths(paths.into_iter().collect())
    }
}

/// Whether this is the name of a commit, as images and statuses are named by it.
pub(crate) fn is_sha(text: &str) -> bool {
    text.len() == 40
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a login is a program's by its name, where a host does not say so.
pub(super) fn is_bot_name(login: &str) -> bool {
    let login = login.to_ascii_lowercase();
    let stem = login
        .strip_suffix("[bot]")
        .or_else(|| login.strip_suffix("bot"));
    // GitLab names the users of its tokens `project_1_bot_9f2c`.
    let is_token =
        (login.starts_with("project_") || login.starts_with("group_")) && login.contains("_bot");
    let ends = |stem: &str| stem.is_empty() || !stem.ends_with(|c: char| c.is_alphabetic());
    is_token || login.ends_with("[bot]") || stem.is_some_and(ends) || KNOWN.contains(&&*login)
}

/// Programs that open pull requests under a name that does not end as theirs do.
const KNOWN: [&str; 2] = ["dependabot", "renovate"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_forty_small_hexadecimal_digits() {
        assert!(is_sha("0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"));
        for odd in [
            "",
            "0a1b2c3",
            &"A".repeat(40),
            &"g".repeat(40),
            &"0".repeat(64),
        ] {
            assert!(!is_sha(odd), "{odd}");
        }
    }

    #[test]
    fn programs_are_known_by_their_names() {
        for bot in [
            "dependabot[bot]",
            "dependabot",
            "renovate-bot",
            "project_42_bot_9f2c",
            "group_7_bot",
            "Renovate",
        ] {
            assert!(is_bot_name(bot), "{bot}");
        }
        for person in ["dev", "abbot", "Talbot", "robotics", "project_lead"] {
            assert!(!is_bot_name(person), "{person}");
        }
    }
}
