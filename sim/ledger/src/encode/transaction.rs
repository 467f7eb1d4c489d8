//! A landed transaction in the encodings that clients ask for.

use base64::{Engine, prelude::BASE64_STANDARD};
use solana_message::{
    VersionedMessage, compiled_instruction::CompiledInstruction, inner_instruction::InnerInstructions,
};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::response::RpcSimulateTransactionResult;
use solana_transaction::versioned::{TransactionVersion, VersionedTransaction};
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{
    EncodedTransaction, EncodedTransactionWithStatusMeta, ParsedAccount, ParsedAccountSource,
    TransactionBinaryEncoding, UiAccountsList, UiAddressTableLookup, UiCompiledInstruction, UiInnerInstructions,
    UiInstruction, UiLoadedAddresses, UiMessage, UiParsedInstruction, UiParsedMessage, UiPartiallyDecodedInstruction,
    UiRawMessage, UiReturnDataEncoding, UiTransaction, UiTransactionEncoding, UiTransactionReturnData,
    UiTransactionStatusMeta, option_serializer::OptionSerializer,
};

use crate::{
    history::{ReturnData, TransactionRecord},
    leader::Trace,
};

/// A transaction of a version that the client did not say it understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnsupportedVersion(pub(crate) u8);

/// The transaction and what it did. `max_version` is the newest version the client understands; none is legacy only.
pub(crate) fn encode(
    record: &TransactionRecord,
    encoding: UiTransactionEncoding,
    max_version: Option<u8>,
) -> Result<EncodedTransactionWithStatusMeta, UnsupportedVersion> {
    let version = version(&record.transaction, max_version)?;
    let parsed = encoding == UiTransactionEncoding::JsonParsed;
    let transaction = match encoding {
        UiTransactionEncoding::Binary => EncodedTransaction::LegacyBinary(base58(&record.transaction)),
        UiTransactionEncoding::Base58 => {
            EncodedTransaction::Binary(base58(&record.transaction), TransactionBinaryEncoding::Base58)
        }
        UiTransactionEncoding::Base64 => EncodedTransaction::Binary(
            BASE64_STANDARD.encode(wire(&record.transaction)),
            TransactionBinaryEncoding::Base64,
        ),
        UiTransactionEncoding::Json | UiTransactionEncoding::JsonParsed => EncodedTransaction::Json(UiTransaction {
            signatures: record.transaction.signatures.iter().map(ToString::to_string).collect(),
            message: match parsed {
                true => UiMessage::Parsed(parsed_message(record)),
                false => UiMessage::Raw(raw_message(&record.transaction.message)),
            },
        }),
    };
    Ok(EncodedTransactionWithStatusMeta { transaction, meta: Some(meta(record, parsed)), version })
}

/// The transaction's accounts only.
pub(crate) fn encode_accounts(
    record: &TransactionRecord,
    max_version: Option<u8>,
) -> Result<EncodedTransactionWithStatusMeta, UnsupportedVersion> {
    let version = version(&record.transaction, max_version)?;
    let list = UiAccountsList {
        signatures: record.transaction.signatures.iter().map(ToString::to_string).collect(),
        account_keys: accounts(record),
    };
    let mut meta = meta(record, false);
    meta.inner_instructions = OptionSerializer::Skip;
    meta.log_messages = OptionSerializer::Skip;
    meta.rewards = OptionSerializer::Skip;
    meta.loaded_addresses = OptionSerializer::Skip;
    meta.return_data = OptionSerializer::Skip;
    meta.compute_units_consumed = OptionSerializer::Skip;
    Ok(EncodedTransactionWithStatusMeta { transaction: EncodedTransaction::Accounts(list), meta: Some(meta), version })
}

/// A simulation, but for what has to be asked for.
pub(crate) fn simulation(trace: &Trace, error: Option<&TransactionError>) -> RpcSimulateTransactionResult {
    RpcSimulateTransactionResult {
        err: error.cloned().map(Into::into),
        logs: Some(trace.logs.clone()),
        accounts: None,
        units_consumed: Some(trace.units),
        loaded_accounts_data_size: Some(trace.loaded_bytes),
        return_data: trace.return_data.as_ref().map(return_data),
        inner_instructions: trace.inner.as_deref().map(inner),
        replacement_blockhash: None,
        fee: trace.fee,
        pre_balances: None,
        post_balances: None,
        pre_token_balances: None,
        post_token_balances: None,
        loaded_addresses: None,
    }
}

fn return_data(data: &ReturnData) -> UiTransactionReturnData {
    UiTransactionReturnData {
        program_id: data.program.to_string(),
        data: (BASE64_STANDARD.encode(&data.data), UiReturnDataEncoding::Base64),
    }
}

/// The instructions that were invoked, without those outer instructions that invoked none.
fn inner(inner: &[InnerInstructions]) -> Vec<UiInnerInstructions> {
    inner_with(inner, |instruction, height| UiInstruction::Compiled(UiCompiledInstruction::from(instruction, height)))
}

fn inner_with(
    inner: &[InnerInstructions],
    encode: impl Fn(&CompiledInstruction, Option<u32>) -> UiInstruction,
) -> Vec<UiInnerInstructions> {
    let numbered = (0..=u8::MAX).zip(inner).filter(|(_, instructions)| !instructions.is_empty());
    numbered
        .map(|(index, instructions)| UiInnerInstructions {
            index,
            instructions: instructions
                .iter()
                .map(|inner| encode(&inner.instruction, Some(u32::from(inner.stack_height))))
                .collect(),
        })
        .collect()
}

fn version(
    transaction: &VersionedTransaction,
    max_version: Option<u8>,
) -> Result<Option<TransactionVersion>, UnsupportedVersion> {
    match (max_version, transaction.version()) {
        (None, TransactionVersion::Legacy(_)) => Ok(None),
        (None, TransactionVersion::Number(version)) => Err(UnsupportedVersion(version)),
        (Some(max), TransactionVersion::Number(version)) if version > max => Err(UnsupportedVersion(version)),
        (Some(_), version) => Ok(Some(version)),
    }
}

/// The bytes a transaction has on the wire. It came from such bytes, so it has them.
fn wire(transaction: &VersionedTransaction) -> Vec<u8> {
    bincode::serialize(transaction).unwrap_or_default()
}

fn base58(transaction: &VersionedTransaction) -> String {
    bs58::encode(wire(transaction)).into_string()
}

fn raw_message(message: &VersionedMessage) -> UiRawMessage {
    UiRawMessage {
        header: *message.header(),
        account_keys: message.static_account_keys().iter().map(ToString::to_string).collect(),
        recent_blockhash: message.recent_blockhash().to_string(),
        instructions: message
            .instructions()
            .iter()
            .map(|instruction| UiCompiledInstruction::from(instruction, Some(1)))
            .collect(),
        address_table_lookups: lookups(message),
        transaction_config: None,
    }
}

/// Every instruction is written as a validator writes those of programs it has no parser for.
fn parsed_message(record: &TransactionRecord) -> UiParsedMessage {
    let message = &record.transaction.message;
    let addresses: Vec<&Pubkey> = record.addresses().collect();
    UiParsedMessage {
        account_keys: accounts(record),
        recent_blockhash: message.recent_blockhash().to_string(),
        instructions: message
            .instructions()
            .iter()
            .map(|instruction| partially_decoded(instruction, Some(1), &addresses))
            .collect(),
        address_table_lookups: lookups(message),
        transaction_config: None,
    }
}

fn partially_decoded(instruction: &CompiledInstruction, height: Option<u32>, addresses: &[&Pubkey]) -> UiInstruction {
    let address = |index: &u8| addresses.get(usize::from(*index)).map(ToString::to_string).unwrap_or_default();
    UiInstruction::Parsed(UiParsedInstruction::PartiallyDecoded(UiPartiallyDecodedInstruction {
        program_id: address(&instruction.program_id_index),
        accounts: instruction.accounts.iter().map(address).collect(),
        data: bs58::encode(&instruction.data).into_string(),
        stack_height: height,
    }))
}

fn lookups(message: &VersionedMessage) -> Option<Vec<UiAddressTableLookup>> {
    Some(message.address_table_lookups()?.iter().map(UiAddressTableLookup::from).collect())
}

fn accounts(record: &TransactionRecord) -> Vec<ParsedAccount> {
    let message = &record.transaction.message;
    let own = message.static_account_keys().iter().enumerate().map(|(index, address)| ParsedAccount {
        pubkey: address.to_string(),
        writable: message.is_maybe_writable_with_reserved_addresses(index, None::<&std::collections::HashSet<Pubkey>>),
        signer: message.is_signer(index),
        source: Some(ParsedAccountSource::Transaction),
    });
    let from_table = |address: &Pubkey, writable| ParsedAccount {
        pubkey: address.to_string(),
        writable,
        signer: false,
        source: Some(ParsedAccountSource::LookupTable),
    };
    let writable = record.loaded.writable.iter().map(|address| from_table(address, true));
    let readonly = record.loaded.readonly.iter().map(|address| from_table(address, false));
    own.chain(writable).chain(readonly).collect()
}

fn meta(record: &TransactionRecord, parsed: bool) -> UiTransactionStatusMeta {
    let addresses: Vec<&Pubkey> = record.addresses().collect();
    let inner = record.inner.as_deref().map(|instructions| match parsed {
        true => inner_with(instructions, |instruction, height| partially_decoded(instruction, height, &addresses)),
        false => inner(instructions),
    });
    UiTransactionStatusMeta {
        err: record.error.clone().map(Into::into),
        status: record.error.clone().map_or(Ok(()), |error| Err(error.into())),
        fee: record.fee,
        pre_balances: record.balances_before.clone(),
        post_balances: record.balances_after.clone(),
        inner_instructions: inner.into(),
        log_messages: OptionSerializer::Some(record.logs.clone()),
        pre_token_balances: OptionSerializer::Some(Vec::new()),
        post_token_balances: OptionSerializer::Some(Vec::new()),
        rewards: OptionSerializer::Some(Vec::new()),
        loaded_addresses: match parsed {
            true => OptionSerializer::Skip,
            false => OptionSerializer::Some(UiLoadedAddresses::from(&record.loaded)),
        },
        return_data: OptionSerializer::or_skip(record.return_data.as_ref().map(return_data)),
        compute_units_consumed: OptionSerializer::Some(record.units),
        cost_units: OptionSerializer::Skip,
    }
}
