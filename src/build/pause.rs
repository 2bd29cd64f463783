//! For how long a component does nothing while its pods are replaced with `update: Recreate`: the old ones end first.

use std::fmt;

use k8s_openapi::api::core::v1::{PodSpec, Probe};

use super::{pod, probes};
use crate::api::app::Component;

/// How long a pod may take to end where it does not say, as Kubernetes has it.
const GRACE_SECONDS: i64 = 30;

/// The time without pods, at most, as far as it is declared: nobody knows how long an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Whether requests come in.
    pub serves: bool,
    /// Until the old pods have ended, in seconds.
    pub drain: i64,
    /// From the start of a new pod until it is healthy, in seconds; `None`: nobody asks.
    pub start: Option<i64>,
}

impl Pause {
    /// Of a component as it is declared.
    #[must_use]
    pub fn of(component: &Component) -> Self {
        Self {
            serves: component.port.is_some(),
            drain: pod::grace_seconds(component),
            start: probes::of(component).startup.as_ref().map(longest),
        }
    }

    /// Of a component's pods as they are rendered.
    #[must_use]
    pub fn of_pods(pods: &PodSpec) -> Self {
        let container = pods.containers.first();
        let startup = container.and_then(|container| container.startup_probe.as_ref());
        Self {
            serves: container.is_some_and(|container| container.ports.is_some()),
            drain: pods
                .termination_grace_period_seconds
                .unwrap_or(GRACE_SECONDS),
            start: startup.map(longest),
        }
    }
}

/// How long a probe may say no.
fn longest(probe: &Probe) -> i64 {
    i64::from(probe.failure_threshold.unwrap_or(3)) * i64::from(probe.period_seconds.unwrap_or(10))
}

impl fmt::Display for Pause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.serves {
            "requests stop"
        } else {
            "work stops"
        };
        let drain = self.drain;
        match self.start {
            Some(start) => write!(
                formatter,
                "{what} for at most {} s ({drain} s to drain, {start} s to start), and while the image is pulled",
                drain + start
            ),
            None => write!(
                formatter,
                "{what} for at most {drain} s to drain, and until the new pod runs"
            ),
        }
    }
}
