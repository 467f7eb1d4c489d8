//! A DoubleZero device (DZD).

use std::net::Ipv4Addr;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, UserType, keys};
use crate::network::{NETWORK_BYTES, NetworkV4};

/// Where a device is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum DeviceStatus {
    /// Waits for prefixes and endpoints.
    Pending = 1,
    /// Serves users.
    Activated = 2,
    /// Takes no new users; the ones it has are shut.
    Drained = 3,
    /// Waits for the activator to take its prefixes and endpoints back.
    Deleting = 4,
}

/// What a device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display, strum::EnumString)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum DeviceType {
    /// Users and backbone.
    Hybrid = 1,
    /// Backbone only: takes no users.
    Transit = 2,
    /// Users only.
    Edge = 3,
}

/// With what a device is registered: the three ways of bootstrapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Bootstrap {
    /// Nothing: the activator carves a prefix of this length from the contributor's own space where that has room, else
    /// from a /24 that it is given of a DoubleZero block, and pulls endpoints off it.
    Carve {
        /// Length of the prefix, 24 to the configured minimum; longer for a share of the contributor's own space.
        prefix_len: u8,
    },
    /// Own prefixes, registered by `AddDevicePrefix`; endpoints are pulled off them.
    OwnPrefix,
    /// Own termination addresses: interfaces that the contributor creates; nothing is carved or pulled.
    OwnEndpoints,
    /// The foundation's space: as with `Carve`, but never from the contributor's own. Edge filtering needs it.
    CarveBlock {
        /// Length of the prefix, 24 to the configured minimum.
        prefix_len: u8,
    },
}

impl Bootstrap {
    /// The length of the prefix to carve, if one is.
    pub fn carved_len(self) -> Option<u8> {
        match self {
            Self::Carve { prefix_len } | Self::CarveBlock { prefix_len } => Some(prefix_len),
            Self::OwnPrefix | Self::OwnEndpoints => None,
        }
    }
}

/// Where a device's prefix came from, so that it can go back there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PrefixSource {
    /// Carved from what the contributor has, with this pool.
    Carved {
        /// The pool of kind `ContributorPrefix` or `ContributorBlock`.
        pool: Pubkey,
    },
    /// The contributor's own, noted in the address registry.
    Own,
}

/// A prefix of a device; a [`Pool`](super::Pool) of kind `DevicePrefix` holds its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DevicePrefix {
    /// The network.
    pub net: NetworkV4,
    /// Where it came from.
    pub source: PrefixSource,
}

impl DevicePrefix {
    /// Its bytes on chain.
    fn bytes(&self) -> usize {
        let source = match self.source {
            PrefixSource::Carved { .. } => 32,
            PrefixSource::Own => 0,
        };
        NETWORK_BYTES + 1 + source
    }
}

/// Maximum of users of each kind; live counts are in [`DeviceCounts`].
///
/// A cap is the most there may be. So 0 is none at all in every one of them, and [`DeviceCaps::NO_LIMIT`] is more than
/// any device takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DeviceCaps {
    /// All users together.
    pub max_users: u16,
    /// Unicast users.
    pub max_unicast_users: u16,
    /// Multicast users that publish nothing.
    pub max_multicast_subscribers: u16,
    /// Multicast users that publish.
    pub max_multicast_publishers: u16,
    /// Seats kept free out of `max_users`.
    pub reserved_seats: u16,
    /// Seats of `max_users` that only unicast users get.
    pub reserved_unicast: u16,
    /// Seats of `max_users` that only multicast users get.
    pub reserved_multicast: u16,
}

impl DeviceCaps {
    /// The cap that limits nothing.
    pub const NO_LIMIT: u16 = u16::MAX;
}

impl Default for DeviceCaps {
    /// What a device gets when its registration does not say: 96 users of any kind.
    fn default() -> Self {
        Self {
            max_users: 96,
            max_unicast_users: Self::NO_LIMIT,
            max_multicast_subscribers: Self::NO_LIMIT,
            max_multicast_publishers: Self::NO_LIMIT,
            reserved_seats: 0,
            reserved_unicast: 0,
            reserved_multicast: 0,
        }
    }
}

/// Live users by kind; always equal to a recount of the accounts that hold a seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DeviceCounts {
    /// Unicast users.
    pub unicast_users: u16,
    /// Multicast users that publish nothing.
    pub multicast_subscribers: u16,
    /// Multicast users that publish, whether or not they subscribe too.
    pub multicast_publishers: u16,
}

impl DeviceCounts {
    /// All of them.
    pub fn users(&self) -> u32 {
        u32::from(self.unicast_users) + self.multicast_users()
    }

    /// Those of the multicast service.
    pub fn multicast_users(&self) -> u32 {
        u32::from(self.multicast_subscribers) + u32::from(self.multicast_publishers)
    }
}

/// A device. Address: [`crate::pda::device`] of its code.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Device {
    /// Unique name, lower case.
    pub code: String,
    /// Foreign key: its [`Contributor`](super::Contributor).
    pub contributor: Pubkey,
    /// Foreign key: its [`Exchange`](super::Exchange).
    pub exchange: Pubkey,
    /// What it is for.
    pub device_type: DeviceType,
    /// Where it is in its life.
    pub status: DeviceStatus,
    /// Its address on the internet. An endpoint only if one of its interfaces is an endpoint with this address.
    pub public_ip: Ipv4Addr,
    /// With what it was registered.
    pub bootstrap: Bootstrap,
    /// How many endpoints the activator pulls onto loopbacks.
    pub endpoints_wanted: u8,
    /// Its prefixes in allocation order.
    pub prefixes: Vec<DevicePrefix>,
    /// Maximum of tunnels it can terminate: the size of its tunnel id pool.
    pub tunnel_slots: u16,
    /// Maximum of users of each kind.
    pub caps: DeviceCaps,
    /// Live users of each kind.
    pub counts: DeviceCounts,
    /// Foreign key: the [`Interface`](super::Interface) that stands for `public_ip`, if one does.
    pub public_ip_interface: Option<Pubkey>,
    /// Interfaces that refer to it.
    pub interface_count: u32,
    /// Activated endpoint interfaces among them.
    pub endpoint_count: u32,
    /// Interfaces whose address was pulled off one of its prefixes; never more than `endpoints_wanted` get pulled.
    pub pulled_count: u32,
    /// Links that end on it.
    pub link_count: u32,
}

decode_fields!(Device {
    code,
    contributor,
    exchange,
    device_type,
    status,
    public_ip,
    bootstrap,
    endpoints_wanted,
    prefixes,
    tunnel_slots,
    caps,
    counts,
    public_ip_interface,
    interface_count,
    endpoint_count,
    pulled_count,
    link_count
});

impl AccountData for Device {
    const TYPE: AccountType = AccountType::Device;

    fn growth(&self) -> usize {
        let most = Self::MAX_PREFIXES * (NETWORK_BYTES + 1 + 32);
        let held: usize = self.prefixes.iter().map(DevicePrefix::bytes).sum();
        most.saturating_sub(held) + keys(usize::from(self.public_ip_interface.is_none()))
    }
}

/// Why a device has no room for one more user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapacityError {
    /// `max_users` is 0, or the type takes no users.
    #[error("takes no users")]
    Closed,
    /// `max_users` is reached, reserved seats counted.
    #[error("full: {used} of {max} users")]
    MaxUsers {
        /// Users and reserved seats.
        used: u32,
        /// The cap.
        max: u16,
    },
    /// `max_unicast_users` is reached.
    #[error("full: {max} of {max} unicast users")]
    MaxUnicastUsers {
        /// The cap.
        max: u16,
    },
    /// `max_multicast_subscribers` is reached.
    #[error("full: {max} of {max} multicast subscribers")]
    MaxMulticastSubscribers {
        /// The cap.
        max: u16,
    },
    /// `max_multicast_publishers` is reached.
    #[error("full: {max} of {max} multicast publishers")]
    MaxMulticastPublishers {
        /// The cap.
        max: u16,
    },
}

impl Device {
    /// The most prefixes of one device: taking them all back fits one transaction.
    pub const MAX_PREFIXES: usize = 8;
    /// The tunnel slots of a device whose registration does not say.
    pub const DEFAULT_TUNNEL_SLOTS: u16 = 4096;

    /// True when one of its prefixes was carved.
    pub fn has_carved_prefix(&self) -> bool {
        self.prefixes.iter().any(|prefix| matches!(prefix.source, PrefixSource::Carved { .. }))
    }

    /// Whether one more user of this kind finds a seat; the device's status is not looked at.
    ///
    /// # Errors
    /// [`CapacityError`]: the cap is reached, or the device does not offer the service.
    pub fn seat_for(&self, user_type: UserType, publisher: bool) -> Result<(), CapacityError> {
        let DeviceCaps { max_users, reserved_seats, reserved_unicast, reserved_multicast, .. } = self.caps;
        if max_users == 0 || self.device_type == DeviceType::Transit {
            return Err(CapacityError::Closed);
        }
        // What the other service has reserved and not yet taken is not for this one.
        let others = match user_type.is_multicast() {
            true => reserved_unicast.saturating_sub(self.counts.unicast_users),
            false => u16::try_from(u32::from(reserved_multicast).saturating_sub(self.counts.multicast_users()))
                .unwrap_or(u16::MAX),
        };
        let used = self.counts.users() + u32::from(reserved_seats) + u32::from(others);
        if used >= u32::from(max_users) {
            return Err(CapacityError::MaxUsers { used, max: max_users });
        }
        self.seat_of_kind(user_type, publisher)
    }

    /// Whether the cap of this kind alone has room; a live user that changes its role asks this.
    ///
    /// # Errors
    /// [`CapacityError`]: the cap is reached, or the device does not offer the service.
    pub fn seat_of_kind(&self, user_type: UserType, publisher: bool) -> Result<(), CapacityError> {
        let room = |count: u16, cap: u16| count < cap;
        let (caps, counts) = (&self.caps, &self.counts);
        if !user_type.is_multicast() {
            let max = caps.max_unicast_users;
            return room(counts.unicast_users, max).then_some(()).ok_or(CapacityError::MaxUnicastUsers { max });
        }
        if publisher {
            let max = caps.max_multicast_publishers;
            return room(counts.multicast_publishers, max)
                .then_some(())
                .ok_or(CapacityError::MaxMulticastPublishers { max });
        }
        let max = caps.max_multicast_subscribers;
        room(counts.multicast_subscribers, max).then_some(()).ok_or(CapacityError::MaxMulticastSubscribers { max })
    }
}
