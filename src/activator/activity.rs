//! When a preview was last asked for: remembered here, and written into its Lease, by which the controller decides.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;

use super::stage::Stage;
use super::table::{Preview, Table};
use crate::build::names;
use crate::caches::locked;

/// Who writes Leases.
const MANAGER: &str = "towpath-activator";
/// How often it is looked what is to be written.
const TICK: Duration = Duration::from_secs(1);
/// A Lease of a preview that is awake is written at most so often.
const RARELY: SignedDuration = SignedDuration::from_secs(30);
/// What was not written, or has not woken the preview, is written again after this time.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// So many Leases are written at the same time.
const AT_ONCE: usize = 16;

/// When a preview was asked for, and what is known of that outside.
#[derive(Debug, Default)]
pub struct Activity(Mutex<Times>);

#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Requests and connections that are open.
    open: usize,
    /// The last request.
    asked: Option<Timestamp>,
    /// What the Lease says.
    written: Option<Timestamp>,
    /// When it was last tried to write it.
    tried: Option<Timestamp>,
}

impl Activity {
    /// A request comes. It is open as long as what is returned lives.
    pub fn ask(self: &Arc<Self>, now: Timestamp) -> Open {
        let mut times = locked(&self.0);
        times.open += 1;
        times.asked = Some(now);
        Open(self.clone())
    }

    /// What the Lease shall say, if it is to be written now.
    pub fn due(&self, preview: &Preview, now: Timestamp) -> Option<Timestamp> {
        let sleep = preview.sleep.as_ref()?;
        let mut times = locked(&self.0);
        if times.open > 0 {
            times.asked = Some(now);
        }
        let asked = times.asked?;
        if sent_to_sleep(preview, Some(asked)) {
            // The word came after the request.
            return None;
        }
        let since = |then: Option<Timestamp>| {
            then.map_or(SignedDuration::MAX, |then| now.duration_since(then))
        };
        let pause = if preview.stage == Stage::Asleep || sent_to_sleep(preview, times.written) {
            AGAIN
        } else {
            RARELY.max(SignedDuration::from_secs(
                i64::from(sleep.after_seconds) / 10,
            ))
        };
        // A word that is younger than what is written needs no pause.
        let at_once = sent_to_sleep(preview, times.written);
        let news = times.written.is_none_or(|written| written < asked);
        let due = at_once || since(times.written) >= pause;
        // Another activator may have written down a later request: what is written never goes back.
        let recent = since(Some(asked)) <= pause + AGAIN;
        let told = if recent { now } else { asked };
        (news && due && since(times.tried) >= AGAIN).then_some(told)
    }

    fn write(&self, asked: Timestamp) {
        locked(&self.0).written = Some(asked);
    }

    fn fail(&self, now: Timestamp) {
        locked(&self.0).tried = Some(now);
    }
}

/// Whether a person sent it to sleep after what is written. Words are known to the second.
fn sent_to_sleep(preview: &Preview, written: Option<Timestamp>) -> bool {
    let slept = preview
        .sleep
        .as_ref()
        .and_then(|sleep| sleep.slept_time.as_ref());
    let second = written.map_or(i64::MIN, Timestamp::as_second);
    slept.is_some_and(|slept| slept.0.as_second() >= second)
}

/// A request or a connection that is open.
#[derive(Debug)]
pub struct Open(Arc<Activity>);

impl Drop for Open {
    fn drop(&mut self) {
        let mut times = locked(&self.0.0);
        times.open = times.open.saturating_sub(1);
        times.asked = Some(Timestamp::now());
    }
}

/// Writes down for ever when previews were asked for.
pub async fn keep(table: Arc<Table>, client: Client) {
    loop {
        let now = Timestamp::now();
        let due = table.all().into_iter().filter_map(|preview| {
            let told = preview.activity.due(&preview, now)?;
            Some((preview, told))
        });
        let renewals = stream::iter(due);
        let each = |(preview, told)| one(&client, preview, told);
        renewals.for_each_concurrent(AT_ONCE, each).await;
        // A moment at least: a flood of requests makes no flood of looks.
        tokio::time::sleep(TICK / 10).await;
        let _ = tokio::time::timeout(TICK, table.asked.notified()).await;
    }
}

async fn one(client: &Client, preview: Arc<Preview>, told: Timestamp) {
    match renew(client, &preview, told).await {
        Ok(()) => preview.activity.write(told),
        Err(error) => {
            let place = &preview.place;
            tracing::warn!(?place, %error, "the Lease cannot be renewed; it is tried again");
            preview.activity.fail(Timestamp::now());
        }
    }
}

async fn renew(client: &Client, preview: &Preview, asked: Timestamp) -> kube::Result<()> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), &preview.place.namespace);
    let patch = json!({"spec": {"renewTime": MicroTime(asked)}});
    let by = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let name = names::activity(&preview.place.name);
    leases.patch(&name, &by, &Patch::Merge(patch)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn preview(reason: &str, sleep: serde_json::Value) -> Preview {
        let ready = json!({
            "type": "Ready", "status": "True", "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        let environment = json!({
            "metadata": {"namespace": "previews", "name": "shop-pr-7", "uid": "1"},
            "spec": {"appRef": {"name": "shop"}, "release": {"image": "shop:1"}, "preview": {"number": 7, "sleep": sleep}},
            "status": {"conditions": [ready]},
        });
        Preview::of(&serde_json::from_value(environment).unwrap()).unwrap()
    }

    fn awake() -> Preview {
        preview("Ready", json!({"afterSeconds": 600}))
    }

    #[test]
    fn the_first_request_is_written_at_once_and_the_next_ones_rarely() {
        let preview = awake();
        let activity = preview.activity.clone();
        assert_eq!(activity.due(&preview, at(0)), None, "nobody has asked");
        locked(&activity.0).asked = Some(at(0));
        assert_eq!(activity.due(&preview, at(0)), Some(at(0)));
        activity.write(at(0));
        locked(&activity.0).asked = Some(at(50));
        assert_eq!(activity.due(&preview, at(59)), None);
        assert_eq!(activity.due(&preview, at(60)), Some(at(60)));
        activity.write(at(60));
        assert_eq!(activity.due(&preview, at(5000)), None, "nothing new");
        locked(&activity.0).asked = Some(at(70));
        let late = activity.due(&preview, at(5000));
        assert_eq!(
            late,
            Some(at(70)),
            "what could not be told wakes nobody now"
        );
    }

    #[test]
    fn what_is_open_counts_as_long_as_it_is() {
        let preview = awake();
        let open = preview.activity.ask(at(0));
        preview.activity.write(at(0));
        assert_eq!(preview.activity.due(&preview, at(60)), Some(at(60)));
        drop(open);
        assert_eq!(locked(&preview.activity.0).open, 0);
    }

    #[test]
    fn a_preview_that_still_sleeps_is_told_again() {
        let preview = preview("Asleep", json!({"afterSeconds": 600}));
        preview.activity.write(at(0));
        locked(&preview.activity.0).asked = Some(at(4));
        assert_eq!(preview.activity.due(&preview, at(4)), None);
        assert_eq!(preview.activity.due(&preview, at(5)), Some(at(5)));
        preview.activity.fail(at(5));
        assert_eq!(preview.activity.due(&preview, at(9)), None);
        assert!(preview.activity.due(&preview, at(10)).is_some());
    }

    #[test]
    fn a_request_before_a_persons_word_wakes_nobody_afterwards() {
        let slept = at(10).to_string();
        let preview = preview("Asleep", json!({"afterSeconds": 600, "sleptTime": slept}));
        locked(&preview.activity.0).asked = Some(at(10));
        assert_eq!(preview.activity.due(&preview, at(11)), None);
        locked(&preview.activity.0).asked = Some(at(11));
        assert_eq!(preview.activity.due(&preview, at(11)), Some(at(11)));
    }

    #[test]
    fn a_request_after_a_persons_word_is_written_at_once() {
        let slept = at(10).to_string();
        let preview = preview("Ready", json!({"afterSeconds": 600, "sleptTime": slept}));
        preview.activity.write(at(9));
        locked(&preview.activity.0).asked = Some(at(11));
        assert_eq!(preview.activity.due(&preview, at(11)), Some(at(11)));
    }

    #[test]
    fn who_never_sleeps_needs_no_lease() {
        let preview = preview("Ready", json!(null));
        let _open = preview.activity.ask(at(0));
        assert_eq!(preview.activity.due(&preview, at(0)), None);
    }
}
