//! What a plan does to a database.

use std::future::Future;
use std::time::Duration;

use super::Writer;
use super::stop::Stop;
use crate::api::Reason;
use crate::caches::locked;
use crate::observe::silence;
use crate::plan::teardown;
use crate::postgres::{Access, Entry, Failure, Unwanted, Wanted};

/// How long a database may take for a change.
const TIMEOUT: Duration = Duration::from_secs(40);

impl Writer<'_> {
    /// Makes the roles and the database.
    pub(super) async fn provide(&self, access: &Access, wanted: &Wanted) -> Result<(), Stop> {
        self.may_change("provide")?;
        self.changing(self.ctx.databases.provide(access, wanted))
            .await
            .map(|_| ())
    }

    /// Drops databases. An Environment on its way out waits for it until a person lets it go.
    pub(super) async fn remove(&self, access: &Access, unwanted: &Unwanted) -> Result<(), Stop> {
        self.may_change("drop")?;
        let dropped = self
            .changing(self.ctx.databases.remove(access, unwanted))
            .await;
        dropped.map_err(|stop| match stop {
            Stop::Refused(reason, why) if unwanted.only.is_none() => {
                let way_out = teardown::way_out(self.owner.meta());
                Stop::Refused(reason, format!("{why}. {way_out}"))
            }
            stop => stop,
        })
    }

    /// Writes a row into the record.
    pub(super) async fn enter(&self, access: &Access, entry: &Entry) -> Result<(), Stop> {
        self.may_change("record")?;
        self.changing(self.ctx.databases.record(access, entry))
            .await
    }

    fn may_change(&self, verb: &str) -> Result<(), Stop> {
        self.ctx.may_write("Database", verb).map_err(Stop::Failed)
    }

    /// What the database said before does not count any more.
    async fn changing<T>(
        &self,
        change: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Stop> {
        let answer = tokio::time::timeout(TIMEOUT, change).await;
        *locked(&self.memory.database) = None;
        match answer {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Failure::Refused(why))) => Err(Stop::Refused(Reason::DatabaseRefused, why)),
            Ok(Err(Failure::Silent(why))) => Err(Stop::Refused(Reason::DatabaseSilent, why)),
            Ok(Err(Failure::Busy(why))) => Err(Stop::Refused(Reason::DatabaseBusy, why)),
            Err(_) => Err(Stop::Refused(Reason::DatabaseSilent, silence(TIMEOUT))),
        }
    }
}
