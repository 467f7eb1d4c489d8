//! Methods about accounts.

use solana_account_decoder_client_types::UiAccountEncoding;
use solana_rent::Rent;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    filter::RpcFilterType,
    request::{MAX_GET_PROGRAM_ACCOUNT_FILTERS, MAX_MULTIPLE_ACCOUNTS},
    response::{RpcKeyedAccount, UiAccount},
};

use super::{
    Context, MethodResult,
    error::RpcError,
    json,
    params::{Params, address},
    with_context,
};
use crate::{
    encode::account::{EncodeError, Encoder, encode, passes},
    leader::read,
};

/// A program account read from outside, checked and ready to be matched.
pub(crate) fn verified(filters: Option<Vec<RpcFilterType>>) -> Result<Vec<RpcFilterType>, RpcError> {
    let mut filters = filters.unwrap_or_default();
    if filters.len() > MAX_GET_PROGRAM_ACCOUNT_FILTERS {
        let message = format!("Too many filters provided; max {MAX_GET_PROGRAM_ACCOUNT_FILTERS}");
        return Err(RpcError::invalid_params(message));
    }
    for filter in &mut filters {
        filter.verify().map_err(|error| RpcError::invalid_params(format!("Invalid param: {error:?}")))?;
        if let RpcFilterType::Memcmp(compare) = filter {
            compare
                .convert_to_raw_bytes()
                .map_err(|error| RpcError::invalid_params(format!("Invalid param: {error:?}")))?;
        }
    }
    Ok(filters)
}

pub(super) async fn account_info(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let address = params.address(0)?;
    let config: RpcAccountInfoConfig = params.optional(1, "config")?.unwrap_or_default();
    context.at_least(config.min_context_slot)?;
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Binary);
    let account = context.core.accounts(&[address], context.slot).await?.into_iter().flatten().next();
    let respond = context.clone();
    let write = move || -> MethodResult {
        let account = account.map(|account| encode(&account, encoding, config.data_slice)).transpose()?;
        respond.respond(account)
    };
    context.core.call_limits.take(write).await.unwrap_or_else(ended)
}

/// The ledger ends, or the method has panicked.
fn ended() -> MethodResult {
    Err(RpcError::internal("Internal error").into())
}

pub(super) async fn multiple_accounts(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let addresses: Vec<String> = params.required(0, "pubkeys")?;
    if addresses.len() > MAX_MULTIPLE_ACCOUNTS {
        let message = format!("Too many inputs provided; max {MAX_MULTIPLE_ACCOUNTS}");
        return Err(RpcError::invalid_params(message).into());
    }
    let config: RpcAccountInfoConfig = params.optional(1, "config")?.unwrap_or_default();
    context.at_least(config.min_context_slot)?;
    let encoding = config.encoding.unwrap_or(UiAccountEncoding::Base64);
    let addresses: Vec<_> = addresses.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
    let accounts = context.core.accounts(&addresses, context.slot).await?;
    let respond = context.clone();
    let write = move || -> MethodResult {
        let mut encoder = Encoder::new(encoding, config.data_slice);
        let encoded: Vec<Option<UiAccount>> = accounts
            .into_iter()
            .map(|account| account.map(|account| encoder.encode(&account)).transpose())
            .collect::<Result<_, EncodeError>>()?;
        respond.respond(encoded)
    };
    context.core.call_limits.take(write).await.unwrap_or_else(ended)
}

pub(super) async fn program_accounts(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let program = params.address(0)?;
    let config: Option<RpcProgramAccountsConfig> = params.optional(1, "config")?;
    let config = config.unwrap_or_default();
    context.at_least(config.account_config.min_context_slot)?;
    let filters = verified(config.filters)?;
    let encoding = config.account_config.encoding.unwrap_or(UiAccountEncoding::Binary);
    let slice = config.account_config.data_slice;
    let slot = config.with_context.unwrap_or_default().then_some(context.slot);
    let all = context.clone();
    // Thousands of accounts take a while to write; the other requests go on meanwhile.
    let write_all = move || -> MethodResult {
        let accounts = read(&all.core.replica).accounts.owned_by(&program, all.slot);
        let passing = accounts.into_iter().filter(|(_, account)| passes(account, &filters));
        let mut encoder = Encoder::new(encoding, slice);
        let encoded = passing
            .map(|(address, account)| {
                Ok(RpcKeyedAccount { pubkey: address.to_string(), account: encoder.encode(&account)? })
            })
            .collect::<Result<Vec<_>, EncodeError>>()?;
        match slot {
            Some(slot) => with_context(slot, encoded),
            None => json(&encoded),
        }
    };
    context.core.call_limits.take(write_all).await.unwrap_or_else(ended)
}

pub(super) async fn balance(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let address = params.address(0)?;
    context.context_config(&mut params, 1)?;
    let accounts = context.core.accounts(&[address], context.slot).await?;
    context.respond(accounts.into_iter().flatten().next().map_or(0, |account| account.lamports))
}

pub(super) fn rent_exemption(mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let bytes: u32 = params.required(0, "dataLength")?;
    json(&Rent::default().minimum_balance(bytes as usize))
}
