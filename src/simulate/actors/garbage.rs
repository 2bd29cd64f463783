//! The garbage collector: what has owners, and none of them is left, goes.

use std::collections::BTreeSet;

use crate::simulate::effect::Effect;
use crate::simulate::store::Known;

/// What goes.
pub(super) fn steps(all: &[Known]) -> Vec<Effect> {
    let uids: BTreeSet<&String> = all.iter().map(|known| &known.uid).collect();
    let orphan = |known: &&Known| {
        !known.owners.is_empty()
            && !known.leaving
            && known.owners.iter().all(|owner| !uids.contains(owner))
    };
    let collect = |known: &Known| Effect::Collect {
        kind: known.kind.clone(),
        name: known.name.clone(),
        uid: known.uid.clone(),
    };
    all.iter().filter(orphan).map(collect).collect()
}
