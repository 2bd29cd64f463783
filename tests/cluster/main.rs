//! The real cluster: pods, traffic, PostgreSQL, a gateway, and the controller as its chart installs it.
//!
//! Needs the local cluster with Towpath and the example app in it: `make cluster install shop`. Without it every test
//! fails and says so. Each test has a namespace of its own, which is deleted at its end; of a test that fails, objects, events
//! and logs are left in `target/cluster-failures/` (and its namespace too, with `TOWPATH_KEEP_FAILED` set).
//!
//! Tests that disturb what all share run alone; the others run side by side.
// The lints know tests by their attribute, and not what tests share.
#![allow(
    missing_docs,
    clippy::type_complexity,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

mod harness;

mod at_rest;
mod bad_input;
mod changes;
mod deletion;
mod faults;
mod golden;
mod healing;
mod kills;
mod many_previews;
mod modes;
mod previews;
mod rendering;
mod secrets;
mod sleep;
mod source;
mod story;
mod traffic;
// Counts the rights that all other tests used. Tests start in the order of their names, so this is the last one.
mod unused_rights;
