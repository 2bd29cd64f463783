//! What a Git host has said. All of it may be lost: then it is asked again, and nothing goes meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::config::GitProvider;
use crate::git::{Failure, Listed, PullRequest};
use crate::seen::{Hindrance, KnownPullRequest, SeenSource};

/// When a pass goes on that did not ask everything.
const GOES_ON: SignedDuration = SignedDuration::from_secs(1);
/// When the whole list is asked for after a hint could not be followed.
pub const SOON: SignedDuration = SignedDuration::from_secs(5);

/// What answers depend on: of another repository, or with another token, everything is asked anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// Whose API the host speaks.
    pub provider: Option<GitProvider>,
    /// Its name.
    pub host: Option<String>,
    /// The repository.
    pub repository: String,
    /// The Secret of the token.
    pub secret: String,
    /// Its version.
    pub version: String,
}

/// What the Git host of an App has said.
#[derive(Debug, Default)]
pub struct Heard {
    basis: Basis,
    known: BTreeMap<i64, KnownPullRequest>,
    /// Numbers of Previews that the last list did not tell of.
    missing: BTreeSet<i64>,
    is_listed: bool,
    /// When the whole list is due. `None`: now.
    due: Option<Timestamp>,
    /// When the next pass goes on.
    goes_on: Option<Timestamp>,
    hindrance: Option<Hindrance>,
}

impl Heard {
    /// What was said on another basis does not count.
    pub(crate) fn rely_on(&mut self, basis: Basis) {
        if self.basis != basis {
            *self = Self {
                basis,
                ..Self::default()
            };
        }
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// Whether the host did not answer when it was asked last.
    pub(crate) fn is_hindered(&self) -> bool {
        self.hindrance.is_some()
    }

    /// The whole list is due at this time.
    pub(crate) fn ask_at(&mut self, at: Timestamp) {
        self.due = Some(at);
    }

    /// The whole list is due at this time, if not before.
    pub(crate) fn ask_by(&mut self, at: Timestamp) {
        self.due = self.due.map(|due| due.min(at));
    }

    /// The open pull requests. Of those that Previews are there for and that are missing, each is asked for by its number.
    pub(crate) fn listed(&mut self, listed: Listed, ours: &BTreeSet<i64>) {
        let numbers: BTreeSet<i64> = listed.pull_requests.iter().filter_map(number).collect();
        self.missing = ours.difference(&numbers).copied().collect();
        self.known.retain(|number, _| numbers.contains(number));
        for told in listed.pull_requests {
            self.told(told);
        }
        self.is_listed = true;
    }

    /// A pull request as it is now; what the host said of it before, and that is newer, still counts.
    pub(crate) fn told(&mut self, told: PullRequest) {
        let Some(number) = number(&told) else {
            return;
        };
        let before = self.known.remove(&number).unwrap_or_default();
        let known = match before.told.clone() {
            Some(last) if last.updated > told.updated => before,
            Some(last) => KnownPullRequest {
                files: before.files.filter(|_| last.head.sha == told.head.sha),
                approval: before.approval.filter(|_| last.updated == told.updated),
                told: Some(Arc::new(told)),
            },
            None => KnownPullRequest {
                told: Some(Arc::new(told)),
                ..KnownPullRequest::default()
            },
        };
        self.known.insert(number, known);
    }

    /// A pull request that the list did not tell of, but a Preview is there for.
    pub(crate) fn missing(&self) -> Option<i64> {
        self.missing.first().copied()
    }

    /// What it is. `None`: there is none of this number.
    pub(crate) fn answered(&mut self, number: i64, told: Option<PullRequest>) {
        self.missing.remove(&number);
        match told {
            Some(told) => self.told(told),
            None => {
                self.known.insert(number, KnownPullRequest::default());
            }
        }
    }

    pub(crate) fn numbers(&self) -> Vec<i64> {
        self.known.keys().copied().collect()
    }

    pub(crate) fn known(&self, number: i64) -> Option<&KnownPullRequest> {
        self.known.get(&number)
    }

    /// Something more is known of a pull request.
    pub(crate) fn learn(&mut self, told: &PullRequest, set: impl FnOnce(&mut KnownPullRequest)) {
        if let Some(known) = number(told).and_then(|number| self.known.get_mut(&number)) {
            set(known);
        }
    }

    /// Everything was answered.
    pub(crate) fn done(&mut self) {
        self.hindrance = None;
        self.goes_on = None;
    }

    /// Not everything was asked.
    pub(crate) fn go_on(&mut self, now: Timestamp) {
        self.hindrance = None;
        self.goes_on = Some(now + GOES_ON);
    }

    /// The host did not answer, or said no.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.goes_on = None;
        if let Failure::Limited(until) = &failure {
            self.due = Some(*until);
        }
        self.hindrance = Some(Hindrance::Host(failure));
    }

    /// It cannot be asked. Who mends that is heard of by a watch.
    pub(crate) fn hinder(&mut self, hindrance: Hindrance) {
        self.goes_on = None;
        self.due = None;
        self.hindrance = Some(hindrance);
    }

    /// What a plan may know.
    pub(crate) fn seen(&self) -> SeenSource {
        SeenSource {
            hindrance: self.hindrance.clone(),
            is_listed: self.is_listed,
            pull_requests: self.known.clone(),
            next: [self.due, self.goes_on].into_iter().flatten().min(),
        }
    }
}

/// The number, if a Preview can have it.
fn number(told: &PullRequest) -> Option<i64> {
    let number = i32::try_from(told.head.number).ok()?;
    (number > 0).then_some(i64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Head;

    #[test]
    fn no_answer_is_told_until_there_is_one() {
        let mut heard = Heard::default();
        heard.ask_at(at(10));
        heard.fail(Failure::Silent("it gave no answer".to_owned()));
        assert!(heard.is_hindered() && !heard.is_due(at(5)));
        heard.done();
        assert!(!heard.is_hindered());
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn told(number: u64, sha: &str, updated: i64) -> PullRequest {
        PullRequest {
            head: Head {
                number,
                sha: sha.to_owned(),
                branch: "feat".to_owned(),
                is_from_fork: false,
                repository: None,
            },
            title: String::new(),
            url: String::new(),
            author: String::new(),
            is_bot: false,
            is_draft: false,
            labels: Vec::new(),
            is_open: true,
            updated: at(updated),
        }
    }

    fn listed(pull_requests: Vec<PullRequest>) -> Listed {
        Listed {
            pull_requests,
            is_cut: false,
        }
    }

    fn sha(heard: &Heard, number: i64) -> Option<String> {
        let told = heard.known(number)?.told.as_ref()?;
        Some(told.head.sha.clone())
    }

    #[test]
    fn what_is_missing_is_asked_for_and_not_thought_closed() {
        let mut heard = Heard::default();
        heard.listed(listed(vec![told(7, "a", 1)]), &BTreeSet::from([7, 8, 9]));
        assert!(heard.known(8).is_none(), "nothing is known of it");
        assert_eq!(heard.missing(), Some(8));
        heard.answered(8, None);
        assert!(heard.known(8).unwrap().told.is_none(), "there is none");
        assert_eq!(heard.missing(), Some(9));
        heard.answered(9, Some(told(9, "b", 1)));
        assert_eq!((heard.missing(), sha(&heard, 9)), (None, Some("b".into())));
    }

    #[test]
    fn an_answer_of_before_does_not_count() {
        let mut heard = Heard::default();
        heard.told(PullRequest {
            is_open: false,
            ..told(7, "b", 5)
        });
        heard.listed(listed(vec![told(7, "a", 1)]), &BTreeSet::new());
        assert_eq!(sha(&heard, 7).as_deref(), Some("b"));
        heard.told(told(7, "c", 6));
        assert_eq!(sha(&heard, 7).as_deref(), Some("c"));
    }

    #[test]
    fn what_was_asked_for_counts_as_long_as_it_is_about_the_same() {
        let mut heard = Heard::default();
        let first = told(7, "a", 1);
        heard.told(first.clone());
        heard.learn(&first, |known| {
            known.files = Some(crate::git::Files::TooMany);
            known.approval = Some(None);
        });
        heard.told(first);
        assert!(heard.known(7).unwrap().approval.is_some());
        heard.told(told(7, "a", 2));
        let known = heard.known(7).unwrap();
        assert!(
            known.files.is_some() && known.approval.is_none(),
            "a label may have come"
        );
        heard.told(told(7, "b", 3));
        assert!(heard.known(7).unwrap().files.is_none());
    }

    #[test]
    fn another_repository_or_token_begins_anew() {
        let basis = |version: &str| Basis {
            version: version.to_owned(),
            ..Basis::default()
        };
        let mut heard = Heard::default();
        heard.rely_on(basis("1"));
        heard.ask_at(at(60));
        heard.listed(listed(vec![told(7, "a", 1)]), &BTreeSet::new());
        heard.rely_on(basis("1"));
        assert!(heard.seen().is_listed && !heard.is_due(at(59)));
        heard.rely_on(basis("2"));
        assert!(!heard.seen().is_listed && heard.is_due(at(0)));
        assert!(heard.seen().pull_requests.is_empty());
    }

    #[test]
    fn a_limit_is_kept_and_a_failure_is_told_until_there_is_an_answer() {
        let mut heard = Heard::default();
        heard.ask_at(at(60));
        heard.fail(Failure::Limited(at(600)));
        assert!(!heard.is_due(at(599)) && heard.is_due(at(600)));
        assert_eq!(heard.seen().next, Some(at(600)));
        assert!(heard.seen().hindrance.is_some());
        heard.done();
        assert_eq!(heard.seen().hindrance, None);
        heard.ask_by(at(30));
        heard.ask_by(at(40));
        assert_eq!(heard.seen().next, Some(at(30)));
        heard.go_on(at(10));
        assert_eq!(heard.seen().next, Some(at(11)));
    }

    #[test]
    fn a_number_that_no_preview_can_have_is_left_out() {
        let mut heard = Heard::default();
        heard.told(told(3_000_000_000, "a", 1));
        heard.told(told(0, "a", 1));
        assert!(heard.numbers().is_empty());
    }
}
