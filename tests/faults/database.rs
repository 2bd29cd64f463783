//! PostgreSQL as the simulation has it, asked through a wire on which requests are counted and go wrong.

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use towpath::postgres::{
    Access, Answer, Databases, Entry, Failure, Identity, Question, Unwanted, Wanted,
};
use towpath::simulate::databases::Servers;

use crate::run::{Inner, Run};
use crate::wire::Mode;

/// The servers of a run, which outlive the controller.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Them.
    pub servers: Servers,
    /// Who may log in to the one that was made.
    login: Option<Wanted>,
    /// The keys of the migrations that ran, in their order.
    pub schema: Vec<String>,
}

/// The client of the servers.
pub struct Client {
    pub run: Arc<Run>,
}

const RESET: &str = "the connection was reset";

impl Client {
    async fn ask<T>(&self, what: &str, act: impl FnOnce(&mut Inner) -> T) -> Option<T> {
        ask(&self.run, what, act).await
    }
}

/// Asks, and lets happen what the run wants to happen at this request.
pub async fn ask<T>(run: &Run, what: &str, act: impl FnOnce(&mut Inner) -> T) -> Option<T> {
    let fault = run.asked(what);
    if fault == Some(Mode::Fail) {
        return None;
    }
    if fault == Some(Mode::DieBefore) {
        run.died.notify_one();
        return pending().await;
    }
    let answer = act(&mut run.locked());
    match fault {
        None => Some(answer),
        Some(Mode::Lost) => None,
        Some(_) => {
            run.died.notify_one();
            pending().await
        }
    }
}

impl Data {
    /// Whether this login is one of the roles that were made; elsewhere everybody may.
    fn may(&self, at: &Access) -> bool {
        let is = |made: &Wanted| {
            [&made.owner, &made.app]
                .iter()
                .any(|role| at.as_role(role) == *at)
        };
        self.login.as_ref().is_none_or(is)
    }
}

#[async_trait]
impl Databases for Client {
    async fn look(&self, at: &Access, question: &Question) -> Answer {
        let look = |inner: &mut Inner| {
            if !inner.data.may(at) {
                return Answer::Refused(format!("the login of '{}' failed", at.user()));
            }
            inner.data.servers.look(&inner.store.seen, at, question)
        };
        let answer = self.ask("database look", look).await;
        answer.unwrap_or_else(|| Answer::Silent(RESET.to_owned()))
    }

    async fn provide(&self, admin: &Access, want: &Wanted) -> Result<Identity, Failure> {
        let provide = |inner: &mut Inner| {
            inner.data.servers.provide(&inner.store.seen, admin, want)?;
            inner.data.login = Some(want.clone());
            let server = inner.data.servers.all().next();
            server
                .map(|server| server.identity.clone())
                .ok_or_else(|| Failure::Silent("there is none".to_owned()))
        };
        let answer = self.ask("database provide", provide).await;
        answer.unwrap_or_else(|| Err(Failure::Silent(RESET.to_owned())))
    }

    async fn remove(&self, admin: &Access, unwanted: &Unwanted) -> Result<(), Failure> {
        let remove = |inner: &mut Inner| {
            let data = &mut inner.data;
            data.servers.remove(&inner.store.seen, admin, unwanted)
        };
        let answer = self.ask("database remove", remove).await;
        answer.unwrap_or_else(|| Err(Failure::Silent(RESET.to_owned())))
    }

    async fn record(&self, at: &Access, entry: &Entry) -> Result<(), Failure> {
        let forgets = self.run.forgets_the_record;
        let record = |inner: &mut Inner| match forgets {
            true => Ok(()),
            false => inner.data.servers.enter(&inner.store.seen, at, entry),
        };
        let answer = self.ask("database record", record).await;
        answer.unwrap_or_else(|| Err(Failure::Silent(RESET.to_owned())))
    }
}
