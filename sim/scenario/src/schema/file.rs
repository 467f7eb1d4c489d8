//! The whole file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Any, Network, OneOrMany, Policy, Step, Timeouts};

/// One scenario: a network, and what is done to it and seen.
///
/// Comments before the first key say which property the scenario proves and why it matters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "dzsim scenario")]
pub(crate) struct File {
    /// Seed of everything random in the run, such as loss and jitter. Default: 1. `dzsim run --seed` wins over it.
    pub(crate) seed: Option<u64>,
    /// The only world that can show what the scenario is about, where not both can.
    pub(crate) only_in: Option<OnlyIn>,
    /// What exists before the first step.
    pub(crate) network: Network,
    /// What an operator or an RFC author may choose about the components.
    #[serde(default)]
    pub(crate) policy: Policy,
    /// How long the run waits for facts.
    #[serde(default)]
    pub(crate) timeouts: Timeouts,
    /// Variables and their values: the file is one case for each combination, and `$name` stands for the value anywhere
    /// in `network`, `policy`, `timeouts` and `steps`. Of a value that is a table, `$name.key` is a part, and its key
    /// `name` is how the case is called.
    #[serde(default)]
    #[allow(dead_code, reason = "expanded before the file is read; here for the schema")]
    pub(crate) matrix: BTreeMap<String, OneOrMany<Any>>,
    /// What happens, in order. After each step the oracle checks all views of the network.
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
}

/// The only world in which a scenario can be run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnlyIn {
    /// Which: `real` is namespaces and kernels in real time, `virtual` is modelled hosts in virtual time.
    pub(crate) world: World,
    /// What the other world cannot show, in one line.
    pub(crate) because: String,
}

/// A world.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum World {
    /// Namespaces and kernels.
    Real,
    /// Modelled hosts.
    Virtual,
}
