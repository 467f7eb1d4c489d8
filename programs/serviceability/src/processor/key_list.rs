//! Lists of keys whose entries something counts: a user's roles, a pass's allowlists and tenants.

use solana_pubkey::Pubkey;

use crate::{
    counter::Counter,
    error::{Result, ServiceabilityError},
};

/// How long a list can get, and what a caller hears who wants more.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) most: usize,
    pub(super) refusal: ServiceabilityError,
}

/// Puts a key into the list or takes it out, whichever is wanted, and counts that; a repeated request changes nothing.
pub(super) fn set(list: &mut Vec<Pubkey>, key: &Pubkey, wanted: bool, limit: Limit, count: &mut u32) -> Result {
    match (list.contains(key), wanted) {
        (false, true) if list.len() >= limit.most => Err(limit.refusal),
        (false, true) => {
            list.push(*key);
            count.up()
        }
        (true, false) => {
            list.retain(|other| other != key);
            count.down()
        }
        (true, true) | (false, false) => Ok(()),
    }
}
