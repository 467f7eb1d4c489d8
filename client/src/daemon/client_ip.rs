//! Which address this client is known by on the internet.

use std::net::{IpAddr, Ipv4Addr};

use dz_sdk::program::network::is_global;

use super::source;

/// Some host of the internet; nothing is sent to it.
const SOMEWHERE: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);

/// Why the address is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientIpError {
    /// No route leads to the internet.
    #[error("no route to the internet ({0}); say with --client-ip which address this host has there")]
    NoRoute(#[from] std::io::Error),
    /// The address cannot be reached from there.
    #[error("{0} is no public address; say with --client-ip which address this host has on the internet")]
    NotPublic(IpAddr),
}

/// The source address of the default route.
pub(super) fn of_default_route() -> Result<Ipv4Addr, ClientIpError> {
    match source::routed(SOMEWHERE)? {
        IpAddr::V4(address) if is_global(address) => Ok(address),
        address => Err(ClientIpError::NotPublic(address)),
    }
}
