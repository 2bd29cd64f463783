//! Builders: one file per Kubernetes kind. Pure: each object is complete, with every field that the apiserver would default.

pub mod binding;
pub mod budget;
pub mod config_map;
pub mod deployment;
pub mod door;
pub mod environment;
pub mod hash;
pub mod http_route;
pub mod ingress;
pub mod job;
pub mod metadata;
pub mod names;
pub mod network_policy;
pub mod pause;
pub mod pod;
pub mod postgres;
pub mod probes;
pub mod service;
pub mod shared;
pub mod volume;
