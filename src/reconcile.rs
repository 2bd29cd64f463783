//! One pass over one object: look, decide, act, tell.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use kube::runtime::controller::Action;

use crate::api::Environment;
use crate::apply::{self, Acted};
use crate::caches::{EnvironmentMeta, Place};
use crate::context::Context;
use crate::error::Error;
use crate::plan::{self, Plan, teardown};
use crate::{observe, status};

/// How long a pass may take.
const BUDGET: Duration = Duration::from_secs(60);
/// When to look again although nothing happened: deletes that happen while a watch is down are never told.
const SLOW: Duration = Duration::from_secs(600);
/// When to look again after own writes, should the watches not tell of them.
const AFTER_WRITES: Duration = Duration::from_secs(5);
/// When to look again after the outside said no: what frees a name or a quota, or wakes a database, tells nobody.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);
/// When to look again after somebody else wrote at the same time.
const AGAIN: Duration = Duration::from_secs(1);

/// One pass, and when the next one is.
pub async fn reconcile(object: Arc<EnvironmentMeta>, ctx: Arc<Context>) -> Result<Action, Error> {
    let again = look(&Place::of(&*object), &ctx).await?;
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}

/// One pass, that can neither hang nor stop another one. An `Err` means that the outside did not answer, never that the spec
/// is wrong. The answer: when to look again although nothing happened.
pub async fn look(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    let begun = Instant::now();
    let outcome = guarded(place, ctx).await;
    let word = outcome.as_ref().map_or_else(Error::category, |_| "ok");
    ctx.metrics.pass("Environment", word, begun.elapsed());
    outcome.inspect(|_| ctx.failures.clear(place))
}

/// A pass within its time, whose panics are told on its object.
async fn guarded(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    let work = AssertUnwindSafe(pass(place, ctx)).catch_unwind();
    let fault = match tokio::time::timeout(BUDGET, work).await {
        Ok(Ok(outcome)) => return outcome,
        Ok(Err(panic)) => Error::Panic(words(&*panic)),
        Err(_) => Error::Budget,
    };
    tell(place, &fault, ctx).await;
    Err(fault)
}

/// When to try again after an error.
pub fn error_policy(object: Arc<EnvironmentMeta>, error: &Error, ctx: Arc<Context>) -> Action {
    let place = Place::of(&*object);
    let delay = ctx.failures.next_delay(&place);
    ctx.metrics.error(error.category());
    let Place { namespace, name } = &place;
    tracing::warn!(namespace, name, %error, category = error.category(), ?delay, "the pass failed; it is tried again");
    Action::requeue(delay)
}

async fn pass(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    let Some(environment) = ctx.caches.environments.get(place) else {
        return unread(place, ctx).await;
    };
    let memory = ctx.memories.of(&environment);
    let leaving = environment.metadata.deletion_timestamp.is_some();
    let held = teardown::is_held(&environment);
    if !held && (leaving || memory.is_ended()) {
        // Its children go by their owner references, or with its namespace. Nothing is made any more.
        return Ok(None);
    }
    let seen = observe::environment(&environment, ctx).await;
    let plan = plan::environment(&seen);
    let acted = apply::run(&plan, &environment, ctx).await;
    if acted.ended {
        let Place { namespace, name } = place;
        tracing::info!(
            namespace,
            name,
            "the namespace is on its way out: nothing more is written for it"
        );
        memory.end();
    }
    let told = status::report(&environment, &plan, &acted, ctx).await;
    if acted.ended && !held {
        return told.map(|()| None);
    }
    if held && acted.refused.is_some() {
        return told.map(|()| Some(memory.put_off()));
    }
    next(&plan, acted, told, ctx.now()).map(Some)
}

/// It cannot be read. Nobody is asked to do anything for it.
async fn unread(place: &Place, ctx: &Context) -> Result<Option<Duration>, Error> {
    if let Some(why) = ctx.caches.environments.unreadable(place) {
        status::report_unreadable(place, &why, ctx).await?;
    }
    Ok(None)
}

/// It is gone: what was remembered and watched for it goes too.
pub fn forget(place: &Place, ctx: &Context) {
    ctx.named.forget(place);
    ctx.memories.forget(place);
    ctx.failures.clear(place);
}

/// When to look again.
fn next(
    plan: &Plan,
    acted: Acted,
    told: Result<(), Error>,
    now: Timestamp,
) -> Result<Duration, Error> {
    if let Some((_, error)) = acted.failed {
        return Err(error);
    }
    told?;
    let planned = plan.next.map(|at| until(at, now));
    // What was planned for a moment that a refusal put off does not turn without a pause.
    let refused = acted.refused.is_some().then_some(AFTER_REFUSAL);
    let planned = refused.or(planned);
    let slow = SLOW.mul_f64(1.0 + rand::random::<f64>() / 10.0);
    let own = (acted.wrote > 0).then_some(AFTER_WRITES);
    let again = acted.again.then_some(AGAIN);
    let soonest = [planned, own, again].into_iter().flatten().min();
    Ok(soonest.unwrap_or(slow).min(slow))
}

/// A moment that is over is soon, not at once: nothing may turn without a pause.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    left.max(Duration::from_millis(100))
}

/// The fault is told on its object; should that fail too, the log has it.
async fn tell(place: &Place, fault: &Error, ctx: &Context) {
    let Some(environment): Option<Arc<Environment>> = ctx.caches.environments.get(place) else {
        return;
    };
    let told = AssertUnwindSafe(status::report_fault(&environment, fault, ctx)).catch_unwind();
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
        next(plan, acted, Ok(()), Timestamp::UNIX_EPOCH).unwrap()
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
        let refused = Acted {
            refused: Some((
                crate::api::ConditionType::DatabaseReady,
                crate::api::Reason::DatabaseSilent,
                String::new(),
            )),
            ..Acted::default()
        };
        assert_eq!(requeued(&plan, refused), AFTER_REFUSAL);
        let again = Acted {
            again: true,
            ..Acted::default()
        };
        assert_eq!(requeued(&plan, again), AGAIN);
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
        assert!(next(&Plan::default(), acted, Ok(()), Timestamp::UNIX_EPOCH).is_err());
    }
}
