//! Policy of a client for the endpoint of a new tunnel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Duration,
    defaults::{TIE, TOLERANCE},
    word::words,
};

words! {
    /// Which of several devices that are equally near a new tunnel ends on.
    Rank {
        /// The one with the fewest tunnels, however many endpoints it has.
        #[default]
        FewestTunnels,
        /// The one with the smallest share of taken seats: a device twice as large takes twice as many.
        LeastShare,
        /// The nearest, even by less than a probe can resolve.
        Latency,
        /// One that depends on the client's address alone: clients spread over the devices, and each comes back to the
        /// one it had.
        Spread,
    }
}

words! {
    /// What `doublezero connect` does where the tunnel that is asked for ends on a drained device.
    WhenDrained {
        /// It ends with an error that names the device. The tunnel stays, and carries traffic again when the device
        /// comes back.
        #[default]
        Stay,
        /// It removes the tunnel and creates one on the best other device.
        Move,
    }
}

/// How a client chooses: flags of `doublezero connect` and keys of a scenario's `policy.client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectPolicy {
    /// By how much the round trip to another device may exceed that to the present one
    #[arg(long, global = true, env = "DZ_LATENCY_TOLERANCE", value_name = "DURATION", default_value_t = TOLERANCE)]
    pub latency_tolerance: Duration,
    /// Round-trip times that differ by no more than this count as equal
    #[arg(long, global = true, env = "DZ_LATENCY_TIE", value_name = "DURATION", default_value_t = TIE)]
    pub latency_tie: Duration,
    /// Choice between devices that are equally near
    #[arg(long, global = true, env = "DZ_RANK", value_enum, default_value_t)]
    pub rank: Rank,
    /// Handling of a tunnel that ends on a drained device
    #[arg(long, global = true, env = "DZ_WHEN_DRAINED", value_enum, default_value_t)]
    pub when_drained: WhenDrained,
}

impl Default for ConnectPolicy {
    fn default() -> Self {
        Self {
            latency_tolerance: TOLERANCE,
            latency_tie: TIE,
            rank: Rank::default(),
            when_drained: WhenDrained::default(),
        }
    }
}
