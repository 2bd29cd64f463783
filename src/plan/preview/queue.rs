//! Who may live while others do: an App has so many previews, and the cluster has. Who lives is never made to go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;

use super::lifetime;
use crate::api::template::{Forks, PreviewTemplate};
use crate::api::{App, ConditionType, Preview, Reason};
use crate::config::Config;
use crate::plan::diff;
use crate::seen::{KnownPreview, SeenPreview};

/// Who waits for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The place in the queue, from 1.
    pub place: usize,
    /// How many previews are live.
    pub live: usize,
    /// How many may be.
    pub most: usize,
    /// Whether it is the App that has no place; else it is the cluster.
    pub of_app: bool,
}

/// The place of this preview in the queue. `None`: there is room for it.
pub(super) fn waiting(seen: &SeenPreview) -> Option<Waiting> {
    let most = usize::try_from(seen.config.previews.max).unwrap_or(usize::MAX);
    let mut live = seen.live.clone();
    let mut ahead: BTreeMap<_, usize> = BTreeMap::new();
    for known in candidates(&seen.previews, &seen.config, seen.now) {
        let app = app_of(&known.preview);
        let of_app = *live.get(&app).unwrap_or(&0);
        let all: usize = live.values().sum();
        let most_of_app = known.app.as_deref().and_then(template).map_or(0, most_of);
        let free = of_app < most_of_app && all < most;
        if known.preview.metadata.uid == seen.preview.metadata.uid {
            let place = ahead.get(&app).unwrap_or(&0) + 1;
            let (live, most, of_app) = match of_app < most_of_app {
                true => (all, most, false),
                false => (of_app, most_of_app, true),
            };
            return (!free).then_some(Waiting {
                place,
                live,
                most,
                of_app,
            });
        }
        *if free { &mut live } else { &mut ahead }
            .entry(app)
            .or_default() += 1;
    }
    None
}

/// Everybody who wants to live and does not yet, the oldest first. Who was refused steps behind those who wait: a place that
/// it cannot take is not kept for it.
pub(in crate::plan) fn candidates<'a>(
    previews: &'a [KnownPreview],
    config: &Config,
    now: Timestamp,
) -> Vec<&'a KnownPreview> {
    let shown = shown(previews);
    let wants = |known: &&KnownPreview| {
        let preview = &known.preview;
        let Some(template) = known.app.as_deref().and_then(template) else {
            return false;
        };
        let over = lifetime::is_over(preview, now);
        let uid = &preview.metadata.uid;
        let denied = preview.spec.pull_request.fork && template.forks == Forks::Deny;
        !known.live
            && !denied
            && preview.metadata.deletion_timestamp.is_none()
            && !over
            && shown.get(&number(preview)).copied() == uid.as_deref()
            && !is_too_large(known.app.as_deref(), config)
    };
    let mut candidates: Vec<&KnownPreview> = previews.iter().filter(wants).collect();
    candidates.sort_by_key(|known| (is_refused(&known.preview), age(&known.preview)));
    candidates
}

/// Whether the apiserver refused to make the Environment of a Preview as it is: its name is somebody else's, a quota is used
/// up, or a policy forbids it.
#[must_use]
pub fn is_refused(preview: &Preview) -> bool {
    let told = preview.status.iter().flat_map(|told| &told.conditions);
    let mut deployed = told.filter(|known| known.type_ == ConditionType::Deployed.as_str());
    let refusals = [Reason::NameTaken, Reason::ObjectRefused].map(Reason::as_str);
    deployed.any(|known| {
        let present = known.observed_generation == preview.metadata.generation;
        present && refusals.contains(&known.reason.as_str())
    })
}

/// Which Preview shows each pull request: the one that lives, else the oldest.
pub(super) fn shown(previews: &[KnownPreview]) -> BTreeMap<(String, String, i64), &str> {
    let going = |known: &&KnownPreview| known.preview.metadata.deletion_timestamp.is_none();
    let mut sorted: Vec<&KnownPreview> = previews.iter().filter(going).collect();
    sorted.sort_by_key(|known| (!known.live, age(&known.preview)));
    let mut shown = BTreeMap::new();
    for known in sorted {
        let uid = known.preview.metadata.uid.as_deref().unwrap_or_default();
        shown.entry(number(&known.preview)).or_insert(uid);
    }
    shown
}

/// The pull request of a Preview.
pub(super) fn number(preview: &Preview) -> (String, String, i64) {
    let (namespace, app) = app_of(preview);
    (namespace, app, preview.spec.pull_request.number)
}

fn app_of(preview: &Preview) -> (String, String) {
    let namespace = preview.namespace().unwrap_or_default();
    (namespace, preview.spec.app_ref.name.clone())
}

/// Who came first; of one second, the lower number.
fn age(preview: &Preview) -> (Option<Timestamp>, i64, String, String) {
    let created = preview.metadata.creation_timestamp.as_ref();
    let number = preview.spec.pull_request.number;
    let namespace = preview.namespace().unwrap_or_default();
    (
        created.map(|at| at.0),
        number,
        namespace,
        preview.name_any(),
    )
}

fn template(app: &App) -> Option<&PreviewTemplate> {
    app.spec.preview.as_ref()
}

fn most_of(template: &PreviewTemplate) -> usize {
    usize::try_from(template.max_previews).unwrap_or_default()
}

fn is_too_large(app: Option<&App>, config: &Config) -> bool {
    app.is_some_and(|app| too_large(app, config).is_some())
}

/// What a preview of this App asks for that is above what it may: a sentence.
pub(super) fn too_large(app: &App, config: &Config) -> Option<String> {
    let most = &config.previews.max_requests;
    let over = |what: &str, most: &Option<String>, of: fn(&App) -> f64| {
        let most = most.as_deref()?;
        let (asked, allowed) = (of(app), diff::amount(most)?);
        (asked > allowed * (1.0 + f64::EPSILON)).then(|| {
            format!("the requests of a preview must sum up to at most {most} of {what}; those of App '{}' are more: fewer or smaller preview.components must be named", app.name_any())
        })
    };
    over("cpu", &most.cpu, |app| asked(app, |list| list.cpu.as_ref())).or_else(|| {
        over("memory", &most.memory, |app| {
            asked(app, |list| list.memory.as_ref())
        })
    })
}

type Amount = fn(&crate::api::shared::ResourceList) -> Option<&String>;

/// The sum of what the pods of a preview ask for.
fn asked(app: &App, of: Amount) -> f64 {
    let Some(template) = template(app) else {
        return 0.0;
    };
    let components = app.spec.components.iter().map(|component| {
        let mut chosen = template.components.iter();
        let here = chosen.find(|here| here.name == component.name);
        if here.is_none() && !template.components.is_empty() {
            return 0.0;
        }
        let replicas = here.map_or(1, |here| here.replicas);
        let resources = here.and_then(|here| here.resources.as_ref());
        let resources = resources.or(component.resources.as_ref());
        f64::from(replicas) * requested(resources, of)
    });
    let database = template.database.as_ref();
    let database = database.and_then(|database| database.dedicated.as_ref());
    let database = database.and_then(|dedicated| dedicated.resources.as_ref());
    components.sum::<f64>() + requested(database, of)
}

fn requested(resources: Option<&crate::api::shared::Resources>, of: Amount) -> f64 {
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let amount = requests.and_then(of).and_then(|text| diff::amount(text));
    amount.unwrap_or_default()
}
