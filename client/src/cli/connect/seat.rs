//! The user that a change is about.

use std::net::Ipv4Addr;

use solana_pubkey::Pubkey;

/// A user that is what is wanted, or will be once it has its roles.
pub(super) struct Seat {
    pub(super) user: Pubkey,
    pub(super) endpoint: Ipv4Addr,
    /// The slot from which on the chain shows it.
    pub(super) since: u64,
}
