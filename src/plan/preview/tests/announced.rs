//! What Git hosts are told, and when.

use super::*;
use crate::git::StatusState;
use crate::plan::Announcement;
use crate::plan::announcement::{Piece, Stand, Told};
use crate::seen::{Obstacle, PutOff};

const SHA: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
/// What anybody may call a branch.
const BRANCH: &str = "\"; DROP DATABASE x; -- `code` @team ![x](https://evil.example/x.png) <img src=x>\n\n/close 🛒";

fn source(more: &Value) -> Value {
    let mut source = json!({
        "provider": "GitHub", "repository": "acme/shop", "secretRef": {"name": "git-token"},
        "image": "registry.example.com/shop:{sha}", "comment": true,
    });
    let fields = more.as_object().unwrap().clone();
    source.as_object_mut().unwrap().extend(fields);
    json!({"source": source, "database": {"provider": "Dedicated", "dedicated": {"version": "15", "size": "1Gi"}}})
}

fn of_commit(number: i64) -> Preview {
    let mut preview = pushed(number, 0);
    preview.spec.release.commit.as_mut().unwrap().sha = SHA.to_owned();
    preview.spec.pull_request.branch = Some(BRANCH.to_owned());
    let mut first = seen(&[preview.clone()], &[], &json!({}));
    first.now = at(0);
    noted(&mut preview, &plan(&first));
    preview
}

/// A preview that says this of itself: the reason, message and stage of its Environment.
fn stands(preview: &Preview, source: &Value, said: Option<(&str, &str, &str)>) -> SeenPreview {
    let mut seen = seen(
        std::slice::from_ref(preview),
        &[preview.spec.pull_request.number],
        source,
    );
    let Some((stage, reason, message)) = said else {
        return seen;
    };
    let condition = |type_: &str| {
        let status = if reason == "Ready" { "True" } else { "False" };
        json!({
            "type": type_, "status": status, "reason": reason, "message": message,
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    };
    let database = json!({
        "type": "DatabaseReady", "status": "True", "reason": "DatabaseReady",
        "message": "The database answers: its data was kept", "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = json!({
        "observedGeneration": 1, "url": "https://shop-pr-7.example.com", "serving": 3,
        "migration": {"key": "k`2", "revision": 2},
        "conditions": [database, condition(stage), condition("Ready")],
    });
    let mut environment = Environment::clone(seen.environment.as_ref().unwrap());
    environment.status = Some(serde_json::from_value(status).unwrap());
    seen.environment = Some(Arc::new(environment));
    seen
}

fn ready(preview: &Preview) -> SeenPreview {
    stands(
        preview,
        &source(&json!({})),
        Some(("Verified", "Ready", "shop:1 runs")),
    )
}

fn rolling(preview: &Preview) -> SeenPreview {
    let said = ("RolledOut", "RollingOut", "Rolling out web: 0 of 1 pods");
    stands(preview, &source(&json!({})), Some(said))
}

fn announced(plan: &Plan<PreviewStatus>) -> Option<&Announcement> {
    let mut steps = plan.steps.iter();
    steps.find_map(|step| match &step.action {
        Action::Announce(announcement) => Some(&**announcement),
        _ => None,
    })
}

fn names(plan: &Plan<PreviewStatus>) -> Vec<&'static str> {
    let pieces = announced(plan).into_iter().flat_map(|known| &known.pieces);
    pieces.map(Piece::name).collect()
}

fn reason(plan: &Plan<PreviewStatus>) -> Reason {
    plan.gate(ConditionType::Announced).unwrap().reason
}

fn state(plan: &Plan<PreviewStatus>) -> Option<StatusState> {
    let mut pieces = announced(plan)?.pieces.iter();
    pieces.find_map(|piece| match piece {
        Piece::Status(status) => Some(status.state),
        _ => None,
    })
}

/// The Preview after the host was told.
fn after(preview: &Preview, plan: &Plan<PreviewStatus>) -> Preview {
    let mut told = preview.clone();
    let text = announced(plan).expect("something to tell").told.text();
    told.annotations_mut()
        .insert(labels::ANNOUNCED.to_owned(), text);
    told.metadata.finalizers = Some(vec![labels::ANNOUNCEMENT.to_owned()]);
    told
}

/// Everything that is told, as text.
fn text(plan: &Plan<PreviewStatus>) -> String {
    let mut lines = Vec::new();
    for piece in announced(plan).into_iter().flat_map(|known| &known.pieces) {
        lines.push(match piece {
            Piece::Status(status) => {
                let url = status.url.as_deref().unwrap_or("no URL");
                format!(
                    "status {}: {:?}, {url}: {}",
                    status.context, status.state, status.description
                )
            }
            Piece::Deployment(known) => {
                format!("deployment {}: {:?}", known.environment, known.state)
            }
            Piece::End { but, .. } => format!("end of deployments, but of {but:?}"),
            Piece::Comment(comment) => format!("comment:\n{}", comment.body()),
        });
    }
    lines.join("\n") + "\n"
}

#[test]
fn every_state_is_told_as_the_golden_says() {
    let preview = of_commit(7);
    let log = "Migrating to `k3` failed: ```\nERROR: column \"price\" @team\n/close";
    let failed = Some(("Migrated", "MigrationFailed", log));
    let mut fork = preview.clone();
    fork.spec.pull_request.fork = true;
    let mut closed = after(&preview, &plan(&ready(&preview)));
    closed.metadata.deletion_timestamp = preview.metadata.creation_timestamp.clone();
    closed.metadata.deletion_timestamp.as_mut().unwrap().0 = at(0);
    let old = after(&preview, &plan(&ready(&preview)));
    let mut expired = ready(&old);
    expired.now = at(1000);
    let mut queued = seen(&[of_commit(7), of_commit(3)], &[3], &source(&json!({})));
    let mut config = Config::default();
    config.previews.max = 1;
    queued.config = Arc::new(config);
    let image = "Image 'registry.example.com/shop:1' is not in its registry yet";
    let logs = source(&json!({"logs": true}));
    let mut labelled = logs.clone();
    labelled["forks"] = json!("Labelled");
    let bare = source(&json!({}));
    let scenes = [
        ("queued", queued),
        (
            "waiting for its image",
            stands(
                &preview,
                &bare,
                Some(("Resolved", "WaitingForImage", image)),
            ),
        ),
        (
            "migrating",
            stands(
                &preview,
                &bare,
                Some((
                    "Migrated",
                    "MigrationRunning",
                    "Migrating to 'k3': secret words",
                )),
            ),
        ),
        ("ready", ready(&preview)),
        ("failed", stands(&preview, &bare, failed)),
        ("failed, with logs", stands(&preview, &logs, failed)),
        (
            "failed, with logs, of a fork",
            stands(&fork, &labelled, failed),
        ),
        ("expired", expired),
        ("closed", ready(&closed)),
        (
            "ready, at GitLab without a comment",
            stands(
                &preview,
                &source(
                    &json!({"provider": "GitLab", "repository": "acme/team/shop", "comment": false}),
                ),
                Some(("Verified", "Ready", "shop:1 runs")),
            ),
        ),
    ];
    let told = scenes
        .map(|(title, seen)| format!("# {title}\n{}", text(&plan(&seen))))
        .join("\n");
    let golden = include_str!("../../../../tests/goldens/announcements.md");
    similar_asserts::assert_eq!(
        golden,
        told,
        "tests/goldens/announcements.md says otherwise"
    );
}

#[test]
fn nothing_is_told_twice() {
    let preview = of_commit(7);
    let first = plan(&ready(&preview));
    assert_eq!(names(&first), ["status", "deployment", "end", "comment"]);
    let told = after(&preview, &first);
    let second = plan(&ready(&told));
    assert!(second.steps.is_empty(), "{:?}", second.steps);
    assert_eq!(reason(&second), Reason::Announced);
    // What cannot be read counts as nothing.
    let mut spoiled = told;
    spoiled
        .annotations_mut()
        .insert(labels::ANNOUNCED.to_owned(), "{".to_owned());
    assert_eq!(names(&plan(&ready(&spoiled))).len(), 4);
}

#[test]
fn what_must_end_there_holds_the_preview_first() {
    let preview = of_commit(7);
    let first = plan(&ready(&preview));
    let Action::Hold {
        kind, finalizers, ..
    } = &first.steps[0].action
    else {
        panic!("{:?}", first.steps);
    };
    assert_eq!(
        (*kind, finalizers.as_slice()),
        ("Preview", &[labels::ANNOUNCEMENT.to_owned()][..])
    );
    let status_only = json!({"provider": "Forgejo", "comment": false});
    let status_only = stands(
        &preview,
        &source(&status_only),
        Some(("Verified", "Ready", "")),
    );
    let status_only = plan(&status_only);
    assert_eq!(names(&status_only), ["status"]);
    assert_eq!(
        status_only.steps.len(),
        1,
        "nothing is left there that must end"
    );
}

#[test]
fn what_is_waited_for_is_told_with_pauses_and_what_is_decided_at_once() {
    let preview = of_commit(7);
    let image = stands(
        &preview,
        &source(&json!({})),
        Some(("Resolved", "WaitingForImage", "not there")),
    );
    let first = plan(&image);
    assert_eq!(state(&first), Some(StatusState::Pending));
    let told = after(&preview, &first);
    let mut next = rolling(&told);
    next.now = at(9);
    assert!(announced(&plan(&next)).is_none());
    assert_eq!(plan(&next).next, Some(at(10)));
    next.now = at(10);
    assert_eq!(names(&plan(&next)), ["status", "deployment", "comment"]);
    assert_eq!(state(&plan(&ready(&told))), Some(StatusState::Success));
}

#[test]
fn a_preview_that_answered_may_be_away_for_two_minutes() {
    let preview = of_commit(7);
    let mut told = after(&preview, &plan(&ready(&preview)));
    let mut moving = rolling(&told);
    moving.now = at(50);
    assert!(announced(&plan(&moving)).is_none());
    let unready = json!({
        "type": "Ready", "status": "False", "reason": "Deploying", "message": "",
        "lastTransitionTime": at(50).to_string(),
    });
    let status = json!({"conditions": [unready]});
    told.status = Some(serde_json::from_value(status).unwrap());
    let mut moving = rolling(&told);
    moving.now = at(169);
    assert!(announced(&plan(&moving)).is_none());
    moving.now = at(170);
    assert_eq!(state(&plan(&moving)), Some(StatusState::Pending));
    // A push is another matter.
    let mut push = told;
    push.spec.release.commit.as_mut().unwrap().sha = SHA.replace('0', "1");
    let mut moving = rolling(&push);
    moving.now = at(51);
    assert_eq!(state(&plan(&moving)), Some(StatusState::Pending));
}

#[test]
fn that_a_preview_is_over_says_nothing_of_its_commit() {
    let preview = of_commit(7);
    for (first, verdict) in [
        (ready(&preview), StatusState::Success),
        (rolling(&preview), StatusState::Pending),
        (
            stands(
                &preview,
                &source(&json!({})),
                Some(("Migrated", "MigrationFailed", "")),
            ),
            StatusState::Failure,
        ),
    ] {
        let told = after(&preview, &plan(&first));
        let mut over = ready(&told);
        over.now = at(1000);
        let over = plan(&over);
        assert_eq!(state(&over), Some(verdict));
        assert_eq!(names(&over), ["status", "end", "comment"]);
        // And goes on saying so.
        let told = after(&told, &over);
        let mut later = ready(&told);
        later.now = at(2000);
        assert!(announced(&plan(&later)).is_none());
    }
    assert!(Stand::Expired.is_over() && !Stand::Failed.is_over());
}

#[test]
fn deployments_that_ended_begin_and_end_again() {
    let preview = of_commit(7);
    let told = after(&preview, &plan(&ready(&preview)));
    let mut over = ready(&told);
    over.now = at(1000);
    let told = after(&told, &plan(&over));
    let mut revived = told.clone();
    revived
        .annotations_mut()
        .insert(labels::EXTEND.to_owned(), "uid-7.1".to_owned());
    let again = plan(&ready(&revived));
    assert!(names(&again).contains(&"deployment"), "{:?}", names(&again));
    let mut told = after(&revived, &again);
    told.annotations_mut().remove(labels::EXTEND);
    let mut over = ready(&told);
    over.now = at(1000);
    assert!(names(&plan(&over)).contains(&"end"));
}

#[test]
fn an_obstacle_is_told_and_hides_nothing() {
    let preview = of_commit(7);
    let obstacle = |reason| Obstacle {
        reason,
        message: "why".to_owned(),
    };
    let mut seen = ready(&preview);
    seen.obstacle = Some(obstacle(Reason::KeyMissing));
    let without_token = plan(&seen);
    assert_eq!(reason(&without_token), Reason::KeyMissing);
    assert!(without_token.steps.is_empty());
    seen.obstacle = None;
    let all = plan(&seen);
    let all = announced(&all).unwrap();
    let hash = |name: &str| {
        let piece = all
            .pieces
            .iter()
            .find(|piece| piece.name() == name)
            .unwrap();
        piece.hash(&all.repository, &all.head)
    };
    let put_off = |piece, until| PutOff {
        obstacle: obstacle(Reason::GitHostRefused),
        until,
        piece,
    };
    seen.put_off = vec![
        put_off(Some(hash("deployment")), at(60)),
        put_off(Some(hash("comment")), at(0)),
    ];
    let some = plan(&seen);
    assert_eq!(names(&some), ["status", "end", "comment"]);
    let told = &announced(&some).unwrap().told;
    assert!(!told.pieces.contains_key("deployment"), "{told:?}");
    let mut noted = ready(&after(&preview, &some));
    noted.put_off.clone_from(&seen.put_off);
    let rest = plan(&noted);
    assert!(rest.steps.is_empty());
    assert_eq!(
        (reason(&rest), rest.next),
        (Reason::GitHostRefused, Some(at(60)))
    );
    seen.put_off = vec![put_off(None, at(60))];
    assert!(plan(&seen).steps.is_empty());
}

#[test]
fn of_two_previews_of_a_pull_request_one_is_announced() {
    let mut twin = of_commit(7);
    twin.metadata.name = Some("again".to_owned());
    twin.metadata.uid = Some("uid-again".to_owned());
    twin.metadata.creation_timestamp.as_mut().unwrap().0 = at(0);
    let second = plan(&seen(&[twin, of_commit(7)], &[], &source(&json!({}))));
    assert_eq!(reason(&second), Reason::NotConfigured);
    assert!(announced(&second).is_none());
}

#[test]
fn a_preview_that_goes_takes_its_environment_along_at_once() {
    let preview = of_commit(7);
    let mut leaving = after(&preview, &plan(&ready(&preview)));
    leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
    leaving.metadata.deletion_timestamp.as_mut().unwrap().0 = at(0);
    assert!(is_held(&leaving));
    let mut seen = ready(&leaving);
    let last = plan(&seen);
    assert_eq!(deletes(&last), 1);
    assert_eq!(names(&last), ["end", "status", "comment"]);
    assert_eq!(announced(&last).unwrap().lets_go, Some(Vec::new()));
    let lets_go = |plan: &Plan<PreviewStatus>| {
        let mut steps = plan.steps.iter();
        announced(plan).is_none() && steps.any(|step| matches!(&step.action, Action::Hold { finalizers, .. } if finalizers.is_empty()))
    };
    assert!(last.gate(ConditionType::Announced).is_none());
    seen.obstacle = Some(Obstacle {
        reason: Reason::ReferenceMissing,
        message: String::new(),
    });
    assert!(lets_go(&plan(&seen)), "the token is gone");
    assert_eq!(reason(&plan(&seen)), Reason::NotTold);
    seen.obstacle.as_mut().unwrap().reason = Reason::ReferenceUnknown;
    assert!(!lets_go(&plan(&seen)), "it may be there");
    seen.now = at(300);
    assert!(lets_go(&plan(&seen)), "five minutes are enough");
    assert_eq!(reason(&plan(&seen)), Reason::NotTold);
    seen.now = at(0);
    leaving
        .annotations_mut()
        .insert(labels::LET_GO.to_owned(), "uid-7.1".to_owned());
    seen.preview = Arc::new(leaving);
    assert!(lets_go(&plan(&seen)), "a person said so");
    assert!(plan(&seen).gate(ConditionType::Announced).is_none());
}

#[test]
fn what_was_told_is_read_back() {
    let preview = of_commit(7);
    let plan = plan(&ready(&preview));
    let told = announced(&plan).unwrap().told.clone();
    assert_eq!(Told::of(&after(&preview, &plan)), told);
    assert!(told.text().len() < 400, "{}", told.text());
}
