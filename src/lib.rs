//! Towpath: a Kubernetes controller that takes an app from an image to serving traffic.

pub mod api;
pub mod build;
pub mod cli;
pub mod config;
pub mod lease;
pub mod metrics;
pub mod outbound;
pub mod plan;
pub mod postgres;
pub mod probe;
pub mod registry;
pub mod revision;
pub mod seen;
pub mod serve;
