//! What the tests against the outside share.

pub mod apiserver;
