//! What decides how packets fare between two places: geography, and the scenario's exceptions to it.

pub mod profile;
pub mod rule;
