//! The reconciler's plan against a model of the kernel: from any state to the desired one, and then nothing more.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_client::{
    api::Session,
    daemon::{
        changes::{Action, Actual, ActualTunnel, Address, Change, RouteKey, RuleKey, Wanted, changes},
        desired::{DesiredTunnel, Group},
        peers::Peers,
        tunnel_names::{assign, is_ours, number},
    },
};
use dz_sdk::program::state::UserType;
use ipnet::Ipv4Net;
use proptest::{collection, prelude::*, sample::select, test_runner::TestCaseError};
use rstest::rstest;
use solana_pubkey::Pubkey;

const MAIN: u32 = 254;
const CLIENT: Ipv4Addr = Ipv4Addr::new(9, 100, 0, 1);

/// What the kernel holds to, as far as the daemon asks it for anything.
#[derive(Clone, Debug, Default)]
struct Kernel {
    tunnels: Actual,
    next_index: u32,
}

impl Kernel {
    fn local(&self, address: Ipv4Addr) -> bool {
        address == CLIENT
            || self.tunnels.values().any(|tunnel| tunnel.addresses.iter().any(|held| held.net.addr() == address))
    }

    fn tunnel(&mut self, name: &str) -> Result<&mut ActualTunnel, String> {
        self.tunnels.get_mut(name).ok_or_else(|| format!("{name} does not exist"))
    }

    fn apply(&mut self, Change { name, action }: &Change) -> Result<(), String> {
        match action {
            Action::Delete => {
                let gone = self.tunnels.remove(name).ok_or("nothing to delete")?;
                if !gone.rules.is_empty() {
                    return Err(format!("the kernel keeps the rules of {name}"));
                }
                self.drop_routes_from(gone.addresses.iter().map(|address| address.net.addr()));
            }
            Action::Create { local, remote } => {
                let pair = Some((*local, *remote));
                if self.tunnels.contains_key(name) || self.tunnels.values().any(|tunnel| tunnel.pair == pair) {
                    return Err(format!("EEXIST: {name} {pair:?}"));
                }
                self.next_index += 1;
                let ifindex = self.next_index;
                let new = ActualTunnel { pair, ifindex, up: true, strict: true, ..ActualTunnel::default() };
                self.tunnels.insert(name.clone(), new);
            }
            Action::Up => self.tunnel(name)?.up = true,
            Action::AcceptAnySource => self.tunnel(name)?.strict = false,
            Action::AddAddress(address) => {
                let tunnel = self.tunnel(name)?;
                if tunnel.addresses.iter().any(|held| held.net == address.net) {
                    return Err("EEXIST".to_owned());
                }
                tunnel.addresses.insert(*address);
            }
            Action::RemoveAddress(address) => {
                if !self.tunnel(name)?.addresses.remove(address) {
                    return Err("no such address".to_owned());
                }
                self.drop_routes_from([address.net.addr()]);
            }
            Action::SetRoute { key, source } => {
                if !self.local(*source) {
                    return Err(format!("EINVAL: {source} is not local"));
                }
                let elsewhere =
                    self.tunnels.iter().any(|(other, tunnel)| other != name && tunnel.routes.contains_key(key));
                if elsewhere {
                    return Err("this would take the route from another tunnel".to_owned());
                }
                let tunnel = self.tunnel(name)?;
                if !tunnel.up {
                    return Err("ENETDOWN".to_owned());
                }
                tunnel.routes.insert(*key, Some(*source));
            }
            Action::RemoveRoute(key) => {
                self.tunnel(name)?.routes.remove(key);
            }
            Action::AddRule(rule) => {
                if !self.tunnel(name)?.rules.insert(*rule) {
                    return Err("EEXIST".to_owned());
                }
            }
            Action::RemoveRule(rule) => {
                if !self.tunnel(name)?.rules.remove(rule) {
                    return Err("no such rule".to_owned());
                }
            }
            Action::Join(group) => {
                if !self.tunnel(name)?.memberships.insert(*group) {
                    return Err("EADDRINUSE".to_owned());
                }
            }
            Action::Leave(group) => {
                self.tunnel(name)?.memberships.remove(group);
            }
        }
        Ok(())
    }

    /// Routes go with the address that is their source.
    fn drop_routes_from(&mut self, gone: impl IntoIterator<Item = Ipv4Addr>) {
        let gone: Vec<_> = gone.into_iter().filter(|address| !self.local(*address)).collect();
        for tunnel in self.tunnels.values_mut() {
            tunnel.routes.retain(|_, source| source.is_none_or(|source| !gone.contains(&source)));
        }
    }

    /// What a killed daemon leaves: memberships end with the sockets that hold them.
    fn killed(&mut self) {
        self.tunnels.values_mut().for_each(|tunnel| tunnel.memberships.clear());
    }

    fn pairs(&self) -> BTreeMap<String, (Ipv4Addr, Ipv4Addr)> {
        self.tunnels.iter().filter_map(|(name, tunnel)| Some((name.clone(), tunnel.pair?))).collect()
    }
}

/// What should be, before it has names.
#[derive(Clone, Debug)]
struct Chain(BTreeMap<Pubkey, (DesiredTunnel, Session)>);

impl Chain {
    fn wanted(&self, kernel: &Kernel) -> BTreeMap<String, Wanted> {
        let desired = self.0.iter().map(|(key, (tunnel, _))| (*key, tunnel.clone())).collect();
        let session = |wanted: &DesiredTunnel| {
            self.0.values().find(|(tunnel, _)| tunnel == wanted).map_or(Session::Pending, |(_, session)| *session)
        };
        assign(&desired, &kernel.pairs())
            .into_iter()
            .map(|(name, tunnel)| (name, Wanted { session: session(&tunnel), tunnel }))
            .collect()
    }

    /// Brings the kernel there; returns what was done.
    fn reconcile(&self, kernel: &mut Kernel) -> Result<Vec<Change>, TestCaseError> {
        let done = changes(&self.wanted(kernel), &kernel.tunnels);
        for change in &done {
            kernel.apply(change).map_err(|error| TestCaseError::fail(format!("{change}: {error}\n{done:#?}")))?;
        }
        Ok(done)
    }

    /// The kernel has exactly what is wanted, judged by the desired tunnels and not by the plan.
    fn check(&self, kernel: &Kernel) -> Result<(), TestCaseError> {
        prop_assert_eq!(kernel.tunnels.len(), self.0.len());
        for (tunnel, session) in self.0.values() {
            let pair = Some((tunnel.local, tunnel.remote));
            let (name, have) = kernel.tunnels.iter().find(|(_, have)| have.pair == pair).unwrap();
            let metric = number(name).unwrap();
            prop_assert!(have.up && !have.strict);
            let mut addresses = BTreeSet::from([Address { net: tunnel.overlay, link_scope: true }]);
            if tunnel.dz_ip != CLIENT {
                addresses.insert(Address { net: tunnel.dz_ip.into(), link_scope: false });
            }
            prop_assert_eq!(&have.addresses, &addresses);
            let filtered = tunnel.user_type == UserType::EdgeFiltering;
            let (first, second) = (100 + 2 * metric, 101 + 2 * metric);
            let table = if filtered { first } else { MAIN };
            let key = |address: &Ipv4Addr| RouteKey { table, destination: (*address).into(), metric };
            let mut groups: BTreeSet<_> = tunnel.publish.keys().chain(tunnel.subscribe.keys()).map(key).collect();
            let mut rules = BTreeSet::new();
            if filtered {
                // Whether or not the tunnel answers.
                groups.insert(RouteKey { table: second, destination: Ipv4Net::default(), metric });
                rules.insert(RuleKey { number: first, from: None });
                rules.insert(RuleKey { number: second, from: Some(tunnel.dz_ip) });
            }
            prop_assert_eq!(&have.rules, &rules);
            let peers: BTreeSet<_> = tunnel.peers.iter().map(key).collect();
            let routes: BTreeSet<_> = have.routes.keys().copied().collect();
            prop_assert!(groups.is_subset(&routes));
            prop_assert!(have.routes.values().all(|source| *source == Some(tunnel.dz_ip)));
            let to_peers: BTreeSet<_> = routes.difference(&groups).copied().collect();
            match session {
                Session::Up => prop_assert_eq!(to_peers, peers),
                Session::Down => prop_assert_eq!(to_peers, BTreeSet::new()),
                Session::Pending => prop_assert!(to_peers.is_subset(&peers)),
            }
            prop_assert_eq!(&have.memberships, &tunnel.subscribe.keys().copied().collect());
        }
        Ok(())
    }
}

fn endpoint() -> impl Strategy<Value = Ipv4Addr> {
    (1..=5u8).prop_map(|last| Ipv4Addr::new(9, 1, 0, last))
}

fn overlay() -> impl Strategy<Value = Ipv4Net> {
    (0..6u8).prop_map(|pair| Ipv4Net::new(Ipv4Addr::new(169, 254, 0, 2 * pair + 1), 31).unwrap())
}

fn dz_ip() -> impl Strategy<Value = Ipv4Addr> {
    select(vec![CLIENT, Ipv4Addr::new(148, 51, 120, 1), Ipv4Addr::new(148, 51, 120, 2)])
}

fn peers() -> impl Strategy<Value = BTreeSet<Ipv4Addr>> {
    collection::btree_set((1..=4u8).prop_map(|last| Ipv4Addr::new(9, 200, 0, last)), 0..4)
}

fn group(number: u8) -> (Ipv4Addr, Group) {
    let account = Pubkey::new_from_array([number; 32]);
    (Ipv4Addr::new(233, 84, 178, number), Group { account, code: format!("mg0{number}"), max_bandwidth: 1 })
}

fn groups() -> impl Strategy<Value = BTreeMap<Ipv4Addr, Group>> {
    let group = (1..=4u8).prop_map(group);
    collection::vec(group, 0..4).prop_map(|groups| groups.into_iter().collect())
}

fn session() -> impl Strategy<Value = Session> {
    select(vec![Session::Pending, Session::Up, Session::Down])
}

fn tunnel() -> impl Strategy<Value = (DesiredTunnel, Session)> {
    (0..3u8, endpoint(), overlay(), dz_ip(), peers(), groups(), groups(), session()).prop_map(
        |(kind, remote, overlay, dz_ip, peers, publish, subscribe, session)| {
            let none = BTreeMap::new();
            let multicast = kind == 0;
            let (peers, publish, subscribe) =
                if multicast { (BTreeSet::new(), publish, subscribe) } else { (peers, none.clone(), none) };
            let tunnel = DesiredTunnel {
                user_type: match kind {
                    0 => UserType::Multicast,
                    1 if dz_ip != CLIENT => UserType::EdgeFiltering,
                    _ => UserType::Ibrl,
                },
                device: "nyc1".to_owned(),
                metro: "nyc".to_owned(),
                tenant: None,
                local: CLIENT,
                remote,
                overlay,
                peer: Ipv4Addr::from(u32::from(overlay.addr()) - 1),
                dz_ip,
                peers: peers.into(),
                publish,
                subscribe,
                trouble: None,
            };
            (tunnel, session)
        },
    )
}

/// The chain gives no pair and no overlay network twice.
fn chain() -> impl Strategy<Value = Chain> {
    collection::vec(tunnel(), 0..5).prop_map(|tunnels| {
        let (mut pairs, mut overlays, mut addresses) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let unique = tunnels.into_iter().filter(|(tunnel, _)| {
            pairs.insert(tunnel.remote)
                && overlays.insert(tunnel.overlay)
                && (tunnel.dz_ip == CLIENT || addresses.insert(tunnel.dz_ip))
        });
        Chain((1..).zip(unique).map(|(number, tunnel)| (Pubkey::new_from_array([number; 32]), tunnel)).collect())
    })
}

/// Rules as their tunnel's number makes them, counted from 0.
fn rules() -> impl Strategy<Value = BTreeSet<RuleKey>> {
    let from = select(vec![None, Some(Ipv4Addr::new(148, 51, 120, 1)), Some(Ipv4Addr::new(148, 51, 120, 2))]);
    let rule = (0..2u32, from).prop_map(|(number, from)| RuleKey { number, from });
    collection::btree_set(rule, 0..3)
}

/// Whatever a predecessor, an administrator or a crash may have left under our names.
fn left_over() -> impl Strategy<Value = ActualTunnel> {
    let address = (overlay(), dz_ip(), any::<bool>(), any::<bool>()).prop_map(|(overlay, dz_ip, which, link_scope)| {
        Address { net: if which { overlay } else { dz_ip.into() }, link_scope }
    });
    let destination = (peers(), groups())
        .prop_map(|(peers, groups)| peers.into_iter().chain(groups.into_keys()).map(Ipv4Net::from).collect::<Vec<_>>());
    let addresses = collection::vec(address, 0..3);
    (endpoint(), any::<bool>(), any::<bool>(), addresses, destination, dz_ip(), groups(), rules()).prop_map(
        |(remote, up, strict, addresses, destinations, source, groups, rules)| {
            let mut held: BTreeMap<Ipv4Net, bool> = BTreeMap::new();
            held.extend(addresses.into_iter().map(|address| (address.net, address.link_scope)));
            ActualTunnel {
                pair: Some((CLIENT, remote)),
                ifindex: 0,
                up,
                strict,
                addresses: held.into_iter().map(|(net, link_scope)| Address { net, link_scope }).collect(),
                routes: destinations
                    .into_iter()
                    .map(|destination| (RouteKey { table: MAIN, destination, metric: 0 }, Some(source)))
                    .collect(),
                memberships: groups.into_keys().collect(),
                rules,
            }
        },
    )
}

fn kernel() -> impl Strategy<Value = Kernel> {
    let name = (0..6u32).prop_map(|number| format!("doublezero{number}"));
    collection::btree_map(name, left_over(), 0..5).prop_map(|tunnels| {
        let mut pairs = BTreeSet::new();
        let mut kernel = Kernel { tunnels: BTreeMap::new(), next_index: 100 };
        for (name, mut tunnel) in tunnels {
            if pairs.insert(tunnel.pair) {
                // A route of a table is there once: that of a number carries the number as its metric, or a wrong one.
                let metric = number(&name).unwrap();
                tunnel.routes =
                    tunnel.routes.into_iter().map(|(key, source)| (RouteKey { metric, ..key }, source)).collect();
                let numbered = |rule: RuleKey| RuleKey { number: 100 + 2 * metric + rule.number, ..rule };
                tunnel.rules = tunnel.rules.into_iter().map(numbered).collect();
                kernel.tunnels.insert(name, tunnel);
            }
        }
        let absent = [1, 2].map(|last| Ipv4Addr::new(148, 51, 120, last)).into_iter();
        kernel.drop_routes_from(absent.collect::<Vec<_>>());
        kernel
    })
}

proptest! {
    #[test]
    fn any_start_reaches_the_desired_state_and_stays(mut kernel in kernel(), chain in chain()) {
        chain.reconcile(&mut kernel)?;
        chain.check(&kernel)?;
        prop_assert_eq!(chain.reconcile(&mut kernel)?, vec![]);
    }

    #[test]
    fn a_kill_between_any_two_changes_heals(mut kernel in kernel(), chain in chain(), step in any::<prop::sample::Index>()) {
        let plan = changes(&chain.wanted(&kernel), &kernel.tunnels);
        for change in plan.iter().take(step.index(plan.len() + 1)) {
            kernel.apply(change).map_err(TestCaseError::fail)?;
        }
        kernel.killed();
        chain.reconcile(&mut kernel)?;
        chain.check(&kernel)?;
        prop_assert_eq!(chain.reconcile(&mut kernel)?, vec![]);
    }

    #[test]
    fn a_change_to_one_tunnel_touches_no_other(mut kernel in kernel(), mut chain in chain(), new in tunnel(), which in any::<prop::sample::Index>()) {
        chain.reconcile(&mut kernel)?;
        let before = kernel.pairs();
        let Some(key) = chain.0.keys().nth(which.index(chain.0.len().max(1))).copied() else { return Ok(()) };
        let old = chain.0.remove(&key).unwrap();
        let clash = |other: &(DesiredTunnel, Session)| {
            other.0.remote == new.0.remote || other.0.overlay == new.0.overlay || other.0.dz_ip == new.0.dz_ip
        };
        if !chain.0.values().any(clash) {
            chain.0.insert(key, new.clone());
        }
        let names = |tunnel: &DesiredTunnel, pairs: &BTreeMap<String, _>| {
            pairs.iter().find(|(_, pair)| **pair == (tunnel.local, tunnel.remote)).map(|(name, _)| name.clone())
        };
        let done = chain.reconcile(&mut kernel)?;
        chain.check(&kernel)?;
        let own: BTreeSet<_> =
            [names(&old.0, &before), names(&new.0, &kernel.pairs())].into_iter().flatten().collect();
        prop_assert!(done.iter().all(|change| own.contains(&change.name)), "{:?} beside {:?}", done, own);
    }
}

fn desired(user_type: UserType, remote: u8) -> DesiredTunnel {
    DesiredTunnel {
        user_type,
        device: "nyc1".to_owned(),
        metro: "nyc".to_owned(),
        tenant: None,
        local: CLIENT,
        remote: Ipv4Addr::new(9, 1, 0, remote),
        overlay: Ipv4Net::new(Ipv4Addr::new(169, 254, 0, 2 * remote + 1), 31).unwrap(),
        peer: Ipv4Addr::new(169, 254, 0, 2 * remote),
        dz_ip: CLIENT,
        peers: BTreeSet::from([Ipv4Addr::new(9, 200, 0, 1)]).into(),
        publish: BTreeMap::new(),
        subscribe: BTreeMap::new(),
        trouble: None,
    }
}

#[rstest]
#[case::unicast_is_0_and_multicast_1(&[(UserType::Multicast, 1), (UserType::Ibrl, 2)], &[], &[("doublezero0", 2), ("doublezero1", 1)])]
#[case::further_ones_take_the_next_numbers(
    &[(UserType::Ibrl, 1), (UserType::Ibrl, 2), (UserType::Multicast, 3), (UserType::Multicast, 4)], &[],
    &[("doublezero0", 1), ("doublezero1", 3), ("doublezero2", 2), ("doublezero3", 4)],
)]
#[case::a_tunnel_keeps_its_name(
    &[(UserType::Ibrl, 1), (UserType::Ibrl, 2)], &[("doublezero2", 1)], &[("doublezero0", 2), ("doublezero2", 1)],
)]
#[case::unless_it_is_the_other_services(&[(UserType::Multicast, 1)], &[("doublezero0", 1)], &[("doublezero1", 1)])]
#[case::both_at_once(
    &[(UserType::Multicast, 1), (UserType::Ibrl, 2)], &[("doublezero0", 1), ("doublezero1", 2)],
    &[("doublezero0", 2), ("doublezero1", 1)],
)]
#[case::a_foreign_name_is_not_adopted(&[(UserType::Ibrl, 1)], &[("gre5", 1)], &[("doublezero0", 1)])]
#[case::a_name_whose_tunnel_goes_is_free(&[(UserType::Ibrl, 1)], &[("doublezero0", 9)], &[("doublezero0", 1)])]
fn names(#[case] tunnels: &[(UserType, u8)], #[case] existing: &[(&str, u8)], #[case] expected: &[(&str, u8)]) {
    let tunnels = (1..).zip(tunnels);
    let tunnels =
        tunnels.map(|(number, (kind, remote))| (Pubkey::new_from_array([number; 32]), desired(*kind, *remote)));
    let pair = |remote: u8| (CLIENT, Ipv4Addr::new(9, 1, 0, remote));
    let existing = existing.iter().map(|(name, remote)| ((*name).to_owned(), pair(*remote))).collect();
    let named: BTreeMap<_, _> = assign(&tunnels.collect(), &existing)
        .into_iter()
        .map(|(name, tunnel)| (name, tunnel.remote.octets()[3]))
        .collect();
    assert_eq!(named, expected.iter().map(|(name, remote)| ((*name).to_owned(), *remote)).collect());
}

#[rstest]
#[case("doublezero0", true)]
#[case("doublezero12", true)]
#[case("doublezero", false)]
#[case("doublezero01", false)]
#[case("doublezero+1", false)]
#[case("doublezero1a", false)]
#[case("eth0", false)]
fn ours(#[case] name: &str, #[case] expected: bool) {
    assert_eq!(is_ours(name), expected);
}

/// The whole list for a new tunnel, and for the same tunnel when its session changes.
#[test]
fn a_tunnel_from_nothing_to_up_to_down() {
    let tunnel = desired(UserType::Ibrl, 1);
    let wanted = |session| BTreeMap::from([("doublezero0".to_owned(), Wanted { tunnel: tunnel.clone(), session })]);
    let mut kernel = Kernel::default();
    let mut step = |session| {
        let plan = changes(&wanted(session), &kernel.tunnels);
        plan.iter().for_each(|change| kernel.apply(change).unwrap());
        plan.iter().map(Change::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        step(Session::Pending),
        [
            "create doublezero0 from 9.100.0.1 to 9.1.0.1",
            "set doublezero0 up",
            "accept any source on doublezero0",
            "add 169.254.0.3/31 to doublezero0",
        ]
    );
    assert_eq!(step(Session::Up), ["route 9.200.0.1/32 by doublezero0 from 9.100.0.1"]);
    assert_eq!(step(Session::Pending), Vec::<String>::new());
    assert_eq!(step(Session::Down), ["remove the route to 9.200.0.1/32 by doublezero0"]);
}

/// A subscriber becomes a publisher: its source address changes, and nothing is missing in between.
#[test]
fn what_comes_comes_before_what_goes() {
    let group = BTreeMap::from([group(1)]);
    let before = DesiredTunnel { subscribe: group.clone(), peers: Peers::default(), ..desired(UserType::Multicast, 1) };
    let after = DesiredTunnel {
        dz_ip: Ipv4Addr::new(148, 51, 120, 1),
        publish: group,
        subscribe: BTreeMap::new(),
        ..before.clone()
    };
    let wanted = |tunnel: &DesiredTunnel| {
        BTreeMap::from([("doublezero1".to_owned(), Wanted { tunnel: tunnel.clone(), session: Session::Up })])
    };
    let mut kernel = Kernel::default();
    changes(&wanted(&before), &kernel.tunnels).iter().for_each(|change| kernel.apply(change).unwrap());
    let mut step = |tunnel| {
        let plan = changes(&wanted(tunnel), &kernel.tunnels);
        plan.iter().for_each(|change| kernel.apply(change).unwrap());
        plan.iter().map(Change::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        step(&after),
        [
            "add 148.51.120.1/32 to doublezero1",
            "route 233.84.178.1/32 by doublezero1 from 148.51.120.1",
            "leave 233.84.178.1 on doublezero1",
        ]
    );
    assert_eq!(
        step(&before),
        [
            "route 233.84.178.1/32 by doublezero1 from 9.100.0.1",
            "join 233.84.178.1 on doublezero1",
            "remove 148.51.120.1/32 from doublezero1",
        ]
    );
}
