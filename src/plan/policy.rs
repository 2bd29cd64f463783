//! What the pods of a preview may reach, and who may reach them.

use super::situation::Situation;
use super::{Action, Key, Plan, diff};
use crate::api::{ConditionType, Role};
use crate::build::network_policy;
use kube::ResourceExt;

/// The stage that asks for it: before anything of a preview runs.
const STAGE: ConditionType = ConditionType::Accepted;

/// A preview has its network policy before its first pod, and as long as it has pods.
pub fn keep(situation: &Situation<'_>, plan: &mut Plan) {
    let seen = situation.seen;
    let Some(preview) = &seen.environment.spec.preview else {
        return;
    };
    let name = crate::build::names::policy(&seen.environment.name_any());
    let live = seen.children.network_policies.get(&name);
    let Ok(effective) = &situation.effective else {
        plan.wanted.insert(Key::new("NetworkPolicy", name));
        return;
    };
    let web = effective.components.iter();
    let web = web.filter(|component| component.role == Role::Web);
    let ports: Vec<i32> = web.filter_map(|component| component.port).collect();
    let object = network_policy::preview(
        &seen.environment,
        &ports,
        &preview.egress,
        &seen.config.namespace,
    );
    let change = diff::change(
        object,
        live.map(AsRef::as_ref),
        diff::Guarded::Policy,
        &seen.stubborn,
    );
    plan.want(
        STAGE,
        Key::new("NetworkPolicy", name),
        change,
        Action::NetworkPolicy,
    );
}
