//! Lookup of things on the chain by the names people type.

use std::{collections::BTreeMap, str::FromStr};

use dz_sdk::{
    NetworkView,
    program::state::{AccountType, Contributor, Device, Exchange, Link, MulticastGroup, Tenant},
};
use solana_pubkey::Pubkey;

use super::error::CommandError;

/// A kind of thing that has a code.
pub trait Coded: Sized + 'static {
    /// Its type on the chain.
    const TYPE: AccountType;
    /// What people call it.
    const KIND: &'static str;

    /// All there are, by account.
    fn all(view: &NetworkView) -> &BTreeMap<Pubkey, Self>;

    /// Its code.
    fn code(&self) -> &str;
}

macro_rules! coded {
    ($($type:ident $all:ident $kind:literal;)*) => {
        $(impl Coded for $type {
            const TYPE: AccountType = AccountType::$type;
            const KIND: &'static str = $kind;

            fn all(view: &NetworkView) -> &BTreeMap<Pubkey, Self> {
                view.$all()
            }

            fn code(&self) -> &str {
                &self.code
            }
        })*
    };
}

coded! {
    Contributor contributors "contributor";
    Exchange exchanges "exchange";
    Device devices "device";
    Link links "link";
    Tenant tenants "tenant";
    MulticastGroup groups "multicast group";
}

/// The thing with this code, or with this account in base58. An unknown name is answered with the nearest.
///
/// # Errors
/// Nothing on the chain has that name.
pub fn find<'v, T: Coded>(view: &'v NetworkView, name: &str) -> Result<(Pubkey, &'v T), CommandError> {
    let key = view.by_code(T::TYPE, name).or_else(|| Pubkey::from_str(name).ok());
    let all = T::all(view);
    if let Some((key, thing)) = key.and_then(|key| all.get_key_value(&key)) {
        return Ok((*key, thing));
    }
    let nearest = nearest(name, all.values().map(Coded::code));
    Err(CommandError::Unknown { kind: T::KIND, name: name.to_owned(), nearest })
}

/// The account of the thing with this name.
///
/// # Errors
/// Nothing on the chain has that name.
pub fn account<T: Coded>(view: &NetworkView, name: &str) -> Result<Pubkey, CommandError> {
    Ok(find::<T>(view, name)?.0)
}

/// The name that comes nearest to one that is unknown, if one is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let (distance, nearest) = known.into_iter().map(|known| (strsim::damerau_levenshtein(known, name), known)).min()?;
    (distance <= name.chars().count().div_ceil(2)).then(|| nearest.to_owned())
}
