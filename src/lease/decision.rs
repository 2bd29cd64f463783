//! What a candidate or leader does about what it sees of the Lease. No clock and no requests here.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// What was seen of the Lease, and since when by this machine's clock. The times in the Lease are of another machine's
/// clock and are never compared with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sighting {
    spec: Option<LeaseSpec>,
    since: Duration,
}

/// What to do about the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make it; it is not there.
    Create,
    /// Write it with this identity: nobody holds it, or who did has not renewed it for its duration.
    Take,
    /// Write it again: it is held by this identity.
    Renew,
    /// Leave it: another holds it.
    Wait,
}

impl Sighting {
    /// Notes what is seen now. Only a changed record begins a new wait.
    pub fn note(&mut self, spec: Option<LeaseSpec>, now: Duration) {
        if self.spec != spec || spec.is_none() {
            *self = Self { spec, since: now };
        }
    }

    /// Who holds the Lease, if anyone.
    pub fn holder(&self) -> Option<&str> {
        self.spec
            .as_ref()?
            .holder_identity
            .as_deref()
            .filter(|holder| !holder.is_empty())
    }

    /// What someone does who wants to lead.
    pub fn as_candidate(&self, identity: &str, now: Duration) -> Action {
        match (&self.spec, self.holder()) {
            (None, _) => Action::Create,
            (Some(_), None) => Action::Take,
            (Some(_), Some(holder)) if holder == identity => Action::Renew,
            (Some(spec), Some(_)) if now.saturating_sub(self.since) >= duration(spec) => {
                Action::Take
            }
            _ => Action::Wait,
        }
    }

    /// What someone does who leads. A Lease that another holds, or that was taken away, is never taken back: whoever sees
    /// that must stop.
    pub fn as_leader(&self, identity: &str) -> Action {
        match (&self.spec, self.holder()) {
            (None, _) => Action::Create,
            (Some(_), Some(holder)) if holder == identity => Action::Renew,
            _ => Action::Wait,
        }
    }

    /// The record to write to lead on, with the wall clock's time for people to read.
    pub fn held_by(&self, identity: &str, duration: Duration, now: Timestamp) -> LeaseSpec {
        let previous = self.spec.clone().unwrap_or_default();
        let goes_on = self.holder() == Some(identity);
        let transitions = previous.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(identity.into()),
            lease_duration_seconds: i32::try_from(duration.as_secs()).ok(),
            acquire_time: previous
                .acquire_time
                .clone()
                .filter(|_| goes_on)
                .or(Some(MicroTime(now))),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if goes_on || self.spec.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..previous
        }
    }

    /// The record to write to let the next one lead at once.
    pub fn released(&self, now: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(now)),
            ..self.spec.clone().unwrap_or_default()
        }
    }
}

/// How long a record counts. Without a duration it was not written by one of us; ours is assumed.
fn duration(spec: &LeaseSpec) -> Duration {
    let seconds = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(super::DURATION, Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sighting(holder: &str, since: Duration) -> Sighting {
        let spec = LeaseSpec {
            holder_identity: Some(holder.into()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        Sighting {
            spec: Some(spec),
            since,
        }
    }

    #[test]
    fn a_candidate_takes_what_nobody_holds() {
        assert_eq!(
            Sighting::default().as_candidate("me", SECOND),
            Action::Create
        );
        assert_eq!(
            sighting("", SECOND).as_candidate("me", SECOND),
            Action::Take
        );
        assert_eq!(
            sighting("me", SECOND).as_candidate("me", SECOND * 100),
            Action::Renew
        );
    }

    #[test]
    fn a_candidate_waits_for_the_whole_duration_by_its_own_clock() {
        let seen = sighting("other", SECOND * 100);
        for (now, action) in [
            (100, Action::Wait),
            (114, Action::Wait),
            (115, Action::Take),
            (10, Action::Wait),
        ] {
            assert_eq!(seen.as_candidate("me", SECOND * now), action, "{now}");
        }
    }

    #[test]
    fn only_a_changed_record_begins_a_new_wait() {
        let mut seen = sighting("other", SECOND);
        let same = seen.spec.clone();
        seen.note(same, SECOND * 9);
        assert_eq!(seen.since, SECOND);
        let renewed = LeaseSpec {
            renew_time: Some(MicroTime(Timestamp::UNIX_EPOCH)),
            ..seen.spec.clone().unwrap_or_default()
        };
        seen.note(Some(renewed), SECOND * 9);
        assert_eq!(seen.since, SECOND * 9);
        assert_eq!(seen.as_candidate("me", SECOND * 20), Action::Wait);
    }

    #[test]
    fn a_leader_never_takes_back_what_was_taken_away() {
        assert_eq!(sighting("me", SECOND).as_leader("me"), Action::Renew);
        assert_eq!(Sighting::default().as_leader("me"), Action::Create);
        for holder in ["", "other"] {
            assert_eq!(
                sighting(holder, Duration::ZERO).as_leader("me"),
                Action::Wait
            );
        }
    }

    #[test]
    fn a_renewal_keeps_what_a_change_of_the_holder_counts() {
        let now = Timestamp::UNIX_EPOCH;
        let mut seen = Sighting::default();
        seen.note(Some(seen.held_by("a", super::super::DURATION, now)), SECOND);
        let later = Timestamp::from_second(60).expect("a time");
        let renewed = seen.held_by("a", super::super::DURATION, later);
        assert_eq!(
            (renewed.lease_transitions, renewed.acquire_time),
            (Some(0), Some(MicroTime(now)))
        );
        assert_eq!(
            (renewed.renew_time, renewed.lease_duration_seconds),
            (Some(MicroTime(later)), Some(15))
        );
        let taken = seen.held_by("b", super::super::DURATION, later);
        assert_eq!(
            (taken.lease_transitions, taken.acquire_time),
            (Some(1), Some(MicroTime(later)))
        );
        seen.note(Some(seen.released(later)), SECOND);
        assert_eq!(
            (seen.holder(), seen.as_candidate("b", SECOND)),
            (None, Action::Take)
        );
    }
}
