//! Allocation policy of the activator.

use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;

words! {
    /// Handling of a user for whom a pool has no unit left.
    WhenFull {
        /// The user is rejected with the reason.
        #[default]
        Reject,
        /// It stays pending, keeps its seat, and is activated as soon as there is room.
        Wait,
    }
}

words! {
    /// Choice of the device prefix that an endpoint is pulled off.
    EndpointPull {
        /// The first prefix, in the device's order, that has an address left. Endpoints then sit side by side at the
        /// start of the first prefix, where people look for them, and later prefixes stay whole for clients' addresses.
        #[default]
        FirstFit,
        /// The prefix with the fewest endpoints, the first of them if several are equal. A client's tunnels to one
        /// device then end in different prefixes: a prefix that is withdrawn or filtered takes down one of them only.
        Spread,
    }
}

words! {
    /// Choice of the device prefix or publisher block for a dz_ip.
    DzIp {
        /// The first pool, in order, that has an address left: it rolls over to the next when one is full. Later pools
        /// stay empty for as long as possible, and an operator can still remove them.
        #[default]
        FirstFit,
        /// The pool with the smallest share of its addresses in use, the first of them if several are equal. Clients
        /// then spread over all announced prefixes, and no prefix fills up while another is idle.
        Spread,
    }
}

words! {
    /// Choice of the loopback number of a pulled endpoint.
    LoopbackNumbering {
        /// The lowest free number: n, n+1, ... without gaps, in the order in which the endpoints were pulled.
        #[default]
        Lowest,
        /// The number that the address has in the range: first number plus address modulo the size of the range. An
        /// address that is pulled again gets the same loopback again, on every device. If that number is taken, the
        /// next free one after it, starting over at the end of the range.
        ByAddress,
    }
}

/// How the activator allocates: flags of `dz-activator` and keys of a scenario's `policy.activator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct ActivatorPolicy {
    /// Handling of a user for whom a pool has no unit left
    #[arg(long, env = "DZ_WHEN_FULL", value_enum, default_value_t)]
    pub when_full: WhenFull,
    /// Choice of the device prefix that an endpoint is pulled off
    #[arg(long, env = "DZ_ENDPOINT_STRATEGY", value_enum, default_value_t)]
    pub endpoint_strategy: EndpointPull,
    /// Choice of the device prefix or publisher block for a dz_ip
    #[arg(long, env = "DZ_DZ_IP_STRATEGY", value_enum, default_value_t)]
    pub dz_ip_strategy: DzIp,
    /// Choice of the loopback number of a pulled endpoint
    #[arg(long, env = "DZ_LOOPBACK_STRATEGY", value_enum, default_value_t)]
    pub loopback_strategy: LoopbackNumbering,
    /// Transactions in flight at a time
    #[arg(long, env = "DZ_IN_FLIGHT", value_name = "NUMBER", default_value_t = IN_FLIGHT)]
    pub in_flight: NonZeroU16,
}

const IN_FLIGHT: NonZeroU16 = NonZeroU16::new(8).unwrap();

impl Default for ActivatorPolicy {
    fn default() -> Self {
        Self {
            when_full: WhenFull::default(),
            endpoint_strategy: EndpointPull::default(),
            dz_ip_strategy: DzIp::default(),
            loopback_strategy: LoopbackNumbering::default(),
            in_flight: IN_FLIGHT,
        }
    }
}
