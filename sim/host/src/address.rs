//! The addresses of a host's interfaces, with the local, connected and broadcast routes that come and go with them
//! (`net/ipv4/devinet.c`, `fib_add_ifaddr` and `fib_del_ifaddr` of `net/ipv4/fib_frontend.c`).

use std::net::Ipv4Addr;

use dz_net::kernel::{AddrInfo, Change, RouteInfo, RouteKind, Scope, TABLE_MAIN};
use ipnet::Ipv4Net;
use nix::errno::Errno;

use crate::link::{Kind, Link};
use crate::machine::Machine;
use crate::route::{RTPROT_KERNEL, TABLE_LOCAL};

/// Scopes as numbers, of which a higher one is narrower.
pub(crate) const SCOPE_UNIVERSE: u8 = 0;
/// On the link.
pub(crate) const SCOPE_LINK: u8 = 253;
/// On the host.
pub(crate) const SCOPE_HOST: u8 = 254;

/// The number of a scope (rtnetlink(7)).
pub(crate) fn scope_number(scope: Scope) -> u8 {
    match scope {
        Scope::Global => SCOPE_UNIVERSE,
        Scope::Link => SCOPE_LINK,
        Scope::Host => SCOPE_HOST,
        Scope::Other(number) => number,
    }
}

/// An address (`struct in_ifaddr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) local: Ipv4Addr,
    /// The far end, or `local` itself: what the prefix is of.
    pub(crate) far: Ipv4Addr,
    pub(crate) prefix_len: u8,
    pub(crate) scope: Scope,
    pub(crate) protocol: u8,
    /// Another one of the same prefix was there first.
    pub(crate) secondary: bool,
    /// When it was added, among all of the host.
    pub(crate) number: u64,
}

impl Address {
    fn of(addr: &AddrInfo) -> Self {
        let local = addr.address.addr();
        Self {
            local,
            far: addr.peer.unwrap_or(local),
            prefix_len: addr.address.prefix_len(),
            scope: addr.scope,
            protocol: addr.protocol,
            secondary: false,
            number: 0,
        }
    }

    fn info(&self, index: u32) -> AddrInfo {
        AddrInfo {
            index,
            address: Ipv4Net::new_assert(self.local, self.prefix_len),
            peer: Some(self.far).filter(|far| *far != self.local),
            scope: self.scope,
            protocol: self.protocol,
        }
    }

    /// The prefix that it gives its interface.
    pub(crate) fn net(&self) -> Ipv4Net {
        Ipv4Net::new_assert(self.far, self.prefix_len).trunc()
    }

    /// Whether both are of one prefix.
    fn same_net(&self, other: &Self) -> bool {
        self.net() == other.net()
    }

    /// Whether it gives its interface a connected route: not the prefix that begins with zero, nor itself alone.
    fn has_subnet(&self) -> bool {
        let net = self.net();
        net.network().octets()[0] != 0 && (net.network() != self.local || self.prefix_len < 32)
    }
}

/// Where a new address goes in the list of its interface, and whether it is secondary there (`__inet_insert_ifa`).
fn place(addresses: &[Address], new: &Address) -> Result<(usize, bool), Errno> {
    let (mut after_primaries, mut secondary) = (0, false);
    for (at, other) in addresses.iter().enumerate() {
        if !other.secondary && scope_number(new.scope) <= scope_number(other.scope) {
            after_primaries = at + 1;
        }
        if other.same_net(new) {
            if other.local == new.local {
                return Err(Errno::EEXIST);
            }
            if other.scope != new.scope {
                return Err(Errno::EINVAL);
            }
            secondary = true;
        }
    }
    Ok((if secondary { addresses.len() } else { after_primaries }, secondary))
}

impl Machine {
    /// All addresses, sorted.
    pub(crate) fn addrs(&self) -> Vec<AddrInfo> {
        let of = |(index, link): (u32, &Link)| link.addresses.iter().map(|a| a.info(index)).collect::<Vec<_>>();
        let mut addrs: Vec<_> = self.links.iter().flat_map(of).collect();
        addrs.sort();
        addrs
    }

    /// Adds an address to its link, as `ip address add` does.
    pub(crate) fn add_addr(&mut self, addr: &AddrInfo) -> Result<(), Errno> {
        let link = self.links.get_mut(addr.index).ok_or(Errno::ENODEV)?;
        self.parameters.keep(&link.name);
        let mut address = Address::of(addr);
        let (at, secondary) = place(&link.addresses, &address)?;
        // The unspecified address is taken and comes to nothing.
        if address.local.is_unspecified() {
            return Ok(());
        }
        address.secondary = secondary;
        self.addresses_added += 1;
        address.number = self.addresses_added;
        link.addresses.insert(at, address.clone());
        self.watchers.notify(Change::Address);
        self.add_address_routes(addr.index, &address);
        Ok(())
    }

    /// Deletes the first address that agrees, and with a primary one the secondary ones of its prefix
    /// (`inet_rtm_deladdr`, `__inet_del_ifa` without promotion).
    pub(crate) fn delete_addr(&mut self, addr: &AddrInfo) -> Result<(), Errno> {
        let wanted = Address::of(addr);
        let link = self.links.get(addr.index).ok_or(Errno::ENODEV)?;
        let agrees = |other: &&Address| {
            other.local == wanted.local && other.prefix_len == wanted.prefix_len && other.same_net(&wanted)
        };
        let found = link.addresses.iter().find(agrees).cloned().ok_or(Errno::EADDRNOTAVAIL)?;
        self.remove_address(addr.index, &found);
        Ok(())
    }

    pub(crate) fn remove_address(&mut self, index: u32, address: &Address) {
        let Some(link) = self.links.get(index) else { return };
        if !address.secondary {
            let secondaries: Vec<_> =
                link.addresses.iter().filter(|other| other.secondary && other.same_net(address)).cloned().collect();
            for secondary in &secondaries {
                self.unlink_address(index, secondary);
            }
        }
        self.unlink_address(index, address);
    }

    fn unlink_address(&mut self, index: u32, address: &Address) {
        let Some(link) = self.links.get_mut(index) else { return };
        // The routes of a secondary one are those of its primary, which is there as long.
        let primary = link.addresses.iter().find(|other| !other.secondary && other.same_net(address)).cloned();
        link.addresses.retain(|other| other != address);
        let last = link.addresses.is_empty();
        self.watchers.notify(Change::Address);
        if let Some(primary) = primary {
            self.delete_address_routes(index, address, &primary);
        }
        if last {
            // Without an address the interface has no IP: nothing leads over it any more (`fib_disable_ip`).
            self.flush_routes(|route| route.dev == Some(index));
        }
    }

    /// Gives an address its routes (`fib_add_ifaddr`).
    fn add_address_routes(&mut self, index: u32, address: &Address) {
        let Some(link) = self.links.get(index) else { return };
        let primary = link.addresses.iter().find(|other| !other.secondary && other.same_net(address));
        let source = primary.map_or(address.local, |primary| primary.local);
        let (up, loopback) = (link.up, link.kind == Kind::Loopback);
        self.append_kernel_route(RouteKind::Local, host(address.local), index, source);
        if !up || address.secondary || !address.has_subnet() {
            return;
        }
        let kind = if loopback { RouteKind::Local } else { RouteKind::Unicast };
        self.append_kernel_route(kind, address.net(), index, source);
        if address.prefix_len < 31 {
            self.append_kernel_route(RouteKind::Broadcast, host(address.net().broadcast()), index, source);
        }
    }

    /// What an interface that comes up makes of its addresses; the loopback gets one.
    pub(crate) fn addresses_come_up(&mut self, index: u32) {
        let Some(link) = self.links.get_mut(index) else { return };
        if link.kind == Kind::Loopback && link.addresses.is_empty() {
            let localhost = Ipv4Addr::LOCALHOST;
            link.addresses.push(Address {
                local: localhost,
                far: localhost,
                prefix_len: 8,
                scope: Scope::Host,
                protocol: 0,
                secondary: false,
                number: 0,
            });
            self.watchers.notify(Change::Address);
        }
        let addresses = self.links.get(index).map(|link| link.addresses.clone()).unwrap_or_default();
        for address in &addresses {
            self.add_address_routes(index, address);
        }
    }

    /// Takes away the routes of an address that is no longer in the list, as far as no other address needs them
    /// (`fib_del_ifaddr`).
    fn delete_address_routes(&mut self, index: u32, address: &Address, primary: &Address) {
        let Some(link) = self.links.get(index) else { return };
        let loopback = link.kind == Kind::Loopback;
        let subnet = !address.secondary && address.has_subnet();
        let broadcast = address.net().broadcast();
        let (mut local_needed, mut broadcast_needed, mut other_primary) = (false, false, false);
        for other in &link.addresses {
            if other.secondary {
                // It uses the routes of its own primary address.
                let uses = if other.same_net(primary) {
                    true
                } else {
                    let of = |a: &&Address| !a.secondary && a.same_net(other);
                    other_primary && link.addresses.iter().find(of).is_some_and(|p| p.local == primary.local)
                };
                if !uses {
                    continue;
                }
            } else {
                if other.local != primary.local {
                    continue;
                }
                other_primary |= other != primary;
                if other.prefix_len < 31 && other.net().network().octets()[0] != 0 {
                    let net = other.net();
                    broadcast_needed |= broadcast == net.broadcast() || broadcast == net.network();
                }
            }
            local_needed |= other.local == address.local;
        }
        if subnet {
            let kind = if loopback { RouteKind::Local } else { RouteKind::Unicast };
            self.delete_kernel_route(kind, address.net(), index, primary.local);
            if address.prefix_len < 31 && !broadcast_needed {
                self.delete_kernel_route(RouteKind::Broadcast, host(broadcast), index, primary.local);
            }
        }
        if !local_needed {
            self.delete_kernel_route(RouteKind::Local, host(address.local), index, primary.local);
            if !self.is_local_in_table(address.local) {
                // Nothing of the main table prefers a source that is gone (`fib_sync_down_addr`).
                let gone = address.local;
                self.flush_routes(|route| route.table == TABLE_MAIN && route.source == Some(gone));
            }
        }
    }

    fn append_kernel_route(&mut self, kind: RouteKind, destination: Ipv4Net, dev: u32, source: Ipv4Addr) {
        // One that is there already is refused without a word.
        let _ = self.append_route(&kernel_route(kind, destination, dev, source));
    }

    fn delete_kernel_route(&mut self, kind: RouteKind, destination: Ipv4Net, dev: u32, source: Ipv4Addr) {
        let _ = self.delete_route(&kernel_route(kind, destination, dev, source));
    }

    /// The address that the interface sends from to `towards`, of a scope no narrower than `scope`
    /// (`inet_select_addr`).
    pub(crate) fn select_address(&self, index: u32, towards: Option<Ipv4Addr>, scope: u8) -> Option<Ipv4Addr> {
        let primaries = |link: &Link| link.addresses.iter().filter(|a| !a.secondary).cloned().collect::<Vec<_>>();
        let own = self.links.get(index).map(primaries).unwrap_or_default();
        let usable: Vec<_> = own.iter().filter(|a| scope_number(a.scope).min(SCOPE_HOST) <= scope).collect();
        let near = usable.iter().find(|a| towards.is_none_or(|towards| a.net().contains(&towards)));
        if let Some(address) = near.or(usable.first()) {
            return Some(address.local);
        }
        // Another interface's, and never one that is of its link only.
        let mut others = self.links.iter().flat_map(|(_, link)| primaries(link));
        others.find(|a| a.scope != Scope::Link && scope_number(a.scope) <= scope).map(|a| a.local)
    }

    /// Whether an address is this host's: on an interface, or in the local table (`__ip_dev_find`).
    pub(crate) fn is_local(&self, address: Ipv4Addr) -> bool {
        self.links.iter().any(|(_, link)| link.addresses.iter().any(|a| a.local == address))
            || self.is_local_in_table(address)
    }

    /// The interface that has an address: of several the one that got it last.
    pub(crate) fn interface_of(&self, address: Ipv4Addr) -> Option<u32> {
        let all = self.links.iter().flat_map(|(index, link)| link.addresses.iter().map(move |a| (index, a)));
        let last = all.filter(|(_, a)| a.local == address).max_by_key(|(_, a)| a.number);
        let local = || self.local_route(address).and_then(|route| route.dev);
        last.map(|(index, _)| index).or_else(local)
    }
}

/// The prefix of one address.
fn host(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::from(address)
}

fn kernel_route(kind: RouteKind, destination: Ipv4Net, dev: u32, source: Ipv4Addr) -> RouteInfo {
    let table = if kind == RouteKind::Unicast { TABLE_MAIN } else { TABLE_LOCAL };
    RouteInfo {
        table,
        kind,
        dev: Some(dev),
        source: Some(source),
        protocol: RTPROT_KERNEL,
        ..RouteInfo::unicast(destination)
    }
}
