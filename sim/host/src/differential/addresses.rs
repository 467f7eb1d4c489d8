//! The addresses that changes and packets draw from.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use proptest::sample::select;

/// Addresses of the host, of its neighbours, of the far internet; those that mean something else come last.
pub(super) fn host() -> impl Strategy<Value = Ipv4Addr> + Clone {
    let pool =
        ["10.0.0.1", "10.0.0.2", "10.0.0.129", "10.0.1.1", "9.9.9.9", "45.33.100.1", "169.254.0.0", "169.254.0.1"];
    select(pool.to_vec()).prop_map(|text| text.parse().unwrap())
}

/// Where a packet may go.
pub(super) fn destination() -> impl Strategy<Value = Ipv4Addr> {
    let special =
        ["10.0.0.255", "127.0.0.1", "224.0.0.5", "233.84.178.1", "233.84.178.2", "8.8.8.8", "255.255.255.255"];
    prop_oneof![4 => host(), 1 => select(special.to_vec()).prop_map(|text| text.parse().unwrap())]
}
