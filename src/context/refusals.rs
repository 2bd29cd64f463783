//! How long to wait before a write is sent again that the apiserver refused: longer each time, as long as nothing else happens.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::Reason;

/// The first wait: what frees a name or a quota tells nobody.
pub const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(120);

/// The same refusal, again and again, of one Environment.
#[derive(Debug, Default)]
pub struct Refusals {
    last: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    reason: Reason,
    sentence: String,
    times: u32,
    /// When it is tried again by itself. Who looks earlier was told that something happened.
    due: Timestamp,
}

impl Refusals {
    /// A pass was refused at the end of what it did; when to try again by itself. Anything that happened since the last
    /// refusal begins the count anew: a person may have mended the cause.
    pub fn wait(&mut self, reason: Reason, sentence: &str, now: Timestamp) -> Duration {
        let last = self.last.take().filter(|last| {
            let same = last.reason == reason && last.sentence == sentence;
            same && last.due <= now
        });
        let times = last.map_or(1, |last| last.times.saturating_add(1));
        let wait = match reason {
            Reason::ObjectRefused | Reason::NameTaken => delay(times, rand::random()),
            // A login that is refused, and what is on its way out.
            _ => FIRST,
        };
        self.last = Some(Refusal {
            reason,
            sentence: sentence.to_owned(),
            times,
            due: now + wait,
        });
        wait
    }

    /// The next pass is earlier, for another reason than the refusal: that nothing happened until then is no news.
    pub fn look_at(&mut self, at: Timestamp) {
        if let Some(last) = &mut self.last {
            last.due = last.due.min(at);
        }
    }

    /// Nothing is refused.
    pub fn clear(&mut self) {
        self.last = None;
    }
}

/// The wait after the n-th refusal in a row. `chance` is between 0 and 1.
fn delay(times: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1)));
    doubled.min(LONGEST).mul_f64(chance.mul_add(0.1, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    /// Seconds that are waited each time, when each try comes when it is due.
    fn waits(refusals: &mut Refusals, now: &mut Timestamp, tries: usize) -> Vec<u64> {
        let mut waited = Vec::new();
        for _ in 0..tries {
            let wait = refusals.wait(Reason::ObjectRefused, "exceeded quota: small", *now);
            *now += wait;
            // Without the chance, which adds a tenth at most.
            waited.push(wait.as_secs() * 10 / 11);
        }
        waited
    }

    #[test]
    fn the_wait_doubles_from_ten_seconds_to_two_minutes() {
        let longest: Vec<u64> = [1, 2, 3, 4, 5, 400].map(|n| delay(n, 0.0).as_secs()).into();
        assert_eq!(longest, [10, 20, 40, 80, 120, 120]);
        assert_eq!(delay(400, 1.0), Duration::from_secs(132));
        let (mut refusals, mut now) = (Refusals::default(), Timestamp::UNIX_EPOCH);
        let waited = waits(&mut refusals, &mut now, 6);
        assert!(
            waited[0] <= 10 && waited[4..].iter().all(|wait| *wait >= 109),
            "{waited:?}"
        );
    }

    #[test]
    fn what_happens_meanwhile_begins_anew() {
        let (mut refusals, mut now) = (Refusals::default(), Timestamp::UNIX_EPOCH);
        waits(&mut refusals, &mut now, 6);
        // An event: a look before it was due.
        now -= SignedDuration::from_secs(60);
        let first = FIRST.mul_f64(1.1);
        assert!(refusals.wait(Reason::ObjectRefused, "exceeded quota: small", now) <= first);
        waits(&mut refusals, &mut now, 6);
        assert!(refusals.wait(Reason::ObjectRefused, "denied by policy", now) <= first);
        waits(&mut refusals, &mut now, 6);
        refusals.clear();
        assert!(refusals.wait(Reason::ObjectRefused, "exceeded quota: small", now) <= first);
    }

    #[test]
    fn a_look_that_was_planned_earlier_is_no_event() {
        let (mut refusals, mut now) = (Refusals::default(), Timestamp::UNIX_EPOCH);
        waits(&mut refusals, &mut now, 6);
        let wait = refusals.wait(Reason::ObjectRefused, "exceeded quota: small", now);
        now += wait / 2;
        refusals.look_at(now);
        let wait = refusals.wait(Reason::ObjectRefused, "exceeded quota: small", now);
        assert!(wait >= LONGEST, "{wait:?}");
    }

    #[test]
    fn what_is_no_refused_write_is_tried_as_often_as_before() {
        let (mut refusals, mut now) = (Refusals::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..5 {
            let wait = refusals.wait(Reason::DatabaseRefused, "28P01", now);
            assert_eq!(wait, FIRST);
            now += wait;
        }
    }
}
