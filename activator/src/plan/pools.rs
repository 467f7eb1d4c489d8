//! The pools as they will be once everything planned so far has landed.
//!
//! A plan claims what it gives away and releases what it takes back in here, so that no two of its actions take the
//! same unit. A pool is copied when the plan first touches it, and a copy remembers below which unit nothing is
//! free, so that giving out n units costs n steps and not n searches from the start.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
};

use dz_sdk::{
    NetworkView,
    program::{
        address_registry::base_of,
        network::NetworkV4,
        pda,
        state::{Pool, PoolKind},
    },
};
use solana_pubkey::Pubkey;
use strum::IntoEnumIterator;

/// All pools, with the plan's own changes on top of the view.
pub(super) struct Pools<'a> {
    view: &'a NetworkView,
    config: Pubkey,
    places: BTreeMap<(PoolKind, Pubkey, u32), Pubkey>,
    blocks: BTreeMap<PoolKind, Vec<Block>>,
    changed: HashMap<Pubkey, Changed>,
}

/// A global block and its pool.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) net: NetworkV4,
    pub(super) pool: Pubkey,
}

struct Changed {
    pool: Pool,
    used: u32,
    /// Every unit below this index is taken.
    search_from: u32,
}

impl Changed {
    fn new(pool: Pool) -> Self {
        Self { used: pool.used(), search_from: pool.reserved, pool }
    }

    fn value(&self, index: u32) -> u32 {
        self.pool.base + index * self.pool.unit
    }

    fn lowest_free(&mut self) -> Option<u32> {
        while self.search_from < self.pool.count && self.pool.is_taken(self.value(self.search_from)) {
            self.search_from += 1;
        }
        (self.search_from < self.pool.count).then(|| self.value(self.search_from))
    }
}

impl<'a> Pools<'a> {
    pub(super) fn new(view: &'a NetworkView) -> Self {
        let config = pda::config(view.program()).0;
        let places: BTreeMap<_, _> =
            view.pools().iter().map(|(key, pool)| ((pool.kind, pool.owner, pool.base), *key)).collect();
        let blocks = PoolKind::iter()
            .filter_map(|kind| {
                let nets = view.config()?.blocks(kind)?;
                let pool = |net: &NetworkV4| places.get(&(kind, config, u32::from(net.network())));
                Some((kind, nets.iter().filter_map(|net| Some(Block { net: *net, pool: *pool(net)? })).collect()))
            })
            .collect();
        Self { view, config, places, blocks, changed: HashMap::new() }
    }

    /// The config's account, which owns the global pools.
    pub(super) fn config(&self) -> &Pubkey {
        &self.config
    }

    /// The global blocks of this kind in allocation order.
    pub(super) fn blocks(&self, kind: PoolKind) -> &[Block] {
        self.blocks.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The pool of this kind, owner and base.
    pub(super) fn find(&self, kind: PoolKind, owner: &Pubkey, base: u32) -> Option<Pubkey> {
        self.places.get(&(kind, *owner, base)).copied()
    }

    /// The one pool of this kind and owner.
    pub(super) fn only(&self, kind: PoolKind, owner: &Pubkey) -> Option<Pubkey> {
        let mut places = self.places.range((kind, *owner, 0)..=(kind, *owner, u32::MAX));
        places.next().map(|(_, key)| *key)
    }

    /// The pool as it will be.
    pub(super) fn get(&self, key: &Pubkey) -> Option<&Pool> {
        self.changed.get(key).map(|changed| &changed.pool).or_else(|| self.view.pool(key))
    }

    /// Units in use and units that can be in use.
    pub(super) fn usage(&self, key: &Pubkey) -> Option<(u32, u32)> {
        match self.changed.get(key) {
            Some(changed) => Some((changed.used, changed.pool.capacity())),
            None => self.view.pool(key).map(|pool| (pool.used(), pool.capacity())),
        }
    }

    /// The lowest free value; nothing is taken yet.
    pub(super) fn lowest_free(&mut self, key: &Pubkey) -> Option<u32> {
        self.edit(key)?.lowest_free()
    }

    /// The lowest free address that no live client connects from; nothing is taken yet.
    pub(super) fn lowest_free_address(&mut self, key: &Pubkey) -> Option<Ipv4Addr> {
        let mut from = self.edit(key)?.lowest_free()?;
        let pool = self.get(key)?;
        loop {
            if !pool.is_taken(from) && !self.is_client(from.into()) {
                return Some(from.into());
            }
            from = from.checked_add(pool.unit).filter(|next| pool.contains(*next))?;
        }
    }

    /// Addresses of a pool that are out of reach, because they are in use or a live client connects from them, and how
    /// many there are in all.
    pub(super) fn address_usage(&self, key: &Pubkey) -> (u32, u32) {
        let Some((used, capacity)) = self.usage(key) else { return (0, 0) };
        let Some(pool) = self.get(key) else { return (used, capacity) };
        // Only a device's prefix can lie around clients, and that is in one /24.
        let registry = self.find(PoolKind::ClientAddresses, &self.config, base_of(pool.base.into()));
        let clients = registry.and_then(|key| self.view.pool(&key)).into_iter().flat_map(Pool::taken);
        let blocked = clients.filter(|value| pool.contains(*value) && !pool.is_taken(*value)).count();
        (used + blocked as u32, capacity)
    }

    /// Whether a live client connects from this address.
    fn is_client(&self, address: Ipv4Addr) -> bool {
        let registry = self.find(PoolKind::ClientAddresses, &self.config, base_of(address));
        registry.and_then(|key| self.view.pool(&key)).is_some_and(|pool| pool.is_taken(address.into()))
    }

    /// The first value of the lowest free aligned run; nothing is taken yet.
    pub(super) fn lowest_free_run(&self, key: &Pubkey, units: u32) -> Option<u32> {
        self.get(key)?.lowest_free(units).ok()
    }

    /// Takes a run that was found free. What is not free is left as it is: the program will say so.
    pub(super) fn claim(&mut self, key: &Pubkey, value: u32, units: u32) {
        let Some(changed) = self.edit(key) else { return };
        if changed.pool.claim(value, units).is_ok() {
            changed.used += units;
        }
    }

    /// Gives a run back. What the chain does not hold cannot be given back: then nothing changes.
    pub(super) fn release(&mut self, key: &Pubkey, value: u32, units: u32) {
        let Some(changed) = self.edit(key) else { return };
        if changed.pool.release(value, units).is_ok() {
            changed.used -= units;
            changed.search_from = changed.search_from.min((value - changed.pool.base) / changed.pool.unit);
        }
    }

    /// Adds the pool that an action of this plan creates.
    pub(super) fn create(&mut self, pool: Pool) -> Pubkey {
        let key = pda::pool(self.view.program(), pool.kind, &pool.owner, pool.base).0;
        self.places.insert((pool.kind, pool.owner, pool.base), key);
        self.changed.insert(key, Changed::new(pool));
        key
    }

    fn edit(&mut self, key: &Pubkey) -> Option<&mut Changed> {
        if !self.changed.contains_key(key) {
            let pool = self.view.pool(key)?.clone();
            self.changed.insert(*key, Changed::new(pool));
        }
        self.changed.get_mut(key)
    }
}

#[cfg(test)]
mod tests {
    use dz_sdk::program::state::AccountData as _;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// The copy with its hint finds what a search from the start finds, and counts what the bitmap counts.
        #[test]
        fn a_changed_pool_agrees_with_the_pool_itself(
            reserved in 0..3u32,
            // From the lowest value on, or so that the last unit ends with the highest.
            base in prop::sample::select(vec![0, u32::MAX - (8 * 9 - 1)]),
            steps in vec((prop::bool::weighted(0.8), 0..9u32, 1..3u32), 0..60),
        ) {
            let mut plain = Pool::new(PoolKind::ContributorBlock, Pubkey::default(), base, 8, 9, reserved);
            let key = Pubkey::new_from_array([7; 32]);
            let mut view = NetworkView::default();
            view.set_account(key, &plain.encode()).unwrap();
            let mut pools = Pools::new(&view);
            for (take, index, units) in steps {
                let value = plain.base + index * plain.unit;
                // What the pool refuses is left as it is.
                if take {
                    pools.claim(&key, value, units);
                    let _ = plain.claim(value, units);
                } else {
                    pools.release(&key, value, units);
                    let _ = plain.release(value, units);
                }
                prop_assert_eq!(pools.lowest_free(&key), plain.lowest_free(1).ok());
                prop_assert_eq!(pools.lowest_free_run(&key, 2), plain.lowest_free(2).ok());
                prop_assert_eq!(pools.usage(&key), Some((plain.used(), plain.capacity())));
                prop_assert_eq!(pools.get(&key), Some(&plain));
            }
        }
    }
}
