//! The chain's own invariants: the audit of the sdk, with names instead of keys.

use dz_sdk::{
    NetworkView,
    audit::{Finding, audit},
    program::{
        instruction::DEFAULT_VRF_ID,
        state::{User, UserAllocation, UserStatus},
    },
};
use solana_pubkey::Pubkey;

use super::Mismatch;
use crate::run::view::accounts::{code_of, pool_name};

/// A user in a person's words.
pub(super) fn name(user: &User) -> String {
    format!("user ({}, {})", user.client_ip, user.endpoint_ip)
}

/// What a user has been granted; none while the activator has a say.
pub(super) fn granted(user: &User) -> Option<&UserAllocation> {
    user.allocation.as_ref().filter(|_| user.status == UserStatus::Activated)
}

/// The VRF of a user's tenant; none before it has one.
pub(super) fn vrf(view: &NetworkView, user: &User) -> Option<u16> {
    match user.tenant {
        None => Some(DEFAULT_VRF_ID),
        Some(tenant) => view.tenant(&tenant)?.vrf_id,
    }
}

pub(super) fn check(view: &NetworkView, found: &mut Vec<Mismatch>) {
    found.extend(audit(view).into_iter().map(|finding| mismatch(view, &finding)));
}

fn mismatch(view: &NetworkView, Finding { account, what }: &Finding) -> Mismatch {
    let subject = subject(view, account);
    Mismatch {
        invariant: "the chain agrees with a recount of itself",
        views: (format!("account of {subject}"), "recount of all accounts".to_owned()),
        first: in_names(view, what),
        second: format!("does not allow that (account {account})"),
        subject,
    }
}

/// What an account is, in a person's words.
fn subject(view: &NetworkView, key: &Pubkey) -> String {
    if let Some(user) = view.user(key) {
        return name(user);
    }
    if let Some(pool) = view.pool(key) {
        return format!("pool {}", pool_name(view, pool));
    }
    if let Some(interface) = view.interface(key) {
        return format!("interface {}:{}", code_of(view, &interface.device), interface.name);
    }
    if let Some(pass) = view.access_pass(key) {
        return format!("access pass of {}", pass.client_ip);
    }
    if let Some(client) = view.client(key) {
        return format!("client {}", client.client_ip);
    }
    code_of(view, key)
}

/// The words of a finding with what the keys in it stand for.
fn in_names(view: &NetworkView, what: &str) -> String {
    let word = |word: &str| word.parse().map_or_else(|_| word.to_owned(), |key| subject(view, &key));
    what.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
