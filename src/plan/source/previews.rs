//! Makes, updates and deletes the Previews of an App's pull requests.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::verdict::{self, Verdict};
use super::{STAGE, of, wanted};
use crate::api::app_status::{AppStatus, SkipReason, Skipped};
use crate::api::template::Source;
use crate::api::{App, Preview};
use crate::git::PullRequest;
use crate::plan::action::{Change, Live};
use crate::plan::{Action, Key, Plan};
use crate::seen::{KnownPullRequest, SeenApp, SeenSource};

/// How many Previews one pass makes or updates; the next one goes on.
const MOST: usize = 100;

/// Decides on every Preview of the App that the controller made, and on every pull request. Returns the pull requests of which
/// not the newest commit is shown.
pub(super) fn decide(seen: &SeenApp, plan: &mut Plan<AppStatus>) -> Vec<Skipped> {
    let ours = ours(seen);
    let (Some(source), Some(known)) = (of(seen), &seen.source) else {
        // Nobody asks for previews of pull requests any more.
        ours.values().for_each(|preview| delete(preview, plan));
        return Vec::new();
    };
    let deciding = Deciding { seen, source, ours };
    deciding.leave(known, plan);
    let mut skipped = Vec::new();
    let mut wanted = Vec::new();
    for (number, pull_request) in &known.pull_requests {
        match deciding.one(*number, pull_request) {
            Ok(preview) => wanted.extend(preview),
            Err(skip) => skipped.push(skip),
        }
    }
    let more = wanted.len() > MOST;
    for action in wanted.into_iter().take(MOST) {
        plan.push(STAGE, action);
    }
    if more {
        plan.look_at(seen.now);
    }
    skipped
}

/// The Previews that the controller made for this App, by number; those that are on their way out are among them.
fn ours(seen: &SeenApp) -> BTreeMap<i64, &Preview> {
    let previews = of_app(seen).filter(|preview| wanted::is_made_for(&seen.app, preview));
    previews
        .map(|preview| (preview.spec.pull_request.number, preview))
        .collect()
}

/// All Previews of the App.
fn of_app(seen: &SeenApp) -> impl Iterator<Item = &Preview> {
    let app: &App = &seen.app;
    let previews = seen.previews.iter().map(|known| &*known.preview);
    previews.filter(|preview| {
        preview.namespace() == app.namespace() && preview.spec.app_ref.name == app.name_any()
    })
}

struct Deciding<'a> {
    seen: &'a SeenApp,
    source: &'a Source,
    ours: BTreeMap<i64, &'a Preview>,
}

impl Deciding<'_> {
    /// Deletes what shall not be shown any more.
    fn leave(&self, known: &SeenSource, plan: &mut Plan<AppStatus>) {
        for (number, preview) in &self.ours {
            let pull_request = known.pull_requests.get(number);
            let verdict = pull_request.and_then(|known| self.judge(known).ok());
            let goes = match verdict {
                Some(Verdict::Closed | Verdict::Skipped(..)) => true,
                Some(Verdict::Shown | Verdict::Kept(..)) => {
                    pull_request.is_some_and(|known| is_another(preview, known))
                }
                None => false,
            };
            if goes {
                delete(preview, plan);
            }
        }
    }

    /// What to do for an open pull request, or why its newest commit is not shown.
    fn one(&self, number: i64, known: &KnownPullRequest) -> Result<Option<Action>, Skipped> {
        let skip = |reason, message| Skipped {
            number,
            reason,
            message,
        };
        match self.judge(known) {
            Ok(Verdict::Closed) => Ok(None),
            Ok(Verdict::Skipped(reason, message)) => Err(skip(reason, message)),
            Ok(Verdict::Kept(reason, message)) => {
                let shown = self.ours.get(&number).map(|preview| shown(preview));
                Err(skip(reason, message + &shown.unwrap_or_default()))
            }
            Err(_) => {
                let message = "The host has not told yet what must be known of it";
                Err(skip(SkipReason::Unknown, message.to_owned()))
            }
            Ok(Verdict::Shown) => match &known.told {
                Some(told) => self.show(number, told).map_err(|by| {
                    let message =
                        format!("Preview '{by}' was made by somebody else, and is left alone");
                    skip(SkipReason::MadeByOthers, message)
                }),
                None => Ok(None),
            },
        }
    }

    fn judge(&self, known: &KnownPullRequest) -> Result<Verdict, verdict::Question> {
        let template = self.seen.app.spec.preview.as_ref();
        template.map_or(Ok(Verdict::Closed), |template| {
            verdict::judge(template, self.source, known)
        })
    }

    /// Makes or updates the Preview of a pull request. An `Err` names one of somebody else that is in its place.
    fn show(&self, number: i64, told: &PullRequest) -> Result<Option<Action>, String> {
        let mut wanted = wanted::preview(&self.seen.app, self.source, number, told);
        let live = self.ours.get(&number).copied();
        let Some(live) = live else {
            return match self.in_its_place(number, &wanted.name_any()) {
                Some(other) if other.metadata.deletion_timestamp.is_none() => Err(other.name_any()),
                Some(_) => Ok(None),
                None => Ok(Some(action(wanted, None))),
            };
        };
        let leaves = live.metadata.deletion_timestamp.is_some();
        if leaves || live.spec.pull_request.fork != told.head.is_from_fork {
            // It goes, and is made anew when it is gone.
            return Ok(None);
        }
        wanted.metadata.name.clone_from(&live.metadata.name);
        let same = live.spec.pull_request == wanted.spec.pull_request
            && live.spec.release == wanted.spec.release;
        Ok((!same).then(|| action(wanted, live.uid())))
    }

    /// What shows the pull request already, or has the name that its Preview would get.
    fn in_its_place(&self, number: i64, name: &str) -> Option<&Preview> {
        let mut of_app = of_app(self.seen);
        let shown = of_app.find(|preview| preview.spec.pull_request.number == number);
        let namespace = self.seen.app.namespace();
        let mut all = self.seen.previews.iter().map(|known| &*known.preview);
        shown.or_else(|| {
            all.find(|preview| preview.namespace() == namespace && preview.name_any() == name)
        })
    }
}

/// Whether the commits of the pull request come from elsewhere than those that are shown: it must be made anew.
fn is_another(preview: &Preview, known: &KnownPullRequest) -> bool {
    let told = known.told.as_ref();
    told.is_some_and(|told| told.head.is_from_fork != preview.spec.pull_request.fork)
}

/// Which commit is shown instead.
fn shown(preview: &Preview) -> String {
    let commit = preview.spec.release.commit.as_ref();
    commit
        .map(|commit| format!(". Shown is {}", verdict::short(&commit.sha)))
        .unwrap_or_default()
}

fn action(preview: Preview, uid: Option<String>) -> Action {
    Action::Preview(Change {
        object: Box::new(preview),
        live: uid.map(|uid| Live {
            uid,
            resource_version: None,
            foreign: Vec::new(),
        }),
    })
}

fn delete(preview: &Preview, plan: &mut Plan<AppStatus>) {
    if preview.metadata.deletion_timestamp.is_none() {
        let key = Key::new("Preview", preview.name_any());
        let uid = preview.uid().unwrap_or_default();
        plan.push(STAGE, Action::Delete { key, uid });
    }
}
