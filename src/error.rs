//! What the outside did to a pass. A wrong spec is never an error: it is a closed gate.

use std::fmt;

use crate::lease::NotLeader;

/// Why a pass could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The apiserver did not answer, or answered with trouble of its own.
    #[error("{verb} {kind} {name}: {source}")]
    Api {
        /// What was asked for.
        verb: Verb,
        /// Kind of the object.
        kind: String,
        /// Name of the object.
        name: String,
        /// What came back.
        source: Box<kube::Error>,
    },
    /// The lease is not held, or too old to write under.
    #[error(transparent)]
    Lease(#[from] NotLeader),
    /// No randomness from the system.
    #[error("the system gave no random bytes")]
    Randomness,
    /// The pass panicked.
    #[error("the pass panicked: {0}")]
    Panic(String),
    /// The pass took longer than it may.
    #[error("the pass took longer than it may")]
    Budget,
}

/// How an object was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    Get,
    /// POST.
    Create,
    /// Server-side apply.
    Apply,
    /// Any other PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Error {
    /// Wraps an answer of the apiserver.
    pub fn api(verb: Verb, kind: &str, name: &str, source: kube::Error) -> Self {
        Self::Api {
            verb,
            kind: kind.to_owned(),
            name: name.to_owned(),
            source: Box::new(source),
        }
    }

    /// A stable word for metrics and conditions.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) if status.is_conflict() => "conflict",
                kube::Error::Api(status) if status.is_not_found() => "gone",
                _ => "transient",
            },
            Self::Lease(_) => "lease",
            Self::Randomness => "randomness",
            Self::Panic(_) => "panic",
            Self::Budget => "budget",
        }
    }

    /// A sentence for the status: the same from pass to pass, without addresses and ids.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Api {
                verb, kind, name, ..
            } => format!(
                "The apiserver did not answer to {verb} of {kind} {name}; it is tried again"
            ),
            Self::Lease(_) => "Another replica of the controller has taken over".to_owned(),
            Self::Randomness | Self::Panic(_) => {
                "The controller failed at this object; its log tells why".to_owned()
            }
            Self::Budget => {
                "Looking and writing took longer than a minute; it is tried again".to_owned()
            }
        }
    }
}

impl Verb {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Create => "create",
            Self::Apply => "apply",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
