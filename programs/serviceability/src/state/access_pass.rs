//! An access pass: the permission to connect from an address, and its limits.

use std::net::Ipv4Addr;

use borsh::BorshSerialize;
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType, Requests, keys};

/// A pass. Address: [`crate::pda::access_pass`] of (client_ip, payer, giver); client_ip 0.0.0.0 stands for any address.
///
/// The giver is in the address, so one giver cannot change another's pass.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct AccessPass {
    /// The address that may connect; 0.0.0.0 for any.
    pub client_ip: Ipv4Addr,
    /// The key that may connect.
    pub payer: Pubkey,
    /// Who gave it: the config for the foundation, or the tenant whose administrator did.
    pub giver: Pubkey,
    /// Foreign keys: tenants its unicast users may be in. Empty: only users without a tenant. Of a pass that a tenant
    /// gave, that tenant.
    pub tenants: Vec<Pubkey>,
    /// Foreign keys: groups it may publish to.
    pub publish: Vec<Pubkey>,
    /// Foreign keys: groups it may subscribe to.
    pub subscribe: Vec<Pubkey>,
    /// The last epoch in which unicast users may be created.
    pub last_access_epoch: u64,
    /// Maximum of unicast users at a time.
    pub max_unicast_users: u16,
    /// The most multicast users at a time.
    pub max_multicast_users: u16,
    /// Live unicast users.
    pub unicast_users: u16,
    /// Live multicast users.
    pub multicast_users: u16,
    /// Users of it that are banned; while there is one, no user can be created.
    pub banned_users: u16,
    /// What its payer asked of the activator this hour; at most [`Self::requests_per_hour`].
    pub requests: Requests,
}

impl AccessPass {
    /// The most tenants a pass can name.
    pub const MAX_TENANTS: usize = 16;
    /// The most groups an allowlist of a pass can name.
    pub const MAX_GROUPS: usize = 64;
    /// Requests in an hour of a pass that allows no tunnel.
    const BASE_REQUESTS_PER_HOUR: u32 = 240;

    /// The most requests of its payer in an hour that the activator pays fees for: creations and changes of roles.
    pub fn requests_per_hour(&self) -> u32 {
        let tunnels = u32::from(self.max_unicast_users) + u32::from(self.max_multicast_users);
        Self::BASE_REQUESTS_PER_HOUR + 4 * tunnels
    }

    /// True when it is for one address only.
    pub fn names_address(&self) -> bool {
        !self.client_ip.is_unspecified()
    }
}

decode_fields!(AccessPass {
    client_ip,
    payer,
    giver,
    tenants,
    publish,
    subscribe,
    last_access_epoch,
    max_unicast_users,
    max_multicast_users,
    unicast_users,
    multicast_users,
    banned_users,
    requests
});

impl AccountData for AccessPass {
    const TYPE: AccountType = AccountType::AccessPass;

    fn growth(&self) -> usize {
        let more = |most: usize, held: &[Pubkey]| most.saturating_sub(held.len());
        keys(
            more(Self::MAX_TENANTS, &self.tenants)
                + more(Self::MAX_GROUPS, &self.publish)
                + more(Self::MAX_GROUPS, &self.subscribe),
        )
    }
}
