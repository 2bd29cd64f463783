//! The scenes.

mod announced;
mod configuration;
mod databases;
mod failures;
mod overtaken;
mod people;
mod previews;
mod releases;
mod resets;
mod shared;
mod sleep;
mod sources;

use crate::play::Scene;

/// Plays a scene in the default order against its golden, and in random orders.
fn check(scene: &Scene) {
    let told = scene.tell();
    let path = format!(
        "{}/tests/goldens/stories/{}.txt",
        env!("CARGO_MANIFEST_DIR"),
        scene.name
    );
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    similar_asserts::assert_eq!(golden, told, "{}: UPDATE_GOLDENS=1 rewrites it", scene.name);
    let seeds = std::env::var("TOWPATH_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok());
    for seed in 1..=seeds.unwrap_or(5) {
        scene.play(seed);
    }
}

/// Scenes, each a test: how it begins, what people do and when, and how it ends.
macro_rules! scenes {
    ($($(#[doc = $doc:literal])* $name:ident {
        begin: $begin:expr,
        acts: [$($what:literal, $when:expr, $does:expr;)*],
        end: $end:expr $(,)?
    })+) => {
        $($(#[doc = $doc])* #[test]
        fn $name() {
            super::check(&crate::play::Scene {
                name: stringify!($name),
                begin: $begin,
                acts: &[$(crate::play::Act { what: $what, when: $when, does: $does },)*],
                end: $end,
            });
        })+
    };
}
pub(crate) use scenes;
