//! Methods about the cluster: here one validator that leads every slot.

use std::collections::BTreeMap;

use serde_json::json as value;
use solana_clock::Slot;
use solana_rpc_client_api::{
    config::{RpcBlockProductionConfig, RpcContextConfig, RpcLeaderScheduleConfigWrapper},
    request::MAX_GET_SLOT_LEADERS,
    response::RpcVoteAccountStatus,
};
use solana_signer::Signer;
use solana_version::Version;

use super::{
    Context, MethodResult,
    error::RpcError,
    json,
    params::{Params, address},
};
use crate::{keys::keypair, leader::read};

pub(super) fn version() -> MethodResult {
    let version = Version::default();
    json(&value!({ "solana-core": version.to_string(), "feature-set": version.feature_set() }))
}

/// Healthy is who does not lag.
pub(super) fn health(context: &Context) -> MethodResult {
    let behind = read(&context.core.replica).slot(0) - context.slot;
    match behind {
        0 => json(&"ok"),
        behind => Err(RpcError::unhealthy(Some(behind)).into()),
    }
}

fn validator(context: &Context) -> String {
    keypair(context.core.seed, "validator").pubkey().to_string()
}

pub(super) fn identity(context: &Context) -> MethodResult {
    json(&value!({ "identity": validator(context) }))
}

/// It has no address of its own: each client reaches it by a listener of its own.
pub(super) fn nodes(context: &Context) -> MethodResult {
    json(&[value!({
        "pubkey": validator(context), "gossip": null, "tvu": null, "tpu": null, "tpuQuic": null, "tpuForwards": null,
        "tpuForwardsQuic": null, "tpuVote": null, "serveRepair": null, "rpc": null, "pubsub": null,
        "version": Version::default().to_string(), "clientId": null, "featureSet": Version::default().feature_set(), "shredVersion": null
    })])
}

/// The vote account is the bank's own affair.
pub(super) fn vote_accounts() -> MethodResult {
    json(&RpcVoteAccountStatus { current: Vec::new(), delinquent: Vec::new() })
}

pub(super) fn epoch_info(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    context.context_config(&mut params, 0)?;
    let (epoch, slot_index, slots_in_epoch) = {
        let epochs = &read(&context.core.replica).epochs;
        let (epoch, index) = epochs.get_epoch_and_slot_index(context.slot);
        (epoch, index, epochs.get_slots_in_epoch(epoch))
    };
    json(&value!({
        "epoch": epoch, "slotIndex": slot_index, "slotsInEpoch": slots_in_epoch, "absoluteSlot": context.slot,
        "blockHeight": context.slot, "transactionCount": context.slot.saturating_sub(1)
    }))
}

pub(super) fn epoch_schedule(context: &Context) -> MethodResult {
    let epochs = &read(&context.core.replica).epochs;
    json(&value!({
        "slotsPerEpoch": epochs.slots_per_epoch, "leaderScheduleSlotOffset": epochs.leader_schedule_slot_offset,
        "warmup": epochs.warmup, "firstNormalEpoch": epochs.first_normal_epoch,
        "firstNormalSlot": epochs.first_normal_slot
    }))
}

pub(super) fn leader_schedule(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let wrapper: Option<RpcLeaderScheduleConfigWrapper> = params.optional(0, "slot")?;
    let (slot, first) = wrapper.map(|wrapper| wrapper.unzip()).unwrap_or_default();
    let second = params.optional(1, "config")?;
    let identity: Option<String> = first.or(second).and_then(|config| config.identity);
    let slots = {
        let epochs = &read(&context.core.replica).epochs;
        let asked = epochs.get_epoch(slot.unwrap_or(context.slot));
        // A validator knows no leaders further ahead.
        (asked <= epochs.get_leader_schedule_epoch(context.slot)).then(|| epochs.get_slots_in_epoch(asked))
    };
    let Some(slots) = slots else { return json(&()) };
    let leader = validator(context);
    let asked = identity.is_none_or(|identity| identity == leader);
    let schedule: BTreeMap<String, Vec<u64>> = [(leader, (0..slots).collect())].into_iter().filter(|_| asked).collect();
    json(&schedule)
}

/// The validator leads every slot and skips none.
pub(super) fn block_production(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    let config: RpcBlockProductionConfig = params.optional(0, "config")?.unwrap_or_default();
    let identity = config.identity.as_deref().map(address).transpose()?;
    let (first_slot, last_slot) = match config.range {
        None => {
            let epochs = &read(&context.core.replica).epochs;
            (epochs.get_first_slot_in_epoch(epochs.get_epoch(context.slot)), context.slot)
        }
        Some(range) => (range.first_slot, range.last_slot.unwrap_or(context.slot)),
    };
    if last_slot < first_slot {
        let message = format!("lastSlot, {last_slot}, cannot be less than firstSlot, {first_slot}");
        return Err(RpcError::invalid_params(message).into());
    }
    if last_slot > context.slot {
        let message = format!("lastSlot, {last_slot}, is too large; max {}", context.slot);
        return Err(RpcError::invalid_params(message).into());
    }
    let slots = last_slot - first_slot + 1;
    let validator = validator(context);
    let is_asked_for = identity.is_none_or(|identity| identity.to_string() == validator);
    let by_identity: BTreeMap<String, (u64, u64)> =
        is_asked_for.then_some((validator, (slots, slots))).into_iter().collect();
    context.respond(value!({ "byIdentity": by_identity, "range": { "firstSlot": first_slot, "lastSlot": last_slot } }))
}

pub(super) fn slot_leader(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    let config: Option<RpcContextConfig> = params.optional(0, "config")?;
    context.at_least(config.and_then(|config| config.min_context_slot))?;
    json(&validator(context))
}

pub(super) fn slot_leaders(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let _start: Slot = params.required(0, "startSlot")?;
    let limit: usize = params.required(1, "limit")?;
    if limit > MAX_GET_SLOT_LEADERS {
        return Err(RpcError::invalid_params(format!("Invalid limit; max {MAX_GET_SLOT_LEADERS}")).into());
    }
    json(&vec![validator(context); limit])
}
