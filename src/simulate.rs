//! A simulated cluster: the world of the tests, of `towpath plan` and of `towpath simulate`. Deterministic, in memory, and
//! without a clock of its own.
//!
//! [`store`] is the apiserver, [`actors`] are the controllers, kubelets and gateways, [`databases`] are the servers;
//! [`world`] puts them together and lets Towpath's own passes run in it.

pub mod actors;
mod applied;
pub mod apps;
pub mod assume;
pub mod databases;
pub mod defaults;
pub mod effect;
pub mod git;
pub mod merge;
pub mod perform;
pub mod previews;
mod resume;
pub mod script;
pub mod see;
pub mod settle;
pub mod shared;
pub mod shown;
pub mod store;
pub mod story;
pub mod words;
pub mod world;

pub use apps::AppPass;
pub use effect::Effect;
pub use git::Hosted;
pub use previews::PreviewPass;
pub use script::{Build, Migrates, Runs};
pub use settle::Event;
pub use store::Store;
pub use story::Story;
pub use world::{Pass, World};
