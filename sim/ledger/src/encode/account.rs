//! An account in the encodings that clients ask for, and the filters over accounts.

use std::io;

use base64::{Engine, prelude::BASE64_STANDARD};
use solana_account::Account;
use solana_account_decoder_client_types::{UiAccount, UiAccountData, UiAccountEncoding, UiDataSliceConfig};
use solana_rpc_client_api::filter::RpcFilterType;
use zstd::bulk::Compressor;

/// Base58 takes quadratic time, so a validator writes no more than this many bytes with it.
pub(crate) const MAX_BASE58_BYTES: usize = 128;

/// Bytes of a token account (`spl_token::state::Account`).
const TOKEN_ACCOUNT_BYTES: usize = 165;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error("Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding.")]
    TooLongForBase58,
    #[error("cannot compress the account's data")]
    Compression,
}

/// Writes accounts, all in one way.
pub(crate) struct Encoder {
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
    /// Made with the first account that needs it, and then used for all: to make it costs more than an account does.
    compressor: Option<Compressor<'static>>,
}

impl Encoder {
    pub(crate) fn new(encoding: UiAccountEncoding, slice: Option<UiDataSliceConfig>) -> Self {
        Self { encoding, slice, compressor: None }
    }

    /// `jsonParsed` is written as base64, as a validator does for every program that it has no parser for.
    pub(crate) fn encode(&mut self, account: &Account) -> Result<UiAccount, EncodeError> {
        let data = sliced(&account.data, self.slice);
        let base58 = || match data.len() > MAX_BASE58_BYTES {
            true => Err(EncodeError::TooLongForBase58),
            false => Ok(bs58::encode(data).into_string()),
        };
        let data = match self.encoding {
            UiAccountEncoding::Binary => UiAccountData::LegacyBinary(base58()?),
            UiAccountEncoding::Base58 => UiAccountData::Binary(base58()?, self.encoding),
            UiAccountEncoding::Base64 | UiAccountEncoding::JsonParsed => {
                UiAccountData::Binary(BASE64_STANDARD.encode(data), UiAccountEncoding::Base64)
            }
            UiAccountEncoding::Base64Zstd => {
                let compressed = self.compressed(data).map_err(|_| EncodeError::Compression)?;
                UiAccountData::Binary(BASE64_STANDARD.encode(compressed), self.encoding)
            }
        };
        Ok(UiAccount {
            lamports: account.lamports,
            data,
            owner: account.owner.to_string(),
            executable: account.executable,
            rent_epoch: account.rent_epoch,
            space: Some(account.data.len() as u64),
        })
    }

    fn compressed(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?),
        };
        compressor.compress(data)
    }
}

/// One account alone.
pub(crate) fn encode(
    account: &Account,
    encoding: UiAccountEncoding,
    slice: Option<UiDataSliceConfig>,
) -> Result<UiAccount, EncodeError> {
    Encoder::new(encoding, slice).encode(account)
}

fn sliced(data: &[u8], slice: Option<UiDataSliceConfig>) -> &[u8] {
    let Some(UiDataSliceConfig { offset, length }) = slice else { return data };
    let rest = data.get(offset..).unwrap_or_default();
    &rest[..length.min(rest.len())]
}

/// Whether an account passes all filters.
pub(crate) fn passes(account: &Account, filters: &[RpcFilterType]) -> bool {
    filters.iter().all(|filter| match filter {
        RpcFilterType::DataSize(size) => account.data.len() as u64 == *size,
        RpcFilterType::Memcmp(compare) => compare.bytes_match(&account.data),
        // Initialised is the 109th byte's lowest bit or two (`spl_token::state::AccountState`).
        RpcFilterType::TokenAccountState => {
            account.data.len() >= TOKEN_ACCOUNT_BYTES && matches!(account.data.get(108), Some(1 | 2))
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use solana_pubkey::Pubkey;
    use solana_rpc_client_api::filter::Memcmp;

    use super::*;

    fn account(data: &[u8]) -> Account {
        Account {
            lamports: 7,
            data: data.to_vec(),
            owner: Pubkey::new_from_array([1; 32]),
            executable: false,
            rent_epoch: u64::MAX,
        }
    }

    fn data(encoding: UiAccountEncoding, slice: Option<(usize, usize)>) -> serde_json::Value {
        let slice = slice.map(|(offset, length)| UiDataSliceConfig { offset, length });
        let encoded = encode(&account(b"hello"), encoding, slice).unwrap();
        assert_eq!(encoded.space, Some(5));
        serde_json::to_value(encoded).unwrap()["data"].clone()
    }

    #[test]
    fn an_account_as_json() {
        let encoded = encode(&account(b"hello"), UiAccountEncoding::Base64, None).unwrap();
        let expected = json!({
            "lamports": 7, "data": ["aGVsbG8=", "base64"], "owner": "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi",
            "executable": false, "rentEpoch": u64::MAX, "space": 5
        });
        assert_eq!(serde_json::to_value(encoded).unwrap(), expected);
    }

    #[test]
    fn the_data_in_each_encoding() {
        assert_eq!(data(UiAccountEncoding::Binary, None), json!("Cn8eVZg"));
        assert_eq!(data(UiAccountEncoding::Base58, None), json!(["Cn8eVZg", "base58"]));
        assert_eq!(data(UiAccountEncoding::JsonParsed, None), json!(["aGVsbG8=", "base64"]));
        let compressed = encode(&account(&[7; 500]), UiAccountEncoding::Base64Zstd, None).unwrap();
        assert_eq!(compressed.data.decode(), Some(vec![7; 500]));
    }

    #[test]
    fn a_slice_never_reaches_outside() {
        assert_eq!(data(UiAccountEncoding::Base64, Some((1, 2))), json!(["ZWw=", "base64"]));
        assert_eq!(data(UiAccountEncoding::Base64, Some((3, usize::MAX))), json!(["bG8=", "base64"]));
        assert_eq!(data(UiAccountEncoding::Base64, Some((usize::MAX, 1))), json!(["", "base64"]));
    }

    #[test]
    fn base58_is_for_short_data() {
        let long = account(&[0; MAX_BASE58_BYTES + 1]);
        let slice = Some(UiDataSliceConfig { offset: 1, length: MAX_BASE58_BYTES });
        assert_eq!(encode(&long, UiAccountEncoding::Base58, None), Err(EncodeError::TooLongForBase58));
        assert!(encode(&long, UiAccountEncoding::Base58, slice).is_ok());
    }

    #[test]
    fn filters_must_all_pass() {
        let hello = account(b"hello");
        let size = |size| RpcFilterType::DataSize(size);
        let at = |offset, bytes: &[u8]| RpcFilterType::Memcmp(Memcmp::new_raw_bytes(offset, bytes.to_vec()));
        assert!(passes(&hello, &[]));
        assert!(passes(&hello, &[size(5), at(0, b"he"), at(4, b"o")]));
        assert!(!passes(&hello, &[size(5), at(0, b"hi")]));
        assert!(!passes(&hello, &[size(4)]));
        assert!(!passes(&hello, &[at(4, b"oo")]));
        assert!(!passes(&hello, &[at(usize::MAX, b"o")]));
    }
}
