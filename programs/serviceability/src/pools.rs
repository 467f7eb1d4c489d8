//! Pools as processors meet them: the right kind, the right owner, networks and addresses as values.

use std::net::Ipv4Addr;

use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    accounts::{Account, Context},
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    pda::Place,
    state::{Pool, PoolKind},
};

/// The most units a pool can have: 8 KiB of bitmap, so that two fit into the target's heap.
pub(crate) const MAX_UNITS: u32 = 1 << 16;

/// A pool that is known to be of one kind and one owner. A pool lies at the address of its kind, owner and base and
/// they never change, so its content says where it is.
impl<'a, 'info> Context<'a, 'info> {
    pub(crate) fn read_pool(
        &self,
        info: &'a AccountInfo<'info>,
        kind: PoolKind,
        owner: &Pubkey,
    ) -> Result<Account<'a, 'info, Pool>> {
        let pool = self.read::<Pool>(info)?;
        ensure!(pool.kind == kind && pool.owner == *owner, WrongPool);
        Ok(pool)
    }

    /// What a contributor's devices get shares of: a prefix of its own, or a /24 that it was given.
    pub(crate) fn read_space(
        &self,
        info: &'a AccountInfo<'info>,
        contributor: &Pubkey,
    ) -> Result<Account<'a, 'info, Pool>> {
        let pool = self.read::<Pool>(info)?;
        let space = matches!(pool.kind, PoolKind::ContributorPrefix | PoolKind::ContributorBlock);
        ensure!(space && pool.owner == *contributor, WrongPool);
        Ok(pool)
    }

    /// A pool of the network itself.
    pub(crate) fn read_global_pool(
        &self,
        info: &'a AccountInfo<'info>,
        kind: PoolKind,
    ) -> Result<Account<'a, 'info, Pool>> {
        self.read_pool(info, kind, self.config.key())
    }

    pub(crate) fn create_pool(&self, info: &'a AccountInfo<'info>, pool: Pool) -> Result {
        let (kind, owner, base) = (pool.kind, pool.owner, pool.base);
        self.create(info, Place::Pool { kind, owner: &owner, base }, pool)
    }
}

/// A pool of `unit`-sized pieces of a network; nothing when the network has none, or too many for one pool.
pub(crate) fn pool_of_network(kind: PoolKind, owner: Pubkey, net: NetworkV4, unit: u32, reserved: u32) -> Result<Pool> {
    let count = u32::try_from(net.address_count() / u64::from(unit)).unwrap_or(u32::MAX);
    ensure!((1..=MAX_UNITS).contains(&count), InvalidBlock);
    Ok(Pool::new(kind, owner, u32::from(net.network()), unit, count, reserved))
}

impl Pool {
    /// Takes a network.
    pub(crate) fn claim_net(&mut self, net: NetworkV4) -> Result {
        let units = self.units_of(net)?;
        Ok(self.claim(u32::from(net.network()), units)?)
    }

    /// Gives a network back.
    pub(crate) fn release_net(&mut self, net: NetworkV4) -> Result {
        let units = self.units_of(net)?;
        Ok(self.release(u32::from(net.network()), units)?)
    }

    /// Takes an address.
    pub(crate) fn claim_ip(&mut self, ip: Ipv4Addr) -> Result {
        Ok(self.claim(ip.into(), 1)?)
    }

    /// Gives an address back.
    pub(crate) fn release_ip(&mut self, ip: Ipv4Addr) -> Result {
        Ok(self.release(ip.into(), 1)?)
    }

    fn units_of(&self, net: NetworkV4) -> Result<u32> {
        let units = net.address_count() / u64::from(self.unit);
        ensure!(units > 0, Misaligned);
        u32::try_from(units).map_err(|_| ServiceabilityError::OutsidePool)
    }
}
