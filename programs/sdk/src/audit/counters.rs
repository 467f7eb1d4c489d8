//! Counters against recounts.

use std::collections::BTreeMap;

use dz_serviceability::state::{DeviceCounts, UserStatus};
use solana_pubkey::Pubkey;

use super::Findings;
use crate::view::NetworkView;

#[derive(Default)]
struct Counts(BTreeMap<Pubkey, u32>);

impl Counts {
    fn up(&mut self, key: Pubkey) {
        *self.0.entry(key).or_default() += 1;
    }

    fn of(&self, key: &Pubkey) -> u32 {
        self.0.get(key).copied().unwrap_or_default()
    }
}

pub(super) fn check(view: &NetworkView, findings: &mut Findings) {
    check_users(view, findings);
    check_clients(view, findings);
    check_devices(view, findings);
    check_references(view, findings);
}

fn check_users(view: &NetworkView, findings: &mut Findings) {
    let mut seats: BTreeMap<Pubkey, DeviceCounts> = BTreeMap::new();
    let mut passes: BTreeMap<Pubkey, [u16; 3]> = BTreeMap::new();
    let (mut interfaces, mut publishers, mut subscribers) = (Counts::default(), Counts::default(), Counts::default());
    for user in view.users().values() {
        user.publishers.iter().for_each(|group| publishers.up(*group));
        user.subscribers.iter().for_each(|group| subscribers.up(*group));
        let pass = passes.entry(user.access_pass).or_default();
        if matches!(user.status, UserStatus::PendingBan | UserStatus::Banned) {
            pass[2] += 1;
        }
        if !user.status.holds_seat() {
            continue;
        }
        pass[usize::from(user.user_type.is_multicast())] += 1;
        interfaces.up(user.interface);
        let seats = seats.entry(user.device).or_default();
        match (user.user_type.is_multicast(), user.is_publisher()) {
            (false, _) => seats.unicast_users += 1,
            (true, true) => seats.multicast_publishers += 1,
            (true, false) => seats.multicast_subscribers += 1,
        }
    }
    for (key, device) in view.devices() {
        findings.same(key, "the count of users", device.counts, seats.get(key).copied().unwrap_or_default());
    }
    for (key, pass) in view.access_passes() {
        let written = [pass.unicast_users, pass.multicast_users, pass.banned_users];
        findings.same(key, "the count of users", written, passes.get(key).copied().unwrap_or_default());
    }
    for (key, interface) in view.interfaces() {
        findings.same(key, "the count of users", interface.user_count, interfaces.of(key));
    }
    for (key, group) in view.groups() {
        findings.same(key, "the count of publishers", group.publisher_count, publishers.of(key));
        findings.same(key, "the count of subscribers", group.subscriber_count, subscribers.of(key));
    }
}

/// The account of each address that live users connect from, or that a pass of the foundation is for.
fn check_clients(view: &NetworkView, findings: &mut Findings) {
    let config = dz_serviceability::pda::config(view.program()).0;
    let mut counted: BTreeMap<std::net::Ipv4Addr, (u32, u32)> = BTreeMap::new();
    for user in view.users().values().filter(|user| user.is_live()) {
        counted.entry(user.client_ip).or_default().0 += 1;
    }
    for pass in view.access_passes().values().filter(|pass| pass.names_address() && pass.giver == config) {
        counted.entry(pass.client_ip).or_default().1 += 1;
    }
    for (key, client) in view.clients() {
        let (users, passes) = counted.remove(&client.client_ip).unwrap_or_default();
        findings.same(key, "the count of users", client.user_count, users);
        findings.same(key, "the count of passes", client.named_passes, passes);
        findings.same(key, "that it has a payer", client.payer.is_some(), users > 0);
        if users == 0 && passes == 0 {
            findings.add(key, "an address that nobody connects from");
        }
    }
    for client_ip in counted.into_keys() {
        findings.add(&config, format!("{client_ip} has no account"));
    }
}

fn check_devices(view: &NetworkView, findings: &mut Findings) {
    for (key, device) in view.devices() {
        let interfaces: Vec<_> = view.interfaces_of_device(key).collect();
        let pulled = |address: &dz_serviceability::state::InterfaceAddress| {
            matches!(address.source, dz_serviceability::state::AddressSource::Pulled { .. })
        };
        let endpoints = interfaces.iter().filter(|(_, interface)| interface.endpoint().is_some()).count();
        let pulled = interfaces.iter().filter(|(_, interface)| interface.address.as_ref().is_some_and(pulled)).count();
        let ends = view
            .links()
            .values()
            .map(|link| u32::from(link.side_a.device == *key) + u32::from(link.accepted && link.side_z.device == *key));
        findings.same(key, "the count of interfaces", device.interface_count, interfaces.len() as u32);
        findings.same(key, "the count of endpoints", device.endpoint_count, endpoints as u32);
        findings.same(key, "the count of pulled endpoints", device.pulled_count, pulled as u32);
        findings.same(key, "the count of links", device.link_count, ends.sum());
    }
}

fn check_references(view: &NetworkView, findings: &mut Findings) {
    let (mut contributors, mut exchanges) = (Counts::default(), Counts::default());
    for device in view.devices().values() {
        contributors.up(device.contributor);
        exchanges.up(device.exchange);
    }
    view.links().values().for_each(|link| contributors.up(link.contributor));
    for (key, contributor) in view.contributors() {
        findings.same(key, "the count of references", contributor.reference_count, contributors.of(key));
    }
    for (key, exchange) in view.exchanges() {
        findings.same(key, "the count of references", exchange.reference_count, exchanges.of(key));
    }
    if let Some(config) = view.config() {
        let key = dz_serviceability::pda::config(view.program()).0;
        findings.same(&key, "the count of devices", config.device_count, view.devices().len() as u32);
    }

    let (mut tenants, mut groups) = (Counts::default(), Counts::default());
    for pass in view.access_passes().values() {
        pass.tenants.iter().for_each(|tenant| tenants.up(*tenant));
        pass.publish.iter().chain(&pass.subscribe).for_each(|group| groups.up(*group));
    }
    let live = view.users().values().filter(|user| user.status.holds_seat());
    live.filter_map(|user| user.tenant).for_each(|tenant| tenants.up(tenant));
    for (key, tenant) in view.tenants() {
        findings.same(key, "the count of references", tenant.reference_count, tenants.of(key));
    }
    for (key, group) in view.groups() {
        findings.same(key, "the count of allowlist entries", group.allowlist_count, groups.of(key));
    }
}
