use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;

use super::*;

fn object(name: &str, uid: &str, version: u64) -> ConfigMap {
    let value = json!({"metadata": {
        "namespace": "shop", "name": name, "uid": uid, "resourceVersion": version.to_string(),
        "labels": {"towpath.dev/environment": "production"},
    }});
    serde_json::from_value(value).unwrap()
}

fn place(name: &str) -> Place {
    Place::new("shop", name)
}

fn version(shelf: &Shelf<ConfigMap>, name: &str) -> Option<String> {
    shelf.get(&place(name))?.resource_version()
}

#[test]
fn an_own_write_hides_every_older_state() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("a", "1", 5)));
    shelf.wrote(object("a", "1", 9));
    assert!(shelf.applied(Ok(object("a", "1", 7))).is_none());
    assert_eq!(version(&shelf, "a").as_deref(), Some("9"));
    let told = shelf.applied(Ok(object("a", "1", 9))).unwrap();
    assert!(told.own);
    assert!(shelf.applied(Ok(object("a", "1", 9))).is_none());
    assert!(!shelf.applied(Ok(object("a", "1", 10))).unwrap().own);
}

#[test]
fn versions_are_numbers_not_text() {
    let shelf = Shelf::default();
    shelf.wrote(object("a", "1", 10));
    assert!(shelf.applied(Ok(object("a", "1", 9))).is_none());
}

#[test]
fn what_was_deleted_here_does_not_come_back_late() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("a", "1", 5)));
    shelf.deleted(&place("a"), "1");
    assert_eq!(version(&shelf, "a"), None);
    assert!(shelf.applied(Ok(object("a", "1", 6))).is_none());
    shelf.wrote(object("a", "2", 8));
    assert!(shelf.removed(Ok(object("a", "1", 7))).is_none());
    assert_eq!(version(&shelf, "a").as_deref(), Some("8"));
}

#[test]
fn a_list_that_began_before_a_write_does_not_undo_it() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("old", "1", 1)));
    let mark = shelf.mark();
    shelf.wrote(object("new", "2", 5));
    let changes = shelf.replaced(None, vec![], mark);
    let gone: Vec<&str> = changes
        .iter()
        .map(|change| change.place.name.as_str())
        .collect();
    assert_eq!(gone, ["old"]);
    assert_eq!(version(&shelf, "new").as_deref(), Some("5"));
    let later = shelf.replaced(None, vec![], shelf.mark());
    assert_eq!(later.len(), 1);
    assert_eq!(version(&shelf, "new"), None);
}

#[test]
fn a_list_in_which_nothing_changed_tells_nothing() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("a", "1", 5)));
    assert!(
        shelf
            .replaced(None, vec![Ok(object("a", "1", 5))], shelf.mark())
            .is_empty()
    );
}

#[test]
fn a_list_of_one_namespace_leaves_the_others() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("a", "1", 5)));
    assert!(
        shelf
            .replaced(Some("other"), vec![], shelf.mark())
            .is_empty()
    );
    assert_eq!(shelf.replaced(Some("shop"), vec![], shelf.mark()).len(), 1);
}

#[test]
fn an_object_that_cannot_be_read_spoils_itself_alone() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("a", "1", 5)));
    shelf.applied(Ok(object("b", "2", 6)));
    let change = shelf
        .applied(Err((place("a"), "unknown variant".to_owned())))
        .unwrap();
    assert!(change.new.is_none() && change.old.is_some());
    assert_eq!(
        shelf.unreadable(&place("a")).as_deref(),
        Some("unknown variant")
    );
    assert_eq!(shelf.places().len(), 2);
    shelf.applied(Ok(object("a", "1", 7)));
    assert_eq!(shelf.unreadable(&place("a")), None);
    assert_eq!(shelf.group("shop", "production").len(), 2);
}

#[test]
fn an_object_moves_with_its_label() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("a", "1", 5)));
    let mut moved = object("a", "1", 6);
    let labels = moved.metadata.labels.get_or_insert_default();
    labels.insert("towpath.dev/environment".to_owned(), "staging".to_owned());
    shelf.applied(Ok(moved));
    assert!(shelf.group("shop", "production").is_empty());
    assert_eq!(shelf.group("shop", "staging").len(), 1);
}

#[test]
fn an_answer_that_comes_after_its_end_brings_nothing_back() {
    let shelf = Shelf::default();
    shelf.applied(Ok(object("a", "1", 5)));
    shelf.deleted(&place("a"), "1");
    shelf.wrote(object("a", "1", 6));
    assert!(version(&shelf, "a").is_none());
    shelf.wrote(object("a", "2", 7));
    assert_eq!(
        version(&shelf, "a").as_deref(),
        Some("7"),
        "a younger one of its name is another"
    );
}
