//! An address that clients connect from.

use std::net::Ipv4Addr;

use borsh::BorshSerialize;
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, keys};

/// An address that tunnels come from, or that the foundation has given a pass for. Address: [`crate::pda::client`] of
/// the address. It exists while there is either.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Client {
    /// The address.
    pub client_ip: Ipv4Addr,
    /// The key whose live users come from here: one at a time. None while there are no users.
    pub payer: Option<Pubkey>,
    /// Live users from here.
    pub user_count: u32,
    /// Passes that the foundation gave for this very address. While there is one, other passes do not serve here.
    pub named_passes: u32,
}

decode_fields!(Client { client_ip, payer, user_count, named_passes });

impl AccountData for Client {
    const TYPE: AccountType = AccountType::Client;

    fn growth(&self) -> usize {
        keys(usize::from(self.payer.is_none()))
    }
}
