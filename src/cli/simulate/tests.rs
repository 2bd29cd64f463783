//! Stories as they are told, by case.

use std::path::Path;

use super::*;

#[track_caller]
fn check(golden: &str, releases: &[&str], failing_health: bool, failing_migration: bool) {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let files = std::fs::read_to_string(goldens.join("plan-command/shop.yaml")).unwrap();
    let options = Options {
        files: Vec::new(),
        releases: releases.iter().map(|&image| image.to_owned()).collect(),
        failing_health,
        failing_migration,
        namespace: "default".to_owned(),
    };
    let declared = declared::read(&[("shop.yaml".to_owned(), files)], "default").unwrap();
    let text = tell("shop-staging", &declared, &options);
    let path = goldens.join(format!("simulate-command/{golden}.txt"));
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(expected, text, "{golden}");
}

#[test]
fn a_release_that_never_gets_ready_is_given_up() {
    check(
        "failing-health",
        &["registry.example.com/shop:v2"],
        true,
        false,
    );
}

#[test]
fn a_migration_that_fails_leaves_the_release_before_serving() {
    check(
        "failing-migration",
        &[
            "registry.example.com/shop:v2",
            "registry.example.com/shop:v3",
        ],
        false,
        true,
    );
}
