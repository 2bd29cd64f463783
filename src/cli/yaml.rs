//! YAML as the apiserver reads it, with the line of everything, so that a finding can say where.
//!
//! The parser knows the syntax. What a plain word means (`yes`, `0123`, `1e3`) is decided here, because Kubernetes reads
//! YAML 1.1: what looks like text elsewhere may be a boolean or a number there, and be refused.

mod compose;
mod entries;
mod node;
mod scalar;

pub use compose::{Problem, documents};
pub use node::{Node, Path, Step, Value};

/// Levels that a document may nest.
pub const MOST_LEVELS: usize = 100;
/// Values that a document may hold, aliases counted as what they stand for.
pub const MOST_VALUES: usize = 200_000;
