//! Pools against the units that things hold: each unit has at most one holder, each taken unit exactly one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use dz_serviceability::{
    instruction::{DEFAULT_VRF_ID, FIRST_TUNNEL_ID},
    network::NetworkV4,
    pda,
    state::{AddressSource, Pool, PoolKind, PrefixSource},
};
use solana_pubkey::Pubkey;

use super::Findings;
use crate::view::NetworkView;

/// Values that are held, by pool.
struct Held<'a> {
    view: &'a NetworkView,
    findings: &'a mut Findings,
    config: Pubkey,
    places: BTreeMap<Place, Pubkey>,
    values: BTreeMap<Pubkey, BTreeSet<u32>>,
}

/// What a pool says of itself; finding its address from that would cost a hash or two each.
type Place = (PoolKind, Pubkey, u32);

pub(super) fn check(view: &NetworkView, findings: &mut Findings) {
    let places = view.pools().iter().map(|(key, pool)| ((pool.kind, pool.owner, pool.base), *key)).collect();
    let config = pda::config(view.program()).0;
    let mut held = Held { view, findings, config, places, values: BTreeMap::new() };
    held.of_contributors();
    held.of_devices();
    held.of_interfaces();
    held.of_users();
    held.of_others();
    let Held { values, findings, .. } = held;
    for (key, pool) in view.pools() {
        let taken: BTreeSet<u32> = pool.taken().collect();
        let held = values.get(key).cloned().unwrap_or_default();
        let show =
            |values: BTreeSet<u32>| -> Vec<String> { values.iter().map(|value| pool.kind.show(*value)).collect() };
        let (lost, free) = (&taken - &held, &held - &taken);
        if !lost.is_empty() {
            findings.add(key, format!("{}: taken, and nobody holds it: {:?}", pool.kind, show(lost)));
        }
        if !free.is_empty() {
            findings.add(key, format!("{}: held, and not taken: {:?}", pool.kind, show(free)));
        }
        if matches!(pool.kind, PoolKind::AddressRegistry | PoolKind::ClientAddresses) && taken.is_empty() {
            findings.add(key, "a registry without an entry");
        }
    }
}

impl Held<'_> {
    /// Notes that `holder` holds a run of `values` values, which it shows as this.
    fn run(&mut self, pool: Pubkey, first: u32, values: u64, shown: impl Display, holder: &Pubkey) {
        let Some(found) = self.view.pool(&pool) else {
            self.findings.add(holder, format!("holds {shown} of a pool that is not there"));
            return;
        };
        if !values.is_multiple_of(found.unit.into()) {
            self.findings.add(holder, format!("holds a part of a unit of the {}", found.kind));
        }
        let held = self.values.entry(pool).or_default();
        for index in 0..values / u64::from(found.unit) {
            let value = first + index as u32 * found.unit;
            if !held.insert(value) {
                self.findings.add(holder, format!("{} of the {} is held twice", found.kind.show(value), found.kind));
            }
        }
    }

    fn net(&mut self, pool: Pubkey, net: NetworkV4, holder: &Pubkey) {
        self.run(pool, net.network().into(), net.address_count(), net, holder);
    }

    /// The same in the pool that the holder itself names; it must be one of these kinds and of this owner.
    fn named(&mut self, pool: Pubkey, (kinds, owner): (&[PoolKind], &Pubkey), net: NetworkV4, holder: &Pubkey) {
        if self.view.pool(&pool).is_some_and(|found| !kinds.contains(&found.kind) || found.owner != *owner) {
            self.findings.add(holder, format!("holds {net} of a pool that is not for it"));
        }
        self.net(pool, net, holder);
    }

    fn number(&mut self, pool: Pubkey, number: u16, holder: &Pubkey) {
        self.run(pool, number.into(), 1, number, holder);
    }

    fn place(&self, kind: PoolKind, owner: Pubkey, base: u32) -> Pubkey {
        self.places.get(&(kind, owner, base)).copied().unwrap_or_default()
    }

    fn registered(&mut self, net: NetworkV4, holder: &Pubkey) {
        let base = dz_serviceability::address_registry::base_of(net.network());
        self.net(self.place(PoolKind::AddressRegistry, self.config, base), net, holder);
    }

    fn of_contributors(&mut self) {
        let (view, config) = (self.view, self.config);
        let is_block = |pool: &Pool| pool.kind == PoolKind::DoubleZeroBlock && pool.owner == config;
        let blocks: Vec<_> = view.pools().iter().filter(|(_, pool)| is_block(pool)).collect();
        for (key, contributor) in self.view.contributors() {
            for block in &contributor.blocks {
                let pool = blocks.iter().find(|(_, pool)| pool.contains(block.network().into()));
                self.net(pool.map_or(Pubkey::default(), |(key, _)| **key), *block, key);
                self.registered(*block, key);
            }
            for prefix in &contributor.prefixes {
                self.registered(*prefix, key);
            }
        }
    }

    fn of_devices(&mut self) {
        for (key, device) in self.view.devices() {
            self.registered(NetworkV4::host(device.public_ip), key);
            for prefix in &device.prefixes {
                match prefix.source {
                    PrefixSource::Own => self.registered(prefix.net, key),
                    PrefixSource::Carved { pool } => {
                        let kinds = [PoolKind::ContributorPrefix, PoolKind::ContributorBlock];
                        self.named(pool, (&kinds, &device.contributor), prefix.net, key);
                    }
                }
            }
        }
    }

    fn of_interfaces(&mut self) {
        let first = self.view.config().map_or(0, |config| u32::from(config.endpoint_loopback_first));
        for (key, interface) in self.view.interfaces() {
            if let Some(number) = interface.loopback_number {
                let pool = self.place(PoolKind::EndpointLoopbacks, interface.device, first);
                self.number(pool, number, key);
            }
            match interface.address.map(|address| (address.ip, address.source)) {
                Some((ip, AddressSource::Own)) => self.registered(NetworkV4::host(ip), key),
                Some((ip, AddressSource::Pulled { pool })) => {
                    self.named(pool, (&[PoolKind::DevicePrefix], &interface.device), NetworkV4::host(ip), key);
                }
                Some((_, AddressSource::PublicIp)) | None => {}
            }
        }
    }

    fn of_users(&mut self) {
        let live = self.view.users().iter().filter(|(_, user)| user.is_live());
        // Several users of one client take its address once.
        let clients: BTreeMap<_, _> = live.map(|(key, user)| (user.client_ip, key)).collect();
        for (client_ip, key) in clients {
            let base = dz_serviceability::address_registry::base_of(client_ip);
            let pool = self.place(PoolKind::ClientAddresses, self.config, base);
            self.net(pool, NetworkV4::host(client_ip), key);
        }
        let config = self.config;
        for (key, user) in self.view.users() {
            let Some(allocation) = user.allocation else { continue };
            let blocks = (&[PoolKind::UserTunnelBlock][..], &config);
            self.named(allocation.tunnel_pool, blocks, allocation.tunnel_net, key);
            let ids = self.place(PoolKind::TunnelIds, user.device, FIRST_TUNNEL_ID.into());
            self.number(ids, allocation.tunnel_id, key);
            if let Some(pool) = allocation.dz_ip_pool {
                let (kind, owner) = match user.user_type.is_multicast() {
                    true => (PoolKind::MulticastPublisherBlock, &config),
                    false => (PoolKind::DevicePrefix, &user.device),
                };
                self.named(pool, (&[kind], owner), NetworkV4::host(allocation.dz_ip), key);
            }
        }
    }

    fn of_others(&mut self) {
        let config = self.config;
        for (key, tenant) in self.view.tenants() {
            if let Some(vrf_id) = tenant.vrf_id {
                let pool = self.place(PoolKind::VrfIds, self.config, DEFAULT_VRF_ID.into());
                self.number(pool, vrf_id, key);
            }
        }
        for (key, group) in self.view.groups() {
            if let Some(address) = group.address {
                let blocks = (&[PoolKind::MulticastGroupBlock][..], &config);
                self.named(address.pool, blocks, NetworkV4::host(address.ip), key);
            }
        }
        for (key, link) in self.view.links() {
            if let Some(network) = link.network {
                let blocks = (&[PoolKind::DeviceTunnelBlock][..], &config);
                self.named(network.pool, blocks, network.net, key);
            }
        }
    }
}
