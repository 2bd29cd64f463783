//! How long to wait before a failed pass is tried again: longer each time, never the same for two objects.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use crate::caches::Subject;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row, by kind and place.
#[derive(Debug, Default)]
pub struct Failures {
    counts: Mutex<HashMap<Subject, u32>>,
}

impl Failures {
    /// How often the last passes failed.
    pub fn count(&self, subject: &Subject) -> u32 {
        self.counts().get(subject).copied().unwrap_or_default()
    }

    /// A pass went well.
    pub fn clear(&self, subject: &Subject) {
        self.counts().remove(subject);
    }

    /// A pass failed; how long to wait.
    pub fn next_delay(&self, subject: &Subject) -> Duration {
        let mut counts = self.counts();
        let count = counts.entry(subject.clone()).or_default();
        *count = count.saturating_add(1);
        delay(*count, rand::random())
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<Subject, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait after the n-th failure in a row. `chance` is between 0 and 1.
fn delay(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let most = doubled.min(LONGEST);
    FIRST.max(most.mul_f64(chance.mul_add(0.5, 0.5)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caches::Place;

    #[test]
    fn the_wait_doubles_from_a_second_to_five_minutes() {
        let longest: Vec<u64> = [1, 2, 3, 9, 10, 400]
            .map(|n| delay(n, 1.0).as_secs())
            .into();
        assert_eq!(longest, [1, 2, 4, 256, 300, 300]);
        assert_eq!(delay(5, 0.0), Duration::from_secs(8));
        assert_eq!(delay(1, 0.0), Duration::from_secs(1));
    }

    #[test]
    fn a_good_pass_forgets_the_bad_ones() {
        let failures = Failures::default();
        let place = ("Environment", Place::new("shop", "production"));
        failures.next_delay(&place);
        failures.next_delay(&place);
        assert_eq!(failures.count(&place), 2);
        failures.clear(&place);
        assert_eq!(failures.count(&place), 0);
    }
}
