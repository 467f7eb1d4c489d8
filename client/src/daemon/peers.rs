//! Whom a unicast tunnel leads to: the other users of its tenant.
//!
//! All users of a tenant have the same list but for their own entries, so a view makes one for each tenant and everybody who
//! holds the view shares it: a network of a thousand clients would otherwise make a million entries for every change.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

use dz_sdk::{NetworkView, program::state::User};
use solana_pubkey::Pubkey;

/// The dz_ips of other users.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    everybody: Arc<BTreeSet<Ipv4Addr>>,
    /// Those of this very host: traffic between two tunnels of one host stays in it.
    own: BTreeSet<Ipv4Addr>,
}

/// The dz_ips of all unicast users with a tunnel, by tenant.
#[derive(Debug, Default, PartialEq)]
struct ByTenant(BTreeMap<Option<Pubkey>, Arc<BTreeSet<Ipv4Addr>>>);

impl Peers {
    /// The peers of a unicast user.
    pub(super) fn of(view: &NetworkView, user: &User) -> Self {
        let all = view.derived(ByTenant::of);
        let own = view.users_of_client(user.client_ip).filter_map(|(_, other)| listed(other));
        Self {
            everybody: all.0.get(&user.tenant).cloned().unwrap_or_default(),
            own: own.filter(|(tenant, _)| *tenant == user.tenant).map(|(_, dz_ip)| dz_ip).collect(),
        }
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Ipv4Addr> {
        self.everybody.iter().filter(|address| !self.own.contains(address))
    }
}

impl From<BTreeSet<Ipv4Addr>> for Peers {
    fn from(everybody: BTreeSet<Ipv4Addr>) -> Self {
        Self { everybody: Arc::new(everybody), own: BTreeSet::new() }
    }
}

impl PartialEq for Peers {
    fn eq(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.everybody, &other.everybody) && self.own == other.own) || self.iter().eq(other.iter())
    }
}

impl Eq for Peers {}

impl ByTenant {
    fn of(view: &NetworkView) -> Self {
        let mut all: BTreeMap<_, BTreeSet<Ipv4Addr>> = BTreeMap::new();
        for (tenant, dz_ip) in view.users().values().filter_map(listed) {
            all.entry(tenant).or_default().insert(dz_ip);
        }
        Self(all.into_iter().map(|(tenant, dz_ips)| (tenant, Arc::new(dz_ips))).collect())
    }
}

/// What a user is in a list of peers, if it is in one.
fn listed(user: &User) -> Option<(Option<Pubkey>, Ipv4Addr)> {
    let unicast = !user.user_type.is_multicast() && user.status.has_tunnel();
    let allocation = user.allocation.as_ref().filter(|_| unicast)?;
    Some((user.tenant, allocation.dz_ip))
}
