//! Counters against recounts.

use std::{collections::BTreeMap, fmt::Debug};

use dz_serviceability::state::{AddressSource, DeviceCounts, InterfaceAddress, UserStatus};
use solana_pubkey::Pubkey;

use super::Findings;
use crate::view::NetworkView;

/// What is counted for each account.
#[derive(Default)]
struct Counts<T>(BTreeMap<Pubkey, T>);

impl<T: Default + PartialEq + Debug> Counts<T> {
    fn of(&mut self, key: Pubkey) -> &mut T {
        self.0.entry(key).or_default()
    }

    /// Compares with what the accounts of this kind say. What is counted for an account that is not there are relations
    /// that lead nowhere.
    fn compare<'a>(mut self, findings: &mut Findings, what: &str, written: impl Iterator<Item = (&'a Pubkey, T)>) {
        for (key, written) in written {
            findings.same(key, what, written, self.0.remove(key).unwrap_or_default());
        }
        for (key, counted) in self.0.into_iter().filter(|(_, counted)| *counted != T::default()) {
            findings.add(&key, format!("is not there, and {what} would be {counted:?}"));
        }
    }
}

pub(super) fn check(view: &NetworkView, findings: &mut Findings) {
    check_users(view, findings);
    check_clients(view, findings);
    check_devices(view, findings);
    check_references(view, findings);
}

fn check_users(view: &NetworkView, findings: &mut Findings) {
    let (mut seats, mut passes) = (Counts::<DeviceCounts>::default(), Counts::<[u16; 3]>::default());
    let (mut interfaces, mut publishers, mut subscribers) = (Counts::default(), Counts::default(), Counts::default());
    for user in view.users().values() {
        user.publishers.iter().for_each(|group| *publishers.of(*group) += 1);
        user.subscribers.iter().for_each(|group| *subscribers.of(*group) += 1);
        let pass = passes.of(user.access_pass);
        if matches!(user.status, UserStatus::PendingBan | UserStatus::Banned) {
            pass[2] += 1;
        }
        if !user.status.holds_seat() {
            continue;
        }
        pass[usize::from(user.user_type.is_multicast())] += 1;
        *interfaces.of(user.interface) += 1;
        let seats = seats.of(user.device);
        match (user.user_type.is_multicast(), user.is_publisher()) {
            (false, _) => seats.unicast_users += 1,
            (true, true) => seats.multicast_publishers += 1,
            (true, false) => seats.multicast_subscribers += 1,
        }
    }
    let of_pass = view.access_passes().iter();
    let of_pass = of_pass.map(|(key, pass)| (key, [pass.unicast_users, pass.multicast_users, pass.banned_users]));
    seats.compare(findings, "the count of users", view.devices().iter().map(|(key, device)| (key, device.counts)));
    passes.compare(findings, "the count of users", of_pass);
    let of_interface = view.interfaces().iter().map(|(key, interface)| (key, interface.user_count));
    interfaces.compare(findings, "the count of users", of_interface);
    let groups = || view.groups().iter();
    publishers.compare(findings, "the count of publishers", groups().map(|(key, group)| (key, group.publisher_count)));
    let of_group = groups().map(|(key, group)| (key, group.subscriber_count));
    subscribers.compare(findings, "the count of subscribers", of_group);
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
    let mut links = Counts::default();
    for link in view.links().values() {
        *links.of(link.side_a.device) += 1;
        if link.accepted {
            *links.of(link.side_z.device) += 1;
        }
    }
    links.compare(findings, "the count of links", view.devices().iter().map(|(key, device)| (key, device.link_count)));
    for (key, device) in view.devices() {
        let interfaces: Vec<_> = view.interfaces_of_device(key).collect();
        let pulled = |address: &InterfaceAddress| matches!(address.source, AddressSource::Pulled { .. });
        let endpoints = interfaces.iter().filter(|(_, interface)| interface.endpoint().is_some()).count();
        let pulled = interfaces.iter().filter(|(_, interface)| interface.address.as_ref().is_some_and(pulled)).count();
        findings.same(key, "the count of interfaces", device.interface_count, interfaces.len() as u32);
        findings.same(key, "the count of endpoints", device.endpoint_count, endpoints as u32);
        findings.same(key, "the count of pulled endpoints", device.pulled_count, pulled as u32);
    }
}

fn check_references(view: &NetworkView, findings: &mut Findings) {
    let (mut contributors, mut exchanges) = (Counts::default(), Counts::default());
    for device in view.devices().values() {
        *contributors.of(device.contributor) += 1;
        *exchanges.of(device.exchange) += 1;
    }
    view.links().values().for_each(|link| *contributors.of(link.contributor) += 1);
    let (mut tenants, mut groups) = (Counts::default(), Counts::default());
    for pass in view.access_passes().values() {
        pass.tenants.iter().for_each(|tenant| *tenants.of(*tenant) += 1);
        pass.publish.iter().chain(&pass.subscribe).for_each(|group| *groups.of(*group) += 1);
    }
    let live = view.users().values().filter(|user| user.status.holds_seat());
    live.filter_map(|user| user.tenant).for_each(|tenant| *tenants.of(tenant) += 1);

    let what = "the count of references";
    contributors.compare(findings, what, view.contributors().iter().map(|(key, it)| (key, it.reference_count)));
    exchanges.compare(findings, what, view.exchanges().iter().map(|(key, it)| (key, it.reference_count)));
    tenants.compare(findings, what, view.tenants().iter().map(|(key, it)| (key, it.reference_count)));
    let written = view.groups().iter().map(|(key, it)| (key, it.allowlist_count));
    groups.compare(findings, "the count of allowlist entries", written);
    if let Some(config) = view.config() {
        let key = dz_serviceability::pda::config(view.program()).0;
        findings.same(&key, "the count of devices", config.device_count, view.devices().len() as u32);
    }
}
