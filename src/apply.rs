//! Acts: sends what a plan asks for, in its order. After a write that failed nothing later is sent, unless it was one that
//! nothing later depends on.

mod announce;
mod change;
pub(crate) mod contest;
mod create;
mod database;
mod delete;
pub(crate) mod foreign;
mod patch;
pub(crate) mod standing;
mod stop;

pub(crate) use create::password;

pub(crate) use change::replaced;

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt;
use kube::core::ObjectMeta;

use crate::api::{App, ConditionType, Environment, Preview, Reason};
use crate::caches::{Kept, Place};
use crate::context::{Context, Memory};
use crate::error::{Error, Verb};
use crate::plan::{Action, Plan, Step};
use crate::seen::Obstacle;
use stop::Stop;

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Acted {
    /// The outside said no: which stage asked, why, and a sentence.
    pub refused: Option<(ConditionType, Reason, String)>,
    /// The outside did not answer, and which stage asked.
    pub failed: Option<(ConditionType, Error)>,
    /// The namespace is on its way out, and takes the Environment along.
    pub ended: bool,
    /// What the Git host could not be told, and why.
    pub untold: Option<Obstacle>,
    /// Somebody else wrote at the same time, or has decided already: look again.
    pub again: bool,
    /// Writes that were done.
    pub wrote: usize,
    /// Writes that were refused and held up no other: their places in the plan.
    pub passed_over: Vec<usize>,
}

impl Acted {
    /// How many steps of the plan were tried before the end, or before the one that stopped it.
    #[must_use]
    pub fn tried(&self) -> usize {
        self.wrote + self.passed_over.len()
    }

    /// The steps of the plan that were done.
    pub fn done<'a>(&'a self, steps: &'a [Step]) -> impl Iterator<Item = &'a Step> {
        let tried = steps.iter().enumerate().take(self.tried());
        let done = tried.filter(|(place, _)| !self.passed_over.contains(place));
        done.map(|(_, step)| step)
    }

    fn stopped(mut self, stage: ConditionType, stop: Stop) -> Self {
        match stop {
            Stop::Refused(reason, sentence) => {
                self.refused.get_or_insert((stage, reason, sentence));
            }
            Stop::Failed(error) => self.failed = Some((stage, error)),
            Stop::Untold(obstacle) => self.untold = Some(obstacle),
            Stop::Again => self.again = true,
            Stop::Ended => {
                let sentence = "The namespace is on its way out".to_owned();
                self.refused = Some((stage, Reason::Terminating, sentence));
                self.ended = true;
            }
        }
        self
    }
}

/// Whose plan it is, and who owns what it makes.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// An Environment.
    Environment(&'a Environment),
    /// A Preview.
    Preview(&'a Preview),
    /// An App.
    App(&'a App),
}

impl<'a> From<&'a Environment> for Owner<'a> {
    fn from(environment: &'a Environment) -> Self {
        Self::Environment(environment)
    }
}

impl<'a> From<&'a Preview> for Owner<'a> {
    fn from(preview: &'a Preview) -> Self {
        Self::Preview(preview)
    }
}

impl<'a> From<&'a App> for Owner<'a> {
    fn from(app: &'a App) -> Self {
        Self::App(app)
    }
}

impl<'a> Owner<'a> {
    /// Its kind.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Environment(_) => "Environment",
            Self::Preview(_) => "Preview",
            Self::App(_) => "App",
        }
    }

    /// Its metadata.
    pub(crate) fn meta(self) -> &'a ObjectMeta {
        match self {
            Self::Environment(environment) => &environment.metadata,
            Self::Preview(preview) => &preview.metadata,
            Self::App(app) => &app.metadata,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'a str {
        self.meta().name.as_deref().unwrap_or_default()
    }
}

/// Sends what the plan asks for.
pub async fn run<'a, S>(plan: &Plan<S>, owner: impl Into<Owner<'a>>, ctx: &'a Context) -> Acted {
    let writer = Writer::new(owner.into(), ctx);
    let mut acted = Acted::default();
    for (place, step) in plan.steps.iter().enumerate() {
        match writer.take(&step.action).await {
            Ok(()) => acted.wrote += 1,
            Err(stop @ Stop::Refused(..)) if step.action.stands_alone() => {
                acted = acted.stopped(step.stage, stop);
                acted.passed_over.push(place);
            }
            Err(stop) => return acted.stopped(step.stage, stop),
        }
    }
    acted
}

/// Writes for one owner.
struct Writer<'a> {
    owner: Owner<'a>,
    memory: Arc<Memory>,
    namespace: String,
    ctx: &'a Context,
}

impl<'a> Writer<'a> {
    fn new(owner: Owner<'a>, ctx: &'a Context) -> Self {
        let meta = owner.meta();
        Self {
            owner,
            memory: ctx.memories.at(owner.kind(), meta),
            namespace: meta.namespace.clone().unwrap_or_default(),
            ctx,
        }
    }

    async fn take(&self, action: &Action) -> Result<(), Stop> {
        match action {
            Action::Decide(revision) => self.decide(revision).await,
            Action::Record(fact) => self.record::<ControllerRevision>(fact).await,
            Action::Note(fact) => self.record::<Preview>(fact).await,
            Action::Copy(config_map) => self.create(&**config_map).await,
            Action::Migrate(job) => self.create(&**job).await,
            Action::Invent { secret, generate } => self.invent(secret, generate).await,
            Action::Deployment(change) => self.change(change).await,
            Action::StatefulSet(change) => self.change(change).await,
            Action::Service(change) => self.change(change).await,
            Action::EndpointSlice(change) => self.change(change).await,
            Action::Lease(change) => self.change(change).await,
            Action::Budget(change) => self.change(change).await,
            Action::NetworkPolicy(change) => self.change(change).await,
            Action::Environment(change) => self.stamp(change).await,
            Action::Preview(change) => self.show(change).await,
            Action::HttpRoute(change) => self.change(change).await,
            Action::Ingress(change) => self.change(change).await,
            Action::Volume(change) => self.change(change).await,
            Action::ConfigMap(change) => self.change(change).await,
            Action::Binding(hidden) => self.change(&hidden.0).await,
            Action::Own { key, uid, owners } => self.own(key, uid, owners).await,
            Action::Hold {
                uid,
                resource_version,
                finalizers,
                ..
            } => {
                self.hold(uid, resource_version.as_deref(), finalizers)
                    .await
            }
            Action::Provide(access, wanted) => self.provide(access, wanted).await,
            Action::Drop(access, unwanted) => self.remove(access, unwanted).await,
            Action::Enter(access, entry) => self.enter(access, entry).await,
            Action::Announce(announcement) => match self.owner {
                Owner::Preview(preview) => self.announce(preview, announcement).await,
                Owner::Environment(_) | Owner::App(_) => Ok(()),
            },
            Action::Delete { key, uid } => self.delete(key, uid).await,
        }
    }

    fn api<K: Kept>(&self) -> kube::Api<K> {
        self.ctx.api(&self.namespace)
    }

    /// Before every request that changes an object.
    fn may<K: Kept>(&self, verb: Verb) -> Result<(), Stop> {
        let kind = K::kind(&());
        self.ctx
            .may_write(&kind, verb.as_str())
            .map_err(Stop::Failed)
    }

    fn place(&self, name: &str) -> Place {
        Place::new(&self.namespace, name)
    }

    /// From now on nobody looks at an older state of this object.
    fn wrote<K: Kept>(&self, object: K) {
        let kind = K::kind(&());
        tracing::info!(%kind, name = object.name_any(), namespace = self.namespace, "written");
        K::shelf(&self.ctx.caches).wrote(object);
    }
}
