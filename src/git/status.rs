//! Commit statuses: what is said, and whether it must be said.

use serde::Deserialize;

use super::announcement::{CommitStatus, description};

/// A status that a commit has; the hosts call the same things differently.
#[derive(Deserialize)]
pub(super) struct Said {
    context: Option<String>,
    name: Option<String>,
    state: Option<String>,
    status: Option<String>,
    description: Option<String>,
    target_url: Option<String>,
}

/// All statuses of a commit, the newest of each context.
#[derive(Default, Deserialize)]
pub(super) struct Combined {
    statuses: Option<Vec<Said>>,
}

impl Combined {
    /// Whether exactly this is said already.
    pub fn says(&self, wanted: &CommitStatus, state: &str) -> bool {
        let mut said = self.statuses.iter().flatten();
        said.any(|said| said.is(wanted, state))
    }
}

impl Said {
    /// Whether this is of the context and says the same; `state` is the host's word.
    pub fn is(&self, wanted: &CommitStatus, state: &str) -> bool {
        let context = self.context.as_ref().or(self.name.as_ref());
        let said = self.state.as_deref().or(self.status.as_deref());
        context == Some(&wanted.context)
            && said == Some(state)
            && self.description.as_deref().unwrap_or_default() == description(&wanted.description)
            && self.target_url.as_deref().unwrap_or_default()
                == wanted.url.as_deref().unwrap_or_default()
    }
}
