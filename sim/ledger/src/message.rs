//! Properties of a message that need no bank. Pure.

use solana_message::{
    Message, VersionedMessage,
    v0::{LoadedAddresses, MessageAddressTableLookup},
};
use solana_pubkey::{Pubkey, pubkey};
use solana_transaction_error::TransactionError;

/// Bytes before the addresses in a lookup table's account.
const LOOKUP_TABLE_HEADER: usize = 56;

/// Programs whose instructions change what a message costs: a price per compute unit, signatures in data.
const PRICED: [Pubkey; 4] = [
    pubkey!("ComputeBudget111111111111111111111111111111"),
    pubkey!("Ed25519SigVerify111111111111111111111111111"),
    pubkey!("KeccakSecp256k11111111111111111111111111111"),
    pubkey!("Secp256r1SigVerify1111111111111111111111111"),
];

/// The accounts that a message may write.
pub(crate) fn writable(message: &VersionedMessage, loaded: &LoadedAddresses) -> Vec<Pubkey> {
    let header = message.header();
    let keys = message.static_account_keys();
    let signers = usize::from(header.num_required_signatures);
    let writable_signers = signers.saturating_sub(usize::from(header.num_readonly_signed_accounts));
    let writable_others = keys.len().saturating_sub(usize::from(header.num_readonly_unsigned_accounts));
    let own = keys
        .iter()
        .enumerate()
        .filter(|(index, _)| if *index < signers { *index < writable_signers } else { *index < writable_others });
    own.map(|(_, address)| *address).chain(loaded.writable.iter().copied()).collect()
}

pub(crate) fn look_up(
    lookup: &MessageAddressTableLookup,
    table: &[u8],
    loaded: &mut LoadedAddresses,
) -> Result<(), TransactionError> {
    let (addresses, rest) =
        table.get(LOOKUP_TABLE_HEADER..).ok_or(TransactionError::InvalidAddressLookupTableData)?.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(TransactionError::InvalidAddressLookupTableData);
    }
    let find = |index: &u8| {
        let address = addresses.get(usize::from(*index)).ok_or(TransactionError::InvalidAddressLookupTableIndex)?;
        Ok(Pubkey::new_from_array(*address))
    };
    let writable: Vec<_> = lookup.writable_indexes.iter().map(find).collect::<Result<_, TransactionError>>()?;
    let readonly: Vec<_> = lookup.readonly_indexes.iter().map(find).collect::<Result<_, TransactionError>>()?;
    loaded.writable.extend(writable);
    loaded.readonly.extend(readonly);
    Ok(())
}

/// Whether the number of its signatures says what a message costs.
pub(crate) fn pays_for_signatures_only(message: &VersionedMessage) -> bool {
    !PRICED.iter().any(|id| message.static_account_keys().contains(id))
}

/// A message that costs the same and names no lookup table: the bank prices nothing else. The price is made by the
/// signatures and by instructions that name no accounts of tables (compute budget, signature checks).
pub(crate) fn fee_message(message: &VersionedMessage) -> Message {
    if let VersionedMessage::Legacy(message) = message {
        return message.clone();
    }
    let keys = message.static_account_keys();
    let instructions = message.instructions().iter().filter(|instruction| {
        usize::from(instruction.program_id_index) < keys.len()
            && instruction.accounts.iter().all(|index| usize::from(*index) < keys.len())
    });
    Message {
        header: *message.header(),
        account_keys: keys.to_vec(),
        recent_blockhash: *message.recent_blockhash(),
        instructions: instructions.cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    use solana_message::MessageHeader;

    use super::*;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    #[test]
    fn writable_accounts_are_those_the_header_says() {
        let message = VersionedMessage::Legacy(Message {
            header: MessageHeader {
                num_required_signatures: 2,
                num_readonly_signed_accounts: 1,
                num_readonly_unsigned_accounts: 2,
            },
            account_keys: (1..=6).map(key).collect(),
            ..Message::default()
        });
        let loaded = LoadedAddresses { writable: vec![key(7)], readonly: vec![key(8)] };
        assert_eq!(writable(&message, &loaded), [key(1), key(3), key(4), key(7)]);
    }

    #[test]
    fn a_priced_program_makes_a_message_cost_more_than_its_signatures() {
        let message = |last: Pubkey| {
            VersionedMessage::Legacy(Message { account_keys: vec![key(1), key(2), last], ..Message::default() })
        };
        assert!(pays_for_signatures_only(&message(key(3))));
        assert!(PRICED.iter().all(|id| !pays_for_signatures_only(&message(*id))));
    }

    #[test]
    fn a_lookup_takes_addresses_from_its_table() {
        let mut table = vec![0; LOOKUP_TABLE_HEADER];
        table.extend([1; 32]);
        table.extend([2; 32]);
        let lookup = |writable: &[u8], readonly: &[u8]| MessageAddressTableLookup {
            account_key: key(9),
            writable_indexes: writable.to_vec(),
            readonly_indexes: readonly.to_vec(),
        };
        let mut loaded = LoadedAddresses::default();
        assert_eq!(look_up(&lookup(&[1], &[0]), &table, &mut loaded), Ok(()));
        assert_eq!(loaded, LoadedAddresses { writable: vec![key(2)], readonly: vec![key(1)] });

        let before = loaded.clone();
        let outside = look_up(&lookup(&[0], &[2]), &table, &mut loaded);
        assert_eq!(outside, Err(TransactionError::InvalidAddressLookupTableIndex));
        let torn = look_up(&lookup(&[0], &[]), &table[..60], &mut loaded);
        assert_eq!(torn, Err(TransactionError::InvalidAddressLookupTableData));
        let short = look_up(&lookup(&[0], &[]), &table[..3], &mut loaded);
        assert_eq!(short, Err(TransactionError::InvalidAddressLookupTableData));
        assert_eq!(loaded, before);
    }
}
