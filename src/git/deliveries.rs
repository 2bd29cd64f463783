//! Which webhooks were taken lately: hosts send the same again, and anybody on the way could.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ring::digest;

use super::lru::Lru;

/// How long one counts as the same. Later a person may send it again on purpose.
const SAME: Duration = Duration::from_secs(600);
/// How many are remembered.
const MOST: usize = 4096;

/// The webhooks that were taken lately.
pub(super) struct Deliveries(Mutex<Lru<Vec<u8>, Instant>>);

impl Default for Deliveries {
    fn default() -> Self {
        Self(Mutex::new(Lru::new(MOST)))
    }
}

/// What a delivery is known by: host, id and content. The id alone is not signed.
pub(super) fn key(host: &str, id: &str, body: &[u8]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [host.as_bytes(), id.as_bytes()] {
        context.update(part);
        context.update(b"\n");
    }
    context.update(body);
    context.finish().as_ref().to_vec()
}

impl Deliveries {
    fn taken(&self) -> MutexGuard<'_, Lru<Vec<u8>, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a delivery. `false`: it was taken already.
    pub fn take(&self, key: &[u8], now: Instant) -> bool {
        let mut taken = self.taken();
        let key = key.to_vec();
        if let Some(at) = taken.get(&key)
            && now.saturating_duration_since(*at) < SAME
        {
            return false;
        }
        taken.insert(key, now);
        true
    }

    /// Forgets a delivery that could not be passed on: it may come again.
    pub fn give_back(&self, key: &[u8]) {
        self.taken().remove(&key.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_delivery_is_taken_once_in_ten_minutes() {
        let deliveries = Deliveries::default();
        let start = Instant::now();
        let once = key("github", "d1", b"{}");
        assert!(deliveries.take(&once, start));
        assert!(!deliveries.take(&once, start + Duration::from_secs(599)));
        assert!(deliveries.take(&once, start + Duration::from_secs(600)));
        deliveries.give_back(&once);
        assert!(deliveries.take(&once, start + Duration::from_secs(601)));
    }

    #[test]
    fn another_host_id_or_content_is_another_delivery() {
        let keys = [
            key("github", "d1", b"{}"),
            key("github", "d2", b"{}"),
            key("github", "d1", b"{ }"),
            key("ghe", "d1", b"{}"),
        ];
        let deliveries = Deliveries::default();
        for key in &keys {
            assert!(deliveries.take(key, Instant::now()));
        }
    }
}
