//! Tells what happens in a world, line by line, so that it reads like a story.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::apps::AppPass;
use super::effect::Effect;
use super::previews::PreviewPass;
use super::words;
use super::world::{Pass, World};
use crate::api::environment::EnvironmentStatus;
use crate::api::{App, Preview};

/// A story as it goes on.
#[derive(Clone, Debug)]
pub struct Story {
    began: Timestamp,
    lines: Vec<String>,
    /// Whether what the Deployments say of themselves is told too.
    pub every_count: bool,
}

impl Story {
    /// Begins a story.
    #[must_use]
    pub fn begin(now: Timestamp) -> Self {
        Self {
            began: now,
            lines: Vec::new(),
            every_count: false,
        }
    }

    /// A person does something.
    pub fn person(&mut self, world: &World, what: &str) {
        self.lines.push(String::new());
        self.line(world, "person", what);
    }

    /// An actor does something.
    pub fn effect(&mut self, world: &World, effect: &Effect) {
        let quiet = matches!(
            effect,
            Effect::Deployment(_) | Effect::StatefulSet(_) | Effect::HttpRoute(_)
        );
        let scheduled = matches!(effect, Effect::Pod(_, words) if words == "is scheduled");
        let begun =
            matches!(effect, Effect::Job(_, words) if words == "begins" || words == "has its pod");
        if self.every_count || !(quiet || scheduled || begun) {
            self.line(world, effect.actor(), &effect.to_string());
        }
    }

    /// Towpath passes.
    pub fn pass(&mut self, world: &World, environment: &str, pass: &Pass) {
        let many = world.store.environments.len() > 1;
        let whose = |line: String| {
            if many {
                format!("{environment}: {line}")
            } else {
                line
            }
        };
        for step in pass.acted.done(&pass.plan.steps) {
            self.line(world, "towpath", &whose(words::step(step, &pass.seen)));
        }
        if let Some((_, reason, why)) = &pass.acted.refused {
            self.line(
                world,
                "towpath",
                &whose(format!("is refused ({}): {why}", reason.as_str())),
            );
        }
        let Some(before) = &pass.before else { return };
        let Some(now) = world.environment(environment) else {
            return;
        };
        for line in news(before, &now.status.clone().unwrap_or_default()) {
            self.line(world, "status", &whose(line));
        }
    }

    /// Towpath passes over a Preview.
    pub fn preview(&mut self, world: &World, name: &str, pass: &PreviewPass) {
        for step in pass.acted.done(&pass.plan.steps) {
            self.line(world, "towpath", &words::of_preview(step));
        }
        if let Some((_, reason, why)) = &pass.acted.refused {
            let what = format!("is refused ({}): {why}", reason.as_str());
            self.line(world, "towpath", &what);
        }
        let Some(before) = &pass.before else { return };
        let now = world.store.get::<Preview>(name);
        let now = now.and_then(|preview| preview.status.clone());
        for line in changed(&before.conditions, &now.unwrap_or_default().conditions) {
            self.line(world, "status", &format!("Preview {name}: {line}"));
        }
    }

    /// Towpath passes over an App.
    pub fn app(&mut self, world: &World, name: &str, pass: &AppPass) {
        for step in pass.acted.done(&pass.plan.steps) {
            self.line(world, "towpath", &words::of_preview(step));
        }
        if let Some((_, reason, why)) = &pass.acted.refused {
            let what = format!("is refused ({}): {why}", reason.as_str());
            self.line(world, "towpath", &what);
        }
        let Some(before) = &pass.before else { return };
        let now = world.store.get::<App>(name);
        let now = now.and_then(|app| app.status.clone()).unwrap_or_default();
        let lines = changed(&before.conditions, &now.conditions).into_iter();
        let skipped = now.skipped.iter();
        let skipped = skipped.filter(|skip| !before.skipped.contains(skip));
        let skipped = skipped.map(|skip| format!("skips {}: {}", skip.number, skip.message));
        for line in lines.chain(skipped) {
            self.line(world, "status", &format!("App {name}: {line}"));
        }
    }

    fn line(&mut self, world: &World, who: &str, what: &str) {
        let seconds = world.store.now.duration_since(self.began).as_secs();
        self.lines
            .push(format!("{:>5} s  {who:<11}  {what}", seconds));
    }

    /// The story so far.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.lines.join("\n").trim_start_matches('\n').to_owned();
        text.push('\n');
        text
    }
}

/// What a status says that the one before did not.
fn news(before: &EnvironmentStatus, now: &EnvironmentStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if before.serving != now.serving {
        let serving = now
            .serving
            .map_or("nothing".to_owned(), |number| format!("revision {number}"));
        lines.push(format!(
            "{serving} serves: {}",
            now.release.clone().unwrap_or_default()
        ));
    }
    lines.extend(changed(&before.conditions, &now.conditions));
    lines
}

/// What conditions say that those before did not.
fn changed(before: &[Condition], now: &[Condition]) -> Vec<String> {
    let mut lines = Vec::new();
    for condition in now {
        let known = before.iter().find(|known| known.type_ == condition.type_);
        let same = |known: &Condition| {
            (&known.status, &known.reason, &known.message)
                == (&condition.status, &condition.reason, &condition.message)
        };
        // A condition that nobody has asked for yet is no news; summaries say what a stage said already.
        let told = !known.is_some_and(same) && condition.reason != "Pending";
        let summary = ["Ready", "Reconciling", "Stalled"].contains(&condition.type_.as_str());
        if told && (!summary || condition.type_ == "Ready" && condition.status == "True") {
            lines.push(format!(
                "{}={} {}: {}",
                condition.type_, condition.status, condition.reason, condition.message
            ));
        }
    }
    lines
}
