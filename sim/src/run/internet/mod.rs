//! Paths of the internet: geography, and the scenario's exceptions to it.

pub mod profile;
pub mod rule;
