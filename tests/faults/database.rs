//! PostgreSQL as a run has it: one server, whose data outlives the controller and its own pod.

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use towpath::postgres::{
    Access, Answer, Databases, Entry, Failure, Identity, Question, SeenDatabase, Wanted,
};

use crate::run::Run;
use crate::store::{list, noted, text};
use crate::wire::Mode;

/// What a server holds.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Who may log in, once roles and database were made.
    pub provided: Option<Wanted>,
    /// The record.
    pub record: Vec<Entry>,
    /// The keys of the migrations that ran, in their order.
    pub schema: Vec<String>,
}

/// The client of a server.
pub struct Server {
    pub run: Arc<Run>,
}

const RESET: &str = "the connection was reset";

impl Server {
    /// Asks, and lets happen what the run wants to happen at this request.
    async fn ask<T>(&self, what: &str, act: impl FnOnce(&mut Data) -> T) -> Option<T> {
        match self.run.asked(what) {
            None => Some(act(&mut self.run.locked().data)),
            Some(Mode::Fail) => None,
            Some(Mode::Lost) => {
                act(&mut self.run.locked().data);
                None
            }
            Some(Mode::DieBefore) => self.die().await,
            Some(Mode::DieAfter | Mode::DieLong) => {
                act(&mut self.run.locked().data);
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.run.died.notify_one();
        pending().await
    }

    /// Whether somebody listens: an external server always does.
    fn listens(&self, at: &Access) -> bool {
        let inner = self.run.locked();
        let mut pods = inner.store.all("Pod");
        at.address().starts_with("db.example.com")
            || pods.any(|pod| {
                let is_database =
                    noted(pod, "/metadata/labels", "towpath.dev/purpose") == "database";
                let conditions = list(pod, "/status/conditions").iter();
                let mut ready = conditions.filter(|condition| text(condition, "/type") == "Ready");
                is_database && ready.any(|ready| text(ready, "/status") == "True")
            })
    }
}

/// Whether this login is one of the roles that were made.
fn may(data: &Data, at: &Access) -> bool {
    at.address().starts_with("db.example.com")
        || data
            .provided
            .as_ref()
            .is_some_and(|made| at.as_role(&made.owner) == *at || at.as_role(&made.app) == *at)
}

fn identity() -> Identity {
    Identity {
        server: "7400000000000000001".to_owned(),
        database: "app".to_owned(),
        oid: 16_384,
    }
}

#[async_trait]
impl Databases for Server {
    async fn look(&self, at: &Access, question: &Question) -> Answer {
        if !self.listens(at) {
            return Answer::Silent("nobody listens".to_owned());
        }
        let answer = self.ask("database look", |data| {
            if !may(data, at) {
                return Answer::Refused("password authentication failed".to_owned());
            }
            let record = question.record.then(|| data.record.clone());
            Answer::Found(SeenDatabase {
                identity: identity(),
                record: record.unwrap_or_default(),
                backends: Vec::new(),
                roles_ready: true,
            })
        });
        let silent = || Answer::Silent(RESET.to_owned());
        answer.await.unwrap_or_else(silent)
    }

    async fn provide(&self, _: &Access, want: &Wanted) -> Result<Identity, Failure> {
        let answer = self.ask("database provide", |data| {
            data.provided = Some(want.clone());
            identity()
        });
        answer
            .await
            .ok_or_else(|| Failure::Silent(RESET.to_owned()))
    }

    async fn record(&self, at: &Access, entry: &Entry) -> Result<(), Failure> {
        let forgets = self.run.forgets_the_record;
        let answer = self.ask("database record", |data| {
            if !may(data, at) {
                return Err(Failure::Refused(
                    "password authentication failed".to_owned(),
                ));
            }
            let same = |known: &Entry| (&known.key, known.revision) == (&entry.key, entry.revision);
            data.record.retain(|known| !same(known));
            if !forgets {
                data.record.push(entry.clone());
            }
            Ok(())
        });
        answer
            .await
            .unwrap_or_else(|| Err(Failure::Silent(RESET.to_owned())))
    }
}
