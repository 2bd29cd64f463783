//! What is put in the place of something else, and is changed again: a person is put right, a webhook is not fought, and what
//! watches is met with a pause.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// So often within [`SOON`] something is put back at once.
const AT_ONCE: usize = 3;
const SOON: SignedDuration = SignedDuration::from_mins(1);

/// What was put where, by the kind and name of the object.
#[derive(Debug, Default)]
pub struct Contest {
    objects: BTreeMap<String, Put>,
}

#[derive(Debug, Default)]
struct Put {
    /// The hash of what was put.
    wanted: String,
    /// The hash of what the apiserver made of it.
    became: String,
    /// When it was put, within [`SOON`].
    at: Vec<Timestamp>,
}

/// Why something is not put now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// What is there is what the apiserver makes of it each time.
    Mutated,
    /// It was put several times within a minute.
    Contested,
}

impl Contest {
    /// Whether to put what has the hash `wanted` in the place of what has the hash `there`.
    pub fn may_put(
        &mut self,
        object: &str,
        wanted: &str,
        there: &str,
        now: Timestamp,
    ) -> Result<(), Held> {
        let known = self.objects.get_mut(object);
        let Some(put) = known.filter(|put| put.wanted == wanted) else {
            return Ok(());
        };
        if put.became == there && put.became != wanted {
            return Err(Held::Mutated);
        }
        put.at.retain(|at| now.duration_since(*at).abs() < SOON);
        match put.at.len() < AT_ONCE {
            true => Ok(()),
            false => Err(Held::Contested),
        }
    }

    /// It was put, and this is what became of it.
    pub fn put(&mut self, object: &str, wanted: &str, became: &str, now: Timestamp) {
        let put = self.objects.entry(object.to_owned()).or_default();
        if put.wanted != wanted {
            put.at.clear();
        }
        put.wanted = wanted.to_owned();
        put.became = became.to_owned();
        put.at.push(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "Environment/shop-pr-7";

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_person_is_put_right_at_once_and_what_watches_once_a_minute() {
        let mut contest = Contest::default();
        for second in [0, 1, 2] {
            let may = contest.may_put(SHOP, "a", "edited", after(second));
            assert_eq!(may, Ok(()));
            contest.put(SHOP, "a", "a", after(second));
        }
        let may = contest.may_put(SHOP, "a", "edited", after(3));
        assert_eq!(may, Err(Held::Contested));
        // It is not forgotten.
        let may = contest.may_put(SHOP, "a", "edited", after(60));
        assert_eq!(may, Ok(()));
        // What another push says is another matter, and so is another object.
        assert_eq!(contest.may_put(SHOP, "b", "a", after(3)), Ok(()));
        let other = contest.may_put("Environment/shop-pr-8", "a", "edited", after(3));
        assert_eq!(other, Ok(()));
    }

    #[test]
    fn what_the_apiserver_makes_of_it_is_not_fought_but_an_edit_of_that_is_put_right() {
        let mut contest = Contest::default();
        assert_eq!(contest.may_put(SHOP, "a", "", after(0)), Ok(()));
        contest.put(SHOP, "a", "mutated", after(0));
        for second in [1, 1000, 100_000] {
            let may = contest.may_put(SHOP, "a", "mutated", after(second));
            assert_eq!(may, Err(Held::Mutated));
        }
        assert_eq!(contest.may_put(SHOP, "a", "edited", after(5)), Ok(()));
        assert_eq!(contest.may_put(SHOP, "b", "mutated", after(5)), Ok(()));
    }
}
