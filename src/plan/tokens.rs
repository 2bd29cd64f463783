//! A person's triggers: annotations whose value names the Environment's uid, each handled once. The last ones handled are
//! kept on the newest revision.

use kube::ResourceExt;

use super::situation::Situation;
use super::{Plan, database, migration};
use crate::api::{ConditionType, labels};
use crate::revision::Facts;
use crate::seen::SeenEnvironment;

/// Longest token; the status has room for a little more.
const LONGEST: usize = 256;
const TRIGGERS: [&str; 3] = [labels::RETRY, labels::ACCEPT_DATABASE, labels::MARK_APPLIED];

/// The token of a trigger, if it is meant for this very object and was not handled before.
#[must_use]
pub fn fresh<'a>(seen: &'a SeenEnvironment, trigger: &str) -> Option<&'a str> {
    let token = seen.environment.annotations().get(trigger)?;
    let uid = seen.environment.uid()?;
    let meant = is_sound(token) && token.split('.').next() == Some(uid.as_str());
    let handled = seen
        .revisions
        .iter()
        .any(|revision| revision.facts.handled.contains(token));
    (meant && !handled).then_some(token.as_str())
}

/// Whether a token can be kept beside others.
fn is_sound(token: &str) -> bool {
    token.len() <= LONGEST && !token.contains(char::is_whitespace)
}

/// Whether no trigger waits to be handled.
#[must_use]
pub fn none_fresh(seen: &SeenEnvironment) -> bool {
    TRIGGERS
        .iter()
        .all(|trigger| fresh(seen, trigger).is_none())
}

/// The tokens that whoever makes a revision keeps: those handled before, and the retry that it answers.
#[must_use]
pub fn carried(seen: &SeenEnvironment) -> Vec<String> {
    let annotations = seen.environment.annotations();
    let answered = |trigger: &str| trigger == labels::RETRY || fresh(seen, trigger).is_none();
    TRIGGERS
        .into_iter()
        .filter(|trigger| answered(trigger))
        .filter_map(|trigger| annotations.get(trigger).cloned())
        .chain(reset(seen))
        .filter(|token| is_sound(token))
        .collect()
}

/// The word that a new database was asked for by: whoever makes a revision answers it.
fn reset(seen: &SeenEnvironment) -> Option<String> {
    seen.environment.spec.preview.as_ref()?.reset_token.clone()
}

/// Whether a new database is asked for by a word that was not handled before.
#[must_use]
pub fn wants_reset(seen: &SeenEnvironment) -> bool {
    let mut handled = seen.revisions.iter().flat_map(|known| &known.facts.handled);
    reset(seen).is_some_and(|token| is_sound(&token) && !handled.any(|known| *known == token))
}

/// Acts on tokens that make no revision, and records on the newest revision that they were handled.
pub fn hand(situation: &Situation<'_>, plan: &mut Plan) {
    let seen = situation.seen;
    // A retry of what failed waits until there is something to try.
    let waits = |trigger: &str| trigger == labels::RETRY && situation.retry_waits();
    let mut triggers = TRIGGERS.iter().filter(|trigger| !waits(trigger));
    if situation.fresh || !triggers.any(|trigger| fresh(seen, trigger).is_some()) {
        return;
    }
    if let Some(token) = fresh(seen, labels::MARK_APPLIED) {
        let key = token.splitn(3, '.').nth(2).unwrap_or_default();
        if !migration::mark_applied(situation, plan, key) {
            return;
        }
    }
    if fresh(seen, labels::ACCEPT_DATABASE).is_some() && !database::is_known(seen) {
        return;
    }
    let annotations = seen.environment.annotations();
    let handled = TRIGGERS
        .iter()
        .filter(|trigger| !waits(trigger))
        .filter_map(|trigger| annotations.get(*trigger).cloned());
    let facts = Facts {
        handled: handled
            .chain(reset(seen).filter(|_| !wants_reset(seen)))
            .filter(|token| is_sound(token))
            .collect(),
        ..Facts::default()
    };
    situation.record_fact(plan, ConditionType::Accepted, &facts);
}
