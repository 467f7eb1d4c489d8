//! Rendering errors. The device then keeps its config.

use std::net::Ipv4Addr;

use dz_sdk::program::state::InterfaceStatus;
use solana_pubkey::Pubkey;

use crate::config::InvalidIfName;

/// What on chain makes no sense as a device's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The chain has no such device.
    #[error("there is no device {0}")]
    UnknownDevice(Pubkey),
    /// Two tunnels that GRE without keys cannot distinguish: invariant U does not hold.
    #[error("users {first} and {second} both have a tunnel from {source_ip} to {destination}")]
    SamePair {
        /// The user with the lower address.
        first: Pubkey,
        /// The other.
        second: Pubkey,
        /// Outer source.
        source_ip: Ipv4Addr,
        /// Outer destination.
        destination: Ipv4Addr,
    },
    /// Two tunnels would be the same interface.
    #[error("users {first} and {second} both have tunnel {id}")]
    SameTunnelId {
        /// The user with the lower address.
        first: Pubkey,
        /// The other.
        second: Pubkey,
        /// The id.
        id: u16,
    },
    /// A user that has a tunnel holds no allocation.
    #[error("user {0} has a tunnel and no allocation")]
    NoAllocation(Pubkey),
    /// A user's overlay is no /31.
    #[error("the overlay {net} of user {user} is no /31")]
    Overlay {
        /// The user.
        user: Pubkey,
        /// Its network.
        net: ipnet::Ipv4Net,
    },
    /// A user's tunnel ends on an address that its device does not have.
    #[error("the tunnel of user {user} ends on {endpoint}, which is no activated endpoint of device {device}")]
    NoEndpoint {
        /// The user.
        user: Pubkey,
        /// Where the tunnel is to end.
        endpoint: Ipv4Addr,
        /// Code of the device.
        device: String,
    },
    /// A user's tenant is not there or has no VRF id yet.
    #[error("user {user} is of tenant {tenant}, which has no vrf id")]
    NoVrf {
        /// The user.
        user: Pubkey,
        /// The tenant.
        tenant: Pubkey,
    },
    /// The kernel cannot have an interface of this name.
    #[error("interface of device {device}: {source}")]
    Name {
        /// Code of the device.
        device: String,
        /// What is wrong with the name.
        source: InvalidIfName,
    },
    /// Two interfaces of the chain have the same name in the kernel.
    #[error("interfaces `{first}` and `{second}` of device {device} are one in the kernel")]
    SameName {
        /// Code of the device.
        device: String,
        /// One name on chain.
        first: String,
        /// The other.
        second: String,
    },
    /// A link that carries traffic ends on an interface that is not there or not activated.
    #[error("link {link} ends on interface {interface} of device {device}, which is {found}")]
    LinkEnd {
        /// Code of the link.
        link: String,
        /// The interface's address on chain.
        interface: Pubkey,
        /// The device's address on chain.
        device: Pubkey,
        /// What the interface is instead.
        found: Found,
    },
}

/// What was found in the place of an activated interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// An interface in another state.
    Status(InterfaceStatus),
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Status(status) => status.fmt(f),
        }
    }
}
