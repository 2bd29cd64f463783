//! What the pods of a preview may reach, and who may reach them.

use kube::ResourceExt;

use super::situation::Situation;
use super::{Action, Key, Plan, diff};
use crate::api::template::Egress;
use crate::api::{ConditionType, Environment, Role};
use crate::build::{network_policy, postgres};
use crate::config::Config;

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
    let mut egress = preview.egress.clone();
    egress.extend(to_server(&seen.environment, &seen.config));
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

/// The way to the shared server of the database. Its address is named where the configuration gives one; a name leads
/// anywhere, and the port alone is named.
fn to_server(environment: &Environment, config: &Config) -> Vec<Egress> {
    let database = environment.spec.database.as_ref();
    let named = database.and_then(|database| database.server.as_ref());
    let Some(server) = named.and_then(|named| config.postgres.server(&named.name)) else {
        return Vec::new();
    };
    let ports = vec![i32::from(server.port.unwrap_or(postgres::PORT))];
    let cidrs = server.cidrs();
    let egress = cidrs.into_iter().map(|cidr| Egress {
        cidr,
        ports: ports.clone(),
    });
    egress.collect()
}
