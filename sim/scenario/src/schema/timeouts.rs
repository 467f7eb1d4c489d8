//! Deadlines: of a step, of its command, of the run.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Duration;

/// How long the run waits for facts. Nothing waits longer than it must: these are deadlines.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Timeouts {
    /// For the network to come up before the first step. Default: 30s.
    pub(crate) bring_up: Option<Duration>,
    /// For the fact a step waits for, unless the step says `within`. Default: 15s.
    pub(crate) step: Option<Duration>,
    /// For all components to be quiet at the current revision after a step. Default: 15s.
    pub(crate) settle: Option<Duration>,
    /// For the whole scenario. Default: 120s.
    pub(crate) scenario: Option<Duration>,
}
