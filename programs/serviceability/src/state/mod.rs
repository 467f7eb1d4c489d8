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
mod contributor;
mod device;
mod exchange;
mod global_config;
mod interface;
mod link;
mod multicast_group;
mod pool;
mod tenant;
mod user;

pub use access_pass::*;
pub use contributor::*;
pub use device::*;
pub use exchange::*;
pub use global_config::*;
pub use interface::*;
pub use link::*;
pub use multicast_group::*;
pub use pool::*;
pub use tenant::*;
pub use user::*;

use borsh::{BorshDeserialize, BorshSerialize, io};

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
}

fn decode_field<T: BorshDeserialize, R: io::Read>(name: &str, reader: &mut R) -> io::Result<T> {
    T::deserialize_reader(reader).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
}

/// A type that an account can hold.
pub trait AccountData: BorshSerialize + BorshDeserialize {
    /// The tag in the account's first byte.
    const TYPE: AccountType;

    /// The whole account data: tag, then Borsh.
    fn encode(&self) -> Vec<u8> {
        let mut data = vec![Self::TYPE as u8];
        // Writing Borsh into a Vec cannot fail.
        self.serialize(&mut data).expect("writing into memory");
        data
    }

    /// What the fields must say together, beyond each being readable.
    fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    /// Reads a whole account; every byte must be accounted for.
    fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        let (&tag, mut body) = data.split_first().ok_or(DecodeError::Empty)?;
        let found = AccountType::try_from(tag).map_err(|_| DecodeError::UnknownType(tag))?;
        if found != Self::TYPE {
            return Err(DecodeError::WrongType { expected: Self::TYPE, found });
        }
        let value = Self::deserialize(&mut body)
            .map_err(|error| DecodeError::Malformed { account: Self::TYPE, reason: error.to_string() })?;
        if !body.is_empty() {
            return Err(DecodeError::TrailingBytes { account: Self::TYPE, count: body.len() });
        }
        value.check().map_err(|reason| DecodeError::Malformed { account: Self::TYPE, reason: reason.to_owned() })?;
        Ok(value)
    }
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

    /// The layout is what other programs read: tag, then fields in order, integers little endian.
    #[test]
    fn the_layout_of_an_account() {
        let mut bytes = vec![4, 3, 0, 0, 0, b'n', b'y', b'c', 8, 0, 0, 0];
        bytes.extend(b"New York");
        bytes.extend([1, 0, 0, 0, 255, 255, 255, 255, 2, 3, 0, 0, 0]);
        assert_eq!(exchange().encode(), bytes);
        assert_eq!(Exchange::decode(&bytes), Ok(exchange()));
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
        status[28] = 9;
        let error = Exchange::decode(&status).unwrap_err().to_string();
        assert!(error.starts_with("malformed Exchange account: status: "), "{error}");
        let mut text = good.clone();
        text[5] = 0xff;
        let error = Exchange::decode(&text).unwrap_err().to_string();
        assert!(error.starts_with("malformed Exchange account: code: "), "{error}");
        for len in 1..good.len() {
            assert!(matches!(Exchange::decode(&good[..len]), Err(DecodeError::Malformed { .. })), "{len}");
        }
    }
}
