//! What the tests share.

pub mod audit;
pub mod command;
pub mod controller;
pub mod database;
pub mod dump;
pub mod fixtures;
pub mod images;
pub mod load;
pub mod place;
pub mod pods;
pub mod setup;
pub mod shop;

pub use controller::Controller;
pub use fixtures::Wanted;
pub use load::Load;
pub use place::Place;
pub use setup::{alone, together};
pub use shop::Shop;

use std::time::Duration;

/// So many seconds.
pub const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Long enough for anything that is waited for, on a slow machine that is busy with other tests. It is less than the time after
/// which the controller looks at everything anew: what comes within it came because the controller was told.
pub const PATIENCE: Duration = seconds(300);
/// How long a release may make no progress that is meant to fail. One that must not fail has the default, five minutes.
pub const SHORT: u32 = 20;
