//! How a Preview goes that its Git host shows: its Environment at once, then the host is told. It is only words: who does not
//! listen is not waited for long.

use jiff::SignedDuration;
use kube::ResourceExt;

use super::announce::{self, Due, Subject};
use crate::api::preview::PreviewStatus;
use crate::api::{ConditionType, Preview, Reason, labels};
use crate::plan::{Action, Gate, Key, Plan};
use crate::seen::{Obstacle, SeenPreview};

const STAGE: ConditionType = ConditionType::Announced;
/// How long a host is tried that does not answer, or refuses.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// Whether the Preview is on its way out and waits for us.
#[must_use]
pub fn is_held(preview: &Preview) -> bool {
    preview.metadata.deletion_timestamp.is_some() && announce::is_marked(preview)
}

/// What to do for a Preview that waits for us.
pub(super) fn farewell(seen: &SeenPreview) -> Plan<PreviewStatus> {
    let mut plan = Plan::default();
    let leaving = Gate::new(Reason::Deleting, "The Preview is on its way out");
    plan.gates.push((ConditionType::Accepted, leaving));
    // It would go only when the Preview is gone.
    clear(seen, &mut plan);
    if let Some(gate) = tell(seen, &mut plan) {
        plan.gates.push((STAGE, gate));
    }
    plan
}

/// The Environment of the preview goes.
pub(super) fn clear(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) {
    let live = seen.environment.as_ref();
    let live = live.filter(|live| live.metadata.deletion_timestamp.is_none());
    if let Some(environment) = live {
        let key = Key::new("Environment", environment.name_any());
        let uid = environment.uid().unwrap_or_default();
        plan.push(ConditionType::Accepted, Action::Delete { key, uid });
    }
}

/// Tells the host, and lets the Preview go. What is to be said of it, if it waits or goes without.
fn tell(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) -> Option<Gate> {
    let due = Subject::of(seen).map(|subject| announce::due(seen, announce::last(seen, &subject)));
    match due {
        Ok(Due::Nothing) => {}
        Ok(due) if !is_given_up(seen) => return wait(seen, plan, due),
        // Or nobody knows any more who could be told.
        _ => {
            let_go(seen, plan);
            return (!is_told_to_go(&seen.preview)).then(not_told);
        }
    }
    let_go(seen, plan);
    None
}

fn let_go(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) {
    let finalizers = announce::without_mark(&seen.preview);
    let action = Action::hold("Preview", &seen.preview.metadata, finalizers);
    plan.push(STAGE, action);
}

fn not_told() -> Gate {
    let message =
        "The Git host was not told that the preview is gone: what it shows of it stays as it was";
    Gate::new(Reason::NotTold, message)
}

fn wait(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>, due: Due) -> Option<Gate> {
    match due {
        Due::Later(gate, until) => {
            plan.look_at(until.unwrap_or(seen.now + SignedDuration::from_secs(10)));
            if let Some(deadline) = deadline(seen) {
                plan.look_at(deadline);
            }
            let message = with_way_out(&seen.preview, &gate.message);
            Some(Gate::new(gate.reason, message))
        }
        Due::Now(announcement) => {
            plan.push(STAGE, Action::Announce(announcement));
            None
        }
        Due::Nothing => None,
    }
}

/// Whether the host is not waited for: a person said so, its time is over, or there is no way to ask it.
fn is_given_up(seen: &SeenPreview) -> bool {
    is_told_to_go(&seen.preview)
        || deadline(seen).is_some_and(|at| at <= seen.now)
        || is_lost(seen.obstacle.as_ref())
}

fn is_told_to_go(preview: &Preview) -> bool {
    let token = preview.annotations().get(labels::LET_GO);
    let told = token.and_then(|token| token.split('.').next());
    told.is_some() && told == preview.metadata.uid.as_deref()
}

fn deadline(seen: &SeenPreview) -> Option<jiff::Timestamp> {
    let deleted = seen.preview.metadata.deletion_timestamp.as_ref()?;
    Some(deleted.0 + LONGEST)
}

/// Whether the token or the host is gone: what could not be read may be there.
fn is_lost(obstacle: Option<&Obstacle>) -> bool {
    obstacle.is_some_and(|obstacle| obstacle.reason != Reason::ReferenceUnknown)
}

/// Why a Preview that is on its way out waits, and how a person lets it go; of any other Preview only why.
#[must_use]
pub fn with_way_out(preview: &Preview, why: &str) -> String {
    if !is_held(preview) {
        return why.to_owned();
    }
    format!(
        "{why}. It is tried for five minutes; to let the Preview go now: kubectl annotate tpr {} {}={}.1",
        preview.name_any(),
        labels::LET_GO,
        preview.uid().unwrap_or_default()
    )
}
