//! Towpath: a Kubernetes controller that takes an app from an image to serving traffic.

pub mod config;
