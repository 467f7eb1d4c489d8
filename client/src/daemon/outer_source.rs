//! The outer source of a tunnel: the client's address, or what a translator turns into it.
//!
//! A device knows a client by its address on the internet. A host that has this address sends from it, whatever else
//! it has. A host behind a translator has not: its packets leave from the address that its routes choose, and the
//! translator puts the client's address in. An address on one of the daemon's own tunnels does not count: behind a
//! translator the tunnel itself holds the client's address, because inside it is what the user is known by.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_net::host::Host;
use solana_pubkey::Pubkey;

use super::{changes::Actual, desired::DesiredTunnel};

/// The address that a host sends from to each endpoint that a route leads to, as far as it matters.
pub(super) async fn routed(
    host: &dyn Host,
    desired: &BTreeMap<Pubkey, DesiredTunnel>,
    on_host: &BTreeSet<Ipv4Addr>,
) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
    let mut sources = BTreeMap::new();
    for tunnel in desired.values().filter(|tunnel| !on_host.contains(&tunnel.local)) {
        if let Ok(source) = host.source_towards(tunnel.remote).await {
            sources.insert(tunnel.remote, source);
        }
    }
    sources
}

/// Gives each tunnel its outer source, given the addresses the host has outside of `actual`, the tunnels there
/// are, and the source that its routes choose for each endpoint.
///
/// While nothing leads to the endpoint of a host behind a translator, a tunnel keeps the source it has.
pub(super) fn assign(
    desired: &BTreeMap<Pubkey, DesiredTunnel>,
    on_host: &BTreeSet<Ipv4Addr>,
    actual: &Actual,
    routed: &BTreeMap<Ipv4Addr, Ipv4Addr>,
) -> BTreeMap<Pubkey, DesiredTunnel> {
    let source = |tunnel: &DesiredTunnel| {
        if on_host.contains(&tunnel.local) {
            return tunnel.local;
        }
        let kept = || {
            let mut pairs = actual.values().filter_map(|have| have.pair);
            pairs.find(|(_, remote)| *remote == tunnel.remote).map(|(local, _)| local)
        };
        routed.get(&tunnel.remote).copied().or_else(kept).unwrap_or(tunnel.local)
    };
    desired.iter().map(|(key, tunnel)| (*key, DesiredTunnel { local: source(tunnel), ..tunnel.clone() })).collect()
}

#[cfg(test)]
mod tests {
    use dz_sdk::program::state::UserType;
    use rstest::rstest;

    use super::*;
    use crate::daemon::{changes::ActualTunnel, peers::Peers};

    const CLIENT: Ipv4Addr = Ipv4Addr::new(9, 1, 0, 1);
    const ENDPOINT: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
    const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 5);

    fn tunnel(user_type: UserType) -> DesiredTunnel {
        DesiredTunnel {
            user_type,
            device: "nyc1".to_owned(),
            metro: "nyc".to_owned(),
            tenant: None,
            local: CLIENT,
            remote: ENDPOINT,
            overlay: "169.254.0.1/31".parse().unwrap(),
            peer: Ipv4Addr::new(169, 254, 0, 0),
            dz_ip: CLIENT,
            peers: Peers::default(),
            publish: BTreeMap::new(),
            subscribe: BTreeMap::new(),
            trouble: None,
        }
    }

    #[rstest]
    #[case::the_host_has_it(&[CLIENT], Some(CLIENT), None, CLIENT)]
    #[case::the_host_has_it_and_another_route(&[CLIENT, OTHER], Some(OTHER), None, CLIENT)]
    #[case::the_host_has_it_and_no_route(&[CLIENT], None, Some(PRIVATE), CLIENT)]
    #[case::behind_a_translator(&[PRIVATE], Some(PRIVATE), None, PRIVATE)]
    #[case::the_route_has_moved(&[PRIVATE, OTHER], Some(OTHER), Some(PRIVATE), OTHER)]
    #[case::behind_a_translator_without_a_route(&[PRIVATE], None, Some(PRIVATE), PRIVATE)]
    #[case::nothing_is_known(&[], None, None, CLIENT)]
    fn the_source_is(
        #[case] on_host: &[Ipv4Addr],
        #[case] routed: Option<Ipv4Addr>,
        #[case] kept: Option<Ipv4Addr>,
        #[case] expected: Ipv4Addr,
        #[values(UserType::Ibrl, UserType::Multicast)] user_type: UserType,
    ) {
        let on_host = on_host.iter().copied().collect();
        let have = ActualTunnel { pair: kept.map(|local| (local, ENDPOINT)), ..ActualTunnel::default() };
        let elsewhere = ActualTunnel { pair: Some((OTHER, PRIVATE)), ..ActualTunnel::default() };
        let actual = Actual::from([("doublezero0".to_owned(), elsewhere), ("doublezero1".to_owned(), have)]);
        let desired = BTreeMap::from([(Pubkey::default(), tunnel(user_type))]);
        let routed = routed.map(|source| (ENDPOINT, source)).into_iter().collect();
        let assigned = assign(&desired, &on_host, &actual, &routed);
        let tunnel = DesiredTunnel { local: expected, ..tunnel(user_type) };
        // Behind a translator the tunnel holds the address the user is known by; elsewhere the host does.
        assert_eq!(tunnel.holds_dz_ip(), expected != CLIENT);
        assert_eq!(assigned, BTreeMap::from([(Pubkey::default(), tunnel)]));
    }
}
