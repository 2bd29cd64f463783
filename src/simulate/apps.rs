//! Apps with a source in the simulated cluster: passes over them, as the controller makes them.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;

use super::git::Hosted;
use super::world::World;
use crate::api::App;
use crate::api::app_status::AppStatus;
use crate::api::template::{PreviewTemplate, Source};
use crate::apply::Acted;
use crate::git::{Failure, PullRequest};
use crate::observe::source::Heard;
use crate::plan::source::is_made_for;
use crate::plan::source::verdict::{self, Question};
use crate::plan::{self, Plan};
use crate::seen::{SeenApp, SeenSource};
use crate::status;

/// What a pass over an App did.
#[derive(Debug)]
pub struct AppPass {
    /// What it decided.
    pub plan: Plan<AppStatus>,
    /// What became of it.
    pub acted: Acted,
    /// The status before, if another one was written.
    pub before: Option<AppStatus>,
}

impl World {
    /// One pass over an App. `None`: there is nothing to pass over.
    pub fn pass_app(&mut self, name: &str) -> Option<AppPass> {
        self.pass_app_cut(name, usize::MAX)
    }

    /// A pass whose controller ends after so many writes, if there are as many, and tells nothing then.
    pub fn pass_app_cut(&mut self, name: &str, most: usize) -> Option<AppPass> {
        let app: Arc<App> = self.store.get(name)?;
        let seen = self.see_app(&app);
        let plan = plan::source::plan(&seen);
        let acted = self.perform((&*app).into(), &plan, most, &mut |_, _| {});
        if acted.tried() >= most && plan.steps.len() > most {
            self.forget();
            return Some(AppPass {
                plan,
                acted,
                before: None,
            });
        }
        let wanted = status::after(&*app, &plan, &acted, true, self.store.now);
        let before = app.status.clone();
        let same = before.as_ref() == Some(&wanted);
        if !same {
            let told = App {
                status: Some(wanted),
                ..App::clone(&app)
            };
            self.store.set_status(&told);
        }
        Some(AppPass {
            plan,
            acted,
            before: (!same).then(|| before.unwrap_or_default()),
        })
    }

    /// The names of the Apps that have a source, or had one of which something is left.
    #[must_use]
    pub fn sourced(&self) -> Vec<String> {
        let apps = self.hosted.iter().flat_map(|_| self.store.apps.values());
        let sourced = apps.filter(|app| {
            let template = app.spec.preview.as_ref();
            let mut previews = self.store.previews.values();
            template.is_some_and(|template| template.source.is_some())
                || previews.any(|preview| is_made_for(app, preview))
        });
        sourced.map(|app| app.name_any()).collect()
    }

    fn see_app(&mut self, app: &Arc<App>) -> SeenApp {
        let source = self.see_source(app);
        let key = (self.store.namespace.clone(), app.name_any());
        SeenApp {
            now: self.store.now,
            app: app.clone(),
            config: self.config.clone(),
            previews: self.known_previews(),
            live: *self.live_previews().get(&key).unwrap_or(&0),
            source,
        }
    }

    /// Every pass asks the host for everything.
    fn see_source(&mut self, app: &App) -> Option<SeenSource> {
        let template = app.spec.preview.as_ref()?;
        let source = template.source.as_ref()?;
        let mut heard = self.heard.remove(&app.name_any()).unwrap_or_default();
        match self.hosted.as_ref().filter(|hosted| !hosted.is_silent) {
            Some(hosted) => tell_all(hosted, template, source, &self.shown_of(app), &mut heard),
            None => heard.fail(Failure::Silent("the host does not answer".to_owned())),
        }
        let seen = heard.seen();
        self.heard.insert(app.name_any(), heard);
        Some(seen)
    }

    fn shown_of(&self, app: &App) -> BTreeSet<i64> {
        let previews = self.store.previews.values();
        let ours = previews.filter(|preview| is_made_for(app, preview));
        ours.map(|preview| preview.spec.pull_request.number)
            .collect()
    }
}

/// The host tells everything that it is asked for.
fn tell_all(
    hosted: &Hosted,
    template: &PreviewTemplate,
    source: &Source,
    ours: &BTreeSet<i64>,
    heard: &mut Heard,
) {
    heard.listed(hosted.open(), ours);
    while let Some(number) = heard.missing() {
        let asked = u64::try_from(number).unwrap_or_default();
        heard.answered(number, hosted.pull_request(asked));
    }
    let label = source.label.as_deref().unwrap_or_default();
    for number in heard.numbers() {
        while let Some((told, question)) = question(heard, number, template, source) {
            let number = told.head.number;
            heard.learn(&told, |known| match question {
                Question::Files => known.files = Some(hosted.changed_files(number)),
                Question::Approval => known.approval = Some(hosted.approval(number, label)),
            });
        }
    }
    heard.done();
}

/// What must be asked of a pull request.
fn question(
    heard: &Heard,
    number: i64,
    template: &PreviewTemplate,
    source: &Source,
) -> Option<(Arc<PullRequest>, Question)> {
    let known = heard.known(number)?;
    let question = verdict::judge(template, source, known).err()?;
    Some((known.told.clone()?, question))
}
