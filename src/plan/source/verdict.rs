//! Whether a pull request gets a preview.

use crate::api::app_status::SkipReason;
use crate::api::template::{Forks, PreviewTemplate, Source};
use crate::git::{Files, PullRequest};
use crate::seen::KnownPullRequest;

/// What shall be with a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its newest commit is shown.
    Shown,
    /// What is shown already stays as it is; nothing is begun.
    Kept(SkipReason, String),
    /// It gets no preview.
    Skipped(SkipReason, String),
    /// It is not open.
    Closed,
}

/// What must be asked of the host before it can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which paths it changes.
    Files,
    /// Who gave it the label.
    Approval,
}

/// The rules, from the cheapest to the one that must be asked for. An `Err`: this must be known first.
pub fn judge(
    template: &PreviewTemplate,
    source: &Source,
    known: &KnownPullRequest,
) -> Result<Verdict, Question> {
    let Some(told) = known.told.as_deref().filter(|told| told.is_open) else {
        return Ok(Verdict::Closed);
    };
    if let Some(verdict) = plain(template, source, told) {
        return Ok(verdict);
    }
    if !source.paths.is_empty() {
        let files = known.files.as_ref().ok_or(Question::Files)?;
        if !touches(&source.paths, files) {
            let message = format!("It changes nothing under {}", source.paths.join(", "));
            return Ok(Verdict::Skipped(SkipReason::Untouched, message));
        }
    }
    if told.head.is_from_fork {
        return approved(source, told, known);
    }
    Ok(Verdict::Shown)
}

/// What the pull request itself tells.
fn plain(template: &PreviewTemplate, source: &Source, told: &PullRequest) -> Option<Verdict> {
    let skipped = |reason, message: String| Some(Verdict::Skipped(reason, message));
    if let Some(label) = &source.label
        && !told.labels.contains(label)
    {
        let message = format!("It does not have the label '{label}'");
        return skipped(SkipReason::NotLabelled, message);
    }
    if told.head.is_from_fork && template.forks == Forks::Deny {
        let message = "It comes from a fork, and preview.forks is Deny";
        return skipped(SkipReason::Fork, message.to_owned());
    }
    if told.is_draft && !source.drafts {
        let message = "It is a draft, and preview.source.drafts is false";
        return skipped(SkipReason::Draft, message.to_owned());
    }
    if told.is_bot && !source.bots {
        let message = "A program opened it, and preview.source.bots is false";
        return skipped(SkipReason::Bot, message.to_owned());
    }
    None
}

/// A commit of a fork is shown only if a maintainer gave the label to exactly this one. What was approved before stays.
fn approved(
    source: &Source,
    told: &PullRequest,
    known: &KnownPullRequest,
) -> Result<Verdict, Question> {
    let approval = known.approval.as_ref().ok_or(Question::Approval)?;
    let covers = |sha| {
        approval
            .as_ref()
            .is_some_and(|approval| approval.covers(sha))
    };
    if covers(&told.head.sha) {
        return Ok(Verdict::Shown);
    }
    let message = format!(
        "It comes from a fork, and no maintainer gave the label '{}' to its commit {}: take it away and give it again",
        source.label.as_deref().unwrap_or_default(),
        short(&told.head.sha)
    );
    Ok(Verdict::Kept(SkipReason::NotApproved, message))
}

/// Whether one of the files is one of the paths, or under it.
fn touches(paths: &[String], files: &Files) -> bool {
    let Files::Paths(files) = files else {
        return true;
    };
    let under = |file: &str, path: &str| {
        let path = path.trim_end_matches('/');
        let rest = file.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut pairs = files
        .iter()
        .flat_map(|file| paths.iter().map(move |path| (file, path)));
    pairs.any(|(file, path)| under(file, path))
}

/// The first seven characters of a commit.
pub(super) fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}
