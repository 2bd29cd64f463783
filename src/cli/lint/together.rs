//! What an App and an Environment that names it must fulfil together; the apiserver cannot see both.

use super::Object;
use crate::cli::yaml::Path;

/// What is wrong between the objects, each of them sound in itself.
pub(super) fn check<'all, 'file>(
    _sound: &'all [Object<'file>],
) -> Vec<(&'all Object<'file>, Path, String)> {
    Vec::new()
}
