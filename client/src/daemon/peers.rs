//! Whom a unicast tunnel leads to: the other users of its tenant.
//!
//! All users of a tenant have the same list but for their own entries, so a view makes one for each tenant and everybody who
//! holds the view shares it: a network of a thousand clients would otherwise make a million entries for every change.
//! Where the config leaves users of one metro to the internet, those of the own metro are left out, by a list that all of
//! the metro share.

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
    /// Those of this metro, where the internet between them is as short and the config leaves it to that.
    metro: Arc<BTreeSet<Ipv4Addr>>,
}

/// The dz_ips of all unicast users with a tunnel, by tenant.
#[derive(Debug, Default, PartialEq)]
struct ByTenant {
    everybody: BTreeMap<Option<Pubkey>, Arc<BTreeSet<Ipv4Addr>>>,
    /// By metro as well; empty where users of one metro reach each other like all others.
    metros: BTreeMap<(Option<Pubkey>, Pubkey), Arc<BTreeSet<Ipv4Addr>>>,
}

impl Peers {
    /// The peers of a unicast user.
    pub(super) fn of(view: &NetworkView, user: &User) -> Self {
        let all = view.derived(ByTenant::of);
        let own = view.users_of_client(user.client_ip).filter_map(|(_, other)| listed(other));
        Self {
            everybody: all.everybody.get(&user.tenant).cloned().unwrap_or_default(),
            metro: metro(view, user)
                .and_then(|metro| all.metros.get(&(user.tenant, metro)))
                .cloned()
                .unwrap_or_default(),
            own: own.filter(|(tenant, _)| *tenant == user.tenant).map(|(_, dz_ip)| dz_ip).collect(),
        }
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Ipv4Addr> {
        self.everybody.iter().filter(|address| !self.own.contains(address) && !self.metro.contains(address))
    }
}

impl From<BTreeSet<Ipv4Addr>> for Peers {
    fn from(everybody: BTreeSet<Ipv4Addr>) -> Self {
        Self { everybody: Arc::new(everybody), ..Self::default() }
    }
}

impl PartialEq for Peers {
    fn eq(&self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.everybody, &other.everybody) && Arc::ptr_eq(&self.metro, &other.metro);
        (same && self.own == other.own) || self.iter().eq(other.iter())
    }
}

impl Eq for Peers {}

impl ByTenant {
    fn of(view: &NetworkView) -> Self {
        let everywhere = view.config().is_none_or(|config| config.same_metro_routing);
        let mut everybody: BTreeMap<_, BTreeSet<Ipv4Addr>> = BTreeMap::new();
        let mut metros: BTreeMap<_, BTreeSet<Ipv4Addr>> = BTreeMap::new();
        for user in view.users().values() {
            let Some((tenant, dz_ip)) = listed(user) else { continue };
            everybody.entry(tenant).or_default().insert(dz_ip);
            if let Some(metro) = metro(view, user).filter(|_| !everywhere) {
                metros.entry((tenant, metro)).or_default().insert(dz_ip);
            }
        }
        Self { everybody: shared(everybody), metros: shared(metros) }
    }
}

fn shared<K: Ord>(lists: BTreeMap<K, BTreeSet<Ipv4Addr>>) -> BTreeMap<K, Arc<BTreeSet<Ipv4Addr>>> {
    lists.into_iter().map(|(key, dz_ips)| (key, Arc::new(dz_ips))).collect()
}

/// Where a user's device stands.
fn metro(view: &NetworkView, user: &User) -> Option<Pubkey> {
    view.device(&user.device).map(|device| device.exchange)
}

/// What a user is in a list of peers, if it is in one.
fn listed(user: &User) -> Option<(Option<Pubkey>, Ipv4Addr)> {
    let unicast = !user.user_type.is_multicast() && user.status.has_tunnel();
    let allocation = user.allocation.as_ref().filter(|_| unicast)?;
    Some((user.tenant, allocation.dz_ip))
}
