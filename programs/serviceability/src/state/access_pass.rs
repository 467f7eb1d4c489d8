//! Who may connect from where, and to what.

use std::net::Ipv4Addr;

use borsh::BorshSerialize;
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType};

/// A pass. Address: [`crate::pda::access_pass`] of (client_ip, payer); client_ip 0.0.0.0 stands for any address.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct AccessPass {
    /// The address that may connect; 0.0.0.0 for any.
    pub client_ip: Ipv4Addr,
    /// The key that may connect.
    pub payer: Pubkey,
    /// Foreign keys: tenants its unicast users may be in. Empty: only users without a tenant.
    pub tenants: Vec<Pubkey>,
    /// Foreign keys: groups it may publish to.
    pub publish: Vec<Pubkey>,
    /// Foreign keys: groups it may subscribe to.
    pub subscribe: Vec<Pubkey>,
    /// The last epoch in which unicast users may be created.
    pub last_access_epoch: u64,
    /// The most unicast users at a time.
    pub max_unicast_users: u16,
    /// The most multicast users at a time.
    pub max_multicast_users: u16,
    /// Live unicast users.
    pub unicast_users: u16,
    /// Live multicast users.
    pub multicast_users: u16,
    /// Users of it that are banned; while there is one, no user can be created.
    pub banned_users: u16,
}

decode_fields!(AccessPass {
    client_ip,
    payer,
    tenants,
    publish,
    subscribe,
    last_access_epoch,
    max_unicast_users,
    max_multicast_users,
    unicast_users,
    multicast_users,
    banned_users
});

impl AccountData for AccessPass {
    const TYPE: AccountType = AccountType::AccessPass;
}
