//! Asks the Git host of an App for its pull requests: all of them from time to time, single ones when something happened to
//! them. What was said is remembered, and may be lost.

mod heard;

pub use heard::Heard;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::{git, previews};
use crate::api::App;
use crate::api::template::{PreviewTemplate, Source};
use crate::caches::{Place, locked};
use crate::context::{Context, Subject};
use crate::git::{Failure, GitHost, Repository};
use crate::managed::Managed;
use crate::plan::source::is_made_for;
use crate::plan::source::verdict::{self, Question};
use crate::seen::{Hindrance, SeenApp, SeenSource};
use heard::Basis;

/// How long the whole list may take.
const LIST: Duration = Duration::from_secs(40);
/// How long a pass asks for single pull requests; what is left is asked by the next one, which hears of hints first.
const PATIENCE: Duration = Duration::from_secs(5);

/// Everything that a pass over this App decides on.
pub async fn app(app: &Arc<App>, ctx: &Context) -> SeenApp {
    let source = source(app, ctx).await;
    let namespace = app.namespace().unwrap_or_default();
    let live = previews::live(&ctx.caches);
    SeenApp {
        now: ctx.now(),
        app: app.clone(),
        config: ctx.config.clone(),
        previews: previews::known(&ctx.caches),
        live: *live.get(&(namespace, app.name_any())).unwrap_or(&0),
        source,
    }
}

async fn source(app: &App, ctx: &Context) -> Option<SeenSource> {
    let user = (App::NAME, Place::of(app));
    let memory = ctx.memories.at(App::NAME, &app.metadata);
    let template = app.spec.preview.as_ref();
    let Some((template, source)) = template.and_then(|all| Some((all, all.source.as_ref()?)))
    else {
        ctx.named.forget(&user);
        *locked(&memory.heard) = Heard::default();
        return None;
    };
    let connected = connect(&user, source, ctx).await;
    // A pass that is cut off forgets: the next one asks for everything.
    let mut heard = std::mem::take(&mut *locked(&memory.heard));
    match connected {
        Ok((host, repository, basis)) => {
            heard.rely_on(basis);
            let asking = Asking {
                host,
                repository,
                template,
                source,
                ours: ours(app, ctx),
                poll: SignedDuration::from_secs(i64::from(ctx.config.git.poll_seconds)),
                clock: ctx.clock,
            };
            let hints = std::mem::take(&mut *locked(&memory.hints));
            asking.all(&hints, &mut heard).await;
        }
        Err(hindrance) => heard.hinder(hindrance),
    }
    let seen = heard.seen();
    *locked(&memory.heard) = heard;
    Some(seen)
}

/// The host, if it may be asked, and what its answers depend on.
async fn connect(
    user: &Subject,
    source: &Source,
    ctx: &Context,
) -> Result<(Arc<dyn GitHost>, Repository, Basis), Hindrance> {
    let connection = git::connect(user, source, ctx).await?;
    let repository = Repository::parse(source.provider, &source.repository);
    let repository = repository.map_err(|why| Hindrance::Host(Failure::Refused(why)))?;
    let basis = Basis {
        provider: Some(source.provider),
        host: source.host.clone(),
        repository: source.repository.clone(),
        secret: source.secret_ref.name.clone(),
        version: connection.version,
    };
    Ok((connection.host, repository, basis))
}

/// The pull requests that the controller made Previews for.
fn ours(app: &App, ctx: &Context) -> BTreeSet<i64> {
    let namespace = app.namespace().unwrap_or_default();
    let previews = ctx.caches.previews.group(&namespace, &app.name_any());
    let previews = previews.values();
    previews
        .filter(|preview| is_made_for(app, preview))
        .map(|preview| preview.spec.pull_request.number)
        .collect()
}

/// Why nothing more is asked in this pass.
enum Stop {
    Failed(Failure),
    Late,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What is asked, and of whom.
struct Asking<'a> {
    host: Arc<dyn GitHost>,
    repository: Repository,
    template: &'a PreviewTemplate,
    source: &'a Source,
    ours: BTreeSet<i64>,
    poll: SignedDuration,
    clock: fn() -> Timestamp,
}

impl Asking<'_> {
    /// Asks everything that is due.
    async fn all(&self, hints: &BTreeSet<u64>, heard: &mut Heard) {
        let begun = (self.clock)();
        if hints.is_empty() && heard.is_hindered() && !heard.is_due(begun) {
            // A pass for another reason asks nothing, and so it has no better news.
            return;
        }
        let outcome = self.list_or_hints(hints, heard, begun).await;
        let outcome = match outcome {
            Ok(()) => self.single(heard).await,
            stopped => stopped,
        };
        match outcome {
            Ok(()) => heard.done(),
            Err(Stop::Late) => heard.go_on((self.clock)()),
            Err(Stop::Failed(failure)) => heard.fail(failure),
        }
    }

    /// The whole list when it is due, which tells of hints too; else what was hinted at.
    async fn list_or_hints(
        &self,
        hints: &BTreeSet<u64>,
        heard: &mut Heard,
        now: Timestamp,
    ) -> Result<(), Stop> {
        if heard.is_due(now) {
            heard.ask_at(now + self.poll);
            let listed = tokio::time::timeout(LIST, self.host.open(&self.repository)).await;
            let late = || Failure::Silent("the list of pull requests takes too long".to_owned());
            heard.listed(listed.map_err(|_| late())??, &self.ours);
            return Ok(());
        }
        for number in hints {
            let told = self.host.pull_request(&self.repository, *number).await;
            let told = told.inspect_err(|_| heard.ask_by(now + heard::SOON))?;
            match told {
                Some(told) => heard.told(told),
                // A host also says so when it does not show it any more: the whole list decides.
                None => heard.ask_by(now),
            }
        }
        Ok(())
    }

    /// What the list did not tell.
    async fn single(&self, heard: &mut Heard) -> Result<(), Stop> {
        let begun = Instant::now();
        let in_time = || match begun.elapsed() < PATIENCE {
            true => Ok(()),
            false => Err(Stop::Late),
        };
        while let Some(number) = heard.missing() {
            in_time()?;
            let asked = u64::try_from(number).unwrap_or_default();
            let told = self.host.pull_request(&self.repository, asked).await?;
            heard.answered(number, told);
        }
        for number in heard.numbers() {
            while let Some(question) = self.question(heard, number) {
                in_time()?;
                self.ask(heard, number, question).await?;
            }
        }
        Ok(())
    }

    fn question(&self, heard: &Heard, number: i64) -> Option<Question> {
        let known = heard.known(number)?;
        verdict::judge(self.template, self.source, known).err()
    }

    async fn ask(&self, heard: &mut Heard, number: i64, question: Question) -> Result<(), Failure> {
        let Some(told) = heard.known(number).and_then(|known| known.told.clone()) else {
            return Ok(());
        };
        match question {
            Question::Files => {
                let number = told.head.number;
                let files = self.host.changed_files(&self.repository, number).await?;
                heard.learn(&told, |known| known.files = Some(files));
            }
            Question::Approval => {
                let label = self.source.label.as_deref().unwrap_or_default();
                let approval = self.host.approval(&self.repository, &told, label).await?;
                heard.learn(&told, |known| known.approval = Some(approval));
            }
        }
        Ok(())
    }
}
