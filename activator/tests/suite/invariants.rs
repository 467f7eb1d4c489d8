//! Invariants of every chain, and of one on which the activator is idle.

use std::collections::BTreeSet;

use dz_sdk::{
    NetworkView,
    audit::audit,
    program::state::{DeviceStatus, InterfaceStatus, LinkStatus, MulticastGroupStatus, TenantStatus, UserStatus},
};
use solana_pubkey::Pubkey;

/// Each unit is used once, by what says so; counters equal a recount; relations lead somewhere; no pair is shared.
pub(crate) fn check(view: &NetworkView) {
    assert_eq!(audit(view), []);
}

/// Once the activator is quiet, a user that still waits is one of these.
pub(crate) fn nobody_waits_but(view: &NetworkView, excused: &BTreeSet<Pubkey>) {
    macro_rules! waiting {
        ($map:ident, $status:ident: $($waiting:ident)|+) => {
            view.$map().iter().filter(|(_, one)| matches!(one.status, $($status::$waiting)|+)).map(|(key, _)| *key)
        };
    }
    let waiting: BTreeSet<Pubkey> = waiting!(devices, DeviceStatus: Pending | Deleting)
        .chain(waiting!(interfaces, InterfaceStatus: Pending | Deleting))
        .chain(waiting!(links, LinkStatus: Pending | Deleting))
        .chain(waiting!(tenants, TenantStatus: Pending | Deleting))
        .chain(waiting!(groups, MulticastGroupStatus: Pending | Deleting))
        .chain(waiting!(users, UserStatus: Pending | Updating | Deleting | PendingBan))
        .collect();
    let forgotten: Vec<_> = waiting.difference(excused).collect();
    assert!(forgotten.is_empty(), "these wait and nothing says why: {forgotten:?}");
}
