//! Free capacity of the pools that a new user draws from.
//!
//! The chain shows every pool, and the users that the activator has yet to serve: what those will take is not free.

use std::fmt;

use dz_sdk::{
    NetworkView,
    program::state::{Pool, PoolKind, User, UserStatus, UserType},
};
use solana_pubkey::Pubkey;

use super::Request;

/// A pool, or all pools of a kind together, without a unit for one more user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// What the units are.
    pub kind: PoolKind,
    /// Units that are taken or spoken for.
    pub used: u32,
    /// Units there are.
    pub capacity: u32,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, used, capacity } = self;
        write!(f, "no unit left in {kind}: {used} of {capacity} in use")
    }
}

/// The first pool that has nothing left for the user that is asked for on this device.
pub(super) fn full(view: &NetworkView, device: &Pubkey, request: &Request) -> Option<Full> {
    let on_device = |user: &User| user.device == *device;
    let anywhere = |_: &User| true;
    shortage(view, PoolKind::TunnelIds, Some(device), on_device)
        .or_else(|| shortage(view, PoolKind::UserTunnelBlock, None, anywhere))
        .or_else(|| match request.user_type {
            UserType::IbrlWithAllocatedIp => {
                let waits = |user: &User| on_device(user) && user.user_type == UserType::IbrlWithAllocatedIp;
                shortage(view, PoolKind::DevicePrefix, Some(device), waits)
            }
            UserType::Multicast if request.publisher => {
                shortage(view, PoolKind::MulticastPublisherBlock, None, User::is_publisher)
            }
            UserType::Ibrl | UserType::Multicast => None,
        })
}

/// Pools of a kind that are full once every waiting request has its unit. `owner` is none for global pools.
fn shortage(view: &NetworkView, kind: PoolKind, owner: Option<&Pubkey>, draws: impl Fn(&User) -> bool) -> Option<Full> {
    let pools =
        view.pools().values().filter(|pool| pool.kind == kind && owner.is_none_or(|owner| pool.owner == *owner));
    let (used, capacity) = pools.fold((0, 0), |(used, capacity): (u32, u32), pool: &Pool| {
        (used.saturating_add(pool.used()), capacity.saturating_add(pool.capacity()))
    });
    let waiting = view.users().values().filter(|user| user.status == UserStatus::Pending && draws(user)).count();
    let used = used.saturating_add(u32::try_from(waiting).unwrap_or(u32::MAX));
    (used >= capacity).then_some(Full { kind, used, capacity })
}
