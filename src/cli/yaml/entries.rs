//! The entries of a map while it is read: each key once.

use std::collections::HashMap;

use super::node::{Node, Value};

/// Entries in their order.
#[derive(Default)]
pub(super) struct Entries {
    list: Vec<(String, usize, Node)>,
    places: HashMap<String, usize>,
}

impl Entries {
    /// Puts an entry; the last one of a key counts. Whether the key was there before.
    pub(super) fn put(&mut self, key: String, line: usize, node: Node) -> bool {
        let place = self.places.get(&key).copied();
        match place.and_then(|place| self.list.get_mut(place)) {
            Some(entry) => {
                *entry = (key, line, node);
                true
            }
            None => {
                self.places.insert(key.clone(), self.list.len());
                self.list.push((key, line, node));
                false
            }
        }
    }

    /// The entries with those of merged maps (`<<`) that are not there themselves; the first one that has a key wins.
    pub(super) fn merged(mut self, maps: Vec<Node>) -> Vec<(String, usize, Node)> {
        self.merge(maps);
        self.list
    }

    fn merge(&mut self, maps: Vec<Node>) {
        for node in maps {
            match node.value {
                Value::Map(more) => {
                    for (key, line, value) in more {
                        if !self.places.contains_key(&key) {
                            self.put(key, line, value);
                        }
                    }
                }
                Value::List(maps) => self.merge(maps),
                _ => {}
            }
        }
    }
}
