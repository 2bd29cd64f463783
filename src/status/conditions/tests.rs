use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::api::{Environment, EnvironmentStatus};

fn environment(status: Option<EnvironmentStatus>) -> Environment {
    let value = json!({
        "metadata": {"namespace": "shop", "name": "production", "uid": "1", "generation": 7},
        "spec": {"appRef": {"name": "shop"}, "release": {"image": "a:1"}},
    });
    let mut environment: Environment = serde_json::from_value(value).unwrap();
    environment.status = status;
    environment
}

fn gate(reason: Reason) -> Gate {
    Gate::new(reason, format!("{} it is", reason.as_str()))
}

fn all_open() -> Vec<(ConditionType, Gate)> {
    let reasons = [
        Reason::Accepted,
        Reason::Resolved,
        Reason::Configured,
        Reason::DatabaseReady,
        Reason::Succeeded,
        Reason::RolledOut,
        Reason::Routed,
        Reason::Verified,
    ];
    ConditionType::STAGES
        .into_iter()
        .zip(reasons.map(gate))
        .collect()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn told(before: Option<EnvironmentStatus>, gates: &Gates, now: i64) -> EnvironmentStatus {
    let plan = Plan {
        available: Some(gate(Reason::Available)),
        ..Plan::default()
    };
    merge(&environment(before), &plan, gates, at(now))
}

fn condition<'a>(status: &'a EnvironmentStatus, type_: &str) -> &'a Condition {
    let found = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_);
    found.unwrap_or_else(|| panic!("no {type_}"))
}

fn has(status: &EnvironmentStatus, type_: &str) -> bool {
    status
        .conditions
        .iter()
        .any(|condition| condition.type_ == type_)
}

#[test]
fn every_type_is_there_from_the_first_pass() {
    let status = told(
        None,
        &[(ConditionType::Accepted, gate(Reason::AppMissing))],
        5,
    );
    for type_ in ConditionType::STAGES
        .map(ConditionType::as_str)
        .into_iter()
        .chain(["Available", "Ready"])
    {
        assert!(has(&status, type_), "{type_}");
    }
    let waits = condition(&status, "RolledOut");
    assert_eq!(
        (waits.status.as_str(), waits.reason.as_str()),
        ("Unknown", "Pending")
    );
    assert_eq!(waits.message, "Waiting for Accepted");
    assert_eq!(condition(&status, "Ready").reason, "AppMissing");
    assert_eq!(condition(&status, "Reconciling").status, "True");
    assert!(!has(&status, "Stalled"));
    assert_eq!(status.observed_generation, Some(7));
}

#[test]
fn a_stage_that_was_not_reached_keeps_what_it_said() {
    let mut before = told(None, &all_open(), 5);
    before
        .conditions
        .iter_mut()
        .for_each(|known| known.observed_generation = Some(3));
    let status = told(
        Some(before),
        &[(ConditionType::Accepted, gate(Reason::HostTaken))],
        9,
    );
    let kept = condition(&status, "RolledOut");
    assert_eq!(
        (kept.reason.as_str(), kept.observed_generation),
        ("RolledOut", Some(3))
    );
    assert_eq!(condition(&status, "Accepted").observed_generation, Some(7));
    assert_eq!(condition(&status, "Stalled").reason, "HostTaken");
    assert!(!has(&status, "Reconciling"));
}

#[test]
fn the_time_moves_only_with_the_status() {
    let first = told(None, &all_open(), 5);
    let again = told(Some(first.clone()), &all_open(), 99);
    assert_eq!(first, again);
    let mut gates = all_open();
    gates[5].1 = gate(Reason::Crashed);
    let failed = told(Some(first), &gates, 99);
    assert_eq!(
        condition(&failed, "RolledOut").last_transition_time.0,
        at(99)
    );
    assert_eq!(condition(&failed, "Migrated").last_transition_time.0, at(5));
}

#[test]
fn the_class_says_how_a_condition_stands() {
    for (reason, status) in [
        (Reason::RolledOut, "True"),
        (Reason::NoAnswer, "Unknown"),
        (Reason::RollingOut, "False"),
        (Reason::ObjectRefused, "False"),
        (Reason::Crashed, "False"),
    ] {
        let mut gates = all_open();
        gates[5].1 = gate(reason);
        let told = told(None, &gates, 5);
        assert_eq!(condition(&told, "RolledOut").status, status, "{reason:?}");
        assert_eq!(condition(&told, "Ready").status, status, "{reason:?}");
    }
}

#[test]
fn the_route_counts_for_ready() {
    let mut gates = all_open();
    gates[6].1 = gate(Reason::RouteRefused);
    let status = told(None, &gates, 5);
    assert_eq!(condition(&status, "Ready").reason, "RouteRefused");
    assert_eq!(condition(&status, "Stalled").message, "RouteRefused it is");
}

#[test]
fn all_open_is_ready_and_neither_stalled_nor_reconciling() {
    let status = told(None, &all_open(), 5);
    assert_eq!(condition(&status, "Ready").status, "True");
    assert!(!has(&status, "Stalled") && !has(&status, "Reconciling"));
}

#[test]
fn a_fault_of_the_controller_is_told_beside_what_was_known() {
    let before = told(None, &all_open(), 5);
    let fault = gate(Reason::InternalError);
    let status = amend(before, &[ConditionType::Ready], &fault, Some(7), at(9));
    assert_eq!(condition(&status, "Ready").status, "Unknown");
    assert_eq!(condition(&status, "RolledOut").reason, "RolledOut");
    assert_eq!(condition(&status, "Reconciling").reason, "InternalError");
    assert_eq!(status.conditions.len(), 11);
}

#[test]
fn what_cannot_be_read_is_told_without_turning() {
    let said = [ConditionType::Accepted, ConditionType::Ready];
    let why = gate(Reason::SpecInvalid);
    let first = amend(told(None, &all_open(), 5), &said, &why, Some(8), at(9));
    assert_eq!(condition(&first, "Stalled").reason, "SpecInvalid");
    assert_eq!(condition(&first, "Accepted").observed_generation, Some(8));
    assert!(same(
        &first,
        &amend(first.clone(), &said, &why, Some(8), at(99))
    ));
}

#[test]
fn the_order_of_conditions_says_nothing() {
    let one = told(None, &all_open(), 5);
    let mut other = one.clone();
    other.conditions.reverse();
    assert!(same(&one, &other));
    other.conditions.pop();
    assert!(!same(&one, &other));
}
