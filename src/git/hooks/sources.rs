//! How many webhooks are taken at once, in all and from one address.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::lru::Lru;

/// How many are read at once.
const AT_ONCE: usize = 32;
/// How many of one address are.
const AT_ONCE_EACH: usize = 8;
/// How many addresses are told apart.
const MOST: usize = 1024;
/// How long one waits for its turn. Hosts wait 10 s for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who sends webhooks now.
pub(super) struct Sources {
    all: Arc<Semaphore>,
    each: Mutex<Lru<IpAddr, Arc<Semaphore>>>,
    patience: Duration,
}

/// The right to be read; it ends when it is dropped.
pub(super) struct Place {
    _each: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            each: Mutex::new(Lru::new(MOST)),
            patience: PATIENCE,
        }
    }
}

impl Sources {
    /// Waits for a place; clients whose address is not known share one. `None`: none became free.
    pub async fn enter(&self, peer: Option<IpAddr>) -> Option<Place> {
        let each = self.each(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        let both = async {
            let each = each.acquire_owned().await.ok()?;
            let all = self.all.clone().acquire_owned().await.ok()?;
            Some(Place {
                _each: each,
                _all: all,
            })
        };
        tokio::time::timeout(self.patience, both)
            .await
            .ok()
            .flatten()
    }

    fn each(&self, peer: IpAddr) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = each.get(&peer) {
            return known.clone();
        }
        let new = Arc::new(Semaphore::new(AT_ONCE_EACH));
        each.insert(peer, new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasty() -> Sources {
        Sources {
            patience: Duration::from_millis(20),
            ..Sources::default()
        }
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)))
    }

    #[tokio::test]
    async fn one_address_cannot_take_all_the_room() {
        let sources = hasty();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE_EACH {
            held.push(sources.enter(address(1)).await.expect("a place"));
        }
        assert!(sources.enter(address(1)).await.is_none());
        assert!(sources.enter(address(2)).await.is_some());
        held.pop();
        assert!(sources.enter(address(1)).await.is_some());
    }

    #[tokio::test]
    async fn all_of_them_share_what_there_is() {
        let sources = hasty();
        let mut held = Vec::new();
        for number in 0..AT_ONCE {
            let peer = address(u8::try_from(number / 4).expect("few"));
            held.push(sources.enter(peer).await.expect("a place"));
        }
        assert!(sources.enter(address(200)).await.is_none());
        assert!(sources.enter(None).await.is_none());
        held.clear();
        assert!(sources.enter(None).await.is_some());
    }
}
