//! How far a preview is, as its Environment tells it, in words that anybody may read.

use crate::api::{ConditionType, Environment, Reason};

/// How far a preview is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// It sleeps.
    Asleep,
    /// All of it runs.
    Ready,
    /// It is on its way.
    #[default]
    Preparing,
    /// Its image is being built.
    Building,
    /// Its database starts.
    DatabaseStarts,
    /// Its migration runs.
    Migrates,
    /// Its pods start.
    AppStarts,
}

impl Stage {
    /// What the Environment says of itself. Its messages are for who may read it, and not for everybody.
    pub fn of(environment: &Environment) -> Self {
        let conditions = environment.status.iter().flat_map(|told| &told.conditions);
        let mut ready = conditions.filter(|known| known.type_ == ConditionType::Ready.as_str());
        let Some(ready) = ready.next() else {
            return Self::Preparing;
        };
        let is = |reasons: &[Reason]| reasons.iter().any(|known| known.as_str() == ready.reason);
        match ready.status == "True" {
            true if is(&[Reason::Asleep]) => Self::Asleep,
            true => Self::Ready,
            false if is(&[Reason::WaitingForImage]) => Self::Building,
            false if is(&[Reason::DatabaseStarting, Reason::DatabaseBusy]) => Self::DatabaseStarts,
            false if is(&[Reason::MigrationRunning]) => Self::Migrates,
            false if is(&[Reason::RollingOut, Reason::Verifying]) => Self::AppStarts,
            false => Self::Preparing,
        }
    }

    /// A sentence for who waits.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Asleep => "It was asleep, and has just been told to wake.",
            Self::Ready => "It does not take requests at this moment.",
            Self::Preparing => "It is being prepared.",
            Self::Building => "Its image is being built.",
            Self::DatabaseStarts => "Its database starts.",
            Self::Migrates => "Its migration runs.",
            Self::AppStarts => "Its pods start.",
        }
    }
}
