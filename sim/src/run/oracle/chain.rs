//! What the chain says of itself: invariant U and the foreign keys of users.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_sdk::{
    NetworkView,
    program::{
        pda,
        state::{InterfaceStatus, User},
    },
};
use solana_pubkey::Pubkey;

use super::Mismatch;

/// A user in a person's words.
pub(super) fn name(user: &User) -> String {
    format!("user ({}, {})", user.client_ip, user.endpoint_ip)
}

pub(super) fn check(view: &NetworkView, found: &mut Vec<Mismatch>) {
    pairs(view, found);
    for (key, user) in view.users().iter().filter(|(_, user)| user.is_live()) {
        endpoint(view, key, user, found);
    }
}

/// U: no two live tunnels share (client_ip, endpoint_ip).
fn pairs(view: &NetworkView, found: &mut Vec<Mismatch>) {
    let mut holders: BTreeMap<(Ipv4Addr, Ipv4Addr), Pubkey> = BTreeMap::new();
    for (key, user) in view.users().iter().filter(|(_, user)| user.is_live()) {
        if let Some(other) = holders.insert((user.client_ip, user.endpoint_ip), *key) {
            found.push(Mismatch {
                invariant: "no two live tunnels share (client_ip, endpoint_ip)",
                subject: name(user),
                views: ("chain".to_owned(), "chain".to_owned()),
                first: format!("held by account {other}"),
                second: format!("held by account {key}"),
            });
        }
        let expected = pda::user(view.program(), user.client_ip, user.endpoint_ip).0;
        if expected != *key {
            found.push(Mismatch {
                invariant: "a user's account is derived from (client_ip, endpoint_ip)",
                subject: name(user),
                views: ("chain".to_owned(), "derivation".to_owned()),
                first: format!("account {key}"),
                second: format!("account {expected}"),
            });
        }
    }
}

/// The endpoint is an activated endpoint of the user's own device.
fn endpoint(view: &NetworkView, key: &Pubkey, user: &User, found: &mut Vec<Mismatch>) {
    let interface = view.interface(&user.interface);
    let holds = interface.is_some_and(|interface| {
        interface.device == user.device
            && interface.status == InterfaceStatus::Activated
            && interface.user_tunnel_endpoint
            && interface.address.is_some_and(|address| address.ip == user.endpoint_ip)
    });
    if !holds {
        found.push(Mismatch {
            invariant: "a live user's endpoint is an activated endpoint of its device",
            subject: name(user),
            views: ("user".to_owned(), "interface".to_owned()),
            first: format!("account {key} ends on {} of interface {}", user.endpoint_ip, user.interface),
            second: match interface {
                None => "does not exist".to_owned(),
                Some(interface) => format!(
                    "{} is {}, holds {:?}, endpoint: {}",
                    interface.name,
                    interface.status,
                    interface.address.map(|address| address.ip),
                    interface.user_tunnel_endpoint
                ),
            },
        });
    }
}
