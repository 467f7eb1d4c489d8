//! Free capacity of the pools that a new user draws from.
//!
//! The chain shows every pool, and the users that the activator has yet to serve: what those will take is not free.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
};

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

/// What a pool has.
#[derive(Debug, PartialEq)]
struct Units {
    used: u32,
    capacity: u32,
    /// True for addresses of the foundation's space, which edge filtering needs.
    foundations: bool,
}

/// What the pools have left and who waits for the activator. A thousand clients that choose by one view share it.
#[derive(Debug, PartialEq)]
struct Supply {
    pools: BTreeMap<(PoolKind, Pubkey), Vec<Units>>,
    /// Users that wait, by device: of which type, and whether they publish.
    waiting: BTreeMap<Pubkey, Vec<(UserType, bool)>>,
}

impl Supply {
    fn of(view: &NetworkView) -> Self {
        let registries = view.pools().values().filter(|pool| pool.kind == PoolKind::ClientAddresses);
        let clients: BTreeSet<u32> = registries.flat_map(Pool::taken).collect();
        let mut pools: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for pool in view.pools().values() {
            let foundations = view.config().is_some_and(|config| {
                config.double_zero_blocks.iter().any(|block| block.contains(&Ipv4Addr::from(pool.base)))
            });
            let used = pool.used().saturating_add(connected_from(&clients, pool));
            let units = Units { used, capacity: pool.capacity(), foundations };
            pools.entry((pool.kind, pool.owner)).or_default().push(units);
        }
        let mut waiting: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for user in view.users().values().filter(|user| user.status == UserStatus::Pending) {
            waiting.entry(user.device).or_default().push((user.user_type, user.is_publisher()));
        }
        Self { pools, waiting }
    }

    /// How many wait on a device, or everywhere, and draw from a pool as well.
    fn waiting(&self, device: Option<&Pubkey>, draws: impl Fn(UserType, bool) -> bool) -> u32 {
        let of = self.waiting.iter().filter(|(on, _)| device.is_none_or(|device| device == *on));
        let users = of.flat_map(|(_, users)| users).filter(|(user_type, publisher)| draws(*user_type, *publisher));
        u32::try_from(users.count()).unwrap_or(u32::MAX)
    }

    /// Those pools of a kind that count are full once that number of further units is taken. `owner` is none for global
    /// pools.
    fn shortage(
        &self,
        kind: PoolKind,
        owner: Option<&Pubkey>,
        waiting: u32,
        counts: impl Fn(&Units) -> bool,
    ) -> Option<Full> {
        let (first, last) = match owner {
            Some(owner) => (*owner, *owner),
            None => (Pubkey::new_from_array([0; 32]), Pubkey::new_from_array([u8::MAX; 32])),
        };
        let pools = self.pools.range((kind, first)..=(kind, last)).flat_map(|(_, pools)| pools);
        let (used, capacity) = pools.filter(|units| counts(units)).fold((waiting, 0_u32), |(used, capacity), units| {
            (used.saturating_add(units.used), capacity.saturating_add(units.capacity))
        });
        (used >= capacity).then_some(Full { kind, used, capacity })
    }
}

/// Addresses of a device's prefix from which live clients connect: they are given to nobody.
fn connected_from(clients: &BTreeSet<u32>, pool: &Pool) -> u32 {
    if pool.kind != PoolKind::DevicePrefix {
        return 0;
    }
    let inside = clients.range(pool.base..).take_while(|value| pool.contains(**value));
    u32::try_from(inside.filter(|value| !pool.is_taken(**value)).count()).unwrap_or(u32::MAX)
}

/// The first pool that has nothing left for the user that is asked for on this device, once those who wait are served.
pub(super) fn full(view: &NetworkView, device: &Pubkey, request: &Request) -> Option<Full> {
    draws(view, device, (request.user_type, request.publisher), true)
}

/// The first pool that has nothing left for a user that waits for the activator, which can do nothing for it then.
pub fn lacking(view: &NetworkView, user: &User) -> Option<Full> {
    if user.status == UserStatus::Updating {
        let gains = user.user_type.is_multicast() && user.is_publisher();
        let supply = gains.then(|| view.derived(Supply::of))?;
        return supply.shortage(PoolKind::MulticastPublisherBlock, None, 0, |_| true);
    }
    draws(view, &user.device, (user.user_type, user.is_publisher()), false)
}

/// The first pool that a user of this type on this device draws from and that has nothing left, besides what `those_who_wait`
/// will take, if they come first.
fn draws(
    view: &NetworkView,
    device: &Pubkey,
    (user_type, publisher): (UserType, bool),
    those_who_wait: bool,
) -> Option<Full> {
    let supply = view.derived(Supply::of);
    let waiting = |device: Option<&Pubkey>, draws: &dyn Fn(UserType, bool) -> bool| match those_who_wait {
        true => supply.waiting(device, draws),
        false => 0,
    };
    let here = Some(device);
    supply
        .shortage(PoolKind::TunnelIds, here, waiting(here, &|_, _| true), |_| true)
        .or_else(|| supply.shortage(PoolKind::UserTunnelBlock, None, waiting(None, &|_, _| true), |_| true))
        .or_else(|| match user_type {
            UserType::IbrlWithAllocatedIp | UserType::EdgeFiltering => {
                let waiting = waiting(here, &|other, _| other == user_type);
                let needs_foundations = user_type == UserType::EdgeFiltering;
                supply.shortage(PoolKind::DevicePrefix, here, waiting, |units| !needs_foundations || units.foundations)
            }
            UserType::Multicast if publisher => {
                let waiting = waiting(None, &|_, publisher| publisher);
                supply.shortage(PoolKind::MulticastPublisherBlock, None, waiting, |_| true)
            }
            UserType::Ibrl | UserType::Multicast => None,
        })
}
