//! Deadlines of a run.

use std::time::Duration;

use serde::Serialize;

/// Deadlines of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// For the network to come up before the first step.
    pub bring_up: Duration,
    /// For all components to be quiet at the current revision after a step.
    pub settle: Duration,
    /// For the whole scenario.
    pub scenario: Duration,
}
