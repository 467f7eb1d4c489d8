//! Registry of public addresses: two pools for each /24 in use.
//!
//! The address registry holds addresses brought from outside: a device's public address and an own endpoint take one unit, an
//! own prefix an aligned run, a contributor's /24 all 256. So whatever overlaps is refused by the pool, exactly, without
//! looking at any other account. What is carved or pulled out of a registered network takes no unit again. The pool of
//! client addresses holds what live users connect from. Each lives while one of its units is taken.

use std::net::Ipv4Addr;

use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    accounts::{Account, Context},
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    pda,
    state::{GlobalConfig, Pool, PoolError, PoolKind},
};

/// Addresses in a registry: one /24.
pub const UNITS: u32 = 256;

/// The first address of the registry that knows this one.
pub fn base_of(address: Ipv4Addr) -> u32 {
    u32::from(address) & !(UNITS - 1)
}

/// The registries whose accounts adding a block of this kind needs, for each /24 in turn.
pub fn consulted(kind: PoolKind) -> &'static [PoolKind] {
    match kind {
        // What is brought is never of a block, whichever came first.
        PoolKind::DoubleZeroBlock | PoolKind::MulticastPublisherBlock => {
            &[PoolKind::ClientAddresses, PoolKind::AddressRegistry]
        }
        PoolKind::UserTunnelBlock
        | PoolKind::DeviceTunnelBlock
        | PoolKind::MulticastGroupBlock
        | PoolKind::ContributorBlock
        | PoolKind::ContributorPrefix
        | PoolKind::DevicePrefix
        | PoolKind::AddressRegistry
        | PoolKind::ClientAddresses
        | PoolKind::TunnelIds
        | PoolKind::EndpointLoopbacks
        | PoolKind::VrfIds => &[],
    }
}

/// Whether it may be brought from outside: all of it public, none of it in a block of the config.
pub(crate) fn check_own(config: &GlobalConfig, net: NetworkV4) -> Result {
    ensure!(net.is_global(), AddressNotPublic);
    ensure!(!config.all_blocks().any(|block| block.overlaps(&net)), AddressInBlock);
    Ok(())
}

impl<'a, 'info> Context<'a, 'info> {
    /// Registers a network of /24 or longer; its registry is created on first use.
    pub(crate) fn register(&self, registry: &'a AccountInfo<'info>, net: NetworkV4) -> Result {
        self.claim_in(registry, PoolKind::AddressRegistry, net)
    }

    /// Takes a network out of its registry, which is closed when it is empty.
    pub(crate) fn deregister(
        &self,
        registry: &'a AccountInfo<'info>,
        payer: &'a AccountInfo<'info>,
        net: NetworkV4,
    ) -> Result {
        self.release_in(registry, payer, PoolKind::AddressRegistry, net)
    }

    /// Whether no live client connects from an address of this network; the pool of its /24 may be missing.
    pub(crate) fn check_no_client(&self, clients: &'a AccountInfo<'info>, net: NetworkV4) -> Result {
        let Some(pool) = self.read_registry(clients, PoolKind::ClientAddresses, base_of(net.network()))? else {
            return Ok(());
        };
        let taken = pool.taken().any(|address| net.contains(&Ipv4Addr::from(address)));
        ensure!(!taken, ClientAddress);
        Ok(())
    }

    /// Notes that a client connects from this address, which must be free.
    pub(crate) fn enter_client(
        &self,
        clients: &'a AccountInfo<'info>,
        registry: &'a AccountInfo<'info>,
        address: Ipv4Addr,
    ) -> Result {
        let known = self.read_registry(registry, PoolKind::AddressRegistry, base_of(address))?;
        ensure!(!known.is_some_and(|pool| pool.is_taken(address.into())), AddressTaken);
        self.claim_in(clients, PoolKind::ClientAddresses, NetworkV4::host(address))
    }

    /// Notes that none does any more.
    pub(crate) fn leave_client(
        &self,
        clients: &'a AccountInfo<'info>,
        payer: &'a AccountInfo<'info>,
        address: Ipv4Addr,
    ) -> Result {
        self.release_in(clients, payer, PoolKind::ClientAddresses, NetworkV4::host(address))
    }

    /// The registry of this kind and first address; none when there is none yet. Its address is checked in any case.
    pub(crate) fn read_registry(
        &self,
        info: &'a AccountInfo<'info>,
        kind: PoolKind,
        base: u32,
    ) -> Result<Option<Account<'a, 'info, Pool>>> {
        let owner = *self.config.key();
        if !self.exists(info)? {
            ensure!(*info.key == pda::pool(self.program(), kind, &owner, base).0, WrongAddress);
            return Ok(None);
        }
        let pool = self.read::<Pool>(info)?;
        check(&pool, kind, &owner, base)?;
        Ok(Some(pool))
    }

    fn claim_in(&self, info: &'a AccountInfo<'info>, kind: PoolKind, net: NetworkV4) -> Result {
        let (owner, base) = (*self.config.key(), base_of(net.network()));
        if !self.exists(info)? {
            let mut pool = Pool::new(kind, owner, base, 1, UNITS, 0);
            pool.claim_net(net)?;
            return self.create_pool(info, pool);
        }
        let mut pool = self.read::<Pool>(info)?;
        check(&pool, kind, &owner, base)?;
        let units = u32::try_from(net.address_count()).map_err(|_| ServiceabilityError::OutsidePool)?;
        pool.claim(u32::from(net.network()), units).map_err(|error| match error {
            PoolError::Taken(_) => ServiceabilityError::AddressTaken,
            other => other.into(),
        })?;
        self.save(&pool)
    }

    fn release_in(
        &self,
        info: &'a AccountInfo<'info>,
        payer: &'a AccountInfo<'info>,
        kind: PoolKind,
        net: NetworkV4,
    ) -> Result {
        let owner = *self.config.key();
        let mut pool = self.read::<Pool>(info)?;
        check(&pool, kind, &owner, base_of(net.network()))?;
        pool.release_net(net)?;
        if pool.used() == 0 {
            return self.close(pool, payer);
        }
        self.save(&pool)
    }
}

fn check(pool: &Pool, kind: PoolKind, owner: &Pubkey, base: u32) -> Result {
    ensure!(pool.kind == kind && pool.owner == *owner && pool.base == base, WrongPool);
    Ok(())
}
