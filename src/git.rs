//! Everything that is asked of Git hosts and told to them: which pull requests are open, who let them in, what they
//! touch; and how their previews are.
//!
//! What a host says of a pull request is text of whoever opened it. Nothing is named or trusted by it, and it enters an
//! address only percent-encoded.

mod announcement;
mod approval;
mod comments;
mod deliveries;
mod forgejo;
mod github;
mod gitlab;
mod hooks;
mod hosts;
mod limit;
mod lru;
mod memory;
mod pages;
mod pull_request;
mod repository;
mod session;
mod shape;
mod status;
mod token;
pub mod webhook;

#[cfg(test)]
mod tests;

pub use announcement::{Comment, CommitStatus, Deployment, DeploymentState, StatusState};
pub use approval::Approval;
pub use hooks::{Hints, Hooks};
pub use hosts::{Hosts, Receiver};
pub use limit::RateLimit;
pub(crate) use pull_request::is_sha;
pub use pull_request::{Files, Head, Listed, PullRequest};
pub use repository::Repository;
pub use token::Token;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::config::GitProvider;

/// The Git hosts that the configuration names. A trait so that a simulated cluster can answer instead.
pub trait GitHosts: Send + Sync {
    /// The host that an App names, asked with this token. Without a name it is the only host of the provider.
    fn host(
        &self,
        provider: GitProvider,
        name: Option<&str>,
        token: &Token,
    ) -> Result<Arc<dyn GitHost>, Failure>;
}

/// A Git host, asked with one token. Every method may be called again after any failure: what is there already is found
/// and not made twice.
#[async_trait]
pub trait GitHost: Send + Sync {
    /// The open pull requests of a repository, in the order of their numbers. Where the host knows conditional requests,
    /// an unchanged list costs nothing. What is missing here need not be closed, as the list may change while it is read:
    /// ask for it by its number.
    async fn open(&self, repository: &Repository) -> Result<Listed, Failure>;

    /// One pull request, open or not. `None`: there is none of this number.
    async fn pull_request(
        &self,
        repository: &Repository,
        number: u64,
    ) -> Result<Option<PullRequest>, Failure>;

    /// Who gave the pull request this label last, whether that is a maintainer, and to which commit. `None`: it does not
    /// carry the label.
    async fn approval(
        &self,
        repository: &Repository,
        pull_request: &PullRequest,
        label: &str,
    ) -> Result<Option<Approval>, Failure>;

    /// The paths that the pull request changes; of what was renamed, both.
    async fn changed_files(&self, repository: &Repository, number: u64) -> Result<Files, Failure>;

    /// Says on the commit how its preview is. What is said already is not said again.
    async fn set_status(
        &self,
        repository: &Repository,
        head: &Head,
        status: &CommitStatus,
    ) -> Result<(), Failure>;

    /// Shows the deployment of a commit; it is made when there is none yet, unless it ends. Other hosts than GitHub have
    /// no such thing: nothing is asked there.
    async fn set_deployment(
        &self,
        repository: &Repository,
        sha: &str,
        deployment: &Deployment,
    ) -> Result<(), Failure>;

    /// Ends the deployments of this preview to other commits than `sha`; without one, all of them.
    async fn end_deployments(
        &self,
        repository: &Repository,
        sha: Option<&str>,
        environment: &str,
        preview: &str,
    ) -> Result<(), Failure>;

    /// Writes the one comment with this mark, or edits it. What says the same already is left alone.
    async fn set_comment(
        &self,
        repository: &Repository,
        number: u64,
        comment: &Comment,
    ) -> Result<(), Failure>;

    /// How many requests are left to this token, as the host said last.
    fn rate_limit(&self) -> Option<RateLimit>;
}

/// Why a host could not be asked or told. A no and no answer are different outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It said no: a person must change something. A sentence without secrets.
    Refused(String),
    /// It takes no more requests of this token before this time; it is not asked until then.
    Limited(Timestamp),
    /// No answer: no connection, a time-out, or the host is in trouble.
    Silent(String),
}
