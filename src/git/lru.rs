//! A small map that forgets what was not used for longest.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map of at most so many entries.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    most: usize,
    /// Counts uses.
    clock: u64,
    entries: HashMap<K, (u64, V)>,
    /// Which key was used when.
    used: BTreeMap<u64, K>,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            clock: 0,
            entries: HashMap::new(),
            used: BTreeMap::new(),
        }
    }

    /// What is kept under this key, which was used now.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let (at, value) = self.entries.get_mut(key)?;
        self.clock += 1;
        self.used.remove(at);
        self.used.insert(self.clock, key.clone());
        *at = self.clock;
        Some(value)
    }

    /// Keeps a value, and forgets the entry that was not used for longest when there are too many.
    pub fn insert(&mut self, key: K, value: V) {
        self.clock += 1;
        if let Some((at, _)) = self.entries.insert(key.clone(), (self.clock, value)) {
            self.used.remove(&at);
        }
        self.used.insert(self.clock, key);
        while self.entries.len() > self.most {
            let Some((_, oldest)) = self.used.pop_first() else {
                return;
            };
            self.entries.remove(&oldest);
        }
    }

    /// Forgets an entry.
    pub fn remove(&mut self, key: &K) {
        if let Some((at, _)) = self.entries.remove(key) {
            self.used.remove(&at);
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.used.len());
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_forgotten() {
        let mut kept = Lru::new(2);
        kept.insert("a", 1);
        kept.insert("b", 2);
        assert_eq!(kept.get(&"a"), Some(&1));
        kept.insert("c", 3);
        assert_eq!(kept.len(), 2);
        assert_eq!(kept.get(&"a"), Some(&1));
        assert_eq!(kept.get(&"b"), None);
        kept.insert("a", 4);
        assert_eq!(kept.len(), 2);
        assert_eq!(kept.get(&"a"), Some(&4));
        kept.remove(&"a");
        kept.remove(&"a");
        assert_eq!(kept.len(), 1);
        assert_eq!(kept.get(&"a"), None);
    }

    #[test]
    fn it_never_grows() {
        let mut kept = Lru::new(3);
        for number in 0..1000 {
            kept.insert(number, ());
        }
        assert_eq!(kept.len(), 3);
    }
}
