//! Decides: a snapshot in, an ordered list of actions and the conditions out. Pure: no clock, no randomness, no IO, and it
//! cannot fail.

pub mod action;
pub mod questions;
pub mod traffic;

pub use action::{Action, Change, Fact, Key, Step};

use jiff::Timestamp;

use crate::api::environment::EnvironmentStatus;
use crate::api::{ConditionType, Reason};
use crate::seen::SeenEnvironment;

/// What a stage says of the target. Refused and Failed need a person; Waiting and Unknown end by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Why; its class says how the gate stands.
    pub reason: Reason,
    /// A sentence for the user.
    pub message: String,
}

/// What a pass decided.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What to do, in this order; after a failed write nothing later is sent.
    pub steps: Vec<Step>,
    /// What each stage said, in their order.
    pub gates: Vec<(ConditionType, Gate)>,
    /// Whether something serves.
    pub available: Option<Gate>,
    /// Everything else that the status shows; its conditions are made of the gates.
    pub status: EnvironmentStatus,
    /// When to look again although nothing happened.
    pub next: Option<Timestamp>,
}

/// Decides what to do for an Environment, and what to say of it.
#[must_use]
pub fn environment(_seen: &SeenEnvironment) -> Plan {
    Plan::default()
}
