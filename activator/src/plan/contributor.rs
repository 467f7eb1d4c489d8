//! Contributors: the /24 that the prefixes of their devices are carved from, and its return.

use std::net::Ipv4Addr;

use dz_sdk::program::{
    network::NetworkV4,
    state::{AccountType, Bootstrap, Contributor, ContributorStatus, Pool, PoolKind},
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

    /// A free run for a prefix of this length: of the contributor's own space if that may be used and has room, else of the
    /// /24s that it was given, in order. A new /24 is planned when none has room. Nothing is taken yet except that /24.
    pub(super) fn run_for_prefix(
        &mut self,
        key: &Pubkey,
        contributor: &Contributor,
        bootstrap: Bootstrap,
        prefix_len: u8,
    ) -> Result<(NetworkV4, Pubkey), Uncarved> {
        let own = if matches!(bootstrap, Bootstrap::Carve { .. }) { contributor.prefixes.as_slice() } else { &[] };
        let own: Vec<(NetworkV4, Pubkey)> = own
            .iter()
            .filter_map(|net| Some((*net, self.pools.find(PoolKind::ContributorPrefix, key, net.network().into())?)))
            .collect();
        let addresses = 1u32 << (32 - u32::from(prefix_len.clamp(BLOCK_LEN, 32)));
        let share = own.iter().find_map(|(_, pool)| Some((self.pools.lowest_free_run(pool, addresses)?, *pool)));
        if let Some((base, pool)) = share
            && let Some(net) = NetworkV4::new(Ipv4Addr::from(base), prefix_len)
        {
            return Ok((net, pool));
        }
        if prefix_len > 29 && !own.is_empty() {
            // The limit that bites: a share this small is of the own space only.
            let shortage = Shortage::of_networks(&self.pools, &format!("/{prefix_len}"), own.into_iter());
            return Err(shortage.of(&format!("contributor {}", contributor.code)).into());
        }
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
        let granted = contributor.blocks.len() + self.new_blocks.iter().filter(|(owner, _)| owner == key).count()
            < usize::from(contributor.granted_blocks);
        let (base, pool) = self.lowest_unregistered_block(granted)?;
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
    fn lowest_unregistered_block(&mut self, granted: bool) -> Result<(u32, Pubkey), Shortage> {
        let config = *self.pools.config();
        let kept = self.view.config().map_or(0, |config| u32::from(config.kept_blocks));
        let mut kept_back = false;
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
            let Some(base) = free else { continue };
            let (used, capacity) = self.pools.usage(&block.pool).unwrap_or_default();
            if granted || capacity.saturating_sub(used) > kept {
                return Ok((base, block.pool));
            }
            kept_back = true;
        }
        if kept_back {
            let reason = format!(
                "the last {kept} /24s of each DoubleZero block are kept for edge filtering: bring a prefix, or ask for a grant"
            );
            return Err(Shortage::other(reason));
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
