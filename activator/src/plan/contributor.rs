//! Contributors: the /24 that the prefixes of their devices are carved from, and its return.

use std::net::Ipv4Addr;

use dz_sdk::program::{
    address_registry,
    network::NetworkV4,
    state::{AccountType, Bootstrap, Contributor, ContributorStatus, Pool, PoolKind},
};
use solana_pubkey::Pubkey;

use super::{ConditionKind, Decision, Planner, Shortage, Subject, device::Uncarved};

/// Length of a contributor's block: a unit of a DoubleZero block.
const BLOCK_LEN: u8 = 24;
/// Length of a unit of a contributor's block: the longest prefix that is carved from one.
const UNIT_LEN: u8 = 29;
/// Addresses in a unit of a contributor's block.
const UNIT: u32 = 1 << (32 - UNIT_LEN);
/// Units in a contributor's block.
const UNITS: u32 = 1 << (UNIT_LEN - BLOCK_LEN);
/// The longest share of a contributor's own space: the first address of a prefix is never handed out.
const LONGEST_SHARE: u8 = 31;

impl Planner<'_> {
    pub(super) fn take_back_contributors(&mut self) {
        let view = self.view;
        let leaving = |contributor: &&Contributor| contributor.status == ContributorStatus::Deleting;
        for (key, contributor) in view.contributors().iter().filter(|(_, contributor)| leaving(contributor)) {
            let subject = contributor_subject(*key, contributor);
            for block in &contributor.blocks {
                let Some(pool) = self.double_zero_pool_of(block) else { continue };
                let base = u32::from(block.network());
                self.pools.release(&pool, base, 1);
                if let Some(registry) = self.pools.find(PoolKind::AddressRegistry, self.pools.config(), base) {
                    self.pools.release(&registry, base, address_registry::UNITS);
                }
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
        let longest = if own.is_empty() { UNIT_LEN } else { LONGEST_SHARE };
        if !(BLOCK_LEN..=longest).contains(&prefix_len) {
            return Err(Shortage::other(format!("a /{prefix_len} cannot be carved from a /{BLOCK_LEN}")).into());
        }
        let addresses = 1u32 << (32 - prefix_len);
        let share = own.iter().find_map(|(_, pool)| Some((self.pools.lowest_free_run(pool, addresses)?, *pool)));
        let (base, pool) = match share {
            Some(share) => share,
            // The limit that bites: a share this small is of the own space only.
            None if prefix_len > UNIT_LEN => {
                let shortage = Shortage::of_networks(&self.pools, &format!("/{prefix_len}"), own.into_iter());
                return Err(shortage.of(&format!("contributor {}", contributor.code)).into());
            }
            None => self.run_of_blocks(key, contributor, addresses / UNIT)?,
        };
        let address = Ipv4Addr::from(base);
        let net = NetworkV4::new(address, prefix_len)
            .ok_or_else(|| Shortage::other(format!("{address}/{prefix_len} is no network")))?;
        Ok((net, pool))
    }

    /// The lowest free run of the first /24 that has one: of those that it was given, then of those that this plan gives
    /// it, else of a new one.
    fn run_of_blocks(
        &mut self,
        key: &Pubkey,
        contributor: &Contributor,
        units: u32,
    ) -> Result<(u32, Pubkey), Uncarved> {
        let blocks = contributor
            .blocks
            .iter()
            .filter_map(|block| self.pools.find(PoolKind::ContributorBlock, key, u32::from(block.network())));
        let new = self.new_blocks.iter().filter(|(owner, _)| owner == key).map(|(_, pool)| *pool);
        let found = blocks.chain(new).find_map(|pool| Some((self.pools.lowest_free_run(&pool, units)?, pool)));
        found.map_or_else(|| self.allocate_block(key, contributor), Ok)
    }

    /// Plans the lowest free /24 of the first DoubleZero block that has one; gives its first address and the pool it will
    /// have.
    fn allocate_block(&mut self, key: &Pubkey, contributor: &Contributor) -> Result<(u32, Pubkey), Uncarved> {
        if contributor.status != ContributorStatus::Activated {
            let reason = format!("contributor {} is {}: it is given no block", contributor.code, contributor.status);
            return Err(Uncarved { kind: ConditionKind::OutOfUse, reason });
        }
        let held = contributor.blocks.len() + self.new_blocks.iter().filter(|(owner, _)| owner == key).count();
        if held >= Contributor::MAX_BLOCKS {
            let reason = format!("its blocks ({held}) have no room, and it may have no more of them");
            return Err(Shortage::other(reason).of(&format!("contributor {}", contributor.code)).into());
        }
        let granted = held < usize::from(contributor.granted_blocks);
        let (base, pool) = self.lowest_free_block(granted)?;
        let address = Ipv4Addr::from(base);
        let block = NetworkV4::new(address, BLOCK_LEN)
            .ok_or_else(|| Shortage::other(format!("the unit at {address} is no /{BLOCK_LEN}")))?;
        self.pools.claim(&pool, base, 1);
        let created = Pool::new(PoolKind::ContributorBlock, *key, base, UNIT, UNITS, 0);
        let created = self.pools.create(created);
        self.new_blocks.push((*key, created));
        let reason = match held {
            0 => "its first device needs a prefix".to_owned(),
            count => format!("its blocks ({count}) have no room for another prefix"),
        };
        let decision = Decision::AllocateContributorBlock { block };
        self.act(&contributor_subject(*key, contributor), decision, reason);
        Ok((base, created))
    }

    fn lowest_free_block(&self, granted: bool) -> Result<(u32, Pubkey), Shortage> {
        let kept = self.view.config().map_or(0, |config| u32::from(config.kept_blocks));
        let blocks = self.pools.blocks(PoolKind::DoubleZeroBlock);
        let mut kept_back = false;
        for block in blocks {
            let Some(base) = self.pools.lowest_free_run(&block.pool, 1) else { continue };
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
        Err(Shortage::of_networks(&self.pools, "/24", blocks.iter().map(|block| (block.net, block.pool))))
    }

    fn double_zero_pool_of(&self, block: &NetworkV4) -> Option<Pubkey> {
        let blocks = self.pools.blocks(PoolKind::DoubleZeroBlock);
        blocks.iter().find(|candidate| candidate.net.overlaps(block)).map(|candidate| candidate.pool)
    }
}

fn contributor_subject(key: Pubkey, contributor: &Contributor) -> Subject {
    Subject { kind: AccountType::Contributor, key, label: format!("contributor {}", contributor.code) }
}
