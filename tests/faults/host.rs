//! A Git host as the simulation has it, asked through a wire on which requests are counted and go wrong.

use std::sync::Arc;

use async_trait::async_trait;
use towpath::config::GitProvider;
use towpath::git::{
    Approval, Comment, CommitStatus, Deployment, Failure, Files, GitHost, GitHosts, Head, Listed,
    PullRequest, RateLimit, Repository, Token,
};
use towpath::simulate::Hosted;

use crate::database;
use crate::run::Run;
use crate::shown::Shown;

/// The client of the host.
#[derive(Clone)]
pub struct Client {
    pub run: Arc<Run>,
}

impl GitHosts for Client {
    fn host(
        &self,
        _: GitProvider,
        _: Option<&str>,
        _: &Token,
    ) -> Result<Arc<dyn GitHost>, Failure> {
        Ok(Arc::new(self.clone()))
    }
}

impl Client {
    async fn ask<T>(&self, what: &str, answer: impl FnOnce(&Hosted) -> T) -> Result<T, Failure> {
        let asked = database::ask(&self.run, what, |inner| answer(&inner.hosted)).await;
        asked.ok_or_else(|| Failure::Silent("the connection was reset".to_owned()))
    }

    async fn tell(&self, what: &str, show: impl FnOnce(&mut Shown)) -> Result<(), Failure> {
        let asked = database::ask(&self.run, what, |inner| show(&mut inner.shown)).await;
        asked.ok_or_else(|| Failure::Silent("the connection was reset".to_owned()))
    }
}

#[async_trait]
impl GitHost for Client {
    async fn open(&self, _: &Repository) -> Result<Listed, Failure> {
        self.ask("git open", Hosted::open).await
    }

    async fn pull_request(
        &self,
        _: &Repository,
        number: u64,
    ) -> Result<Option<PullRequest>, Failure> {
        self.ask("git pull request", |hosted| hosted.pull_request(number))
            .await
    }

    async fn approval(
        &self,
        _: &Repository,
        pull_request: &PullRequest,
        label: &str,
    ) -> Result<Option<Approval>, Failure> {
        let number = pull_request.head.number;
        self.ask("git approval", |hosted| hosted.approval(number, label))
            .await
    }

    async fn changed_files(&self, _: &Repository, number: u64) -> Result<Files, Failure> {
        self.ask("git files", |hosted| hosted.changed_files(number))
            .await
    }

    async fn set_status(
        &self,
        _: &Repository,
        head: &Head,
        status: &CommitStatus,
    ) -> Result<(), Failure> {
        self.tell("git status", |shown| shown.status(head, status))
            .await
    }

    async fn set_deployment(
        &self,
        _: &Repository,
        sha: &str,
        deployment: &Deployment,
    ) -> Result<(), Failure> {
        self.tell("git deployment", |shown| shown.deployment(sha, deployment))
            .await
    }

    async fn end_deployments(
        &self,
        _: &Repository,
        but: Option<&str>,
        _: &str,
        _: &str,
    ) -> Result<(), Failure> {
        self.tell("git end of deployments", |shown| shown.end(but))
            .await
    }

    async fn set_comment(&self, _: &Repository, _: u64, comment: &Comment) -> Result<(), Failure> {
        self.tell("git comment", |shown| shown.comment(comment))
            .await
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        None
    }
}
