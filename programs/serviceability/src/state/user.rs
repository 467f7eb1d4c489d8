//! A user: one tunnel of one client.

use std::net::Ipv4Addr;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, keys};
use crate::network::{NETWORK_BYTES, NetworkV4};

/// The longest reject reason, in bytes.
pub const MAX_REASON_LEN: usize = 256;

/// Where a user is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum UserStatus {
    /// Holds a seat and waits for its allocation.
    Pending = 1,
    /// Has its tunnel.
    Activated = 2,
    /// Has its tunnel and waits for its dz_ip to follow a change of roles.
    Updating = 3,
    /// Was refused; holds nothing and gives way to the next attempt.
    Rejected = 4,
    /// Has no tunnel any more; waits for the activator to take back what it holds.
    Deleting = 5,
    /// Has no tunnel any more; waits for the activator to take back what it holds before it counts as banned.
    PendingBan = 6,
    /// Holds nothing and keeps its pass from being used until it is deleted.
    Banned = 7,
}

impl UserStatus {
    /// True when its tunnel is in the devices' configuration.
    pub fn has_tunnel(self) -> bool {
        matches!(self, Self::Activated | Self::Updating)
    }

    /// True when it holds a seat on its device.
    pub fn holds_seat(self) -> bool {
        !matches!(self, Self::Rejected | Self::Banned)
    }
}

/// Which service a tunnel carries.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    strum::Display,
    strum::EnumString,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum UserType {
    /// Unicast from the client's own address.
    #[strum(serialize = "IBRL")]
    Ibrl = 1,
    /// Unicast from an address of the device's prefix.
    #[strum(serialize = "IBRLWithAllocatedIP")]
    IbrlWithAllocatedIp = 2,
    /// Group traffic.
    Multicast = 3,
    /// Unicast from an address of the foundation's space: what the internet sends to it comes by the device, filtered, and
    /// what it sends goes out there.
    EdgeFiltering = 4,
}

impl UserType {
    /// True for group traffic, false for unicast.
    pub fn is_multicast(self) -> bool {
        self == Self::Multicast
    }
}

/// What a user is, or is to be, in one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Roles {
    /// True when it sends.
    pub publish: bool,
    /// True when it receives.
    pub subscribe: bool,
}

/// What a live tunnel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct UserAllocation {
    /// The overlay /31: the device has the even address, the client the odd one.
    pub tunnel_net: NetworkV4,
    /// The pool of kind `UserTunnelBlock` it came from.
    pub tunnel_pool: Pubkey,
    /// Number of the tunnel interface on the device.
    pub tunnel_id: u16,
    /// The address the user is known by inside.
    pub dz_ip: Ipv4Addr,
    /// The pool it came from: a `DevicePrefix` or a `MulticastPublisherBlock`; none when it is the client_ip.
    pub dz_ip_pool: Option<Pubkey>,
}

/// A user. Address: [`crate::pda::user`] of (client_ip, endpoint_ip), so that two live tunnels cannot share the pair.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct User {
    /// The client's address: outer source of what it sends.
    pub client_ip: Ipv4Addr,
    /// The device's address the tunnel ends on: outer destination.
    pub endpoint_ip: Ipv4Addr,
    /// The key that created it.
    pub owner: Pubkey,
    /// Foreign key: the [`AccessPass`](super::AccessPass) it was created under.
    pub access_pass: Pubkey,
    /// Foreign key: the [`Device`](super::Device).
    pub device: Pubkey,
    /// Foreign key: the [`Interface`](super::Interface) that holds `endpoint_ip`.
    pub interface: Pubkey,
    /// Which service.
    pub user_type: UserType,
    /// Foreign key: the [`Tenant`](super::Tenant) of a unicast user.
    pub tenant: Option<Pubkey>,
    /// Where it is in its life.
    pub status: UserStatus,
    /// What it holds; some exactly when the status has or had a tunnel that is not yet taken back.
    pub allocation: Option<UserAllocation>,
    /// Foreign keys: groups it publishes to.
    pub publishers: Vec<Pubkey>,
    /// Foreign keys: groups it subscribes to.
    pub subscribers: Vec<Pubkey>,
    /// Why it, or its last change of roles, was refused; empty otherwise.
    pub reject_reason: String,
}

decode_fields!(User {
    client_ip,
    endpoint_ip,
    owner,
    access_pass,
    device,
    interface,
    user_type,
    tenant,
    status,
    allocation,
    publishers,
    subscribers,
    reject_reason
});

impl AccountData for User {
    const TYPE: AccountType = AccountType::User;

    fn growth(&self) -> usize {
        let roles = if self.user_type.is_multicast() { 2 * Self::MAX_ROLES } else { 0 };
        let held = self.publishers.len() + self.subscribers.len();
        let allocation = match self.allocation {
            None => NETWORK_BYTES + 32 + 2 + 4 + 1 + 32,
            Some(UserAllocation { dz_ip_pool: None, .. }) => 32,
            Some(UserAllocation { dz_ip_pool: Some(_), .. }) => 0,
        };
        keys(roles.saturating_sub(held)) + allocation + MAX_REASON_LEN.saturating_sub(self.reject_reason.len())
    }
}

impl User {
    /// The most groups a user can have one kind of role in.
    pub const MAX_ROLES: usize = 64;

    /// True when it sends to a group: it then counts as a publisher and needs an address of the publisher block.
    pub fn is_publisher(&self) -> bool {
        !self.publishers.is_empty()
    }

    /// The roles it has in a group.
    pub fn roles_in(&self, group: &Pubkey) -> Roles {
        Roles { publish: self.publishers.contains(group), subscribe: self.subscribers.contains(group) }
    }

    /// True when its address is a live (client_ip, endpoint_ip) pair, which no other user may have.
    pub fn is_live(&self) -> bool {
        self.status.holds_seat()
    }
}
