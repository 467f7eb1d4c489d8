//! Accounts that an instruction needs: found in a view, or named as what is missing.

use std::net::Ipv4Addr;

use dz_serviceability::{
    network::NetworkV4,
    state::{
        AccessPass, AccountType, Contributor, Device, GlobalConfig, Interface, Link, MulticastGroup, PoolKind, User,
    },
};
use solana_pubkey::Pubkey;

use super::{BuildError, Result};
use crate::view::NetworkView;

/// The config.
///
/// # Errors
/// Something that the instruction needs is not in the view.
pub fn config(view: &NetworkView) -> Result<&GlobalConfig> {
    view.config().ok_or(BuildError::NoConfig)
}

macro_rules! finders {
    ($($one:ident $type:ident;)*) => {
        $(
            #[doc = concat!("The ", stringify!($type), " at this address.")]
            ///
            /// # Errors
            /// The view has none there.
            pub fn $one<'a>(view: &'a NetworkView, key: &Pubkey) -> Result<&'a $type> {
                view.$one(key).ok_or(BuildError::Missing { what: AccountType::$type, key: *key })
            }
        )*
    };
}

finders! {
    contributor Contributor;
    device Device;
    interface Interface;
    link Link;
    access_pass AccessPass;
    group MulticastGroup;
    user User;
}

/// The key that gets the rent of this account back; of one that the view does not have, the signer, which then pays for
/// it in the same transaction.
pub(super) fn payer(view: &NetworkView, key: &Pubkey, signer: &Pubkey) -> Pubkey {
    view.rent_payer(key).unwrap_or(*signer)
}

/// The pool of the global block of this kind that holds a value.
pub(super) fn global_pool(view: &NetworkView, kind: PoolKind, value: Ipv4Addr) -> Result<Pubkey> {
    let found = view.block_pools(kind).into_iter().find(|(_, pool)| pool.contains(value.into()));
    found.map(|(key, _)| key).ok_or_else(|| BuildError::NoPool { kind, value: value.to_string() })
}

/// The DoubleZero block that a contributor's /24 is a part of.
pub(super) fn double_zero_block(view: &NetworkView, part: NetworkV4) -> Result<NetworkV4> {
    let found = config(view)?.double_zero_blocks.iter().find(|block| block.contains(&*part));
    found.copied().ok_or_else(|| BuildError::NoPool { kind: PoolKind::DoubleZeroBlock, value: part.to_string() })
}
