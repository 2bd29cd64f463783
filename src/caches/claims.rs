//! Who claims what: hosts and databases, each of which one Environment may have.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Place;

/// Values and the Environments that claim them.
#[derive(Debug, Default)]
pub struct Claims {
    by_value: HashMap<String, BTreeMap<Place, Place>>,
    by_source: HashMap<Place, BTreeSet<String>>,
}

impl Claims {
    /// Says which values the object `source` of Environment `claimant` claims now. The answer: everybody else whose claim
    /// was or is on a value that was added or dropped.
    pub fn set(
        &mut self,
        source: &Place,
        claimant: &Place,
        values: BTreeSet<String>,
    ) -> BTreeSet<Place> {
        let before = self.by_source.remove(source).unwrap_or_default();
        let moved: Vec<String> = before.symmetric_difference(&values).cloned().collect();
        let mut touched = BTreeSet::new();
        for value in moved {
            let holders = self.by_value.entry(value.clone()).or_default();
            if values.contains(&value) {
                holders.insert(source.clone(), claimant.clone());
            } else {
                holders.remove(source);
            }
            touched.extend(holders.values().filter(|other| *other != claimant).cloned());
            if holders.is_empty() {
                self.by_value.remove(&value);
            }
        }
        if !values.is_empty() {
            self.by_source.insert(source.clone(), values);
        }
        touched
    }

    /// Everybody who claims this value.
    pub fn claimants(&self, value: &str) -> BTreeSet<Place> {
        let holders = self.by_value.get(value);
        holders
            .map(|holders| holders.values().cloned().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place::new("shop", name)
    }

    fn hosts(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn others_hear_of_a_claim_that_comes_and_of_one_that_goes() {
        let mut claims = Claims::default();
        assert!(
            claims
                .set(&place("a"), &place("a"), hosts(&["x", "y"]))
                .is_empty()
        );
        let told = claims.set(&place("b"), &place("b"), hosts(&["y"]));
        assert_eq!(told, BTreeSet::from([place("a")]));
        assert_eq!(
            claims.claimants("y"),
            BTreeSet::from([place("a"), place("b")])
        );
        let told = claims.set(&place("a"), &place("a"), hosts(&["x"]));
        assert_eq!(told, BTreeSet::from([place("b")]));
        assert!(
            claims
                .set(&place("a"), &place("a"), hosts(&["x"]))
                .is_empty()
        );
    }

    #[test]
    fn two_objects_of_one_environment_claim_together() {
        let mut claims = Claims::default();
        claims.set(&place("secret"), &place("a"), hosts(&["db"]));
        claims.set(&place("record"), &place("a"), hosts(&["db"]));
        claims.set(&place("secret"), &place("a"), hosts(&[]));
        assert_eq!(claims.claimants("db"), BTreeSet::from([place("a")]));
        claims.set(&place("record"), &place("a"), hosts(&[]));
        assert!(claims.claimants("db").is_empty());
    }
}
