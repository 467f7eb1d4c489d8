//! A metro where devices stand; location and exchange are one thing here.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{AccountData, AccountType};

/// The longest name for people, in bytes.
pub const MAX_NAME_LEN: usize = 64;

/// Whether an exchange takes new devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, strum::Display)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum ExchangeStatus {
    /// Takes devices.
    Activated = 1,
    /// Keeps its devices and takes no more.
    Suspended = 2,
}

/// A metro. Address: [`crate::pda::exchange`] of its code.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Exchange {
    /// Unique name, such as `nyc`.
    pub code: String,
    /// Name for people, such as `New York`.
    pub name: String,
    /// Latitude in millionths of a degree, -90,000,000 to 90,000,000.
    pub latitude: i32,
    /// Longitude in millionths of a degree, -180,000,000 to 180,000,000.
    pub longitude: i32,
    /// Whether it takes devices.
    pub status: ExchangeStatus,
    /// Devices that stand there.
    pub reference_count: u32,
}

decode_fields!(Exchange { code, name, latitude, longitude, status, reference_count });

impl AccountData for Exchange {
    const TYPE: AccountType = AccountType::Exchange;

    fn growth(&self) -> usize {
        MAX_NAME_LEN.saturating_sub(self.name.len())
    }
}
