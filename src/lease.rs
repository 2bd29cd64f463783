//! Leader election on a Lease: one of several controllers writes, and it stops writing before another may begin.
//!
//! The rules are those of Kubernetes' own controllers: read, decide, and replace exactly what was read, so of two that
//! decide alike one loses. Time is counted on a clock that also runs while the machine sleeps, so a process that was
//! paused knows that its time is over before it writes.

mod candidate;
mod decision;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kube::{Api, Client};
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use candidate::{Candidate, Standing};
use decision::Sighting;

/// How long a candidate waits for a holder that does not renew.
const DURATION: Duration = Duration::from_secs(15);

/// Which Lease, and who wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this process, unique among all that run; in a cluster the pod's name.
    pub identity: String,
}

/// Intervals, with those that Kubernetes' own controllers have.
#[derive(Clone, Copy, Debug)]
struct Timing {
    /// Written into the Lease: how long others wait.
    duration: Duration,
    /// How old the last renewal may be for this process to lead. Less than the duration by more than a write takes.
    deadline: Duration,
    /// Between attempts.
    retry: Duration,
    /// How long a request may take.
    request: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self {
            duration: DURATION,
            deadline: second * 10,
            retry: second * 2,
            request: second * 5,
        }
    }
}

/// This process does not lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process does not lead, or could not renew its Lease in time")]
pub struct NotLeader;

/// Leadership, while it lasts.
#[derive(Clone, Debug)]
pub struct Held(Option<Arc<Leading>>);

#[derive(Debug)]
struct Leading {
    /// When the last successful renewal was sent, in milliseconds since the machine started.
    renewed: AtomicU64,
    deadline: Duration,
    lost: CancellationToken,
    /// Asks the renewal to let the Lease go.
    release: CancellationToken,
    /// The renewal has ended.
    ended: CancellationToken,
}

/// Waits until this process leads, and keeps it leading in the background. `None` when `shutdown` comes first. The client
/// should not retry by itself: a request that outlives the deadline is of no use.
pub async fn acquire(
    client: Client,
    settings: Settings,
    shutdown: CancellationToken,
) -> Option<Held> {
    acquire_within(client, settings, Timing::default(), shutdown).await
}

async fn acquire_within(
    client: Client,
    settings: Settings,
    timing: Timing,
    shutdown: CancellationToken,
) -> Option<Held> {
    let api = Api::namespaced(client, &settings.namespace);
    let mut candidate = Candidate {
        api,
        settings,
        timing,
        seen: Sighting::default(),
    };
    let since = shutdown.run_until_cancelled(candidate.lead()).await?;
    tracing::info!(
        lease = candidate.settings.name,
        identity = candidate.settings.identity,
        "this process leads"
    );
    let leading = Arc::new(Leading::since(since, timing.deadline));
    tokio::spawn(renew(candidate, leading.clone()));
    Some(Held(Some(leading)))
}

impl Held {
    /// Leadership without an election, for tests and for a single process.
    pub fn always() -> Self {
        Self(None)
    }

    /// Whether this process may write now. Every write asks this first.
    pub fn check(&self) -> Result<(), NotLeader> {
        self.0.as_ref().map_or(Ok(()), |leading| leading.check())
    }

    /// Resolves when leadership is lost; the process must end then.
    pub async fn lost(&self) {
        match &self.0 {
            Some(leading) => leading.lost.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Gives leadership up, so that the next one need not wait. To be called when the last write has ended.
    pub async fn release(self) {
        if let Some(leading) = self.0 {
            leading.lost.cancel();
            leading.release.cancel();
            leading.ended.cancelled().await;
        }
    }
}

impl Leading {
    fn since(since: Duration, deadline: Duration) -> Self {
        let token = CancellationToken::new;
        let leading = Self {
            renewed: AtomicU64::new(0),
            deadline,
            lost: token(),
            release: token(),
            ended: token(),
        };
        leading.renewed_at(since);
        leading
    }

    fn renewed_at(&self, at: Duration) {
        self.renewed
            .store(u64::try_from(at.as_millis()).unwrap_or(0), Ordering::SeqCst);
    }

    /// How long it may still lead without a renewal.
    fn left(&self) -> Duration {
        let renewed = Duration::from_millis(self.renewed.load(Ordering::SeqCst));
        self.deadline
            .saturating_sub(uptime().saturating_sub(renewed))
    }

    fn check(&self) -> Result<(), NotLeader> {
        if self.left().is_zero() {
            self.lost.cancel();
        }
        if self.lost.is_cancelled() {
            Err(NotLeader)
        } else {
            Ok(())
        }
    }
}

/// Time since the machine started, time asleep included.
fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanoseconds.unwrap_or(0))
}

/// Renews until leadership is lost or released.
async fn renew(mut candidate: Candidate, leading: Arc<Leading>) {
    let _ended = leading.ended.clone().drop_guard();
    loop {
        tokio::select! {
            biased;
            () = leading.release.cancelled() => return candidate.release().await,
            () = tokio::time::sleep(candidate.timing.retry) => {}
        }
        if leading.left().is_zero() {
            break;
        }
        match tokio::time::timeout(leading.left(), candidate.renew()).await {
            Ok(Ok(Standing::Leads { since })) => leading.renewed_at(since),
            Ok(Ok(Standing::Unsettled)) => {}
            Ok(Ok(Standing::Follows)) => break,
            Ok(Err(why)) => tracing::warn!(%why, "the Lease was not renewed"),
            Err(_) => tracing::warn!(why = "the deadline has passed", "the Lease was not renewed"),
        }
    }
    tracing::error!(holder = candidate.seen.holder(), "leadership is lost");
    leading.lost.cancel();
}
