//! What is remembered of a host under one token. All of it may be lost: then more is asked.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::lru::Lru;
use super::{PullRequest, RateLimit};

/// Pages of lists that are kept for conditional requests.
const MOST_PAGES: usize = 128;
/// Things told that are remembered as told.
const MOST_TOLD: usize = 4096;

/// What is remembered of a host under one token.
pub(super) struct Memory(Mutex<Kept>);

struct Kept {
    pages: Lru<String, Arc<Page>>,
    told: Lru<String, u64>,
    limit: Option<RateLimit>,
    closed_until: Option<Timestamp>,
    me: Option<Me>,
}

/// A page of a list, as it was when it had this tag.
pub(super) struct Page {
    /// The host's tag of this state.
    pub etag: String,
    /// What was on it.
    pub pull_requests: Vec<PullRequest>,
    /// Whether another follows.
    pub has_next: bool,
}

/// Whose the token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Me {
    /// A user of this login.
    User(String),
    /// A GitHub App, which cannot ask for its own name.
    App,
}

impl Default for Memory {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            pages: Lru::new(MOST_PAGES),
            told: Lru::new(MOST_TOLD),
            limit: None,
            closed_until: None,
            me: None,
        }))
    }
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page of this address, as it was last.
    pub fn page(&self, address: &str) -> Option<Arc<Page>> {
        self.kept().pages.get(&address.to_owned()).cloned()
    }

    pub fn keep_page(&self, address: &str, page: Arc<Page>) {
        self.kept().pages.insert(address.to_owned(), page);
    }

    /// Whether exactly this was told of this thing last.
    pub fn is_told(&self, thing: &str, content: &impl Hash) -> bool {
        self.kept().told.get(&thing.to_owned()) == Some(&hash(content))
    }

    pub fn keep_told(&self, thing: &str, content: &impl Hash) {
        self.kept().told.insert(thing.to_owned(), hash(content));
    }

    /// The next time it is asked what is said of this thing.
    pub fn forget_told(&self, thing: &str) {
        self.kept().told.remove(&thing.to_owned());
    }

    /// What is left, as the host said last.
    pub fn limit(&self) -> Option<RateLimit> {
        self.kept().limit
    }

    pub fn keep_limit(&self, limit: RateLimit) {
        self.kept().limit = Some(limit);
    }

    /// Until when the host takes no requests, if it is not open now.
    pub fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.kept().closed_until.filter(|until| now < *until)
    }

    pub fn close_until(&self, until: Timestamp) {
        self.kept().closed_until = Some(until);
    }

    pub fn me(&self) -> Option<Me> {
        self.kept().me.clone()
    }

    pub fn keep_me(&self, me: Me) {
        self.kept().me = Some(me);
    }
}

fn hash(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
