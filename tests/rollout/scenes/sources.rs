//! Pull requests that get previews without anyone doing anything.

use jiff::SignedDuration;
use serde_json::{Value, json};
use towpath::api::app_status::SkipReason;
use towpath::api::{App, ConditionType::*, Preview};
use towpath::config::Config;
use towpath::simulate::World;

use super::previews::{app_with_previews, is_told, nothing_is_left, open, told};
use super::scenes;
use crate::play::When::{Once, Settled};
use crate::shop::*;

const PR: &str = "shop-pr-7";
const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";

/// An App whose pull requests get previews; the images of two commits are there.
fn sourced(more: Value, template: Value) -> World {
    let mut source = json!({
        "provider": "Forgejo",
        "repository": "acme/shop",
        "secretRef": {"name": "git"},
        "image": "registry.example.com/shop:{shortSha}",
    });
    let fields = more.as_object().unwrap().clone();
    source.as_object_mut().unwrap().extend(fields);
    let mut whole = json!({"source": source});
    let fields = template.as_object().unwrap().clone();
    whole.as_object_mut().unwrap().extend(fields);
    let mut world = app_with_previews(whole);
    push_well(&mut world, "1111111", "k1");
    push_well(&mut world, "2222222", "k2");
    world.at_host(|_| {});
    world
}

fn opened() -> World {
    let mut world = sourced(json!({}), json!({}));
    world.at_host(|host| host.push(7, ONE));
    world
}

fn close(world: &mut World) {
    world.at_host(|host| host.close(7));
}

fn skipped(world: &World) -> Vec<(i64, SkipReason)> {
    let status = world.store.get::<App>(SHOP).unwrap().status.clone();
    let skipped = status.unwrap_or_default().skipped.into_iter();
    skipped.map(|skip| (skip.number, skip.reason)).collect()
}

fn shown(world: &World) -> Option<String> {
    let preview = world.store.get::<Preview>(PR)?;
    let commit = preview.spec.release.commit.as_ref()?;
    Some(commit.sha.clone())
}

fn is_closed(world: &World) -> bool {
    world.store.previews.is_empty()
}

scenes! {
    a_pull_request_at_the_source_is_opened_pushed_to_and_closed {
        begin: opened,
        acts: [
            "pushes a commit", Settled, |world| {
                assert!(is_told(world, PR, Ready, "Ready"));
                assert_eq!(shown(world).as_deref(), Some(ONE));
                world.at_host(|host| host.push(7, TWO));
            };
            "merges it", Settled, |world| {
                assert!(is_told(world, PR, Ready, "Ready"));
                assert_eq!(shown(world).as_deref(), Some(TWO));
                close(world);
            };
        ],
        end: nothing_is_left,
    }

    a_pull_request_is_closed_before_its_preview_is_there {
        begin: opened,
        acts: [
            "closes it", Once(|world| world.store.previews.len() == 1), close;
            "opens it again", Once(is_closed), |world| world.at_host(|host| host.reopen(7));
            "closes it again", Settled, |world| {
                assert!(is_told(world, PR, Ready, "Ready"));
                close(world);
            };
        ],
        end: nothing_is_left,
    }

    /// No answer is no reason to delete anything.
    the_host_is_silent_while_a_pull_request_is_closed {
        begin: opened,
        acts: [
            "unplugs the host", Settled, |world| world.at_host(|host| host.is_silent = true);
            "closes it, and restarts the controller", Settled, |world| {
                close(world);
                world.forget();
            };
            "plugs it in", Settled, |world| {
                assert!(is_told(world, PR, Ready, "Ready"));
                world.at_host(|host| host.is_silent = false);
            };
        ],
        end: nothing_is_left,
    }

    /// What is refused for one pull request holds up no other.
    the_preview_of_one_pull_request_is_refused {
        begin: || {
            let mut world = opened();
            world.refuses.push(["Preview", PR, "a policy forbids it"].map(str::to_owned).into());
            world.at_host(|host| host.push(8, TWO));
            world
        },
        acts: [
            "takes the policy back", Settled, |world| {
                assert!(is_told(world, "shop-pr-8", Ready, "Ready"));
                assert!(world.store.get::<Preview>(PR).is_none());
                world.refuses.clear();
            };
        ],
        end: |world| {
            assert!(is_told(world, "shop-pr-8", Ready, "Ready"));
            assert!(is_told(world, PR, Ready, "Ready"));
        },
    }

    /// What is over is not made again: until a push.
    the_preview_of_an_open_pull_request_expires {
        begin: opened,
        acts: [
            "waits until it is over", Settled, |world| world.store.now += SignedDuration::from_secs(4000);
            "pushes a commit", Settled, |world| {
                assert!(is_told(world, PR, Ready, "Expired"));
                assert!(world.environments().is_empty());
                world.at_host(|host| host.push(7, TWO));
            };
        ],
        end: |world| assert!(is_told(world, PR, Ready, "Ready")),
    }

    /// A Preview that a person made is left alone, whatever becomes of the pull request.
    a_pull_request_is_shown_by_a_preview_of_a_person {
        begin: || {
            let mut world = sourced(json!({}), json!({}));
            open(&mut world, "mine", 7);
            world.at_host(|host| host.push(7, ONE));
            world
        },
        acts: [
            "closes the pull request", Settled, |world| {
                assert_eq!(world.previews(), ["mine"]);
                assert_eq!(skipped(world), [(7, SkipReason::MadeByOthers)]);
                close(world);
            };
        ],
        end: |world| {
            assert!(is_told(world, "mine", Ready, "Ready"));
            assert!(skipped(world).is_empty());
        },
    }

    /// The code of a fork runs only at the commit that a maintainer has let in.
    a_fork_is_let_in_and_pushes_again {
        begin: || {
            let mut world = sourced(json!({"label": "preview"}), json!({"forks": "Labelled"}));
            world.at_host(|host| {
                host.push(7, ONE);
                host.edit(7, |told| told.head.is_from_fork = true);
            });
            world
        },
        acts: [
            "labels it", Settled, |world| {
                assert!(world.previews().is_empty());
                assert_eq!(skipped(world), [(7, SkipReason::NotLabelled)]);
                world.at_host(|host| host.approve(7, "preview"));
            };
            "pushes from the fork", Settled, |world| {
                assert!(is_told(world, PR, Ready, "Ready"));
                assert!(world.environment(PR).unwrap().spec.preview.as_ref().unwrap().fork);
                world.at_host(|host| host.push(7, TWO));
            };
            "labels it again", Settled, |world| {
                assert_eq!(shown(world).as_deref(), Some(ONE), "what was let in still runs");
                assert_eq!(skipped(world), [(7, SkipReason::NotApproved)]);
                world.at_host(|host| host.approve(7, "preview"));
            };
            "takes the label away", Settled, |world| {
                assert_eq!(shown(world).as_deref(), Some(TWO));
                world.at_host(|host| host.edit(7, |told| told.labels.clear()));
            };
        ],
        end: nothing_is_left,
    }

    /// In a repository of many apps, each shows what touches it.
    a_pull_request_touches_the_app_only_later {
        begin: || {
            let mut world = sourced(json!({"paths": ["services/shop"]}), json!({}));
            world.at_host(|host| {
                host.push(7, ONE);
                host.changes(7, &["docs/README.md"]);
            });
            world
        },
        acts: [
            "touches it", Settled, |world| {
                assert_eq!(skipped(world), [(7, SkipReason::Untouched)]);
                world.at_host(|host| {
                    host.changes(7, &["services/shop/main.rs"]);
                    host.push(7, TWO);
                });
            };
            "takes it back", Settled, |world| {
                assert!(is_told(world, PR, Ready, "Ready"));
                world.at_host(|host| {
                    host.changes(7, &["docs/README.md"]);
                    host.push(7, ONE);
                });
            };
        ],
        end: nothing_is_left,
    }

    /// Nobody asks for previews any more: what the controller made goes.
    the_source_is_taken_out {
        begin: opened,
        acts: [
            "takes it out", Settled, |world| {
                edit_app(world, |spec| spec.preview.as_mut().unwrap().source = None);
            };
        ],
        end: nothing_is_left,
    }
}

/// Open, push, push and close arrive in every order, each once or twice: in the end what the host says counts.
#[test]
fn events_in_every_order_end_alike() {
    const EVENTS: [&str; 4] = ["open", "push", "push", "close"];
    let mut orders = Vec::new();
    permute(&mut EVENTS.to_vec(), 0, &mut orders);
    for (at, order) in orders.iter().enumerate() {
        let mut world = sourced(json!({}), json!({}));
        let mut is_open = false;
        let mut pushes = 0;
        for event in order {
            match *event {
                "open" => world.at_host(|host| match host.pull_request(7) {
                    None => host.push(7, ONE),
                    Some(_) => host.reopen(7),
                }),
                "push" => {
                    pushes += 1;
                    let sha = if pushes % 2 == 0 { ONE } else { TWO };
                    world.at_host(|host| host.push(7, sha));
                }
                _ => world.at_host(|host| host.close(7)),
            }
            is_open = world
                .hosted
                .as_ref()
                .and_then(|host| host.pull_request(7))
                .is_some_and(|told| told.is_open);
            // Each is hinted at twice, or only later.
            for _ in 0..(at + pushes) % 3 {
                world.pass_app(SHOP);
            }
        }
        assert!(world.settle(30, &mut |_, _| {}));
        let head = world.hosted.as_ref().and_then(|host| host.pull_request(7));
        let head = head.filter(|told| told.is_open).map(|told| told.head.sha);
        assert_eq!(shown(&world), head, "{order:?}");
        match is_open {
            true => assert!(
                is_told(&world, PR, Ready, "Ready"),
                "{order:?}: {:?}",
                told(&world, PR, Ready)
            ),
            false => nothing_is_left(&world),
        }
    }
}

fn permute(events: &mut Vec<&'static str>, from: usize, all: &mut Vec<Vec<&'static str>>) {
    if from == events.len() {
        all.push(events.clone());
        return;
    }
    for at in from..events.len() {
        events.swap(from, at);
        permute(events, from + 1, all);
        events.swap(from, at);
    }
}

/// A thousand pull requests at once: no more than the cap are live, the others wait in order; and all of them go.
#[test]
fn a_flood_of_pull_requests_waits_in_the_queue() {
    let mut world = sourced(json!({}), json!({"maxPreviews": 3, "ttlSeconds": 86400}));
    let mut config = Config::clone(&world.config);
    config.previews.max = 2;
    world.config = std::sync::Arc::new(config);
    world.at_host(|host| (1..=1000).for_each(|number| host.push(number, ONE)));
    let mut passes = 0;
    loop {
        let pass = world.pass_app(SHOP).unwrap();
        passes += 1;
        if pass.plan.steps.is_empty() {
            break;
        }
        assert!(pass.acted.wrote <= 100);
    }
    assert_eq!((passes, world.store.previews.len()), (11, 1000));
    for number in [1, 2, 3, 999, 1000] {
        world.pass_preview(&format!("shop-pr-{number}"));
    }
    assert_eq!(
        world.environments(),
        ["shop-pr-1", "shop-pr-2"],
        "the cap of the cluster"
    );
    let third = world.store.get::<Preview>("shop-pr-3").unwrap();
    let message = third.status.as_ref().unwrap().conditions[0].message.clone();
    assert!(
        message.starts_with("Place 1 in the queue: 2 previews of the cluster"),
        "{message}"
    );
    world.pass_app(SHOP);
    let status = world
        .store
        .get::<App>(SHOP)
        .unwrap()
        .status
        .clone()
        .unwrap();
    assert_eq!(
        (status.live_previews, status.queued_previews),
        (Some(2), Some(998))
    );
    assert_eq!(status.open_pull_requests, Some(1000));
    assert_eq!((status.queue.len(), status.queue[0]), (20, 3));
    world.at_host(|host| (1..=1000).for_each(|number| host.close(number)));
    world.pass_app(SHOP);
    assert!(world.store.previews.is_empty());
}
