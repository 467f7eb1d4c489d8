//! The client's public address.

use std::net::Ipv4Addr;

use dz_net::host::Host;
use dz_sdk::program::network::is_global;

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
    NotPublic(Ipv4Addr),
}

/// The source address of the host's default route.
pub(super) async fn of_default_route(host: &dyn Host) -> Result<Ipv4Addr, ClientIpError> {
    let address = host.source_towards(SOMEWHERE).await?;
    if is_global(address) { Ok(address) } else { Err(ClientIpError::NotPublic(address)) }
}
