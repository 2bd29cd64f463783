//! Goldens: objects as the apiserver gives them -> what is shown. `UPDATE_GOLDENS=1` writes them anew.

use std::path::{Path, PathBuf};
use std::{env, fs};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{one, previews, table, tree, view::View};
use crate::api::Preview;
use crate::cli::terminal::Look;
use crate::cli::{history, yaml};

const UNICODE: Look = Look {
    colour: false,
    unicode: true,
};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/get")
}

fn view(case: &str) -> View {
    let text = fs::read_to_string(folder().join(format!("{case}.yaml"))).expect("a fixture");
    let (documents, problems) = yaml::documents(&text);
    assert_eq!(problems, [], "{case}");
    fn of<K: DeserializeOwned>(documents: &[yaml::Node], kind: &str) -> Vec<K> {
        let of_kind = documents
            .iter()
            .filter(|document| document.text("kind") == Some(kind));
        of_kind
            .map(|document| serde_json::from_value(document.json()).expect(kind))
            .collect()
    }
    let environment = of(&documents, "Environment").pop().expect("an Environment");
    let revisions = of(&documents, "ControllerRevision");
    let mut view = View::of(
        environment,
        &revisions,
        of(&documents, "Deployment"),
        of(&documents, "Pod"),
        of(&documents, "Job"),
        Vec::new(),
    );
    assert_eq!(
        view.revisions.len(),
        revisions.len(),
        "{case}: every revision can be read"
    );
    if case == "new" {
        view.unread.push("Pods: pods is forbidden".to_owned());
    }
    view
}

fn check(name: &str, shown: &str) {
    let path = folder().join(name);
    if env::var_os("UPDATE_GOLDENS").is_some() {
        fs::write(&path, shown).expect("a golden can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(expected, shown, "{name}; UPDATE_GOLDENS=1 writes it anew");
}

#[test]
fn trees_are_as_they_were() {
    for case in ["rolled-back", "migration-failed", "rolling-out", "new"] {
        check(
            &format!("{case}.txt"),
            &tree::render(&view(case), now(), UNICODE),
        );
    }
    let ascii = tree::render(&view("rolled-back"), now(), Look::default());
    assert!(ascii.is_ascii());
    check("rolled-back.ascii.txt", &ascii);
}

#[test]
fn colours_change_nothing_but_colours() {
    let look = Look {
        colour: true,
        unicode: true,
    };
    for case in ["rolled-back", "migration-failed", "rolling-out", "new"] {
        let coloured = tree::render(&view(case), now(), look);
        assert!(coloured.contains("\u{1b}["));
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, tree::render(&view(case), now(), UNICODE), "{case}");
    }
}

#[test]
fn the_table_is_as_it_was() {
    let mut environments: Vec<_> = ["rolled-back", "migration-failed", "rolling-out", "new"]
        .map(|case| view(case).environment)
        .into();
    for (environment, name) in environments.iter_mut().zip(["d", "c", "b", "a"]) {
        environment.metadata.name = Some(name.to_owned());
    }
    check(
        "table.txt",
        &table::render(&environments, true, now(), UNICODE),
    );
}

fn preview(number: i64, reason: &str, status: &str) -> Preview {
    let condition = |type_: &str, reason: &str, status: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": "as it says",
            "lastTransitionTime": "2026-11-21T11:00:00Z",
        })
    };
    let conditions = [
        condition("Ready", reason, status),
        condition("Announced", "GitHostRefused", "False"),
    ];
    serde_json::from_value(json!({
        "metadata": {"namespace": "previews", "name": format!("shop-pr-{number}"), "uid": format!("uid-{number}")},
        "spec": {"appRef": {"name": "shop"}, "pullRequest": {"number": number}, "release": {"image": "shop:1"}},
        "status": {
            "url": format!("http://shop-pr-{number}.localhost"), "expiresTime": "2026-11-23T12:00:00Z",
            "conditions": conditions,
        },
    }))
    .expect("a Preview")
}

/// What is seen of an Environment that the Preview of this pull request owns.
fn owned(case: &str, number: i64) -> View {
    let mut view = view(case);
    let owner = json!({
        "apiVersion": "towpath.dev/v1alpha1", "kind": "Preview", "name": "p", "uid": format!("uid-{number}"),
        "controller": true,
    });
    let metadata = &mut view.environment.metadata;
    metadata.name = Some(format!("shop-pr-{number}"));
    metadata.owner_references = Some(vec![serde_json::from_value(owner).expect("an owner")]);
    view
}

#[test]
fn previews_stand_above_their_environments() {
    let previews = [
        preview(12, "NotDeployed", "False"),
        preview(7, "Ready", "True"),
    ];
    let environments = vec![
        owned("migration-failed", 12).environment,
        view("new").environment,
        owned("rolled-back", 7).environment,
    ];
    let (alone, owned) = previews::apart(environments, &previews);
    assert_eq!((alone.len(), owned.len()), (1, 2));
    check(
        "previews.txt",
        &previews::render(&previews, &owned, false, now(), UNICODE),
    );
}

#[test]
fn one_preview_stands_above_everything_of_its_environment() {
    let preview = |reason, status| preview(12, reason, status);
    let failed = owned("migration-failed", 12);
    let shown = one::render(
        Some(&preview("NotDeployed", "False")),
        Some(&failed),
        now(),
        UNICODE,
    );
    check("preview.txt", &shown);
    assert!(shown.ends_with(&tree::render(&failed, now(), UNICODE)));
    // One that waits has no Environment.
    let mut queued = preview("Queued", "False");
    queued.status.as_mut().expect("a status").expires_time = None;
    check(
        "preview-queued.txt",
        &one::render(Some(&queued), None, now(), UNICODE),
    );
    let alone = one::render(None, Some(&failed), now(), UNICODE);
    assert_eq!(alone, tree::render(&failed, now(), UNICODE));
}

#[test]
fn the_history_is_as_it_was() {
    check(
        "history.txt",
        &history::render(&view("rolled-back").revisions, now(), UNICODE),
    );
}
