//! One pass over one object: look, decide, act, tell.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use kube::runtime::controller::Action;

use crate::apply::{self, Acted};
use crate::caches::{NameOf, Place, locked};
use crate::context::Context;
use crate::context::refusals::{self, Refusals};
use crate::error::Error;
use crate::managed::Managed;
use crate::plan::Plan;
use crate::status;

/// How long a pass may take.
const BUDGET: Duration = Duration::from_secs(60);
/// When to look again although nothing happened: deletes that happen while a watch is down are never told.
const SLOW: Duration = Duration::from_secs(600);
/// When to look again after own writes, should the watches not tell of them.
const AFTER_WRITES: Duration = Duration::from_secs(5);
/// When to look again after somebody else wrote at the same time.
const AGAIN: Duration = Duration::from_secs(1);

/// One pass, and when the next one is.
pub async fn reconcile<K: Managed>(
    object: Arc<NameOf<K>>,
    ctx: Arc<Context>,
) -> Result<Action, Error> {
    let again = look::<K>(&Place::of(&*object), &ctx).await?;
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}

/// One pass, that can neither hang nor stop another one. An `Err` means that the outside did not answer, never that the spec
/// is wrong. The answer: when to look again although nothing happened.
pub async fn look<K: Managed>(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    let begun = Instant::now();
    let outcome = guarded::<K>(place, ctx).await;
    let word = outcome.as_ref().map_or_else(Error::category, |_| "ok");
    ctx.metrics.pass(K::NAME, word, begun.elapsed());
    outcome.inspect(|_| ctx.failures.clear(&(K::NAME, place.clone())))
}

/// A pass within its time, whose panics are told on its object.
async fn guarded<K: Managed>(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    let work = AssertUnwindSafe(pass::<K>(place, ctx)).catch_unwind();
    let fault = match tokio::time::timeout(BUDGET, work).await {
        Ok(Ok(outcome)) => return outcome,
        Ok(Err(panic)) => Error::Panic(words(&*panic)),
        Err(_) => Error::Budget,
    };
    tell::<K>(place, &fault, ctx).await;
    Err(fault)
}

/// When to try again after an error.
pub fn error_policy<K: Managed>(
    object: Arc<NameOf<K>>,
    error: &Error,
    ctx: Arc<Context>,
) -> Action {
    let subject = (K::NAME, Place::of(&*object));
    let delay = ctx.failures.next_delay(&subject);
    ctx.metrics.error(error.category());
    let (kind, Place { namespace, name }) = &subject;
    tracing::warn!(kind, namespace, name, %error, category = error.category(), ?delay, "the pass failed; it is tried again");
    Action::requeue(delay)
}

async fn pass<K: Managed>(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    let Some(object) = K::shelf(&ctx.caches).get(place) else {
        return unread::<K>(place, ctx).await;
    };
    let memory = ctx.memories.at(K::NAME, object.meta());
    let (leaving, held) = (object.meta().deletion_timestamp.is_some(), object.is_held());
    if !held && (leaving || memory.is_ended()) {
        // Its children go by their owner references, or with its namespace. Nothing is made any more.
        return Ok(None);
    }
    let seen = K::observe(&object, ctx).await;
    let plan = K::plan(&seen);
    let acted = apply::run(&plan, object.owner(), ctx).await;
    if acted.ended {
        let Place { namespace, name } = place;
        tracing::info!(
            kind = K::NAME,
            namespace,
            name,
            "the namespace is on its way out: nothing more is written for it"
        );
        memory.end();
    }
    let told = status::report(&*object, &plan, &acted, ctx).await;
    if acted.ended && !held {
        return told.map(|()| None);
    }
    if held && acted.refused.is_some() {
        return told.map(|()| Some(memory.put_off()));
    }
    let mut refusals = locked(&memory.refusals);
    next(&plan, acted, told, &mut refusals, ctx.now()).map(Some)
}

/// It cannot be read. Nobody is asked to do anything for it.
async fn unread<K: Managed>(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    if let Some(why) = K::shelf(&ctx.caches).unreadable(place) {
        status::report_unreadable::<K>(place, &why, ctx).await?;
    }
    Ok(None)
}

/// It is gone: what was remembered and watched for it goes too.
pub fn forget<K: Managed>(place: &Place, ctx: &Context) {
    ctx.named.forget(&(K::NAME, place.clone()));
    ctx.memories.forget(K::NAME, place);
    ctx.failures.clear(&(K::NAME, place.clone()));
}

/// When to look again.
fn next<S>(
    plan: &Plan<S>,
    acted: Acted,
    told: Result<(), Error>,
    refusals: &mut Refusals,
    now: Timestamp,
) -> Result<Duration, Error> {
    if let Some((_, error)) = acted.failed {
        return Err(error);
    }
    told?;
    let planned = plan.next.map(|at| until(at, now));
    let planned = after_refusal(&acted, planned, refusals, now);
    let slow = SLOW.mul_f64(1.0 + rand::random::<f64>() / 10.0);
    let own = (acted.wrote > 0).then_some(AFTER_WRITES);
    let again = (acted.again || acted.untold.is_some()).then_some(AGAIN);
    let soonest = [planned, own, again].into_iter().flatten().min();
    let soonest = soonest.unwrap_or(slow).min(slow);
    refusals.look_at(now + soonest);
    Ok(soonest)
}

/// What was planned for a moment that a refusal put off does not turn without a pause.
fn after_refusal(
    acted: &Acted,
    planned: Option<Duration>,
    refusals: &mut Refusals,
    now: Timestamp,
) -> Option<Duration> {
    if acted.wrote > 0 || acted.refused.is_none() {
        refusals.clear();
    }
    let Some((_, reason, sentence)) = &acted.refused else {
        return planned;
    };
    let wait = refusals.wait(*reason, sentence, now);
    Some(planned.map_or(wait, |planned| planned.max(refusals::FIRST).min(wait)))
}

/// A moment that is over is soon, not at once: nothing may turn without a pause.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    left.max(Duration::from_millis(100))
}

/// The fault is told on its object; should that fail too, the log has it.
async fn tell<K: Managed>(place: &Place, fault: &Error, ctx: &Context) {
    let Some(object) = K::shelf(&ctx.caches).get(place) else {
        return;
    };
    let told = AssertUnwindSafe(status::report_fault(&*object, fault, ctx)).catch_unwind();
    if let Ok(Ok(Err(error))) = tokio::time::timeout(BUDGET, told).await {
        tracing::warn!(%error, "the fault could not be told");
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn requeued(plan: &Plan, acted: Acted) -> Duration {
        let mut refusals = Refusals::default();
        next(plan, acted, Ok(()), &mut refusals, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn refused(reason: crate::api::Reason) -> Acted {
        Acted {
            refused: Some((crate::api::ConditionType::Routed, reason, String::new())),
            ..Acted::default()
        }
    }

    #[test]
    fn a_plan_says_when_to_look_again() {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(3);
        let plan = Plan {
            next: Some(at),
            ..Plan::default()
        };
        assert_eq!(requeued(&plan, Acted::default()), Duration::from_secs(3));
        let wrote = Acted {
            wrote: 1,
            ..Acted::default()
        };
        assert_eq!(requeued(&Plan::default(), wrote), AFTER_WRITES);
        let silent = refused(crate::api::Reason::DatabaseSilent);
        assert_eq!(requeued(&plan, silent), refusals::FIRST);
        let again = Acted {
            again: true,
            ..Acted::default()
        };
        assert_eq!(requeued(&plan, again), AGAIN);
    }

    #[test]
    fn the_same_refusal_is_sent_ever_later_and_what_was_planned_is_not_missed() {
        let mut refusals = Refusals::default();
        let mut now = Timestamp::UNIX_EPOCH;
        let mut look = |planned: Option<i64>, now: &mut Timestamp| {
            let plan: Plan = Plan {
                next: planned.map(|seconds| *now + SignedDuration::from_secs(seconds)),
                ..Plan::default()
            };
            let acted = refused(crate::api::Reason::ObjectRefused);
            let wait = next(&plan, acted, Ok(()), &mut refusals, *now).unwrap();
            *now += wait;
            wait.as_secs()
        };
        assert!((10..=11).contains(&look(None, &mut now)));
        assert!((20..=22).contains(&look(None, &mut now)));
        assert_eq!(look(Some(30), &mut now), 30);
        assert_eq!(look(Some(1), &mut now), 10);
        assert!((120..=132).contains(&look(None, &mut now)));
    }

    #[test]
    fn a_moment_that_is_over_does_not_spin() {
        let at = Timestamp::UNIX_EPOCH - SignedDuration::from_secs(3);
        assert_eq!(until(at, Timestamp::UNIX_EPOCH), Duration::from_millis(100));
    }

    #[test]
    fn no_answer_is_an_error_of_the_pass() {
        let failed = Some((crate::api::ConditionType::RolledOut, Error::Budget));
        let acted = Acted {
            failed,
            ..Acted::default()
        };
        let mut refusals = Refusals::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!(next(&<Plan>::default(), acted, Ok(()), &mut refusals, now).is_err());
    }
}
