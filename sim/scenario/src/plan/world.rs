//! The worlds that scenarios run in.

use serde::Serialize;

/// A world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum World {
    /// Namespaces and kernels, in real time.
    Real,
    /// Modelled hosts, in virtual time.
    Virtual,
}

/// The only world that can show what a scenario is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OnlyIn {
    /// Which.
    pub world: World,
    /// What the other cannot show.
    pub because: String,
}
