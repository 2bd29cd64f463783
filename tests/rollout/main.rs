//! Rollouts in a simulated cluster: what a person does, in the default order as golden stories, and in hundreds of random orders;
//! what must hold holds after every step.

mod invariants;
mod play;
mod scenes;
mod shop;
