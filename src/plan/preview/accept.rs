//! `Accepted`: the App has previews, nobody else shows the pull request, its time is not over, and there is room.

use kube::ResourceExt;

use super::{farewell, lifetime, queue};
use crate::api::preview::PreviewStatus;
use crate::api::template::Forks;
use crate::api::{App, Reason};
use crate::plan::{Gate, Plan};
use crate::seen::{Seen, SeenPreview};

/// Lets a preview live, or says what it waits for. One whose time is over loses its Environment, and stays.
pub(super) fn accept(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) -> Gate {
    // Whatever else is said of it, what is over goes.
    if let Some(gate) = over(seen, plan).or_else(|| denied(seen, plan)) {
        return gate;
    }
    match declared(seen) {
        Ok(()) => admitted(seen),
        Err(gate) => gate,
    }
}

/// Whether its time to live is over; else it is looked at again when that is to be said.
fn over(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) -> Option<Gate> {
    let life = lifetime::of(seen)?;
    if life.ends > seen.now {
        plan.look_at(if life.warns > seen.now {
            life.warns
        } else {
            life.ends
        });
        return None;
    }
    lifetime::end(seen, life, plan);
    // Itself stays, so that nobody makes it again in a loop.
    farewell::clear(seen, plan);
    let message = "The time to live is over: a push, or `kubectl towpath preview extend`, makes the preview anew";
    Some(Gate::new(Reason::Expired, message))
}

/// Whether it shows a fork that may not be shown, or not any more.
fn denied(seen: &SeenPreview, plan: &mut Plan<PreviewStatus>) -> Option<Gate> {
    let Seen::Found(app) = &seen.app else {
        return None;
    };
    let template = app.spec.preview.as_ref()?;
    if !seen.preview.spec.pull_request.fork || template.forks != Forks::Deny {
        return None;
    }
    farewell::clear(seen, plan);
    let message = format!(
        "The pull request comes from a fork, and preview.forks of App '{}' is Deny",
        app.name_any()
    );
    Some(Gate::new(Reason::ForkDenied, message))
}

/// Whether there can be a preview at all.
fn declared(seen: &SeenPreview) -> Result<(), Gate> {
    let name = &seen.preview.spec.app_ref.name;
    let app = match &seen.app {
        Seen::Found(app) => app,
        Seen::Missing => {
            let namespace = seen.preview.namespace().unwrap_or_default();
            let message = format!("App '{name}' must exist in namespace '{namespace}'");
            return Err(Gate::new(Reason::AppMissing, message));
        }
        Seen::Unknown(why) => return Err(Gate::new(Reason::NoAnswer, why.clone())),
    };
    if app.spec.preview.is_none() {
        let message =
            format!("App '{name}' must have a preview section: it says how a preview looks");
        return Err(Gate::spec(message));
    }
    if seen.config.activator.is_none() && asked_to_sleep(app) {
        let message = "sleepAfterSeconds must be absent, or the controller have an activator: the chart's value activator.enabled";
        return Err(Gate::new(Reason::NoActivator, message));
    }
    unshown(seen)?;
    sized(seen, app)
}

fn asked_to_sleep(app: &App) -> bool {
    let template = app.spec.preview.as_ref();
    template.is_some_and(|template| template.sleep_after_seconds.is_some())
}

/// One pull request is shown once.
fn unshown(seen: &SeenPreview) -> Result<(), Gate> {
    let number = queue::number(&seen.preview);
    let shown = queue::shown(&seen.previews);
    let by = shown.get(&number).copied();
    let mut previews = seen.previews.iter();
    let other = previews.find(|known| {
        known.preview.metadata.uid != seen.preview.metadata.uid
            && known.preview.metadata.uid.as_deref() == by
    });
    match other {
        Some(other) => Err(Gate::new(
            Reason::PullRequestTaken,
            format!(
                "Preview '{}' shows pull request {} of App '{}' already; one of the two must be deleted",
                other.preview.name_any(),
                number.2,
                number.1
            ),
        )),
        None => Ok(()),
    }
}

fn sized(seen: &SeenPreview, app: &App) -> Result<(), Gate> {
    match queue::too_large(app, &seen.config) {
        Some(message) => Err(Gate::new(Reason::TooLarge, message)),
        None => Ok(()),
    }
}

fn admitted(seen: &SeenPreview) -> Gate {
    let life = lifetime::of(seen);
    let waiting = seen.environment.is_none().then(|| queue::waiting(seen));
    if let Some(waiting) = waiting.flatten() {
        return Gate::new(Reason::Queued, queued(&waiting, seen));
    }
    match life.filter(|life| life.warns <= seen.now) {
        Some(life) => Gate::new(
            Reason::ExpiresSoon,
            format!(
                "The preview expires at {}: a push, or `kubectl towpath preview extend`, lets it live on",
                lifetime::text(life.ends)
            ),
        ),
        None => Gate::new(Reason::Accepted, "The preview may live"),
    }
}

fn queued(waiting: &queue::Waiting, seen: &SeenPreview) -> String {
    let (place, live, most) = (waiting.place, waiting.live, waiting.most);
    let whose = match waiting.of_app {
        true => format!("App '{}'", seen.preview.spec.app_ref.name),
        false => "the cluster".to_owned(),
    };
    format!(
        "Place {place} in the queue: {live} previews of {whose} are live, and at most {most} may be"
    )
}
