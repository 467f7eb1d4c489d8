//! Who brings devices and links.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType};
use crate::network::NetworkV4;

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
}

decode_fields!(Contributor { code, owner, status, reference_count, blocks });

impl AccountData for Contributor {
    const TYPE: AccountType = AccountType::Contributor;
}
