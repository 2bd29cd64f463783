//! What the pods of a preview may reach, and who may reach them.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::accept::Effective;
use super::situation::Situation;
use super::{Action, Key, Plan, database, diff};
use crate::api::template::Egress;
use crate::api::{ConditionType, Role};
use crate::build::network_policy;
use crate::config;
use crate::seen::SeenEnvironment;

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
    let to_server = to_server(seen);
    let (Ok(effective), Some(to_server)) = (&situation.effective, to_server) else {
        plan.wanted.insert(Key::new("NetworkPolicy", name));
        return;
    };
    let ports = ports(situation, effective);
    let mut egress = preview.egress.clone();
    egress.extend(to_server);
    let object =
        network_policy::preview(&seen.environment, &ports, &egress, &seen.config.namespace);
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

/// The ports of Web components: as they are declared, and of what serves or is on its way.
fn ports(situation: &Situation<'_>, effective: &Effective) -> Vec<i32> {
    let declared = effective.components.iter();
    let declared = declared.map(|component| (component.role, component.port));
    let revisions = [
        situation.serving,
        situation.held(),
        situation.target.as_ref(),
    ];
    let revisions = revisions.into_iter().flatten();
    let rendered = revisions.flat_map(|revision| &revision.decided.components);
    let rendered = rendered.map(|component| (component.role, component.port));
    let web = declared
        .chain(rendered)
        .filter(|(role, _)| *role == Role::Web);
    let ports: BTreeSet<i32> = web.filter_map(|(_, port)| port).collect();
    ports.into_iter().collect()
}

/// The way to the shared server of the database. An address is named; a name leads anywhere, and the port alone is named.
/// `None`: nobody knows it now.
fn to_server(seen: &SeenEnvironment) -> Option<Vec<Egress>> {
    let database = seen.environment.spec.database.as_ref();
    if database.is_none_or(|database| database.server.is_none()) {
        return Some(Vec::new());
    }
    let (host, port) = database::dial(seen)?;
    let egress = config::cidrs(&host).into_iter().map(|cidr| Egress {
        cidr,
        ports: vec![i32::from(port)],
    });
    Some(egress.collect())
}
