//! Methods about slots and blocks. A block holds the one transaction of its slot; a slot that was lost is skipped.

use serde_json::json as value;
use solana_clock::Slot;
use solana_rpc_client_api::{
    config::{RpcBlockConfig, RpcBlocksConfigWrapper, RpcContextConfig, RpcEncodingConfigWrapper},
    request::MAX_GET_CONFIRMED_BLOCKS_RANGE,
    response::{RpcPerfSample, RpcPrioritizationFee},
};
use solana_transaction_status_client_types::{TransactionDetails, UiConfirmedBlock, UiTransactionEncoding};

use super::{Context, MethodResult, at_least_confirmed, error::RpcError, json, params::Params};
use crate::{
    encode::transaction::{encode, encode_accounts},
    history::{Block, SLOT_MS},
    leader::read,
};

/// A validator takes a sample in this number of seconds; here they are chain time.
const SAMPLE_SECONDS: u16 = 60;

/// How many samples a validator keeps.
const MAX_SAMPLES: usize = 720;

/// There is no block in it, but its time is known.
const GENESIS_SLOT: Slot = 0;

pub(super) fn slot(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    context.context_config(&mut params, 0)?;
    json(&context.slot)
}

pub(super) fn first_block(context: &Context) -> MethodResult {
    json(&read(&context.core.replica).history.oldest())
}

pub(super) fn transaction_count(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    context.context_config(&mut params, 0)?;
    let replica = read(&context.core.replica);
    // One transaction lands in each slot.
    json(&replica.history.landed().saturating_sub(replica.history.latest() - context.slot))
}

pub(super) fn block_time(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    let slot: Slot = params.required(0, "slot")?;
    if slot == GENESIS_SLOT {
        return json(&read(&context.core.replica).history.time_of(slot));
    }
    json(&seen(context, slot)?.time)
}

pub(super) fn block_commitment(mut params: Params) -> MethodResult {
    params.at_most(1)?;
    let _slot: Slot = params.required(0, "slot")?;
    // What a validator says of a slot that is final.
    json(&value!({ "commitment": null, "totalStake": 0 }))
}

pub(super) fn block(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let slot: Slot = params.required(0, "slot")?;
    let config: Option<RpcEncodingConfigWrapper<RpcBlockConfig>> = params.optional(1, "config")?;
    let config = config.map(|config| config.convert_to_current()).unwrap_or_default();
    at_least_confirmed(config.commitment)?;
    let block = seen(context, slot)?;
    let encoding = config.encoding.unwrap_or(UiTransactionEncoding::Json);
    let max_version = config.max_supported_transaction_version;
    let records = block.transaction.iter();
    let (transactions, signatures) = match config.transaction_details.unwrap_or_default() {
        TransactionDetails::Full => {
            (Some(records.map(|record| encode(record, encoding, max_version)).collect::<Result<_, _>>()?), None)
        }
        TransactionDetails::Accounts => {
            (Some(records.map(|record| encode_accounts(record, max_version)).collect::<Result<_, _>>()?), None)
        }
        TransactionDetails::Signatures => (None, Some(records.map(|record| record.signature.to_string()).collect())),
        TransactionDetails::None => (None, None),
    };
    let parent_slot = block.parent;
    json(&UiConfirmedBlock {
        previous_blockhash: read(&context.core.replica).history.blockhash_of(parent_slot).to_string(),
        blockhash: block.blockhash.to_string(),
        parent_slot,
        transactions,
        signatures,
        rewards: config.rewards.unwrap_or(true).then(Vec::new),
        num_reward_partitions: None,
        block_time: Some(block.time),
        block_height: Some(slot),
    })
}

pub(super) fn blocks(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(3)?;
    let start: Slot = params.required(0, "startSlot")?;
    let end: Option<RpcBlocksConfigWrapper> = params.optional(1, "endSlot")?;
    let (end, config) = end.map(|end| end.unzip()).unwrap_or_default();
    let config = config.or(params.optional(2, "config")?);
    past(context, config)?;
    let end = end.unwrap_or(context.slot);
    if end.saturating_sub(start) > MAX_GET_CONFIRMED_BLOCKS_RANGE {
        let message = format!("Slot range too large; max {MAX_GET_CONFIRMED_BLOCKS_RANGE}");
        return Err(RpcError::invalid_params(message).into());
    }
    range(context, start, end)
}

pub(super) fn blocks_with_limit(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(3)?;
    let start: Slot = params.required(0, "startSlot")?;
    let limit: u64 = params.required(1, "limit")?;
    past(context, params.optional(2, "config")?)?;
    if limit > MAX_GET_CONFIRMED_BLOCKS_RANGE {
        let message = format!("Limit too large; max {MAX_GET_CONFIRMED_BLOCKS_RANGE}");
        return Err(RpcError::invalid_params(message).into());
    }
    let first = read(&context.core.replica).history.oldest();
    match start.max(first).saturating_add(limit).checked_sub(1) {
        Some(end) => range(context, start, end),
        None => json::<[Slot; 0]>(&[]),
    }
}

pub(super) fn performance_samples(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    let limit: usize = params.optional(0, "limit")?.unwrap_or(MAX_SAMPLES);
    if limit > MAX_SAMPLES {
        return Err(RpcError::invalid_params(format!("Invalid limit; max {MAX_SAMPLES}")).into());
    }
    const SLOTS: Slot = SAMPLE_SECONDS as Slot * 1000 / SLOT_MS as Slot;
    let samples = (1..=context.slot / SLOTS).rev().take(limit).map(|nth| RpcPerfSample {
        slot: nth * SLOTS,
        num_transactions: SLOTS,
        num_non_vote_transactions: Some(SLOTS),
        num_slots: SLOTS,
        sample_period_secs: SAMPLE_SECONDS,
    });
    json(&samples.collect::<Vec<_>>())
}

/// There is no competition for block space here, hence no priority fees.
pub(super) fn prioritization_fees(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    let _addresses: Option<Vec<String>> = params.optional(0, "addresses")?;
    let first = context.slot.saturating_sub(149).max(read(&context.core.replica).history.oldest());
    let fees = (first..=context.slot).map(|slot| RpcPrioritizationFee { slot, prioritization_fee: 0 });
    json(&fees.collect::<Vec<_>>())
}

/// Refuses a state of the chain that knows no past, or that is not there yet.
fn past(context: &Context, config: Option<RpcContextConfig>) -> Result<(), RpcError> {
    let config = config.unwrap_or_default();
    at_least_confirmed(config.commitment)?;
    context.at_least(config.min_context_slot)
}

fn range(context: &Context, start: Slot, end: Slot) -> MethodResult {
    let replica = read(&context.core.replica);
    let there = |slot: &Slot| replica.history.block(*slot).is_some_and(|block| !block.lost);
    let first = replica.history.oldest();
    json(&(start.max(first)..=end.min(context.slot)).filter(there).collect::<Vec<_>>())
}

/// The block of a slot that this client sees.
fn seen(context: &Context, slot: Slot) -> Result<Block, RpcError> {
    let replica = read(&context.core.replica);
    let first = replica.history.oldest();
    if slot < first {
        return Err(RpcError::block_cleaned_up(slot, first));
    }
    match replica.history.block(slot).filter(|_| slot <= context.slot) {
        Some(block) if block.lost => Err(RpcError::slot_skipped(slot)),
        block => block.cloned().ok_or_else(|| RpcError::block_not_available(slot)),
    }
}
