//! Methods about transactions: send, simulate, confirm, look up, and what it takes to make one.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bincode::Options;
use serde::de::DeserializeOwned;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_clock::Slot;
use solana_message::{VersionedMessage, v0::MessageAddressTableLookup};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{
        RpcEncodingConfigWrapper, RpcRequestAirdropConfig, RpcSendTransactionConfig, RpcSignatureStatusConfig,
        RpcSignaturesForAddressConfig, RpcSimulateTransactionConfig, RpcTransactionConfig,
    },
    request::{MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT, MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS},
    response::{Response as RpcResponse, RpcBlockhash, RpcConfirmedTransactionStatusWithSignature, RpcResponseContext},
};
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::{Transaction, versioned::VersionedTransaction};
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionBinaryEncoding, TransactionConfirmationStatus,
    TransactionStatus, UiLoadedAddresses, UiTransactionEncoding,
};

use super::{
    Context, Failure, MethodResult, at_least_confirmed,
    error::RpcError,
    json,
    params::{Params, address, blockhash, signature},
};
use crate::{
    encode::{
        account::encode as encode_account,
        transaction::{encode, simulation},
    },
    history::TransactionRecord,
    leader::{Preview, read},
    shared::SendError,
    verified_transaction::{VerifiedTransaction, sanitize, signatures_are_right},
};

/// Bytes of a packet: what a transaction may take.
const PACKET_BYTES: usize = 1232;

pub(super) async fn send_transaction(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let text: String = params.required(0, "transaction")?;
    let config: RpcSendTransactionConfig = params.optional(1, "config")?.unwrap_or_default();
    context.at_least(config.min_context_slot)?;
    let transaction: VersionedTransaction =
        decode(&text, binary(config.encoding)?, "solana_transaction::versioned::VersionedTransaction")?;
    if context.client.draw(context.faults.refuse_sends) {
        context.client.hits().refused += 1;
        return Err(RpcError::unhealthy(None).into());
    }
    let transaction = VerifiedTransaction::new(transaction).map_err(SendError::from)?;
    let signature = transaction.transaction().signatures.first().copied().unwrap_or_default();
    if !context.client.draw(context.faults.lose_sends) {
        context.core.send(transaction, !config.skip_preflight).await?;
    }
    if context.client.draw(context.faults.lose_answers) {
        return Err(Failure::Reset);
    }
    json(&signature.to_string())
}

pub(super) async fn simulate_transaction(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let text: String = params.required(0, "transaction")?;
    let config: RpcSimulateTransactionConfig = params.optional(1, "config")?.unwrap_or_default();
    context.at_least(config.min_context_slot)?;
    let transaction: VersionedTransaction =
        decode(&text, binary(config.encoding)?, "solana_transaction::versioned::VersionedTransaction")?;
    if config.sig_verify && config.replace_recent_blockhash {
        return Err(RpcError::invalid_params("sigVerify may not be used with replaceRecentBlockhash").into());
    }
    sanitize(&transaction).map_err(SendError::from)?;
    let watched = config.accounts.unwrap_or_default();
    let number_of_accounts = transaction.message.static_account_keys().len()
        + transaction.message.address_table_lookups().unwrap_or_default().iter().map(table_addresses).sum::<usize>();
    if watched.addresses.len() > number_of_accounts {
        let message = format!("Too many accounts provided; max {number_of_accounts}");
        return Err(RpcError::invalid_params(message).into());
    }
    let encoding = watched.encoding.unwrap_or(UiAccountEncoding::Base64);
    if matches!(encoding, UiAccountEncoding::Binary | UiAccountEncoding::Base58) {
        return Err(RpcError::invalid_params("base58 encoding not supported").into());
    }
    let addresses: Vec<_> = watched.addresses.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
    let preview = if config.sig_verify && !signatures_are_right(&transaction) {
        Preview::refused(context.slot, TransactionError::SignatureFailure, addresses.len())
    } else {
        context.core.simulate(transaction, !config.replace_recent_blockhash, addresses).await?
    };
    let accounts = (!watched.addresses.is_empty()).then(|| {
        let encoded = |account: &Option<Arc<_>>| {
            account.as_deref().map(|account| encode_account(account, encoding, None)).transpose()
        };
        preview.accounts.iter().map(encoded).collect::<Result<_, _>>()
    });
    let replacement = config.replace_recent_blockhash.then(|| latest(context, preview.slot));
    let mut result = simulation(&preview.trace, preview.outcome.as_ref().err());
    result.accounts = accounts.transpose()?;
    result.replacement_blockhash = replacement;
    result.loaded_addresses = Some(UiLoadedAddresses::from(&preview.addresses));
    if !config.inner_instructions {
        result.inner_instructions = None;
    }
    json(&RpcResponse { context: RpcResponseContext::new(preview.slot), value: result })
}

pub(super) async fn request_airdrop(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(3)?;
    let to = params.address(0)?;
    let lamports: u64 = params.required(1, "lamports")?;
    let config: RpcRequestAirdropConfig = params.optional(2, "config")?.unwrap_or_default();
    let faucet = &context.core.faucet;
    let named = config.recent_blockhash.as_deref().map(blockhash).transpose()?;
    let transfer = solana_system_interface::instruction::transfer(&faucet.pubkey(), &to, lamports);
    loop {
        let recent = named.unwrap_or_else(|| {
            let replica = read(&context.core.replica);
            replica.history.blockhash_of(replica.history.latest())
        });
        let instructions = std::slice::from_ref(&transfer);
        let transaction = Transaction::new_signed_with_payer(instructions, Some(&faucet.pubkey()), &[faucet], recent);
        match context.core.send(VerifiedTransaction::new(transaction.into()).map_err(SendError::from)?, true).await {
            Ok(landed) => return json(&landed.transaction.signature.to_string()),
            // Another request for the same was faster. It has a slot, and so there is a new blockhash.
            Err(SendError::Refused(refusal))
                if named.is_none() && refusal.error == TransactionError::AlreadyProcessed => {}
            Err(error) => return Err(error.into()),
        }
    }
}

pub(super) fn latest_blockhash(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(1)?;
    context.context_config(&mut params, 0)?;
    context.respond(latest(context, context.slot))
}

fn latest(context: &Context, slot: Slot) -> RpcBlockhash {
    let replica = read(&context.core.replica);
    RpcBlockhash {
        blockhash: replica.history.blockhash_of(slot).to_string(),
        last_valid_block_height: replica.history.last_valid(slot),
    }
}

pub(super) fn is_blockhash_valid(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let blockhash = blockhash(&params.required::<String>(0, "blockhash")?)?;
    context.context_config(&mut params, 1)?;
    let valid = read(&context.core.replica).history.valid_blockhash(&blockhash, context.slot).is_some();
    context.respond(valid)
}

pub(super) async fn fee_for_message(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let text: String = params.required(0, "message")?;
    context.context_config(&mut params, 1)?;
    let message: VersionedMessage =
        decode(&text, TransactionBinaryEncoding::Base64, "solana_message::VersionedMessage")?;
    message.sanitize().map_err(|error| RpcError::invalid_params(format!("invalid transaction message: {error}")))?;
    let known = read(&context.core.replica).history.valid_blockhash(message.recent_blockhash(), context.slot).is_some();
    let fee = match known {
        true => context.core.fee(message).await?,
        false => None,
    };
    context.respond(fee)
}

pub(super) fn signature_statuses(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let signatures: Vec<String> = params.required(0, "signatures")?;
    let _config: Option<RpcSignatureStatusConfig> = params.optional(1, "config")?;
    if signatures.len() > MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS {
        let message = format!("Too many inputs provided; max {MAX_GET_SIGNATURE_STATUSES_QUERY_ITEMS}");
        return Err(RpcError::invalid_params(message).into());
    }
    let signatures: Vec<Signature> = signatures.iter().map(|text| signature(text)).collect::<Result<_, _>>()?;
    let statuses: Vec<Option<TransactionStatus>> = {
        let replica = read(&context.core.replica);
        let record = |signature| replica.history.transaction(signature).filter(|record| record.slot <= context.slot);
        signatures.iter().map(|signature| record(signature).map(|record| status(record))).collect()
    };
    context.respond(statuses)
}

/// Everything that landed is final.
fn status(record: &TransactionRecord) -> TransactionStatus {
    TransactionStatus {
        slot: record.slot,
        confirmations: None,
        status: record.error.clone().map_or(Ok(()), Err),
        err: record.error.clone(),
        confirmation_status: Some(TransactionConfirmationStatus::Finalized),
    }
}

pub(super) fn transaction(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let signature = params.signature(0)?;
    let config: Option<RpcEncodingConfigWrapper<RpcTransactionConfig>> = params.optional(1, "config")?;
    let config = config.map(|config| config.convert_to_current()).unwrap_or_default();
    at_least_confirmed(config.commitment)?;
    let (record, time) = {
        let replica = read(&context.core.replica);
        let record = replica.history.transaction(&signature).filter(|record| record.slot <= context.slot);
        match record {
            Some(record) => (record.clone(), replica.history.time_of(record.slot)),
            None => return json(&()),
        }
    };
    let encoding = config.encoding.unwrap_or(UiTransactionEncoding::Json);
    json(&EncodedConfirmedTransactionWithStatusMeta {
        slot: record.slot,
        transaction: encode(&record, encoding, config.max_supported_transaction_version)?,
        block_time: Some(time),
        transaction_index: Some(0),
    })
}

pub(super) fn signatures_for_address(context: &Context, mut params: Params) -> MethodResult {
    params.at_most(2)?;
    let address: Pubkey = params.address(0)?;
    let config: RpcSignaturesForAddressConfig = params.optional(1, "config")?.unwrap_or_default();
    at_least_confirmed(config.commitment)?;
    context.at_least(config.min_context_slot)?;
    let before = config.before.as_deref().map(signature).transpose()?;
    let until = config.until.as_deref().map(signature).transpose()?;
    let limit = config.limit.unwrap_or(MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT);
    if limit == 0 || limit > MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT {
        let message = format!("Invalid limit; max {MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT}");
        return Err(RpcError::invalid_params(message).into());
    }
    let replica = read(&context.core.replica);
    // As a validator since 4.0: a cursor that it does not know is an error, not an empty page or a page too many.
    let slot_of = |signature: Signature| match replica.history.transaction(&signature) {
        Some(record) => Ok(record.slot),
        None => Err(RpcError::filter_transaction_not_found(&signature)),
    };
    let before = before.map(slot_of).transpose()?;
    let until = until.map(slot_of).transpose()?;
    let records = replica
        .history
        .of_address(&address)
        .filter(|record| record.slot <= context.slot)
        .filter(|record| before.is_none_or(|before| record.slot < before))
        .take_while(|record| until.is_none_or(|until| record.slot > until));
    let found: Vec<_> = records
        .take(limit)
        .map(|record| RpcConfirmedTransactionStatusWithSignature {
            signature: record.signature.to_string(),
            slot: record.slot,
            err: record.error.clone().map(Into::into),
            memo: None,
            block_time: Some(replica.history.time_of(record.slot)),
            confirmation_status: Some(TransactionConfirmationStatus::Finalized),
            transaction_index: Some(0),
        })
        .collect();
    json(&found)
}

fn table_addresses(lookup: &MessageAddressTableLookup) -> usize {
    lookup.writable_indexes.len() + lookup.readonly_indexes.len()
}

/// The encoding of a transaction that is sent: base58 unless said otherwise.
fn binary(encoding: Option<UiTransactionEncoding>) -> Result<TransactionBinaryEncoding, RpcError> {
    let encoding = encoding.unwrap_or(UiTransactionEncoding::Base58);
    encoding.into_binary_encoding().ok_or_else(|| {
        RpcError::invalid_params(format!("unsupported encoding: {encoding}. Supported encodings: base58, base64"))
    })
}

fn decode<T: DeserializeOwned>(text: &str, encoding: TransactionBinaryEncoding, what: &str) -> Result<T, RpcError> {
    let (name, longest) = match encoding {
        TransactionBinaryEncoding::Base58 => ("base58", 1683),
        TransactionBinaryEncoding::Base64 => ("base64", 1644),
    };
    if text.len() > longest {
        let message = format!(
            "{name} encoded {what} too large: {} bytes (max: encoded/raw {longest}/{PACKET_BYTES})",
            text.len()
        );
        return Err(RpcError::invalid_params(message));
    }
    let bytes = match encoding {
        TransactionBinaryEncoding::Base58 => bs58::decode(text).into_vec().map_err(|error| format!("{error:?}")),
        TransactionBinaryEncoding::Base64 => BASE64_STANDARD.decode(text).map_err(|error| format!("{error:?}")),
    };
    let bytes = bytes.map_err(|error| RpcError::invalid_params(format!("invalid {name} encoding: {error}")))?;
    if bytes.len() > PACKET_BYTES {
        let message = format!("decoded {what} too large: {} bytes (max: {PACKET_BYTES} bytes)", bytes.len());
        return Err(RpcError::invalid_params(message));
    }
    bincode::DefaultOptions::new()
        .with_limit(PACKET_BYTES as u64)
        .with_fixint_encoding()
        .allow_trailing_bytes()
        .deserialize(&bytes)
        .map_err(|error| RpcError::invalid_params(format!("failed to deserialize {what}: {error}")))
}
