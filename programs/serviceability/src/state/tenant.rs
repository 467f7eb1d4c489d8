//! A tenant: the scope of a unicast routing table.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, Requests, keys};

/// Where a tenant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum TenantStatus {
    /// Waits for its VRF id.
    Pending = 1,
    /// Takes users.
    Activated = 2,
    /// Waits for the activator to take its VRF id back.
    Deleting = 3,
}

/// A tenant. Address: [`crate::pda::tenant`] of its code.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Tenant {
    /// Unique name.
    pub code: String,
    /// Keys that may give access passes for it.
    pub administrators: Vec<Pubkey>,
    /// Where it is in its life.
    pub status: TenantStatus,
    /// Its VRF id once it is activated. Users without a tenant are in VRF 1, which no tenant gets.
    pub vrf_id: Option<u16>,
    /// Users and access passes that refer to it.
    pub reference_count: u32,
    /// What the payers of the passes it gave asked of the activator this hour; at most [`Self::REQUESTS_PER_HOUR`].
    pub requests: Requests,
}

impl Tenant {
    /// The most administrators of one tenant.
    pub const MAX_ADMINISTRATORS: usize = 16;
    /// The most requests in an hour, under all passes it gave, that the activator pays fees for. Without it an administrator
    /// that gives itself more passes could ask for more.
    pub const REQUESTS_PER_HOUR: u32 = 1000;
}

decode_fields!(Tenant { code, administrators, status, vrf_id, reference_count, requests });

impl AccountData for Tenant {
    const TYPE: AccountType = AccountType::Tenant;

    fn growth(&self) -> usize {
        keys(Self::MAX_ADMINISTRATORS.saturating_sub(self.administrators.len()))
            + usize::from(self.vrf_id.is_none()) * 2
    }
}
