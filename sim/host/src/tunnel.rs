//! GRE tunnels by their outer addresses (RFC 2784), made by the kernel (`net/ipv4/ip_gre.c`) or by the helper of
//! [`dz_net::gre::userspace`], whose code for single packets and for narrow paths is used here as well.

use std::time::Instant;

pub(crate) use dz_net::gre::mtu::TunnelMtu;
use dz_net::gre::{self, Dataplane, Discard, Taken, Tunnel as Listed, TunnelError, TunnelSpec, encapsulation};
use dz_net::kernel::{Change, GreInfo, NetlinkError};
use dz_net::wire::ipv4::Header;
use nix::errno::Errno;

use crate::groups::Holder;
use crate::link::{Kind, Link, Tunnel};
use crate::lookup::Flow;
use crate::machine::Machine;

impl Machine {
    /// Who makes the tunnels of this host.
    pub(crate) fn dataplane(&self) -> Dataplane {
        if self.modules.gre { Dataplane::Kernel } else { Dataplane::Userspace }
    }

    /// What a `gre` link is to be, if no other has its addresses (`ip_tunnel_newlink`).
    pub(crate) fn gre_kind(&self, name: &str, gre: GreInfo) -> Result<Kind, Errno> {
        if self.links.find(name).is_some() || self.links.tunnel_between(gre.local, gre.remote).is_some() {
            return Err(Errno::EEXIST);
        }
        let GreInfo { local, remote, ttl } = gre;
        let mtu = gre::DEFAULT_MTU;
        let spec = TunnelSpec { name: name.to_owned(), local, remote, ttl, mtu };
        Ok(Kind::Tunnel(Tunnel { mtu: TunnelMtu::new(mtu), spec, by_kernel: true }))
    }

    /// As [`dz_net::gre::Tunnels::create`].
    pub(crate) fn create_tunnel(&mut self, spec: &TunnelSpec) -> Result<Listed, TunnelError> {
        spec.check()?;
        let (name, local, remote) = (spec.name.clone(), spec.local, spec.remote);
        let exists = |taken| TunnelError::Exists { name: name.clone(), local, remote, taken };
        let taken_name = self.links.find(&name).is_some();
        let holder = self.links.tunnel_between(local, remote).and_then(|index| self.links.get(index));
        let holder = holder.filter(|link| link.name != name).map(|link| link.name.clone());
        // The kernel says only that something exists, and who asks looks for the pair first; the helper knows its own.
        let own_name = self.links.find(&name).is_some_and(|i| self.links.get(i).is_some_and(|l| l.tunnel().is_some()));
        match holder {
            Some(by) if !own_name || self.modules.gre => return Err(exists(Taken::Endpoints { by })),
            _ if taken_name => return Err(exists(Taken::Name)),
            _ => {}
        }
        let tunnel = Tunnel { mtu: TunnelMtu::new(spec.mtu), spec: spec.clone(), by_kernel: self.modules.gre };
        let failed = |errno: Errno| TunnelError::Kernel {
            name: spec.name.clone(),
            source: NetlinkError::refused(|| format!("link {}: add", spec.name), errno as i32),
        };
        let index = self.insert_link(Link::new(&name, Kind::Tunnel(tunnel), spec.mtu)).map_err(failed)?;
        self.set_link_up(index, true).map_err(failed)?;
        self.listed(index).ok_or(TunnelError::NotFound { name })
    }

    /// As [`dz_net::gre::Tunnels::delete`].
    pub(crate) fn delete_tunnel(&mut self, name: &str) -> Result<(), TunnelError> {
        let absent = || TunnelError::NotFound { name: name.to_owned() };
        let index = self.links.find(name).filter(|index| self.listed(*index).is_some()).ok_or_else(absent)?;
        self.delete_link(index).map_err(|_| absent())
    }

    /// All tunnels, by name.
    pub(crate) fn tunnels(&self) -> Vec<Listed> {
        let mut tunnels: Vec<_> = self.links.iter().filter_map(|(index, _)| self.listed(index)).collect();
        tunnels.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
        tunnels
    }

    fn listed(&self, index: u32) -> Option<Listed> {
        let link = self.links.get(index)?;
        let tunnel = link.tunnel()?;
        // The kernel lists the interface's, the helper its own.
        let mtu = if tunnel.by_kernel { link.mtu } else { tunnel.mtu.effective() };
        let spec = TunnelSpec { name: link.name.clone(), mtu, ..tunnel.spec.clone() };
        Some(Listed { spec, ifindex: index, counters: link.counters })
    }

    /// Whether the helper runs: as long as it has something to hold.
    pub(crate) fn helper_runs(&self) -> bool {
        !self.modules.gre
            && (self.groups.holder == Some(Holder::Helper)
                || self.links.iter().any(|(_, link)| link.tunnel().is_some()))
    }

    /// The counts of a helper that ends go with it.
    pub(crate) fn helper_may_end(&mut self) {
        if !self.helper_runs() {
            self.discards.clear();
        }
    }

    /// Kills the helper: its devices and the socket that it held go with it. False if none runs.
    pub(crate) fn kill_helper(&mut self) -> bool {
        if !self.helper_runs() {
            return false;
        }
        for tunnel in self.tunnels() {
            let _ = self.delete_link(tunnel.ifindex);
        }
        self.release_groups(Holder::Helper);
        self.helper_may_end();
        true
    }

    /// The kernel counts discards per interface only.
    fn discard(&mut self, why: Discard) {
        if !self.modules.gre {
            *self.discards.entry(why).or_default() += 1;
        }
    }

    /// Sends a packet through a tunnel.
    pub(crate) fn encapsulate(&mut self, now: Instant, index: u32, packet: &[u8]) {
        let Some(tunnel) = self.links.get(index).and_then(Link::tunnel) else { return };
        let spec = tunnel.spec.clone();
        let result = encapsulation::encapsulate(&spec, &[], packet);
        let Some(link) = self.links.get_mut(index) else { return };
        let outer = match result {
            Ok(headers) => [&headers[..], packet].concat(),
            Err(why) => {
                link.counters.tx_dropped += 1;
                return self.discard(why);
            }
        };
        link.counters.tx_packets += 1;
        link.counters.tx_bytes += packet.len() as u64;
        // The source is given to the route lookup and need not be an address that the host has.
        let flow = Flow { source: spec.local, ..Flow::to(spec.remote) };
        if let Err(error) = self.way_out(&flow, true).and_then(|way| self.send_whole(now, &way, outer)) {
            if let Some(link) = self.links.get_mut(index) {
                link.counters.tx_packets -= 1;
                link.counters.tx_bytes -= packet.len() as u64;
                link.counters.tx_errors += 1;
            }
            if error == Errno::EMSGSIZE {
                self.narrow_path(now, (spec.local, spec.remote), self.path_mtu(spec.remote, now));
            }
            self.discard(Discard::Unsendable);
        }
    }

    /// Takes a GRE packet for this host; false if there is no receiver of GRE.
    pub(crate) fn decapsulate(&mut self, mut packet: Vec<u8>) -> bool {
        if !self.modules.gre && !self.helper_runs() {
            return false;
        }
        let result = encapsulation::decapsulate(&mut packet).and_then(|arrived| {
            let (local, remote) = arrived.pair();
            let index = self.links.tunnel_between(local, remote).ok_or(Discard::NoTunnel)?;
            Ok((index, arrived.finish().map(|inner| inner.to_vec())))
        });
        match result {
            Err(Discard::NoTunnel) if self.modules.gre => return false,
            Err(why) => self.discard(why),
            Ok((index, Err(why))) => {
                if let Some(link) = self.links.get_mut(index) {
                    link.counters.rx_errors += 1;
                }
                self.discard(why);
            }
            Ok((index, Ok(inner))) => {
                if !self.arrive(index, inner) {
                    if let Some(link) = self.links.get_mut(index) {
                        link.counters.rx_dropped += 1;
                    }
                    self.discard(Discard::InterfaceDown);
                }
            }
        }
        true
    }

    /// The path between a pair has been reported to take no more than `mtu` bytes: the tunnel's interface takes less
    /// (RFC 7588 section 3.2).
    pub(crate) fn narrow_path(&mut self, now: Instant, (local, remote): gre::Pair, mtu: u32) {
        self.discard(Discard::PathMtu);
        let Some(index) = self.links.tunnel_between(local, remote) else { return };
        let Some(link) = self.links.get_mut(index) else { return };
        if let Kind::Tunnel(tunnel) = &mut link.kind
            && tunnel.mtu.lower(mtu, now)
        {
            link.mtu = tunnel.mtu.effective();
            self.watchers.notify(Change::Link);
        }
    }

    /// Tries the paths again that have been believed narrow for long enough. Looked at whenever the host is asked for
    /// anything, so no timer wakes for it.
    pub(crate) fn restore_mtus(&mut self, now: Instant) {
        let indices: Vec<u32> = self.links.iter().map(|(index, _)| index).collect();
        for index in indices {
            if let Some(Link { kind: Kind::Tunnel(tunnel), mtu, .. }) = self.links.get_mut(index)
                && tunnel.mtu.restore(now)
            {
                *mtu = tunnel.mtu.effective();
                self.watchers.notify(Change::Link);
            }
        }
    }

    /// What came of a GRE packet of this host, as an ICMP error says.
    pub(crate) fn tunnel_error(&mut self, now: Instant, quoted: &Header, mtu: u16) {
        self.narrow_path(now, (quoted.source, quoted.destination), mtu.into());
    }
}
