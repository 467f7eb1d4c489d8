//! Group forwarding (`net/ipv4/ipmr.c`): entries by source and group, over interfaces that have a number in it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Instant;

use dz_net::kernel::Change;
use dz_net::mroute::{Changes, Entry, MulticastError, MulticastRoute, RouteCounters, State, Step, plan};
use dz_net::wire::ipv4::{self, Header};
use nix::errno::Errno;

use crate::lookup::Way;
use crate::machine::Machine;

/// What the kernel has of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct GroupRoutes {
    /// Interface index by number.
    vifs: BTreeMap<u16, u32>,
    entries: BTreeMap<(Ipv4Addr, Ipv4Addr), Kept>,
    /// Who holds the socket without which nothing is forwarded.
    pub(crate) holder: Option<Holder>,
}

/// Who can hold the socket of the multicast routing daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// The process that carries the tunnels.
    Helper,
    /// A program that writes entries.
    Router,
}

/// An entry by numbers: it keeps those of interfaces that are gone.
#[derive(Clone, Debug)]
struct Kept {
    incoming: u16,
    outgoing: BTreeSet<u16>,
    counters: RouteCounters,
}

impl GroupRoutes {
    /// As it is listed.
    fn state(&self) -> State {
        let listed = |kept: &Kept| Entry {
            incoming: self.vifs.get(&kept.incoming).copied(),
            outgoing: kept.outgoing.iter().filter_map(|number| self.vifs.get(number).copied()).collect(),
            counters: kept.counters,
        };
        State {
            vifs: self.vifs.clone(),
            entries: self.entries.iter().map(|(key, kept)| (*key, listed(kept))).collect(),
        }
    }

    /// What an interface that is removed takes along.
    pub(crate) fn forget_link(&mut self, index: u32) {
        self.vifs.retain(|_, at| *at != index);
    }

    /// Whether what comes in by an interface is forwarded to groups (`IN_DEV_MFORWARD`).
    pub(crate) fn takes_part(&self, index: u32) -> bool {
        self.holder.is_some() && self.vifs.values().any(|at| *at == index)
    }

    /// All entries whose incoming interface is there, sorted.
    pub(crate) fn routes(&self) -> Vec<(MulticastRoute, RouteCounters)> {
        let listed = self.state().entries.into_iter().filter_map(|((group, source), entry)| {
            let (incoming, outgoing) = (entry.incoming?, entry.outgoing);
            Some((MulticastRoute { source, group, incoming, outgoing }, entry.counters))
        });
        let mut routes: Vec<_> = listed.collect();
        routes.sort_by(|a, b| a.0.cmp(&b.0));
        routes
    }
}

impl Machine {
    /// Takes the socket; false if another holds it (`EADDRINUSE`).
    pub(crate) fn hold_groups(&mut self, holder: Holder) -> bool {
        match self.groups.holder {
            None => {
                self.groups.holder = Some(holder);
                self.watchers.notify(Change::Parameter);
                true
            }
            // There is one helper, and it may be asked again.
            Some(Holder::Helper) => holder == Holder::Helper,
            Some(Holder::Router) => false,
        }
    }

    /// Lets go of the socket: nothing is forwarded until it is taken again. Entries stay.
    pub(crate) fn release_groups(&mut self, holder: Holder) {
        if self.groups.holder == Some(holder) {
            self.groups.holder = None;
            self.watchers.notify(Change::Parameter);
        }
    }

    /// As [`dz_net::mroute::MulticastRouter::apply`].
    pub(crate) fn set_group_routes(&mut self, routes: Vec<MulticastRoute>) -> Result<Changes, MulticastError> {
        let steps = plan(&self.groups.state(), routes)?;
        for step in &steps {
            self.group_step(step).map_err(|errno| MulticastError::new(|| step.to_string())(errno.into()))?;
        }
        Ok(Changes::of(&steps))
    }

    fn group_step(&mut self, step: &Step) -> Result<(), Errno> {
        let groups = &mut self.groups;
        match step {
            Step::AddVif { number, index } => {
                if groups.vifs.contains_key(number) {
                    return Err(Errno::EADDRINUSE);
                }
                self.links.get(*index).ok_or(Errno::EADDRNOTAVAIL)?;
                groups.vifs.insert(*number, *index);
                self.watchers.notify(Change::Parameter);
            }
            Step::DeleteVif { number } => {
                groups.vifs.remove(number).ok_or(Errno::EADDRNOTAVAIL)?;
                self.watchers.notify(Change::Parameter);
            }
            Step::Set { source, group, incoming, outgoing, .. } => {
                // What has no interface now is not written down.
                let outgoing = outgoing.iter().filter(|number| groups.vifs.contains_key(number)).copied().collect();
                let counters = groups.entries.get(&(*group, *source)).map_or(RouteCounters::default(), |k| k.counters);
                groups.entries.insert((*group, *source), Kept { incoming: *incoming, outgoing, counters });
                self.watchers.notify(Change::Route);
            }
            Step::Delete { source, group } => {
                groups.entries.remove(&(*group, *source)).ok_or(Errno::ENOENT)?;
                self.watchers.notify(Change::Route);
            }
        }
        Ok(())
    }

    /// Forwards a packet to a group that came in by an interface (`ip_mr_forward`). What has no entry is dropped.
    pub(crate) fn forward_to_group(&mut self, now: Instant, index: u32, header: &Header, packet: &[u8]) {
        let GroupRoutes { vifs, entries, .. } = &mut self.groups;
        let Some(kept) = entries.get_mut(&(header.destination, header.source)) else { return };
        kept.counters.packets += 1;
        kept.counters.bytes += u64::from(header.total_length);
        if vifs.get(&kept.incoming) != Some(&index) {
            kept.counters.wrong_interface += 1;
            return;
        }
        // The threshold of each interface is 1.
        if header.ttl <= 1 {
            return;
        }
        let outgoing: Vec<u32> = kept.outgoing.iter().filter_map(|number| vifs.get(number).copied()).collect();
        for dev in outgoing {
            let mut copy = packet.to_vec();
            let fits = self.links.get(dev).is_some_and(|link| packet.len() <= link.mtu as usize);
            // Nobody is told of what does not fit and may not be cut.
            if header.dont_fragment() && !fits {
                continue;
            }
            ipv4::decrement_ttl(&mut copy);
            let way = Way { dev, source: header.source, mtu: None };
            let _ = self.send_cut(now, &way, copy);
        }
    }
}
