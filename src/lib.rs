//! Towpath: a Kubernetes controller that takes an app from an image to serving traffic.

pub mod config;
pub mod outbound;
pub mod postgres;
pub mod probe;
pub mod registry;
