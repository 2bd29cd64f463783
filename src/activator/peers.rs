//! How many connections are taken, in all and from one address. That is mostly the gateway's, which has many: only what it never
//! does is bounded closely, which is to connect and to ask nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::caches::locked;

/// Connections at once; the others wait to be taken.
const ALL: usize = 2048;
/// Those of one address: there is always room for another one's.
const EACH: usize = ALL / 4 * 3;
/// Those of one address that have not asked for anything yet: more than a gateway opens at the same moment.
pub const MUTE: usize = ALL / 8;

/// Who is connected.
#[derive(Debug)]
pub struct Peers {
    free: Arc<Semaphore>,
    each: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Debug, Default)]
struct Count {
    all: usize,
    mute: usize,
}

/// A connection that is taken, as long as anybody has it.
#[derive(Debug)]
pub struct Place {
    peers: Arc<Peers>,
    address: IpAddr,
    spoke: AtomicBool,
    _free: OwnedSemaphorePermit,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(ALL)),
            each: Mutex::default(),
        }
    }
}

impl Peers {
    /// Waits until one more connection may be taken.
    pub async fn room(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.free.clone().acquire_owned().await
    }

    /// A connection from this address. `None`: it has too many.
    pub fn enter(self: &Arc<Self>, address: IpAddr, free: OwnedSemaphorePermit) -> Option<Place> {
        let address = address.to_canonical();
        let mut each = locked(&self.each);
        let count = each.entry(address).or_default();
        if count.all >= EACH || count.mute >= MUTE {
            return None;
        }
        count.all += 1;
        count.mute += 1;
        Some(Place {
            peers: self.clone(),
            address,
            spoke: AtomicBool::new(false),
            _free: free,
        })
    }
}

impl Place {
    /// The head of a request has come.
    pub fn speaks(&self) {
        if self.spoke.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(count) = locked(&self.peers.each).get_mut(&self.address) {
            count.mute -= 1;
        }
    }

    /// Whether one has come.
    pub fn has_spoken(&self) -> bool {
        self.spoke.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.speaks();
        let mut each = locked(&self.peers.each);
        let last = each.get_mut(&self.address).is_none_or(|count| {
            count.all -= 1;
            count.all == 0
        });
        if last {
            each.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn enter(peers: &Arc<Peers>, last: u8) -> Option<Place> {
        let free = peers.room().await.unwrap();
        peers.enter(IpAddr::from([198, 51, 100, last]), free)
    }

    #[tokio::test]
    async fn who_asks_nothing_has_few_connections() {
        let peers = Arc::new(Peers::default());
        let mut mute = Vec::new();
        for _ in 0..MUTE {
            mute.push(enter(&peers, 1).await.expect("a place"));
        }
        assert!(enter(&peers, 1).await.is_none());
        assert!(enter(&peers, 2).await.is_some());
        mute[0].speaks();
        mute[0].speaks();
        mute.push(enter(&peers, 1).await.expect("one has spoken"));
        assert!(enter(&peers, 1).await.is_none());
        mute.pop();
        mute.push(enter(&peers, 1).await.expect("one has gone"));
    }

    #[tokio::test]
    async fn a_gateway_has_many_connections_and_another_address_has_room_beside_it() {
        let peers = Arc::new(Peers::default());
        let mut gateway = Vec::new();
        for _ in 0..EACH {
            let place = enter(&peers, 1).await.expect("a place");
            place.speaks();
            gateway.push(place);
        }
        assert!(enter(&peers, 1).await.is_none());
        assert!(enter(&peers, 2).await.is_some());
        drop(gateway);
        assert!(locked(&peers.each).is_empty(), "nobody is remembered");
        assert_eq!(peers.free.available_permits(), ALL);
    }
}
