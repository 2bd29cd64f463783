//! Towpath: a Kubernetes controller that takes an app from an image to serving traffic.

// Input from outside must never end the process; tests may.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

pub mod activator;
pub mod api;
pub mod apply;
pub mod build;
pub mod caches;
pub mod cli;
pub mod config;
pub mod context;
pub mod controllers;
pub mod error;
pub mod git;
pub mod hints;
pub mod lease;
pub mod managed;
pub mod metrics;
pub mod observe;
pub mod outbound;
pub mod plan;
pub mod postgres;
pub mod probe;
pub mod reconcile;
pub mod registry;
pub mod revision;
pub mod run;
pub mod seen;
pub mod serve;
pub mod simulate;
pub mod status;
pub mod sweeper;
