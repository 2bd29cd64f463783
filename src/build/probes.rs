//! Probes of a component: startup and readiness from its health, liveness from its own field.

use k8s_openapi::api::core::v1::{ExecAction, HTTPGetAction, Probe, TCPSocketAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::Component;

/// How long a container may fail its liveness before it is restarted: three times ten seconds.
const LIVENESS_PERIOD: i32 = 10;
const FAILURES: i32 = 3;

/// The three probes of a container.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    /// Holds the other two back until the container has started.
    pub startup: Option<Probe>,
    /// Lets requests in.
    pub readiness: Option<Probe>,
    /// Restarts the container.
    pub liveness: Option<Probe>,
}

/// Builds the probes of a component.
#[must_use]
pub fn of(component: &Component) -> Probes {
    Probes {
        startup: startup(component),
        readiness: readiness(component),
        liveness: liveness(component),
    }
}

/// Asks every second, so that a new pod serves as soon as it can.
fn startup(component: &Component) -> Option<Probe> {
    let (timeout, seconds) = component.health.as_ref().map_or((2, 60), |health| {
        (health.timeout_seconds, health.startup_seconds)
    });
    Some(Probe {
        failure_threshold: Some(seconds),
        ..health(component, 1, timeout)?
    })
}

fn readiness(component: &Component) -> Option<Probe> {
    let (period, timeout) = component.health.as_ref().map_or((5, 2), |health| {
        (health.period_seconds, health.timeout_seconds)
    });
    health(component, period, timeout)
}

fn health(component: &Component, period: i32, timeout: i32) -> Option<Probe> {
    let asked = component
        .health
        .as_ref()
        .map(|health| (health.path.as_ref(), health.command.as_ref()));
    probe(component, asked.unwrap_or_default(), period, timeout)
}

fn liveness(component: &Component) -> Option<Probe> {
    let asked = component
        .liveness
        .as_ref()
        .map(|live| (live.path.as_ref(), live.command.as_ref()));
    probe(component, asked.unwrap_or_default(), LIVENESS_PERIOD, 2)
}

/// By path, by command, or by connecting to the port; without any of these there is nothing to ask.
fn probe(
    component: &Component,
    (path, command): (Option<&String>, Option<&Vec<String>>),
    period: i32,
    timeout: i32,
) -> Option<Probe> {
    let base = Probe {
        period_seconds: Some(period),
        timeout_seconds: Some(timeout),
        success_threshold: Some(1),
        failure_threshold: Some(FAILURES),
        ..Probe::default()
    };
    if let Some(command) = command {
        let exec = ExecAction {
            command: Some(command.clone()),
        };
        return Some(Probe {
            exec: Some(exec),
            ..base
        });
    }
    let port = IntOrString::Int(component.port?);
    Some(match path {
        Some(path) => {
            let get = HTTPGetAction {
                path: Some(path.clone()),
                port,
                scheme: Some("HTTP".to_owned()),
                ..HTTPGetAction::default()
            };
            Probe {
                http_get: Some(get),
                ..base
            }
        }
        None => Probe {
            tcp_socket: Some(TCPSocketAction { port, host: None }),
            ..base
        },
    })
}
