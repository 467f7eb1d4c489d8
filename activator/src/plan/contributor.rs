//! Contributors: the /24 that the prefixes of their devices are carved from, and its return.

use std::net::Ipv4Addr;

use dz_sdk::program::{
    network::NetworkV4,
    state::{AccountType, Contributor, ContributorStatus, Pool, PoolKind},
};
use solana_pubkey::Pubkey;

use super::{ConditionKind, Decision, Planner, Shortage, Subject, device::Uncarved};

/// Length of a contributor's block: a unit of a DoubleZero block.
const BLOCK_LEN: u8 = 24;
/// Addresses in a unit of a contributor's block: a /29.
const PREFIX_UNIT: u32 = 8;
/// Units in a contributor's block.
const PREFIX_UNITS: u32 = (1 << (32 - BLOCK_LEN)) / PREFIX_UNIT;

impl Planner<'_> {
    pub(super) fn take_back_contributors(&mut self) {
        let view = self.view;
        let leaving = |contributor: &&Contributor| contributor.status == ContributorStatus::Deleting;
        for (key, contributor) in view.contributors().iter().filter(|(_, contributor)| leaving(contributor)) {
            let subject = contributor_subject(*key, contributor);
            for block in &contributor.blocks {
                let Some(pool) = self.double_zero_pool_of(block) else { continue };
                self.pools.release(&pool, u32::from(block.network()), 1);
                let decision = Decision::ReleaseContributorBlock { block: *block };
                self.act(&subject, decision, "the contributor is being deleted");
            }
            self.act(&subject, Decision::CloseContributor, "it is being deleted");
        }
    }

    /// A free run of the contributor's blocks for a prefix of this length, in block order. A new /24 is planned when
    /// none has room. Nothing is taken yet except that /24.
    pub(super) fn run_for_prefix(
        &mut self,
        key: &Pubkey,
        contributor: &Contributor,
        prefix_len: u8,
    ) -> Result<(NetworkV4, Pubkey), Uncarved> {
        if !(BLOCK_LEN..=29).contains(&prefix_len) {
            return Err(Shortage::other(format!("a /{prefix_len} cannot be carved from a /{BLOCK_LEN}")).into());
        }
        let units = 1 << (29 - prefix_len);
        let blocks = contributor
            .blocks
            .iter()
            .filter_map(|block| self.pools.find(PoolKind::ContributorBlock, key, u32::from(block.network())));
        let new = self.new_blocks.iter().filter(|(owner, _)| owner == key).map(|(_, pool)| *pool);
        let found = blocks.chain(new).find_map(|pool| Some((self.pools.lowest_free_run(&pool, units)?, pool)));
        let (base, pool) = match found {
            Some(found) => found,
            None => {
                let pool = self.allocate_block(key, contributor)?;
                let base = self.pools.lowest_free_run(&pool, units);
                (base.ok_or_else(|| Shortage::other("a new block has no room"))?, pool)
            }
        };
        let address = Ipv4Addr::from(base);
        let net = NetworkV4::new(address, prefix_len)
            .ok_or_else(|| Shortage::other(format!("{address}/{prefix_len} is no network")))?;
        Ok((net, pool))
    }

    /// Plans the lowest free /24 of the first DoubleZero block that has one, and gives the pool it will have.
    fn allocate_block(&mut self, key: &Pubkey, contributor: &Contributor) -> Result<Pubkey, Uncarved> {
        if contributor.status != ContributorStatus::Activated {
            let reason = format!("contributor {} is {}: it is given no block", contributor.code, contributor.status);
            return Err(Uncarved { kind: ConditionKind::OutOfUse, reason });
        }
        let (base, pool) = self.lowest_unregistered_block()?;
        let address = Ipv4Addr::from(base);
        let block = NetworkV4::new(address, BLOCK_LEN)
            .ok_or_else(|| Shortage::other(format!("the unit at {address} is no /{BLOCK_LEN}")))?;
        self.pools.claim(&pool, base, 1);
        let created = Pool::new(PoolKind::ContributorBlock, *key, base, PREFIX_UNIT, PREFIX_UNITS, 0);
        let created = self.pools.create(created);
        self.new_blocks.push((*key, created));
        let reason = match contributor.blocks.len() {
            0 => "its first device needs a prefix".to_owned(),
            count => format!("its blocks ({count}) have no room for another prefix"),
        };
        let decision = Decision::AllocateContributorBlock { block };
        self.act(&contributor_subject(*key, contributor), decision, reason);
        Ok(created)
    }

    /// A /24 with a registered address, or from which a client connects, cannot be given to
    /// a contributor.
    fn lowest_unregistered_block(&mut self) -> Result<(u32, Pubkey), Shortage> {
        let config = *self.pools.config();
        for block in self.pools.blocks(PoolKind::DoubleZeroBlock) {
            let Some(pool) = self.pools.get(&block.pool) else { continue };
            let registered = |base| {
                [PoolKind::AddressRegistry, PoolKind::ClientAddresses].into_iter().any(|kind| {
                    let registry = self.pools.find(kind, &config, base);
                    registry.and_then(|key| self.pools.usage(&key)).is_some_and(|(used, _)| used > 0)
                })
            };
            let mut all = (pool.reserved..pool.count).map(|index| pool.base + index * pool.unit);
            let free = all.find(|&base| !pool.is_taken(base) && !registered(base));
            if let Some(base) = free {
                return Ok((base, block.pool));
            }
        }
        let blocks = self.pools.blocks(PoolKind::DoubleZeroBlock).iter().map(|block| (block.net, block.pool));
        Err(Shortage::of_networks(&self.pools, "/24", blocks))
    }

    fn double_zero_pool_of(&self, block: &NetworkV4) -> Option<Pubkey> {
        let blocks = self.pools.blocks(PoolKind::DoubleZeroBlock);
        blocks.iter().find(|candidate| candidate.net.overlaps(block)).map(|candidate| candidate.pool)
    }
}

fn contributor_subject(key: Pubkey, contributor: &Contributor) -> Subject {
    Subject { kind: AccountType::Contributor, key, label: format!("contributor {}", contributor.code) }
}
