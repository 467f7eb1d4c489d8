//! Subscriptions, and the notifications of a slot for each. Pure.

use std::str::FromStr;

use serde::Serialize;
use serde_json::json;
use solana_account::Account;
use solana_account_decoder_client_types::{UiAccountEncoding, UiDataSliceConfig};
use solana_clock::Slot;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcProgramAccountsConfig, RpcSignatureSubscribeConfig, RpcTransactionLogsFilter},
    filter::RpcFilterType,
    response::{
        ProcessedSignatureResult, ReceivedSignatureResult, RpcKeyedAccount, RpcLogsResponse, RpcSignatureResult,
        SlotInfo, SlotTransactionStats, SlotUpdate,
    },
};
use solana_signature::Signature;

use crate::{
    accounts::AccountChange,
    encode::account::{encode, passes},
    history::TransactionRecord,
    notification_texts::{Results, Says},
    replica::{Landed, Replica},
    rpc::{accounts::verified, error::RpcError, params::Params},
};

/// What a subscription is about.
#[derive(Clone, Debug)]
pub(crate) enum Topic {
    Account {
        address: Pubkey,
        encoding: UiAccountEncoding,
        slice: Option<UiDataSliceConfig>,
    },
    Program {
        id: Pubkey,
        filters: Vec<RpcFilterType>,
        encoding: UiAccountEncoding,
        slice: Option<UiDataSliceConfig>,
    },
    Signature {
        signature: Signature,
        received: bool,
    },
    /// Of all transactions, or of those that name an address.
    Logs {
        mentions: Option<Pubkey>,
    },
    Slot,
    SlotsUpdates,
    Root,
}

pub(crate) struct Subscription {
    pub(crate) topic: Topic,
    /// The latest slot when it was made; later slots are notified.
    pub(crate) since: Slot,
}

impl Topic {
    /// Reads what follows `<kind>Subscribe`.
    pub(crate) fn read(kind: &str, mut params: Params) -> Result<Self, RpcError> {
        match kind {
            "account" => {
                params.at_most(2)?;
                let address = parsed(&params.required::<String>(0, "pubkey")?, "pubkey")?;
                let config: RpcAccountInfoConfig = params.optional(1, "config")?.unwrap_or_default();
                let encoding = config.encoding.unwrap_or(UiAccountEncoding::Binary);
                Ok(Self::Account { address, encoding, slice: config.data_slice })
            }
            "program" => {
                params.at_most(2)?;
                let id = parsed(&params.required::<String>(0, "pubkey")?, "pubkey")?;
                let config: RpcProgramAccountsConfig = params.optional(1, "config")?.unwrap_or_default();
                let filters = verified(config.filters)?;
                let encoding = config.account_config.encoding.unwrap_or(UiAccountEncoding::Binary);
                Ok(Self::Program { id, filters, encoding, slice: config.account_config.data_slice })
            }
            "signature" => {
                params.at_most(2)?;
                let signature = parsed(&params.required::<String>(0, "signature")?, "signature")?;
                let config: Option<RpcSignatureSubscribeConfig> = params.optional(1, "config")?;
                let received = config.and_then(|config| config.enable_received_notification).unwrap_or_default();
                Ok(Self::Signature { signature, received })
            }
            "logs" => {
                params.at_most(2)?;
                let mentions = match params.required(0, "filter")? {
                    RpcTransactionLogsFilter::All | RpcTransactionLogsFilter::AllWithVotes => None,
                    RpcTransactionLogsFilter::Mentions(addresses) => match addresses.as_slice() {
                        [one] => Some(parsed(one, "mentions")?),
                        _ => return Err(RpcError::invalid_params("Invalid Request: Only 1 address supported")),
                    },
                };
                Ok(Self::Logs { mentions })
            }
            "slot" => params.at_most(0).map(|()| Self::Slot),
            "slotsUpdates" => params.at_most(0).map(|()| Self::SlotsUpdates),
            "root" => params.at_most(0).map(|()| Self::Root),
            // Blocks and votes are off on a validator unless its operator turns them on.
            _ => Err(RpcError::method_not_found()),
        }
    }

    /// What its methods and its notifications begin with.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Account { .. } => "account",
            Self::Program { .. } => "program",
            Self::Signature { .. } => "signature",
            Self::Logs { .. } => "logs",
            Self::Slot => "slot",
            Self::SlotsUpdates => "slotsUpdates",
            Self::Root => "root",
        }
    }

    /// Whether it ends with its first notification.
    pub(crate) fn is_once(&self) -> bool {
        matches!(self, Self::Signature { .. })
    }
}

/// Reads a parameter; a validator names it here in other words than for requests.
fn parsed<T: FromStr>(text: &str, what: &str) -> Result<T, RpcError> {
    text.parse().map_err(|_| RpcError::invalid_params(format!("Invalid Request: Invalid {what} provided")))
}

impl Subscription {
    /// The text of a notification.
    pub(crate) fn notification(&self, id: u64, result: &str) -> String {
        let name = self.topic.name();
        format!(
            r#"{{"jsonrpc":"2.0","method":"{name}Notification","params":{{"result":{result},"subscription":{id}}}}}"#
        )
    }

    /// The notification of what landed before it was made: a signature that is there already.
    pub(crate) fn already(&self, replica: &Replica) -> Vec<String> {
        match &self.topic {
            Topic::Signature { signature, received } => match replica.history.transaction(signature) {
                Some(record) => signature_results(self.since, record, *received),
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Its notifications of a slot.
    pub(crate) fn results(&self, landed: &Landed, announce_closed: bool) -> Vec<Results> {
        if landed.slot <= self.since {
            return Vec::new();
        }
        let slot = landed.slot;
        match &self.topic {
            Topic::Account { address, encoding, slice } => {
                let change = landed.changes.iter().find(|change| change.address == *address);
                change.map(|change| account_text(landed, change, false, *encoding, *slice)).into_iter().collect()
            }
            Topic::Program { id, filters, encoding, slice } => landed
                .changes
                .iter()
                .filter(|change| concerns(change, id, filters, announce_closed))
                .map(|change| account_text(landed, change, true, *encoding, *slice))
                .collect(),
            Topic::Signature { signature, received } => match landed.transaction.signature == *signature {
                true => vec![signature_results(slot, &landed.transaction, *received).into()],
                false => Vec::new(),
            },
            Topic::Logs { mentions } => {
                let record = &landed.transaction;
                if mentions.is_some_and(|address| !record.addresses().any(|named| *named == address)) {
                    return Vec::new();
                }
                vec![landed.texts.of(Says::Logs, || {
                    let value = RpcLogsResponse {
                        signature: record.signature.to_string(),
                        err: record.error.clone().map(Into::into),
                        logs: record.logs.clone(),
                    };
                    vec![with(slot, value)]
                })]
            }
            Topic::Slot => vec![[text(&SlotInfo { slot, parent: landed.parent, root: landed.parent })].into()],
            Topic::SlotsUpdates => {
                vec![landed.texts.of(Says::SlotUpdates, || slot_updates(landed).iter().map(text).collect())]
            }
            Topic::Root => vec![[slot.to_string()].into()],
        }
    }
}

/// Whether a program's subscriber is notified of a change.
fn concerns(change: &AccountChange, program: &Pubkey, filters: &[RpcFilterType], announce_closed: bool) -> bool {
    match (&change.before, &change.after) {
        (_, Some(after)) => after.owner == *program && passes(after, filters),
        // The filters speak of data that is gone; it is told if they let the account pass before.
        (Some(before), None) => announce_closed && before.owner == *program && passes(before, filters),
        (None, None) => false,
    }
}

fn account_text(
    landed: &Landed,
    change: &AccountChange,
    keyed: bool,
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
) -> Results {
    let address = change.address;
    landed.texts.of(Says::Account { address, keyed, encoding, slice }, || {
        // A closed account is one that has nothing.
        let account = change
            .after
            .as_deref()
            .map_or_else(|| encode(&Account::default(), encoding, slice), |account| encode(account, encoding, slice));
        // What the encoding cannot say (long data in base58) is not told.
        let Ok(account) = account else { return Vec::new() };
        vec![match keyed {
            true => with(landed.slot, RpcKeyedAccount { pubkey: address.to_string(), account }),
            false => with(landed.slot, account),
        }]
    })
}

fn signature_results(slot: Slot, record: &TransactionRecord, received: bool) -> Vec<String> {
    let first = RpcSignatureResult::ReceivedSignature(ReceivedSignatureResult::ReceivedSignature);
    let second =
        RpcSignatureResult::ProcessedSignature(ProcessedSignatureResult { err: record.error.clone().map(Into::into) });
    let results = received.then_some(first).into_iter().chain([second]);
    results.map(|result| with(slot, result)).collect()
}

fn slot_updates(landed: &Landed) -> [SlotUpdate; 4] {
    let slot = landed.slot;
    let timestamp = u64::try_from(landed.time).unwrap_or_default().saturating_mul(1000);
    let failed = u64::from(landed.transaction.error.is_some());
    let stats = SlotTransactionStats {
        num_transaction_entries: 1,
        num_successful_transactions: 1 - failed,
        num_failed_transactions: failed,
        max_transactions_per_entry: 1,
    };
    [
        SlotUpdate::CreatedBank { slot, parent: landed.parent, timestamp },
        SlotUpdate::Frozen { slot, timestamp, stats },
        SlotUpdate::OptimisticConfirmation { slot, timestamp },
        SlotUpdate::Root { slot, timestamp },
    ]
}

fn with(slot: Slot, value: impl Serialize) -> String {
    text(&json!({ "context": { "slot": slot }, "value": value }))
}

/// All these types have string keys and no errors of their own.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
