//! Who let a pull request of a fork in, and for which commit.

use jiff::Timestamp;

/// A label that somebody gave a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Login of who gave it.
    pub by: String,
    /// Whether that person may write to the repository now.
    pub is_maintainer: bool,
    /// When it was given.
    pub at: Timestamp,
    /// The newest commit at that time, by the host's own record of pushes; dates in commits are their authors' word.
    /// Absent: the host does not tell.
    pub sha: Option<String>,
}

impl Approval {
    /// Whether a maintainer gave the label to exactly this commit.
    pub fn covers(&self, sha: &str) -> bool {
        self.is_maintainer && self.sha.as_deref() == Some(sha)
    }
}

/// A label that came or went, or a commit that was pushed, by the host's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// The label was given.
    Labelled { by: String, at: Timestamp },
    /// The label was taken away.
    Unlabelled,
    /// The branch got this newest commit.
    Pushed { sha: String },
}

/// The newest label in what happened, the oldest first, with the commit that was newest then.
pub(super) fn newest(happened: &[Happened]) -> Option<(&str, Timestamp, Option<&str>)> {
    let mut newest = None;
    let mut pushed = None;
    for event in happened {
        match event {
            Happened::Labelled { by, at } => newest = Some((by.as_str(), *at, pushed)),
            Happened::Unlabelled => newest = None,
            Happened::Pushed { sha } => pushed = Some(sha.as_str()),
        }
    }
    newest
}

/// Puts pushes and labels into one order. What happened in the same instant is taken as pushed after the label: then the
/// label is for the commit before.
pub(super) fn in_order(
    mut labels: Vec<(Timestamp, Happened)>,
    pushes: impl Iterator<Item = (Timestamp, String)>,
) -> Vec<Happened> {
    labels.extend(pushes.map(|(at, sha)| (at, Happened::Pushed { sha })));
    labels.sort_by_key(|(at, happened)| (*at, matches!(happened, Happened::Pushed { .. })));
    labels.into_iter().map(|(_, happened)| happened).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn labelled(second: i64) -> (Timestamp, Happened) {
        let by = "maria".to_owned();
        (at(second), Happened::Labelled { by, at: at(second) })
    }

    fn told(labels: Vec<(Timestamp, Happened)>, pushes: &[(i64, &str)]) -> Option<String> {
        let pushes = pushes
            .iter()
            .map(|(second, sha)| (at(*second), (*sha).to_owned()));
        let happened = in_order(labels, pushes);
        let (_, _, sha) = newest(&happened)?;
        Some(sha.unwrap_or("unknown").to_owned())
    }

    #[test]
    fn a_label_is_for_the_commit_that_was_newest_then() {
        assert_eq!(
            told(vec![labelled(5)], &[(1, "a"), (9, "b")]).as_deref(),
            Some("a")
        );
        assert_eq!(
            told(vec![labelled(9)], &[(5, "b"), (1, "a")]).as_deref(),
            Some("b")
        );
        assert_eq!(
            told(vec![labelled(5)], &[(5, "b"), (1, "a")]).as_deref(),
            Some("a")
        );
        assert_eq!(
            told(vec![labelled(5)], &[(5, "b")]).as_deref(),
            Some("unknown")
        );
        assert_eq!(told(vec![labelled(5)], &[]).as_deref(), Some("unknown"));
    }

    #[test]
    fn a_label_that_was_taken_away_counts_from_when_it_came_back() {
        let gone = (at(6), Happened::Unlabelled);
        assert_eq!(told(vec![labelled(5), gone.clone()], &[(1, "a")]), None);
        let again = vec![labelled(5), gone, labelled(9)];
        assert_eq!(told(again, &[(1, "a"), (7, "b")]).as_deref(), Some("b"));
    }

    #[test]
    fn only_a_maintainers_label_on_this_commit_covers_it() {
        let approval = |is_maintainer, sha: Option<&str>| Approval {
            by: "maria".into(),
            is_maintainer,
            at: at(1),
            sha: sha.map(Into::into),
        };
        assert!(approval(true, Some("a")).covers("a"));
        assert!(!approval(false, Some("a")).covers("a"));
        assert!(!approval(true, Some("a")).covers("b"));
        assert!(!approval(true, None).covers("a"));
    }
}
