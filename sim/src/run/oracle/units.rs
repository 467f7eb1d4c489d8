//! Each unit of a pool is held by one thing, and a pool's bitmap is the sum of what is held.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_sdk::{
    NetworkView,
    program::{
        instruction::{DEFAULT_VRF_ID, FIRST_TUNNEL_ID},
        network::NetworkV4,
        pda,
        state::{AddressSource, Pool, PoolKind, PrefixSource, User, UserStatus},
    },
};
use solana_pubkey::Pubkey;

use super::{Mismatch, chain};
use crate::run::view::chain::pool_name;

/// Which values of each pool are held, and by what.
type Uses = BTreeMap<Pubkey, BTreeMap<u32, Vec<String>>>;

struct Collector<'a> {
    view: &'a NetworkView,
    uses: Uses,
}

impl Collector<'_> {
    /// Notes the units from `first` on that `count` values cover.
    fn hold(&mut self, pool: Pubkey, first: u32, count: u32, who: &str) {
        let unit = self.view.pool(&pool).map_or(1, |pool| pool.unit.max(1));
        let held = self.uses.entry(pool).or_default();
        for index in 0..count.div_ceil(unit) {
            held.entry(first + index * unit).or_default().push(who.to_owned());
        }
    }

    fn hold_net(&mut self, pool: Pubkey, net: &NetworkV4, who: &str) {
        let count = u32::try_from(net.address_count()).unwrap_or(u32::MAX);
        self.hold(pool, net.network().into(), count, who);
    }

    fn hold_ip(&mut self, pool: Pubkey, ip: Ipv4Addr, who: &str) {
        self.hold(pool, ip.into(), 1, who);
    }

    fn registry(&self, ip: Ipv4Addr) -> Pubkey {
        let config = pda::config(self.view.program()).0;
        pda::pool(self.view.program(), PoolKind::AddressRegistry, &config, u32::from(ip) & !0xff).0
    }

    fn block_of(&self, kind: PoolKind, net: &NetworkV4) -> Option<Pubkey> {
        let pools = self.view.block_pools(kind);
        pools.into_iter().find(|(_, pool)| pool.contains(net.network().into())).map(|(key, _)| key)
    }

    fn user(&mut self, user: &User) {
        let Some(held) = user.allocation else { return };
        let who = chain::name(user);
        self.hold_net(held.tunnel_pool, &held.tunnel_net, &who);
        let ids = pda::pool(self.view.program(), PoolKind::TunnelIds, &user.device, FIRST_TUNNEL_ID.into()).0;
        self.hold(ids, held.tunnel_id.into(), 1, &who);
        if let Some(pool) = held.dz_ip_pool {
            self.hold_ip(pool, held.dz_ip, &who);
        }
    }
}

fn collect(view: &NetworkView) -> Uses {
    let mut all = Collector { view, uses: Uses::new() };
    for contributor in view.contributors().values() {
        for block in &contributor.blocks {
            let who = format!("contributor {}", contributor.code);
            if let Some(pool) = all.block_of(PoolKind::DoubleZeroBlock, block) {
                all.hold_net(pool, block, &who);
            }
            all.hold_net(all.registry(block.network()), block, &who);
        }
    }
    for device in view.devices().values() {
        let who = format!("device {}", device.code);
        all.hold_ip(all.registry(device.public_ip), device.public_ip, &who);
        for prefix in &device.prefixes {
            match prefix.source {
                PrefixSource::Carved { pool } => all.hold_net(pool, &prefix.net, &who),
                PrefixSource::Own => all.hold_net(all.registry(prefix.net.network()), &prefix.net, &who),
            }
        }
    }
    let first_loopback = view.config().map_or(0, |config| config.endpoint_loopback_first);
    for interface in view.interfaces().values() {
        let device = view.device(&interface.device).map_or("?", |device| device.code.as_str());
        let who = format!("interface {device}:{}", interface.name);
        match interface.address.map(|address| (address.ip, address.source)) {
            Some((ip, AddressSource::Pulled { pool })) => all.hold_ip(pool, ip, &who),
            Some((ip, AddressSource::Own)) => all.hold_ip(all.registry(ip), ip, &who),
            Some((_, AddressSource::PublicIp)) | None => {}
        }
        if let Some(number) = interface.loopback_number {
            let kind = PoolKind::EndpointLoopbacks;
            let pool = pda::pool(view.program(), kind, &interface.device, first_loopback.into()).0;
            all.hold(pool, number.into(), 1, &who);
        }
    }
    for link in view.links().values() {
        if let Some(network) = link.network {
            all.hold_net(network.pool, &network.net, &format!("link {}", link.code));
        }
    }
    let vrf_ids = pda::pool(view.program(), PoolKind::VrfIds, &pda::config(view.program()).0, DEFAULT_VRF_ID.into()).0;
    for tenant in view.tenants().values() {
        if let Some(vrf_id) = tenant.vrf_id {
            all.hold(vrf_ids, vrf_id.into(), 1, &format!("tenant {}", tenant.code));
        }
    }
    for group in view.groups().values() {
        if let Some(address) = group.address {
            all.hold_ip(address.pool, address.ip, &format!("group {}", group.code));
        }
    }
    view.users().values().for_each(|user| all.user(user));
    all.uses
}

fn value_text(pool: &Pool, value: u32) -> String {
    match pool.kind {
        PoolKind::TunnelIds | PoolKind::EndpointLoopbacks | PoolKind::VrfIds => value.to_string(),
        _ => Ipv4Addr::from(value).to_string(),
    }
}

pub(super) fn check(view: &NetworkView, found: &mut Vec<Mismatch>) {
    let uses = collect(view);
    for (key, pool) in view.pools() {
        let name = pool_name(view, pool);
        let none = BTreeMap::new();
        let held = uses.get(key).unwrap_or(&none);
        for (value, holders) in held.iter().filter(|(_, holders)| holders.len() > 1) {
            found.push(Mismatch {
                invariant: "each unit is used once",
                subject: format!("{} of pool {name}", value_text(pool, *value)),
                views: ("chain".to_owned(), "chain".to_owned()),
                first: format!("held by {}", holders[0]),
                second: format!("held by {}", holders[1..].join(", ")),
            });
        }
        let taken: BTreeSet<u32> = pool.taken().collect();
        let used: BTreeSet<u32> = held.keys().copied().collect();
        for value in taken.symmetric_difference(&used) {
            let holder =
                held.get(value).map_or("nothing holds it".to_owned(), |who| format!("held by {}", who.join(", ")));
            found.push(Mismatch {
                invariant: "a pool's bitmap is the sum of its uses",
                subject: format!("{} of pool {name}", value_text(pool, *value)),
                views: ("bitmap".to_owned(), "uses".to_owned()),
                first: if taken.contains(value) { "taken" } else { "free" }.to_owned(),
                second: holder,
            });
        }
    }
    for (key, held) in uses.iter().filter(|(key, _)| view.pool(key).is_none()) {
        found.push(Mismatch {
            invariant: "what is held is in a pool",
            subject: format!("pool {key}"),
            views: ("uses".to_owned(), "pools".to_owned()),
            first: format!("{held:?}"),
            second: "no such pool".to_owned(),
        });
    }
    nothing_without_a_tunnel(view, found);
}

/// A rejected or banned user holds nothing; one that has a tunnel holds its allocation.
fn nothing_without_a_tunnel(view: &NetworkView, found: &mut Vec<Mismatch>) {
    for user in view.users().values() {
        let wrong = match user.status {
            UserStatus::Activated | UserStatus::Updating => user.allocation.is_none(),
            UserStatus::Pending | UserStatus::Rejected | UserStatus::Banned => user.allocation.is_some(),
            UserStatus::Deleting | UserStatus::PendingBan => false,
        };
        if wrong {
            found.push(Mismatch {
                invariant: "a user holds an allocation exactly while it has a tunnel",
                subject: chain::name(user),
                views: ("status".to_owned(), "allocation".to_owned()),
                first: user.status.to_string(),
                second: format!("{:?}", user.allocation),
            });
        }
    }
}
