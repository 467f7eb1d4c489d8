//! Which tunnel has which interface name.
//!
//! Users know doublezero0 as the unicast and doublezero1 as the multicast tunnel. Further tunnels take the next
//! numbers. A tunnel keeps the name it has for as long as it lives: renaming would disturb what it carries.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use solana_pubkey::Pubkey;

use super::desired::DesiredTunnel;

/// What every tunnel interface of the daemon is called, before its number.
pub const PREFIX: &str = "doublezero";

/// True for a name that the daemon gives.
pub fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Names the tunnels, given the outer (source, destination) pairs of the interfaces that exist.
pub fn assign(
    desired: &BTreeMap<Pubkey, DesiredTunnel>,
    existing: &BTreeMap<String, (Ipv4Addr, Ipv4Addr)>,
) -> BTreeMap<String, DesiredTunnel> {
    let mut named = BTreeMap::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut unnamed = Vec::new();
    for tunnel in desired.values() {
        let pair = (tunnel.local, tunnel.remote);
        match existing.iter().find(|(name, have)| **have == pair && is_ours(name)) {
            Some((name, _)) => {
                taken.insert(name.clone());
                named.insert(name.clone(), tunnel.clone());
            }
            None => unnamed.push(tunnel),
        }
    }
    for tunnel in unnamed {
        let first = u32::from(tunnel.user_type.is_multicast());
        let name = std::iter::once(first)
            .chain(2..)
            .map(|number| format!("{PREFIX}{number}"))
            .find(|name| !taken.contains(name));
        if let Some(name) = name {
            taken.insert(name.clone());
            named.insert(name, tunnel.clone());
        }
    }
    named
}
