//! One that contends for the Lease, renews it or lets it go: the requests.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::decision::{Action, Sighting};
use super::{Settings, Timing, uptime};

/// One that wants to lead, or leads.
pub struct Candidate {
    pub api: Api<Lease>,
    pub settings: Settings,
    pub timing: Timing,
    pub seen: Sighting,
}

/// Where an attempt has led.
pub enum Standing {
    /// This process leads, from before the request was sent.
    Leads { since: Duration },
    /// Another leads.
    Follows,
    /// Another has written in between: look again.
    Unsettled,
}

impl Candidate {
    /// Waits for leadership; says since when it is held.
    pub async fn lead(&mut self) -> Duration {
        loop {
            match self.contend().await {
                Ok(Standing::Leads { since }) => return since,
                Ok(Standing::Follows | Standing::Unsettled) => {}
                Err(why) => tracing::warn!(%why, "the Lease could not be asked for"),
            }
            // Not all candidates at the same moment.
            tokio::time::sleep(self.timing.retry.mul_f64(1.0 + 0.2 * rand::random::<f64>())).await;
        }
    }

    async fn contend(&mut self) -> Result<Standing, Error> {
        let began = uptime();
        let lease = self.read().await?;
        let action = self.seen.as_candidate(&self.settings.identity, uptime());
        self.act(action, lease, began).await
    }

    pub async fn renew(&mut self) -> Result<Standing, Error> {
        let began = uptime();
        let lease = self.read().await?;
        let action = self.seen.as_leader(&self.settings.identity);
        self.act(action, lease, began).await
    }

    async fn act(
        &mut self,
        action: Action,
        lease: Option<Lease>,
        began: Duration,
    ) -> Result<Standing, Error> {
        if action == Action::Wait {
            return Ok(Standing::Follows);
        }
        let spec = self.seen.held_by(
            &self.settings.identity,
            self.timing.duration,
            Timestamp::now(),
        );
        match self.write(lease, spec).await {
            Ok(()) => Ok(Standing::Leads { since: began }),
            Err(Error::Api(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() =>
            {
                Ok(Standing::Unsettled)
            }
            Err(error) => Err(error),
        }
    }

    /// Lets the next one lead at once, if this one still does. That it fails is no harm: the duration ends by itself.
    pub async fn release(&mut self) {
        let released = async {
            let lease = self.read().await?;
            if self.seen.holder() == Some(&self.settings.identity) {
                self.write(lease, self.seen.released(Timestamp::now()))
                    .await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(why) = released.await {
            tracing::warn!(%why, "the Lease was not released");
        }
    }

    async fn read(&mut self) -> Result<Option<Lease>, Error> {
        let lease = self.within(self.api.get_opt(&self.settings.name)).await?;
        self.seen.note(
            lease
                .as_ref()
                .map(|lease| lease.spec.clone().unwrap_or_default()),
            uptime(),
        );
        Ok(lease)
    }

    /// Replaces exactly the Lease that was read, or makes the first.
    async fn write(&mut self, lease: Option<Lease>, spec: LeaseSpec) -> Result<(), Error> {
        let parameters = PostParams::default();
        let written = match lease {
            Some(lease) => {
                let lease = Lease {
                    spec: Some(spec),
                    ..lease
                };
                self.within(self.api.replace(&lease.name_any(), &parameters, &lease))
                    .await?
            }
            None => {
                let mut lease = Lease {
                    spec: Some(spec),
                    ..Lease::default()
                };
                lease.metadata.name = Some(self.settings.name.clone());
                self.within(self.api.create(&parameters, &lease)).await?
            }
        };
        self.seen.note(written.spec, uptime());
        Ok(())
    }

    async fn within<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
        Ok(tokio::time::timeout(self.timing.request, request)
            .await
            .map_err(|_| Error::TimedOut)??)
    }
}

/// Why the Lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the apiserver did not answer in time")]
    TimedOut,
    #[error(transparent)]
    Api(#[from] kube::Error),
}
