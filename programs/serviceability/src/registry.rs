//! The address registry: which public addresses somebody has brought, one pool for each /24 where there is one.
//!
//! A device's public address and an own endpoint take one unit, an own prefix an aligned run, a contributor's /24
//! all 256. So whatever overlaps is refused by the pool, exactly, without looking at any other account. What is
//! carved or pulled out of a registered network takes no unit again. A registry lives while one of its units is taken.

use std::net::Ipv4Addr;

use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    accounts::Context,
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    state::{GlobalConfig, Pool, PoolError, PoolKind},
};

/// Addresses in a registry: one /24.
const UNITS: u32 = 256;

/// The first address of the registry that knows this one.
pub(crate) fn base_of(address: Ipv4Addr) -> u32 {
    u32::from(address) & !(UNITS - 1)
}

/// Whether somebody outside may bring it: all of it public, none of it in a block of the config.
pub(crate) fn check_own(config: &GlobalConfig, net: NetworkV4) -> Result {
    ensure!(net.is_global(), AddressNotPublic);
    ensure!(!config.all_blocks().any(|block| block.overlaps(&net)), AddressInBlock);
    Ok(())
}

impl<'a, 'info> Context<'a, 'info> {
    /// Registers a network of /24 or longer; the next account is its registry, which is created on first use.
    pub(crate) fn register(&mut self, net: NetworkV4) -> Result {
        let info = self.take()?;
        self.register_in(info, net)
    }

    pub(crate) fn register_in(&self, info: &'a AccountInfo<'info>, net: NetworkV4) -> Result {
        let owner = *self.config.key();
        let base = base_of(net.network());
        if !self.exists(info)? {
            let mut registry = Pool::new(PoolKind::AddressRegistry, owner, base, 1, UNITS, 0);
            registry.claim_net(net)?;
            return self.create_pool(info, registry);
        }
        let mut registry = self.read::<Pool>(info)?;
        check_registry(&registry, &owner, base)?;
        let first = u32::from(net.network());
        registry.claim(first, units(net)?).map_err(|error| match error {
            PoolError::Taken(_) => ServiceabilityError::AddressTaken,
            other => other.into(),
        })?;
        self.save(&registry)
    }

    /// Takes a network out of the registry; the next account is its registry, which is closed when it is empty.
    pub(crate) fn deregister(&mut self, net: NetworkV4) -> Result {
        let info = self.take()?;
        self.deregister_in(info, net)
    }

    pub(crate) fn deregister_in(&self, info: &'a AccountInfo<'info>, net: NetworkV4) -> Result {
        let owner = *self.config.key();
        let mut registry = self.read::<Pool>(info)?;
        check_registry(&registry, &owner, base_of(net.network()))?;
        registry.release_net(net)?;
        if registry.used() == 0 {
            return self.close(registry, self.signer);
        }
        self.save(&registry)
    }
}

fn check_registry(pool: &Pool, owner: &Pubkey, base: u32) -> Result {
    ensure!(pool.kind == PoolKind::AddressRegistry && pool.owner == *owner && pool.base == base, WrongPool);
    Ok(())
}

fn units(net: NetworkV4) -> Result<u32> {
    u32::try_from(net.address_count()).map_err(|_| ServiceabilityError::OutsidePool)
}
