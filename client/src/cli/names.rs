//! From the names people type to accounts.

use std::str::FromStr;

use dz_sdk::{NetworkView, program::state::AccountType};
use solana_pubkey::Pubkey;

use super::error::CommandError;

/// The account with this code, or with this address in base58. An unknown name is answered with the nearest.
pub fn lookup(
    view: &NetworkView,
    account_type: AccountType,
    kind: &'static str,
    name: &str,
) -> Result<Pubkey, CommandError> {
    if let Some(key) = view.by_code(account_type, name) {
        return Ok(key);
    }
    let codes = codes(view, account_type);
    if let Ok(key) = Pubkey::from_str(name)
        && codes.iter().any(|(known, _)| *known == key)
    {
        return Ok(key);
    }
    let nearest = nearest(name, codes.iter().map(|(_, code)| code.as_str()));
    Err(CommandError::Unknown { kind, name: name.to_owned(), nearest })
}

/// The name that comes nearest to one that is unknown, if one is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let (distance, nearest) = known.into_iter().map(|known| (strsim::damerau_levenshtein(known, name), known)).min()?;
    (distance <= name.chars().count().div_ceil(2)).then(|| nearest.to_owned())
}

/// All accounts of a type that has codes.
fn codes(view: &NetworkView, account_type: AccountType) -> Vec<(Pubkey, String)> {
    macro_rules! of {
        ($map:ident) => {
            view.$map().iter().map(|(key, thing)| (*key, thing.code.clone())).collect()
        };
    }
    match account_type {
        AccountType::Contributor => of!(contributors),
        AccountType::Exchange => of!(exchanges),
        AccountType::Device => of!(devices),
        AccountType::Link => of!(links),
        AccountType::Tenant => of!(tenants),
        AccountType::MulticastGroup => of!(groups),
        AccountType::GlobalConfig
        | AccountType::Pool
        | AccountType::Interface
        | AccountType::AccessPass
        | AccountType::User => Vec::new(),
    }
}
