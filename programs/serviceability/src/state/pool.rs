//! One pool of equal units, the one allocator behind every kind.
//!
//! A pool knows which units are taken, not by whom: the things that hold units say so, and the invariant "bitmap =
//! sum of uses" ties the two. It keeps no hint of where to look next, so nothing can go stale: the lowest free
//! aligned run is found by looking.

use borsh::{BorshDeserialize, BorshSerialize};
use solana_pubkey::Pubkey;

use super::{AccountData, AccountType};

/// What a pool's units are, and whose.
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
    strum::EnumString,
)]
#[borsh(use_discriminant = true)]
#[strum(serialize_all = "kebab-case")]
#[repr(u8)]
pub enum PoolKind {
    /// A DoubleZero block in /24 units; owner: the config.
    DoubleZeroBlock = 1,
    /// A contributor's /24 in /29 units; owner: the contributor.
    ContributorBlock = 2,
    /// A device's prefix in single addresses, the first reserved; owner: the device.
    DevicePrefix = 3,
    /// User tunnel networks in /31 units; owner: the config.
    UserTunnelBlock = 4,
    /// Link networks in /31 units; owner: the config.
    DeviceTunnelBlock = 5,
    /// Multicast group addresses; owner: the config.
    MulticastGroupBlock = 6,
    /// Publishers' source addresses; owner: the config.
    MulticastPublisherBlock = 7,
    /// Which public addresses of one /24 somebody has registered, so that no two things overlap; owner: the config.
    AddressRegistry = 8,
    /// Tunnel interface numbers of a device; owner: the device.
    TunnelIds = 9,
    /// Numbers of a device's termination loopbacks; owner: the device.
    EndpointLoopbacks = 10,
    /// Numbers of tenants' VRFs; owner: the config.
    VrfIds = 11,
}

/// A pool of `count` units, each `unit` values wide, from `base` on.
///
/// For addresses `base` is the first address as a number and `unit` a power of two; for ids `unit` is 1.
/// Address: [`crate::pda::pool`] of (kind, owner, base).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Pool {
    /// What the units are.
    pub kind: PoolKind,
    /// The account the pool belongs to.
    pub owner: Pubkey,
    /// The first value.
    pub base: u32,
    /// Values in a unit.
    pub unit: u32,
    /// Units in the pool.
    pub count: u32,
    /// How many leading units are never handed out.
    pub reserved: u32,
    /// One bit a unit, lowest bit first; reserved units are set. Unused bits of the last byte are zero.
    pub bitmap: Vec<u8>,
}

decode_fields!(Pool { kind, owner, base, unit, count, reserved, bitmap });

impl AccountData for Pool {
    const TYPE: AccountType = AccountType::Pool;

    /// Holds the arithmetic of every method below: no value and no index of a checked pool overflows.
    fn check(&self) -> Result<(), &'static str> {
        if self.unit == 0 || self.count == 0 {
            return Err("unit and count must not be zero");
        }
        let last = u64::from(self.base) + u64::from(self.unit) * u64::from(self.count) - 1;
        if last > u64::from(u32::MAX) {
            return Err("the last value exceeds 32 bits");
        }
        if self.reserved > self.count || self.bitmap.len() != self.count.div_ceil(8) as usize {
            return Err("bitmap, count and reserved units do not fit together");
        }
        if (self.count..self.count.next_multiple_of(8)).any(|index| self.is_set(index)) {
            return Err("bitmap: bits past the last unit are set");
        }
        if (0..self.reserved).any(|index| !self.is_set(index)) {
            return Err("bitmap: a reserved unit is free");
        }
        Ok(())
    }
}

/// Why a pool refused. Values, not unit indices, so that a person can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// No aligned run of that many units is free.
    #[error("no free run of {units} units")]
    Exhausted {
        /// How many units were asked for.
        units: u32,
    },
    /// The value is not in the pool.
    #[error("value {0} is outside the pool")]
    OutOfRange(u32),
    /// The value is not the first of a unit, or the run is not a power of two aligned to itself.
    #[error("value {0} is not aligned")]
    Misaligned(u32),
    /// The unit is reserved.
    #[error("value {0} is reserved")]
    Reserved(u32),
    /// The unit is in use.
    #[error("value {0} is taken")]
    Taken(u32),
    /// The unit is not in use, so it cannot be released.
    #[error("value {0} is not taken")]
    NotTaken(u32),
}

impl Pool {
    /// An empty pool; the `reserved` leading units are marked.
    pub fn new(kind: PoolKind, owner: Pubkey, base: u32, unit: u32, count: u32, reserved: u32) -> Self {
        let mut pool = Self {
            kind,
            owner,
            base,
            unit,
            count,
            reserved: reserved.min(count),
            bitmap: vec![0; count.div_ceil(8) as usize],
        };
        for index in 0..pool.reserved {
            pool.set(index, true);
        }
        pool
    }

    /// The first value of the lowest free run of `units` units, aligned to its own size; nothing is changed.
    pub fn lowest_free(&self, units: u32) -> Result<u32, PoolError> {
        if !units.is_power_of_two() {
            return Err(PoolError::Misaligned(units));
        }
        let mut start = 0u32;
        while start.checked_add(units).is_some_and(|end| end <= self.count) {
            if units == 1 && start % 8 == 0 && self.bitmap[(start / 8) as usize] == u8::MAX {
                start += 8;
                continue;
            }
            if (start..start + units).all(|index| !self.is_set(index)) {
                return Ok(self.base + start * self.unit);
            }
            start += units;
        }
        Err(PoolError::Exhausted { units })
    }

    /// Takes the run of `units` units that starts with `value`.
    pub fn claim(&mut self, value: u32, units: u32) -> Result<(), PoolError> {
        let first = self.run(value, units)?;
        if first < self.reserved {
            return Err(PoolError::Reserved(value));
        }
        if let Some(taken) = (first..first + units).find(|&index| self.is_set(index)) {
            return Err(PoolError::Taken(self.base + taken * self.unit));
        }
        (first..first + units).for_each(|index| self.set(index, true));
        Ok(())
    }

    /// Gives back the run of `units` units that starts with `value`; all of them must be taken.
    pub fn release(&mut self, value: u32, units: u32) -> Result<(), PoolError> {
        let first = self.run(value, units)?;
        if first < self.reserved {
            return Err(PoolError::Reserved(value));
        }
        if let Some(free) = (first..first + units).find(|&index| !self.is_set(index)) {
            return Err(PoolError::NotTaken(self.base + free * self.unit));
        }
        (first..first + units).for_each(|index| self.set(index, false));
        Ok(())
    }

    /// Units in use, the reserved ones not counted.
    pub fn used(&self) -> u32 {
        self.bitmap.iter().map(|byte| byte.count_ones()).sum::<u32>() - self.reserved
    }

    /// Units that can be in use, the reserved ones not counted.
    pub fn capacity(&self) -> u32 {
        self.count - self.reserved
    }

    /// True when the value lies in the pool.
    pub fn contains(&self, value: u32) -> bool {
        value.checked_sub(self.base).is_some_and(|offset| offset / self.unit < self.count)
    }

    /// True when the unit that holds the value is taken or reserved.
    pub fn is_taken(&self, value: u32) -> bool {
        self.contains(value) && self.is_set((value - self.base) / self.unit)
    }

    /// The values that are taken, reserved units not among them, in order.
    pub fn taken(&self) -> impl Iterator<Item = u32> + '_ {
        (self.reserved..self.count).filter(|&index| self.is_set(index)).map(|index| self.base + index * self.unit)
    }

    fn run(&self, value: u32, units: u32) -> Result<u32, PoolError> {
        let offset = value.checked_sub(self.base).ok_or(PoolError::OutOfRange(value))?;
        if !units.is_power_of_two() || !offset.is_multiple_of(self.unit) || !(offset / self.unit).is_multiple_of(units)
        {
            return Err(PoolError::Misaligned(value));
        }
        let first = offset / self.unit;
        match first.checked_add(units) {
            Some(end) if end <= self.count => Ok(first),
            _ => Err(PoolError::OutOfRange(value)),
        }
    }

    fn is_set(&self, index: u32) -> bool {
        self.bitmap.get((index / 8) as usize).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }

    fn set(&mut self, index: u32, taken: bool) {
        if let Some(byte) = self.bitmap.get_mut((index / 8) as usize) {
            let bit = 1 << (index % 8);
            if taken { *byte |= bit } else { *byte &= !bit }
        }
    }
}
