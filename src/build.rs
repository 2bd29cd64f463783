//! Builders: one file per Kubernetes kind. Pure: each object is complete, with every field that the apiserver would default.

pub mod http_route;
