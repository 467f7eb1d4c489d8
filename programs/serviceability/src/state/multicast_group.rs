//! A multicast group.

use std::net::Ipv4Addr;

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, keys};

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum MulticastGroupStatus {
    /// Waits for its address.
    Pending = 1,
    /// Takes publishers and subscribers.
    Activated = 2,
    /// Waits for the activator to take its address back.
    Deleting = 3,
}

/// A group's address and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct GroupAddress {
    /// The multicast address.
    pub ip: Ipv4Addr,
    /// The pool of kind `MulticastGroupBlock`.
    pub pool: Pubkey,
}

/// A group. Address: [`crate::pda::multicast_group`] of its code.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct MulticastGroup {
    /// Unique name.
    pub code: String,
    /// The key that decides who may publish and subscribe.
    pub owner: Pubkey,
    /// Where it is in its life.
    pub status: MulticastGroupStatus,
    /// Its address once it is activated.
    pub address: Option<GroupAddress>,
    /// Bits per second that publishers may send together.
    pub max_bandwidth: u64,
    /// Users that publish to it.
    pub publisher_count: u32,
    /// Users that subscribe to it.
    pub subscriber_count: u32,
    /// Entries of passes' allowlists that name it.
    pub allowlist_count: u32,
}

decode_fields!(MulticastGroup {
    code,
    owner,
    status,
    address,
    max_bandwidth,
    publisher_count,
    subscriber_count,
    allowlist_count
});

impl AccountData for MulticastGroup {
    const TYPE: AccountType = AccountType::MulticastGroup;

    fn growth(&self) -> usize {
        if self.address.is_none() { 4 + keys(1) } else { 0 }
    }
}
