//! What others add to children, how often it came back, and what is left to them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

/// What returns within this time was put there by something that watches.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(60);

/// Foreign additions of one Environment's children.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    removed: BTreeMap<String, Timestamp>,
    stubborn: BTreeSet<String>,
}

impl Foreign {
    /// Whether these additions shall be removed now. Those that came back right after they were removed are left.
    pub fn remove(&mut self, additions: &[String], now: Timestamp) -> bool {
        self.removed
            .retain(|_, at| now.duration_since(*at) < AT_ONCE);
        let came_back = additions
            .iter()
            .filter(|addition| self.removed.contains_key(*addition));
        self.stubborn.extend(came_back.cloned());
        let fight = additions
            .iter()
            .any(|addition| !self.stubborn.contains(addition));
        if fight {
            self.removed
                .extend(additions.iter().map(|addition| (addition.clone(), now)));
        }
        fight
    }

    /// These could not be removed: that they are there again says nothing about who put them there.
    pub fn still_there(&mut self, additions: &[String]) {
        self.removed
            .retain(|addition, _| !additions.contains(addition));
    }

    /// Additions that are left.
    #[must_use]
    pub fn stubborn(&self) -> BTreeSet<String> {
        self.stubborn.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn what_comes_back_at_once_is_left_and_told() {
        let mut foreign = Foreign::default();
        let sidecar = ["Deployment/shop-web-a /spec/template/spec/containers/1".to_owned()];
        assert!(foreign.remove(&sidecar, after(0)));
        assert!(foreign.stubborn().is_empty());
        assert!(!foreign.remove(&sidecar, after(2)));
        assert_eq!(foreign.stubborn().len(), 1);
        assert!(!foreign.remove(&sidecar, after(900)));
    }

    #[test]
    fn what_could_not_be_removed_did_not_come_back() {
        let mut foreign = Foreign::default();
        let sidecar = ["Deployment/shop-web-a /spec/template/spec/containers/1".to_owned()];
        assert!(foreign.remove(&sidecar, after(0)));
        foreign.still_there(&sidecar);
        assert!(foreign.remove(&sidecar, after(1)));
        assert!(foreign.stubborn().is_empty());
    }

    #[test]
    fn what_comes_back_a_day_later_is_removed_again() {
        let mut foreign = Foreign::default();
        let edit = ["Deployment/shop-web-a /spec/template/spec/hostNetwork".to_owned()];
        assert!(foreign.remove(&edit, after(0)));
        assert!(foreign.remove(&edit, after(86_400)));
    }
}
