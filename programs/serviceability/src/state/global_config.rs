//! The one account that holds who may do what and the numbers everything else is sized by.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, PoolKind, keys};
use crate::network::{NETWORK_BYTES, NetworkV4};

/// The numbers of [`GlobalConfig`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ConfigNumbers {
    /// BGP autonomous system number of the devices.
    pub local_asn: u32,
    /// BGP autonomous system number of the clients.
    pub remote_asn: u32,
    /// First number of the loopback range reserved for tunnel termination.
    pub endpoint_loopback_first: u16,
    /// Last number of that range, inclusive.
    pub endpoint_loopback_last: u16,
    /// Longest prefix a contributor may bring or be given.
    pub min_contributor_prefix: u8,
    /// How many endpoint addresses a device gets when its registration does not say.
    pub endpoints_per_device: u8,
    /// True when users of one metro reach each other through DoubleZero; false to leave that to the internet.
    pub same_metro_routing: bool,
    /// /24s of each DoubleZero block that are kept for edge filtering: only a contributor to whom the foundation has granted
    /// a block gets one of these.
    pub kept_blocks: u16,
}

impl Default for ConfigNumbers {
    fn default() -> Self {
        Self {
            local_asn: 209_321,
            remote_asn: 65_000,
            endpoint_loopback_first: 100,
            endpoint_loopback_last: 199,
            min_contributor_prefix: 29,
            endpoints_per_device: 2,
            same_metro_routing: true,
            kept_blocks: 0,
        }
    }
}

/// Authorities, numbers and blocks of the whole network. Address: [`crate::pda::config`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct GlobalConfig {
    /// Keys that may do everything; never empty.
    pub foundation: Vec<Pubkey>,
    /// The key that allocates.
    pub activator: Pubkey,
    /// BGP autonomous system number of the devices.
    pub local_asn: u32,
    /// BGP autonomous system number of the clients.
    pub remote_asn: u32,
    /// First number of the loopback range reserved for tunnel termination ("n" of the RFC).
    pub endpoint_loopback_first: u16,
    /// Last number of that range, inclusive ("y" of the RFC).
    pub endpoint_loopback_last: u16,
    /// Longest prefix a contributor may bring or be given; 29 means at least eight addresses.
    pub min_contributor_prefix: u8,
    /// How many endpoint addresses a device gets when its registration does not say.
    pub endpoints_per_device: u8,
    /// True when users of one metro reach each other through DoubleZero; false to leave that to the internet.
    pub same_metro_routing: bool,
    /// /24s of each DoubleZero block that are kept for edge filtering: only a contributor to whom the foundation has granted
    /// a block gets one of these.
    pub kept_blocks: u16,
    /// Devices there are; while there is one, the loopback range stays.
    pub device_count: u32,
    /// Accounts created so far: the life of the latest one.
    pub lives: u64,
    /// Blocks in allocation order: contributors' /24s are carved from these.
    pub double_zero_blocks: Vec<NetworkV4>,
    /// Blocks in allocation order: each user tunnel takes a /31.
    pub user_tunnel_blocks: Vec<NetworkV4>,
    /// Blocks in allocation order: each link takes a /31.
    pub device_tunnel_blocks: Vec<NetworkV4>,
    /// Blocks in allocation order: each multicast group takes an address.
    pub multicast_group_blocks: Vec<NetworkV4>,
    /// Blocks in allocation order: each publisher takes an address.
    pub multicast_publisher_blocks: Vec<NetworkV4>,
}

decode_fields!(GlobalConfig {
    foundation,
    activator,
    local_asn,
    remote_asn,
    endpoint_loopback_first,
    endpoint_loopback_last,
    min_contributor_prefix,
    endpoints_per_device,
    same_metro_routing,
    kept_blocks,
    device_count,
    lives,
    double_zero_blocks,
    user_tunnel_blocks,
    device_tunnel_blocks,
    multicast_group_blocks,
    multicast_publisher_blocks
});

impl AccountData for GlobalConfig {
    const TYPE: AccountType = AccountType::GlobalConfig;

    fn growth(&self) -> usize {
        let blocks = |held: &[NetworkV4]| NETWORK_BYTES * Self::MAX_BLOCKS.saturating_sub(held.len());
        keys(Self::MAX_FOUNDATION.saturating_sub(self.foundation.len()))
            + blocks(&self.double_zero_blocks)
            + blocks(&self.user_tunnel_blocks)
            + blocks(&self.device_tunnel_blocks)
            + blocks(&self.multicast_group_blocks)
            + blocks(&self.multicast_publisher_blocks)
    }

    /// Holds the arithmetic with the range.
    fn check(&self) -> Result<(), &'static str> {
        let empty = self.endpoint_loopback_first > self.endpoint_loopback_last;
        if empty { Err("the loopback range is empty") } else { Ok(()) }
    }
}

impl GlobalConfig {
    /// The most foundation keys.
    pub const MAX_FOUNDATION: usize = 32;
    /// The most blocks of one kind.
    pub const MAX_BLOCKS: usize = 32;

    /// A config with nothing in it but these numbers; the key is the foundation and the activator.
    pub fn new(key: Pubkey, numbers: ConfigNumbers) -> Self {
        let ConfigNumbers {
            local_asn,
            remote_asn,
            endpoint_loopback_first,
            endpoint_loopback_last,
            min_contributor_prefix,
            endpoints_per_device,
            same_metro_routing,
            kept_blocks,
        } = numbers;
        Self {
            foundation: vec![key],
            activator: key,
            local_asn,
            remote_asn,
            endpoint_loopback_first,
            endpoint_loopback_last,
            min_contributor_prefix,
            endpoints_per_device,
            same_metro_routing,
            kept_blocks,
            device_count: 0,
            lives: 0,
            double_zero_blocks: vec![],
            user_tunnel_blocks: vec![],
            device_tunnel_blocks: vec![],
            multicast_group_blocks: vec![],
            multicast_publisher_blocks: vec![],
        }
    }

    /// The blocks of a kind in allocation order; `None` for kinds that are not made of global blocks.
    pub fn blocks(&self, kind: PoolKind) -> Option<&Vec<NetworkV4>> {
        match kind {
            PoolKind::DoubleZeroBlock => Some(&self.double_zero_blocks),
            PoolKind::UserTunnelBlock => Some(&self.user_tunnel_blocks),
            PoolKind::DeviceTunnelBlock => Some(&self.device_tunnel_blocks),
            PoolKind::MulticastGroupBlock => Some(&self.multicast_group_blocks),
            PoolKind::MulticastPublisherBlock => Some(&self.multicast_publisher_blocks),
            PoolKind::ContributorBlock
            | PoolKind::ContributorPrefix
            | PoolKind::DevicePrefix
            | PoolKind::AddressRegistry
            | PoolKind::ClientAddresses
            | PoolKind::TunnelIds
            | PoolKind::EndpointLoopbacks
            | PoolKind::VrfIds => None,
        }
    }

    /// The same, to change it.
    pub fn blocks_mut(&mut self, kind: PoolKind) -> Option<&mut Vec<NetworkV4>> {
        match kind {
            PoolKind::DoubleZeroBlock => Some(&mut self.double_zero_blocks),
            PoolKind::UserTunnelBlock => Some(&mut self.user_tunnel_blocks),
            PoolKind::DeviceTunnelBlock => Some(&mut self.device_tunnel_blocks),
            PoolKind::MulticastGroupBlock => Some(&mut self.multicast_group_blocks),
            PoolKind::MulticastPublisherBlock => Some(&mut self.multicast_publisher_blocks),
            PoolKind::ContributorBlock
            | PoolKind::ContributorPrefix
            | PoolKind::DevicePrefix
            | PoolKind::AddressRegistry
            | PoolKind::ClientAddresses
            | PoolKind::TunnelIds
            | PoolKind::EndpointLoopbacks
            | PoolKind::VrfIds => None,
        }
    }

    /// All blocks of all kinds.
    pub fn all_blocks(&self) -> impl Iterator<Item = &NetworkV4> {
        self.double_zero_blocks
            .iter()
            .chain(&self.user_tunnel_blocks)
            .chain(&self.device_tunnel_blocks)
            .chain(&self.multicast_group_blocks)
            .chain(&self.multicast_publisher_blocks)
    }

    /// True when the number lies in the range of termination loopbacks.
    pub fn is_endpoint_loopback(&self, number: u16) -> bool {
        (self.endpoint_loopback_first..=self.endpoint_loopback_last).contains(&number)
    }

    /// True when a prefix of this length may be brought or given.
    pub fn is_prefix_len(&self, prefix_len: u8) -> bool {
        (24..=self.min_contributor_prefix).contains(&prefix_len)
    }

    /// True when the key is one of the foundation's.
    pub fn is_foundation(&self, key: &Pubkey) -> bool {
        self.foundation.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_not_empty() {
        let mut config = GlobalConfig::new(Pubkey::default(), ConfigNumbers::default());
        config.endpoint_loopback_last = config.endpoint_loopback_first;
        assert_eq!(GlobalConfig::decode(&config.encode()), Ok(config.clone()));
        config.endpoint_loopback_last = 99;
        let error = GlobalConfig::decode(&config.encode()).unwrap_err().to_string();
        assert_eq!(error, "malformed GlobalConfig account: the loopback range is empty");
    }
}
