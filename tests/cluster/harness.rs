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

/// Long enough for a release to get ready on a machine that is busy with other tests.
pub const READY: Duration = seconds(120);
