//! Free capacity of the pools that a new user draws from.
//!
//! The chain shows every pool, and the users that the activator has yet to serve: what those will take is not free.

use std::{fmt, net::Ipv4Addr};

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

/// The first pool that has nothing left for the user that is asked for on this device, once those who wait are served.
pub(super) fn full(view: &NetworkView, device: &Pubkey, request: &Request) -> Option<Full> {
    let waits = |user: &&User| user.status == UserStatus::Pending;
    draws(view, device, request.user_type, request.publisher, waits)
}

/// The first pool that has nothing left for a user that waits for the activator, which can do nothing for it then.
pub fn lacking(view: &NetworkView, user: &User) -> Option<Full> {
    if user.status == UserStatus::Updating {
        let gains = user.user_type.is_multicast() && user.is_publisher();
        return gains.then(|| shortage(view, PoolKind::MulticastPublisherBlock, None, 0, all)).flatten();
    }
    draws(view, &user.device, user.user_type, user.is_publisher(), |_| false)
}

/// The first pool that a user of this kind on this device draws from and that has nothing left besides what those
/// `before` it will take.
fn draws(
    view: &NetworkView,
    device: &Pubkey,
    user_type: UserType,
    publisher: bool,
    before: impl Fn(&&User) -> bool,
) -> Option<Full> {
    let waiting = |draws: &dyn Fn(&User) -> bool| {
        u32::try_from(view.users().values().filter(|user| before(user) && draws(user)).count()).unwrap_or(u32::MAX)
    };
    let on_device = |user: &User| user.device == *device;
    shortage(view, PoolKind::TunnelIds, Some(device), waiting(&on_device), all)
        .or_else(|| shortage(view, PoolKind::UserTunnelBlock, None, waiting(&|_| true), all))
        .or_else(|| match user_type {
            UserType::IbrlWithAllocatedIp | UserType::EdgeFiltering => {
                let waiting = waiting(&|user| on_device(user) && user.user_type == user_type);
                shortage(view, PoolKind::DevicePrefix, Some(device), waiting, in_reach(view, user_type))
            }
            UserType::Multicast if publisher => {
                shortage(view, PoolKind::MulticastPublisherBlock, None, waiting(&User::is_publisher), all)
            }
            UserType::Ibrl | UserType::Multicast => None,
        })
}

fn all(_: &Pool) -> bool {
    true
}

/// The prefixes that a user of this kind gets an address of: edge filtering needs the foundation's space.
fn in_reach(view: &NetworkView, user_type: UserType) -> impl Fn(&Pool) -> bool {
    let foundations = |pool: &Pool| {
        let config = view.config();
        config.is_some_and(|config| {
            config.double_zero_blocks.iter().any(|block| block.contains(&Ipv4Addr::from(pool.base)))
        })
    };
    move |pool| user_type != UserType::EdgeFiltering || foundations(pool)
}

/// Those pools of a kind that count are full once that number of further units is taken. `owner` is none for global pools.
fn shortage(
    view: &NetworkView,
    kind: PoolKind,
    owner: Option<&Pubkey>,
    waiting: u32,
    counts: impl Fn(&Pool) -> bool,
) -> Option<Full> {
    let pools = view
        .pools()
        .values()
        .filter(|pool| pool.kind == kind && owner.is_none_or(|owner| pool.owner == *owner) && counts(pool));
    let (used, capacity) = pools.fold((waiting, 0), |(used, capacity): (u32, u32), pool: &Pool| {
        (used.saturating_add(pool.used() + clients(view, pool)), capacity.saturating_add(pool.capacity()))
    });
    (used >= capacity).then_some(Full { kind, used, capacity })
}

/// Addresses of a device's prefix from which live clients connect: they are given to nobody.
fn clients(view: &NetworkView, pool: &Pool) -> u32 {
    if pool.kind != PoolKind::DevicePrefix {
        return 0;
    }
    let registries = view.pools().values().filter(|registry| registry.kind == PoolKind::ClientAddresses);
    let inside = registries.flat_map(Pool::taken).filter(|value| pool.contains(*value) && !pool.is_taken(*value));
    u32::try_from(inside.count()).unwrap_or(u32::MAX)
}
