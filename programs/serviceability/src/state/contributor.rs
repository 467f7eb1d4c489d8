//! A contributor of devices and links.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, Requests};
use crate::network::{NETWORK_BYTES, NetworkV4};

/// Where a contributor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum ContributorStatus {
    /// May add devices and links.
    Activated = 1,
    /// Keeps what it has and may add nothing.
    Suspended = 2,
    /// Waits for the activator to take its blocks back.
    Deleting = 3,
}

/// A contributor. Address: [`crate::pda::contributor`] of its code.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Contributor {
    /// Unique name.
    pub code: String,
    /// The key that owns its devices, interfaces and links.
    pub owner: Pubkey,
    /// Where it is in its life.
    pub status: ContributorStatus,
    /// Devices and links that refer to it.
    pub reference_count: u32,
    /// The /24s carved for it, in order; each has a [`Pool`](super::Pool) of kind `ContributorBlock`.
    pub blocks: Vec<NetworkV4>,
    /// Prefixes of its own that are divided among its devices, in order; each has a pool of kind `ContributorPrefix`.
    pub prefixes: Vec<NetworkV4>,
    /// Number of /24s that it gets even out of what is kept for edge filtering.
    pub granted_blocks: u8,
    /// What its owner asked of the activator this hour; at most [`Self::REQUESTS_PER_HOUR`].
    pub requests: Requests,
}

impl Contributor {
    /// The most /24s of one contributor.
    pub const MAX_BLOCKS: usize = 64;
    /// The most prefixes of its own.
    pub const MAX_PREFIXES: usize = 16;
    /// The most requests of its owner in an hour that the activator pays fees for.
    pub const REQUESTS_PER_HOUR: u32 = 1000;
}

decode_fields!(Contributor { code, owner, status, reference_count, blocks, prefixes, granted_blocks, requests });

impl AccountData for Contributor {
    const TYPE: AccountType = AccountType::Contributor;

    fn growth(&self) -> usize {
        let more = |most: usize, held: &[NetworkV4]| most.saturating_sub(held.len());
        NETWORK_BYTES * (more(Self::MAX_BLOCKS, &self.blocks) + more(Self::MAX_PREFIXES, &self.prefixes))
    }
}
