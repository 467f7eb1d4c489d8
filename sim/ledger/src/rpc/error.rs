//! The errors of JSON-RPC, with the codes and the data that Solana's clients look for.

use serde::Serialize;
use serde_json::{Value, json};
use solana_clock::Slot;
use solana_rpc_client_api::{
    custom_error::{
        JSON_RPC_SERVER_ERROR_BLOCK_CLEANED_UP, JSON_RPC_SERVER_ERROR_BLOCK_NOT_AVAILABLE,
        JSON_RPC_SERVER_ERROR_FILTER_TRANSACTION_NOT_FOUND, JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED,
        JSON_RPC_SERVER_ERROR_NO_SNAPSHOT, JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY,
        JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE, JSON_RPC_SERVER_ERROR_SLOT_SKIPPED,
        JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION,
    },
    response::RpcSimulateTransactionResult,
};
use solana_signature::Signature;
use solana_transaction_error::TransactionError;

use crate::{
    encode::{
        account::EncodeError,
        transaction::{UnsupportedVersion, simulation},
    },
    leader::Refusal,
    shared::SendError,
};

/// An error as it stands in an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

impl RpcError {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(crate) fn parse() -> Self {
        Self::new(-32700, "Parse error")
    }

    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    pub(crate) fn method_not_found() -> Self {
        Self::new(-32601, "Method not found")
    }

    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(-32603, message)
    }

    pub(crate) fn unhealthy(slots_behind: Option<Slot>) -> Self {
        let message =
            slots_behind.map_or("Node is unhealthy".into(), |slots| format!("Node is behind by {slots} slots"));
        let data = Some(json!({ "numSlotsBehind": slots_behind }));
        Self { code: JSON_RPC_SERVER_ERROR_NODE_UNHEALTHY, message, data }
    }

    pub(crate) fn min_context_slot(slot: Slot) -> Self {
        Self {
            code: JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED,
            message: "Minimum context slot has not been reached".into(),
            data: Some(json!({ "contextSlot": slot })),
        }
    }

    pub(crate) fn commitment_below_confirmed() -> Self {
        Self::invalid_params("Method does not support commitment below `confirmed`")
    }

    pub(crate) fn block_not_available(slot: Slot) -> Self {
        Self::new(JSON_RPC_SERVER_ERROR_BLOCK_NOT_AVAILABLE, format!("Block not available for slot {slot}"))
    }

    pub(crate) fn slot_skipped(slot: Slot) -> Self {
        Self::new(
            JSON_RPC_SERVER_ERROR_SLOT_SKIPPED,
            format!("Slot {slot} was skipped, or missing due to ledger jump to recent snapshot"),
        )
    }

    pub(crate) fn block_cleaned_up(slot: Slot, first: Slot) -> Self {
        let message = format!("Block {slot} cleaned up, does not exist on node. First available block: {first}");
        Self::new(JSON_RPC_SERVER_ERROR_BLOCK_CLEANED_UP, message)
    }

    pub(crate) fn filter_transaction_not_found(signature: &Signature) -> Self {
        Self::new(JSON_RPC_SERVER_ERROR_FILTER_TRANSACTION_NOT_FOUND, format!("Transaction {signature} not found"))
    }

    pub(crate) fn no_snapshot() -> Self {
        Self::new(JSON_RPC_SERVER_ERROR_NO_SNAPSHOT, "No snapshot")
    }

    pub(crate) fn preflight(refusal: &Refusal) -> Self {
        // A preflight records no inner instructions on a validator.
        let result = RpcSimulateTransactionResult {
            inner_instructions: None,
            ..simulation(&refusal.trace, Some(&refusal.error))
        };
        Self {
            code: JSON_RPC_SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
            message: format!("Transaction simulation failed: {}", refusal.error),
            data: serde_json::to_value(result).ok(),
        }
    }
}

impl From<SendError> for RpcError {
    fn from(error: SendError) -> Self {
        match error {
            // A validator's preflight begins with the signatures.
            SendError::Invalid(error @ TransactionError::SignatureFailure) => Self::preflight(&error.into()),
            SendError::Invalid(error) => Self::invalid_params(format!("invalid transaction: {error}")),
            SendError::Refused(refusal) => Self::preflight(&refusal),
            SendError::Ended => Self::internal("Internal error"),
        }
    }
}

impl From<EncodeError> for RpcError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::TooLongForBase58 => Self::invalid_request(error.to_string()),
            EncodeError::Compression => Self::internal(error.to_string()),
        }
    }
}

impl From<UnsupportedVersion> for RpcError {
    fn from(UnsupportedVersion(version): UnsupportedVersion) -> Self {
        let message = format!(
            "Transaction version ({version}) is not supported by the requesting client. Please try the request again \
             with the following configuration parameter: \"maxSupportedTransactionVersion\": {version}"
        );
        Self::new(JSON_RPC_SERVER_ERROR_UNSUPPORTED_TRANSACTION_VERSION, message)
    }
}
