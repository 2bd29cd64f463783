//! What the kinds that are reconciled have in common.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::app_status::AppStatus;
use crate::api::environment::EnvironmentStatus;
use crate::api::preview::PreviewStatus;
use crate::api::{App, ConditionType, Environment, Preview};
use crate::apply::Owner;
use crate::caches::{Caches, Kept, Triggers};
use crate::context::Context;
use crate::observe;
use crate::plan::{self, Plan};
use crate::seen::{SeenApp, SeenEnvironment, SeenPreview};

/// A kind that is reconciled: how it is looked at, and what is decided on what was seen.
pub trait Managed: Kept {
    /// Its name in logs and metrics.
    const NAME: &'static str;
    /// Its stages, in their order.
    const STAGES: &'static [ConditionType];
    /// What else is said of it, beside its stages and their summaries.
    const ALSO: &'static [ConditionType];
    /// What is told of it.
    type Status: Status;
    /// What a pass decides on.
    type Seen: Send + Sync;

    /// What was told last.
    fn status(&self) -> Option<&Self::Status>;
    /// Looks; what could not be looked at is itself observed.
    fn observe(this: &Arc<Self>, ctx: &Context) -> impl Future<Output = Self::Seen> + Send;
    /// Decides. Pure.
    fn plan(seen: &Self::Seen) -> Plan<Self::Status>;
    /// As the owner of what is made for it.
    fn owner(&self) -> Owner<'_>;
    /// Whether it is held by a finalizer: something outside must go before it may.
    fn is_held(&self) -> bool {
        false
    }
    /// Who must look.
    fn triggers(caches: &Caches) -> &Triggers<Self>;
}

/// What is told of a kind that is reconciled.
pub trait Status: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// Its conditions.
    fn conditions(&self) -> &[Condition];
    /// The generation that it speaks of.
    fn observed_generation(&self) -> Option<i64>;
    /// The same, of this generation and with these conditions.
    #[must_use]
    fn with(self, generation: Option<i64>, conditions: Vec<Condition>) -> Self;
    /// What runs when all is well.
    fn release(&self) -> Option<&str>;
    /// What is said when all is well.
    fn praise(&self) -> String {
        format!("{} runs", self.release().unwrap_or("The release"))
    }
    /// What tells one run from the next, so that events of each are told apart.
    fn run(&self) -> String;
}

impl Managed for Environment {
    const NAME: &'static str = "Environment";
    const STAGES: &'static [ConditionType] = &ConditionType::STAGES;
    const ALSO: &'static [ConditionType] = &[ConditionType::Available];
    type Status = EnvironmentStatus;
    type Seen = SeenEnvironment;

    fn status(&self) -> Option<&EnvironmentStatus> {
        self.status.as_ref()
    }

    async fn observe(this: &Arc<Self>, ctx: &Context) -> SeenEnvironment {
        observe::environment(this, ctx).await
    }

    fn plan(seen: &SeenEnvironment) -> Plan {
        plan::environment(seen)
    }

    fn owner(&self) -> Owner<'_> {
        self.into()
    }

    fn is_held(&self) -> bool {
        plan::teardown::is_held(self)
    }

    fn triggers(caches: &Caches) -> &Triggers<Self> {
        &caches.triggers
    }
}

impl Status for EnvironmentStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }

    fn with(mut self, generation: Option<i64>, conditions: Vec<Condition>) -> Self {
        self.observed_generation = generation;
        self.conditions = conditions;
        self
    }

    fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    fn run(&self) -> String {
        format!("Revision{}", self.target.unwrap_or_default())
    }
}

impl Managed for Preview {
    const NAME: &'static str = "Preview";
    const STAGES: &'static [ConditionType] = &ConditionType::PREVIEW_STAGES;
    const ALSO: &'static [ConditionType] = &[];
    type Status = PreviewStatus;
    type Seen = SeenPreview;

    fn status(&self) -> Option<&PreviewStatus> {
        self.status.as_ref()
    }

    async fn observe(this: &Arc<Self>, ctx: &Context) -> SeenPreview {
        observe::preview(this, ctx).await
    }

    fn plan(seen: &SeenPreview) -> Plan<PreviewStatus> {
        plan::preview::plan(seen)
    }

    fn owner(&self) -> Owner<'_> {
        self.into()
    }

    fn is_held(&self) -> bool {
        plan::preview::is_held(self)
    }

    fn triggers(caches: &Caches) -> &Triggers<Self> {
        &caches.preview_triggers
    }
}

impl Status for PreviewStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }

    fn with(mut self, generation: Option<i64>, conditions: Vec<Condition>) -> Self {
        self.observed_generation = generation;
        self.conditions = conditions;
        self
    }

    fn release(&self) -> Option<&str> {
        self.release.as_deref()
    }

    fn run(&self) -> String {
        self.expires_time.clone().unwrap_or_default()
    }
}

impl Managed for App {
    const NAME: &'static str = "App";
    const STAGES: &'static [ConditionType] = &ConditionType::APP_STAGES;
    const ALSO: &'static [ConditionType] = &[];
    type Status = AppStatus;
    type Seen = SeenApp;

    fn status(&self) -> Option<&AppStatus> {
        self.status.as_ref()
    }

    async fn observe(this: &Arc<Self>, ctx: &Context) -> SeenApp {
        observe::source(this, ctx).await
    }

    fn plan(seen: &SeenApp) -> Plan<AppStatus> {
        plan::source::plan(seen)
    }

    fn owner(&self) -> Owner<'_> {
        self.into()
    }

    fn triggers(caches: &Caches) -> &Triggers<Self> {
        &caches.app_triggers
    }
}

impl Status for AppStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }

    fn with(mut self, generation: Option<i64>, conditions: Vec<Condition>) -> Self {
        self.observed_generation = generation;
        self.conditions = conditions;
        self
    }

    fn release(&self) -> Option<&str> {
        None
    }

    fn praise(&self) -> String {
        "The App can be read".to_owned()
    }

    fn run(&self) -> String {
        String::new()
    }
}
