//! The table of tunnels: pure bookkeeping around the devices.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::outer::PathReport;
use crate::gre::control::Refusal;
use crate::gre::mtu::TunnelMtu;
use crate::gre::{Pair, Taken, Tunnel, TunnelSpec};
use crate::kernel::LinkCounters;
use crate::tun::Tun;

/// One tunnel.
pub(super) struct Carrier {
    /// As asked for, under the name it has now.
    pub(super) spec: TunnelSpec,
    pub(super) ifindex: u32,
    pub(super) tun: Tun,
    pub(super) counters: LinkCounters,
    pub(super) mtu: TunnelMtu,
}

impl Carrier {
    pub(super) fn new(spec: TunnelSpec, ifindex: u32, tun: Tun) -> Self {
        let mtu = TunnelMtu::new(spec.mtu);
        Self { spec, ifindex, tun, counters: LinkCounters::default(), mtu }
    }

    fn tunnel(&self) -> Tunnel {
        let spec = TunnelSpec { mtu: self.mtu.effective(), ..self.spec.clone() };
        Tunnel { spec, ifindex: self.ifindex, counters: self.counters }
    }
}

/// The tunnels by their number in the event loop, with the ways to find them.
#[derive(Default)]
pub(super) struct Table {
    carriers: BTreeMap<u64, Carrier>,
    by_pair: HashMap<Pair, u64>,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.carriers.is_empty()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Carrier> {
        self.carriers.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Carrier> {
        self.carriers.get_mut(&id)
    }

    pub(super) fn of_pair(&mut self, pair: Pair) -> Option<(u64, &mut Carrier)> {
        let id = *self.by_pair.get(&pair)?;
        Some((id, self.carriers.get_mut(&id)?))
    }

    pub(super) fn find(&self, name: &str) -> Option<u64> {
        self.carriers.iter().find(|(_, carrier)| carrier.spec.name == name).map(|(id, _)| *id)
    }

    /// Refuses what a tunnel that exists stands in the way of.
    pub(super) fn check_free(&self, spec: &TunnelSpec) -> Result<(), Refusal> {
        if self.find(&spec.name).is_some() {
            return Err(name_taken(spec));
        }
        match self.by_pair.get(&(spec.local, spec.remote)).and_then(|id| self.carriers.get(id)) {
            None => Ok(()),
            Some(holder) => Err(refusal(spec, Taken::Endpoints { by: holder.spec.name.clone() })),
        }
    }

    pub(super) fn insert(&mut self, id: u64, carrier: Carrier) -> Tunnel {
        let tunnel = carrier.tunnel();
        self.by_pair.insert((carrier.spec.local, carrier.spec.remote), id);
        self.carriers.insert(id, carrier);
        tunnel
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Carrier> {
        let carrier = self.carriers.remove(&id)?;
        self.by_pair.remove(&(carrier.spec.local, carrier.spec.remote));
        Some(carrier)
    }

    /// All tunnels by name.
    pub(super) fn list(&self) -> Vec<Tunnel> {
        let mut tunnels: Vec<_> = self.carriers.values().map(Carrier::tunnel).collect();
        tunnels.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
        tunnels
    }

    /// Asks the devices for their names and returns the tunnels whose device is gone.
    pub(super) fn refresh_names(&mut self) -> Vec<u64> {
        let mut gone = Vec::new();
        for (id, carrier) in &mut self.carriers {
            match carrier.tun.current_name() {
                Ok(name) => carrier.spec.name = name,
                Err(_) => gone.push(*id),
            }
        }
        gone
    }

    /// Takes note of a narrow path and returns the tunnel whose MTU changes by it.
    pub(super) fn lower_mtu(&mut self, report: PathReport, now: Instant) -> Option<u64> {
        let (id, carrier) = self.of_pair(report.pair)?;
        carrier.mtu.lower(report.mtu, now).then_some(id)
    }

    /// Ends the notes that are too old and returns the tunnels whose MTU changes by it.
    pub(super) fn restore_mtus(&mut self, now: Instant) -> Vec<u64> {
        let carriers = self.carriers.iter_mut();
        carriers.filter_map(|(id, carrier)| carrier.mtu.restore(now).then_some(*id)).collect()
    }

    /// When the next note is too old.
    pub(super) fn next_restore(&self) -> Option<Instant> {
        self.carriers.values().filter_map(|carrier| carrier.mtu.restore_at()).min()
    }
}

/// The refusal of a name that an interface has.
pub(super) fn name_taken(spec: &TunnelSpec) -> Refusal {
    refusal(spec, Taken::Name)
}

fn refusal(spec: &TunnelSpec, taken: Taken) -> Refusal {
    Refusal::Exists { name: spec.name.clone(), local: spec.local, remote: spec.remote, taken }
}
