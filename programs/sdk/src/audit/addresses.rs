//! Addresses across kinds: each public address is one thing's, whichever way it came to it.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_serviceability::{
    network::NetworkV4,
    state::{AddressSource, PrefixSource},
};
use solana_pubkey::Pubkey;

use super::Findings;
use crate::view::NetworkView;

/// A holder of an address.
#[derive(Clone, Copy)]
struct Holder {
    account: Pubkey,
    /// In which role it holds it.
    role: &'static str,
    /// The client that uses the address, possibly in several roles and with several tunnels.
    client: Option<Ipv4Addr>,
}

pub(super) fn check(view: &NetworkView, findings: &mut Findings) {
    let mut holders: BTreeMap<Ipv4Addr, Vec<Holder>> = BTreeMap::new();
    let mut hold = |address, account: &Pubkey, role, client| {
        holders.entry(address).or_default().push(Holder { account: *account, role, client });
    };
    for (key, contributor) in view.contributors() {
        for prefix in &contributor.prefixes {
            check_brought(view, findings, key, *prefix);
        }
    }
    for (key, device) in view.devices() {
        hold(device.public_ip, key, "public address", None);
        check_brought(view, findings, key, NetworkV4::host(device.public_ip));
        for prefix in device.prefixes.iter().filter(|prefix| prefix.source == PrefixSource::Own) {
            check_brought(view, findings, key, prefix.net);
        }
    }
    for (key, interface) in view.interfaces() {
        // One that stands for the device's public address is no second holder of it.
        if let Some(address) = interface.address.filter(|address| address.source != AddressSource::PublicIp) {
            hold(address.ip, key, "address", None);
            if address.source == AddressSource::Own {
                check_brought(view, findings, key, NetworkV4::host(address.ip));
            }
        }
    }
    for (key, user) in view.users().iter().filter(|(_, user)| user.is_live()) {
        hold(user.client_ip, key, "client_ip", Some(user.client_ip));
        if let Some(held) = user.allocation {
            hold(held.dz_ip, key, "dz_ip", Some(user.client_ip));
        }
        check_networks(view, findings, key, user.client_ip);
        check_payer(view, findings, key, user.client_ip, &user.owner);
    }
    for (address, holders) in holders {
        let Some((first, others)) = holders.split_first() else { continue };
        let same_client = |other: &Holder| other.client.is_some() && other.client == first.client;
        for other in others.iter().filter(|other| !same_client(other)) {
            let what = format!("has {address} as {}, which {} has as {}", other.role, first.account, first.role);
            findings.add(&other.account, what);
        }
    }
}

/// A live client's address lies in no block, and in no contributor's /24. It may lie in a prefix that was brought
/// around it: then it is never handed out.
fn check_networks(view: &NetworkView, findings: &mut Findings, key: &Pubkey, client_ip: Ipv4Addr) {
    let client = NetworkV4::host(client_ip);
    check_blocks(view, findings, key, &format!("connects from {client_ip}"), client);
    for (holder, contributor) in view.contributors() {
        for block in contributor.blocks.iter().filter(|block| block.overlaps(&client)) {
            findings.add(key, format!("connects from {client_ip}, which lies in {block} of {holder}"));
        }
    }
}

fn check_brought(view: &NetworkView, findings: &mut Findings, key: &Pubkey, net: NetworkV4) {
    let what = if net.prefix_len() == 32 { format!("brings {}", net.network()) } else { format!("brings {net}") };
    check_blocks(view, findings, key, &what, net);
}

/// What comes from outside lies in no block: those are given out.
fn check_blocks(view: &NetworkView, findings: &mut Findings, key: &Pubkey, what: &str, net: NetworkV4) {
    let config = view.config().into_iter();
    for block in config.flat_map(|config| config.all_blocks()).filter(|block| block.overlaps(&net)) {
        findings.add(key, format!("{what}, which lies in block {block}"));
    }
}

/// An address is one payer's at a time, and that one's stands in its account.
fn check_payer(view: &NetworkView, findings: &mut Findings, key: &Pubkey, client_ip: Ipv4Addr, owner: &Pubkey) {
    let payer = view.client_at(client_ip).and_then(|(_, client)| client.payer);
    findings.same(key, "the payer of its address", payer, Some(*owner));
}
