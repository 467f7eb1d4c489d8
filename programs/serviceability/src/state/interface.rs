//! An interface of a device: the network metadata that the RFC puts on chain.

use std::net::Ipv4Addr;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, UserType, keys};

/// Where an interface is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum InterfaceStatus {
    /// Waits for the activator's check.
    Pending = 1,
    /// In the device's configuration.
    Activated = 2,
    /// Waits for the activator to take back what it holds.
    Deleting = 3,
}

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display, strum::EnumString)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum InterfaceKind {
    /// An address that no cable carries.
    Loopback = 1,
    /// A port.
    Physical = 2,
}

/// Whose address an interface holds, so that it can go back there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum AddressSource {
    /// Pulled off the device prefix with this pool.
    Pulled {
        /// The pool of kind `DevicePrefix`.
        pool: Pubkey,
    },
    /// The contributor's own, noted in the address registry.
    Own,
    /// The device's `public_ip`, which the device itself has noted.
    PublicIp,
}

/// An address and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InterfaceAddress {
    /// The address; always a host address (/32).
    pub ip: Ipv4Addr,
    /// Where it came from.
    pub source: AddressSource,
}

/// Which tunnels an endpoint is kept for.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum EndpointService {
    /// Every service.
    #[default]
    Any = 1,
    /// Unicast only.
    Unicast = 2,
    /// Multicast only.
    Multicast = 3,
}

impl EndpointService {
    /// True when a new tunnel of this type may end here.
    pub fn admits(self, user_type: UserType) -> bool {
        match self {
            Self::Any => true,
            Self::Unicast => !user_type.is_multicast(),
            Self::Multicast => user_type.is_multicast(),
        }
    }
}

/// By what users reach a device at an interface ("choose your own adventure").
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum Cyoa {
    /// It is not for users.
    #[default]
    None = 1,
    /// GRE over direct internet access.
    GreOverDia = 2,
    /// GRE over a fabric.
    GreOverFabric = 3,
    /// GRE over private peering.
    GreOverPrivatePeering = 4,
    /// GRE over public peering.
    GreOverPublicPeering = 5,
    /// GRE over a cable.
    GreOverCable = 6,
}

/// What a contributor notes about an interface. Nothing on the network follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InterfaceMetadata {
    /// Bits per second; 0 when it is not known.
    pub bandwidth: u64,
    /// Largest packet, in octets.
    pub mtu: u16,
    /// VLAN tag, 1 to 4094; 0 for none.
    pub vlan_id: u16,
    /// By what users reach the device here.
    pub cyoa: Cyoa,
}

/// The MTU of an interface that users reach by the internet.
pub(crate) const CYOA_MTU: u16 = 1500;

impl Default for InterfaceMetadata {
    fn default() -> Self {
        Self { bandwidth: 0, mtu: 9000, vlan_id: 0, cyoa: Cyoa::None }
    }
}

/// An interface. Address: [`crate::pda::interface`] of (device, name).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Interface {
    /// Foreign key: its [`Device`](super::Device).
    pub device: Pubkey,
    /// Name in full form, such as `Loopback100` or `Ethernet1/1`.
    pub name: String,
    /// What it is; the name decides.
    pub kind: InterfaceKind,
    /// Where it is in its life.
    pub status: InterfaceStatus,
    /// Its address, if it has one. A link gives its ends addresses of its own network instead.
    pub address: Option<InterfaceAddress>,
    /// The number it holds in the device's range of termination loopbacks.
    pub loopback_number: Option<u16>,
    /// True when users' tunnels may end on its address.
    pub user_tunnel_endpoint: bool,
    /// Which tunnels, if so.
    pub service: EndpointService,
    /// What its contributor notes about it.
    pub metadata: InterfaceMetadata,
    /// Live users whose tunnels end here.
    pub user_count: u32,
    /// Foreign key: the [`Link`](super::Link) that ends here.
    pub link: Option<Pubkey>,
}

decode_fields!(Interface {
    device,
    name,
    kind,
    status,
    address,
    loopback_number,
    user_tunnel_endpoint,
    service,
    metadata,
    user_count,
    link
});

impl AccountData for Interface {
    const TYPE: AccountType = AccountType::Interface;

    fn growth(&self) -> usize {
        keys(usize::from(self.link.is_none()))
    }
}

impl Interface {
    /// The address users' tunnels may end on right now.
    pub fn endpoint(&self) -> Option<Ipv4Addr> {
        (self.user_tunnel_endpoint && self.status == InterfaceStatus::Activated).then_some(self.address.as_ref()?.ip)
    }
}
