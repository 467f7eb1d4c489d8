//! The accounts. Each is one thing, tagged by its first byte, in Borsh after it; relations are public keys.

/// Reads the fields of an account in their order, so that an error says in which one it happened.
macro_rules! decode_fields {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl borsh::BorshDeserialize for $type {
            fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
                Ok(Self { $($field: $crate::state::decode_field(stringify!($field), reader)?),* })
            }
        }
    };
}

mod access_pass;
mod client;
mod contributor;
mod device;
mod exchange;
mod global_config;
mod interface;
mod link;
mod multicast_group;
mod pool;
mod request_rate;
mod tenant;
mod user;

pub use access_pass::*;
pub use client::*;
pub use contributor::*;
pub use device::*;
pub use exchange::*;
pub use global_config::*;
pub use interface::*;
pub use link::*;
pub use multicast_group::*;
pub use pool::*;
pub use request_rate::*;
pub use tenant::*;
pub use user::*;

use borsh::{BorshDeserialize, BorshSerialize, io};
use solana_pubkey::Pubkey;

/// The first byte of every account of the program.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    num_enum::TryFromPrimitive,
    strum::Display,
    strum::EnumIter,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum AccountType {
    /// [`GlobalConfig`]
    GlobalConfig = 1,
    /// [`Pool`]
    Pool = 2,
    /// [`Contributor`]
    Contributor = 3,
    /// [`Exchange`]
    Exchange = 4,
    /// [`Device`]
    Device = 5,
    /// [`Interface`]
    Interface = 6,
    /// [`Link`]
    Link = 7,
    /// [`Tenant`]
    Tenant = 8,
    /// [`AccessPass`]
    AccessPass = 9,
    /// [`MulticastGroup`]
    MulticastGroup = 10,
    /// [`User`]
    User = 11,
    /// [`Client`]
    Client = 12,
}

/// What every account says between its tag and its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// Which life this is. The program counts all accounts it creates, so no two lives have one number, also when they
    /// follow each other at one address.
    pub life: u64,
    /// The key that paid the rent and gets it back.
    pub rent_payer: Pubkey,
}

impl Header {
    /// Bytes of the tag and the header.
    pub const END: usize = 1 + 8 + 32;

    /// The type and the header of an account.
    ///
    /// # Errors
    /// When the data is not that of an account of the program.
    pub fn read(data: &[u8]) -> Result<(AccountType, Self), DecodeError> {
        let (&tag, mut rest) = data.split_first().ok_or(DecodeError::Empty)?;
        let account = AccountType::try_from(tag).map_err(|_| DecodeError::UnknownType(tag))?;
        let header = decode_field("header", &mut rest)
            .map_err(|error| DecodeError::Malformed { account, reason: error.to_string() })?;
        Ok((account, header))
    }
}

fn decode_field<T: BorshDeserialize, R: io::Read>(name: &str, reader: &mut R) -> io::Result<T> {
    T::deserialize_reader(reader).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
}

/// A type that an account can hold.
pub trait AccountData: BorshSerialize + BorshDeserialize {
    /// The tag in the account's first byte.
    const TYPE: AccountType;

    /// The whole account data with an empty header, as an account written by a test or a genesis.
    fn encode(&self) -> Vec<u8> {
        self.encode_with(&Header::default())
    }

    /// The whole account data: tag, header, then the fields in Borsh.
    fn encode_with(&self, header: &Header) -> Vec<u8> {
        let mut data = vec![Self::TYPE as u8];
        // Writing Borsh into a Vec cannot fail.
        header.serialize(&mut data).expect("writing into memory");
        self.serialize(&mut data).expect("writing into memory");
        data
    }

    /// The bytes by which the account can still grow. Their rent is paid when it is created, so that a later change
    /// pays nothing.
    fn growth(&self) -> usize {
        0
    }

    /// What the fields must say together, beyond each being readable.
    ///
    /// # Errors
    /// The rule that they break.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    /// Reads a whole account; every byte must be accounted for.
    ///
    /// # Errors
    /// When the data is not that of an account of this type.
    fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self::decode_with_header(data)?.1)
    }

    /// The same, with the header.
    ///
    /// # Errors
    /// When the data is not that of an account of this type.
    fn decode_with_header(data: &[u8]) -> Result<(Header, Self), DecodeError> {
        let (&tag, _) = data.split_first().ok_or(DecodeError::Empty)?;
        let found = AccountType::try_from(tag).map_err(|_| DecodeError::UnknownType(tag))?;
        if found != Self::TYPE {
            return Err(DecodeError::WrongType { expected: Self::TYPE, found });
        }
        let (_, header) = Header::read(data)?;
        let mut body = data.get(Header::END..).unwrap_or_default();
        let value = Self::deserialize(&mut body)
            .map_err(|error| DecodeError::Malformed { account: Self::TYPE, reason: error.to_string() })?;
        if !body.is_empty() {
            return Err(DecodeError::TrailingBytes { account: Self::TYPE, count: body.len() });
        }
        value.check().map_err(|reason| DecodeError::Malformed { account: Self::TYPE, reason: reason.to_owned() })?;
        Ok((header, value))
    }
}

/// Bytes of this number of further keys.
const fn keys(count: usize) -> usize {
    32 * count
}

/// Why bytes are not an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No tag.
    #[error("the account is empty")]
    Empty,
    /// The tag is none of [`AccountType`].
    #[error("unknown account type {0}")]
    UnknownType(u8),
    /// The tag is another type's.
    #[error("expected a {expected} account, found a {found}")]
    WrongType {
        /// What the caller asked for.
        expected: AccountType,
        /// What the tag says.
        found: AccountType,
    },
    /// A field could not be read.
    #[error("malformed {account} account: {reason}")]
    Malformed {
        /// The type that was being read.
        account: AccountType,
        /// What was wrong with which field.
        reason: String,
    },
    /// Bytes are left over.
    #[error("{count} bytes too many in a {account} account")]
    TrailingBytes {
        /// The type that was being read.
        account: AccountType,
        /// How many bytes follow the last field.
        count: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange {
        Exchange {
            code: "nyc".into(),
            name: "New York".into(),
            latitude: 1,
            longitude: -1,
            status: ExchangeStatus::Suspended,
            reference_count: 3,
        }
    }

    /// The layout is what other programs read: tag, header, then fields in order, integers little endian.
    #[test]
    fn the_layout_of_an_account() {
        let mut bytes = vec![4, 5, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([7; 32]);
        bytes.extend([3, 0, 0, 0, b'n', b'y', b'c', 8, 0, 0, 0]);
        bytes.extend(b"New York");
        bytes.extend([1, 0, 0, 0, 255, 255, 255, 255, 2, 3, 0, 0, 0]);
        let header = Header { life: 5, rent_payer: Pubkey::new_from_array([7; 32]) };
        assert_eq!(exchange().encode_with(&header), bytes);
        assert_eq!(Exchange::decode_with_header(&bytes), Ok((header, exchange())));
        assert_eq!(Header::read(&bytes), Ok((AccountType::Exchange, header)));
    }

    #[test]
    fn every_way_not_to_be_an_account() {
        let good = exchange().encode();
        assert_eq!(Exchange::decode(&[]), Err(DecodeError::Empty));
        assert_eq!(Exchange::decode(&[99]), Err(DecodeError::UnknownType(99)));
        let (expected, found) = (AccountType::Exchange, AccountType::Pool);
        assert_eq!(Exchange::decode(&[2]), Err(DecodeError::WrongType { expected, found }));
        let long = [good.clone(), vec![7, 7]].concat();
        assert_eq!(Exchange::decode(&long), Err(DecodeError::TrailingBytes { account: expected, count: 2 }));
        let mut status = good.clone();
        status[68] = 9;
        let error = Exchange::decode(&status).unwrap_err().to_string();
        assert!(error.starts_with("malformed Exchange account: status: "), "{error}");
        let mut text = good.clone();
        text[45] = 0xff;
        let error = Exchange::decode(&text).unwrap_err().to_string();
        assert!(error.starts_with("malformed Exchange account: code: "), "{error}");
        for len in 1..good.len() {
            assert!(matches!(Exchange::decode(&good[..len]), Err(DecodeError::Malformed { .. })), "{len}");
        }
    }
}
