//! Interface names of tunnels.
//!
//! Users know doublezero0 as the unicast and doublezero1 as the multicast tunnel. Further tunnels take the next
//! numbers. A tunnel keeps the name it has for as long as it lives: renaming would disturb what it carries. One whose
//! service has changed while the daemon was down is another tunnel, though its addresses are the same: it is made again
//! under the name that users know.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use solana_pubkey::Pubkey;

use super::desired::DesiredTunnel;

/// What every tunnel interface of the daemon is called, before its number.
pub const PREFIX: &str = "doublezero";

/// The number in a name that the daemon gives; none for other names.
pub fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix(PREFIX)?;
    let number = digits.parse().ok()?;
    (digits == u32::to_string(&number)).then_some(number)
}

/// The name of the tunnel of this number.
pub(super) fn name(number: u32) -> String {
    format!("{PREFIX}{number}")
}

/// True for a name that the daemon gives.
pub fn is_ours(name: &str) -> bool {
    number(name).is_some()
}

/// Whether a tunnel of a service may have this number: the first two are promised to one service each.
fn fits(number: u32, multicast: bool) -> bool {
    match number {
        0 => !multicast,
        1 => multicast,
        _ => true,
    }
}

/// Names the tunnels, given the outer (source, destination) pairs of the interfaces that exist.
pub fn assign(
    desired: &BTreeMap<Pubkey, DesiredTunnel>,
    existing: &BTreeMap<String, (Ipv4Addr, Ipv4Addr)>,
) -> BTreeMap<String, DesiredTunnel> {
    let mut named = BTreeMap::new();
    let mut unnamed = Vec::new();
    for tunnel in desired.values() {
        let pair = (tunnel.local, tunnel.remote);
        let multicast = tunnel.user_type.is_multicast();
        let ours = |name: &str| number(name).is_some_and(|number| fits(number, multicast));
        match existing.iter().find(|(name, have)| **have == pair && ours(name)) {
            Some((name, _)) => {
                named.insert(name.clone(), tunnel.clone());
            }
            None => unnamed.push(tunnel),
        }
    }
    let mut taken: BTreeSet<u32> = named.keys().filter_map(|name| number(name)).collect();
    for tunnel in unnamed {
        let first = u32::from(tunnel.user_type.is_multicast());
        let free = std::iter::once(first).chain(2..).find(|number| !taken.contains(number));
        // Numbers do not run out before addresses do.
        let Some(number) = free else { continue };
        taken.insert(number);
        named.insert(name(number), tunnel.clone());
    }
    named
}
