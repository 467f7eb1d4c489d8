//! One pool of equal units, the one allocator behind every kind.
//!
//! A pool knows which units are taken, not by whom: the things that hold units say so, and the invariant "bitmap =
//! sum of uses" ties the two. It keeps no hint of where to look next, so nothing can go stale: the lowest free
//! aligned run is found by looking.

use std::net::Ipv4Addr;

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
    /// Registered public addresses of one /24, so that no two things overlap; owner: the config.
    AddressRegistry = 8,
    /// Tunnel interface numbers of a device; owner: the device.
    TunnelIds = 9,
    /// Numbers of a device's termination loopbacks; owner: the device.
    EndpointLoopbacks = 10,
    /// Numbers of tenants' VRFs; owner: the config.
    VrfIds = 11,
    /// Which addresses of one /24 live users connect from, so that none is handed out; owner: the config.
    ClientAddresses = 12,
    /// A prefix that a contributor brings for several devices, in single addresses; owner: the contributor.
    ContributorPrefix = 13,
}

/// What the values of a pool stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolValue {
    /// IPv4 addresses, as numbers.
    Address,
    /// Numbers that are nothing but that: ids.
    Number,
}

impl PoolKind {
    /// What its values stand for.
    pub fn values(self) -> PoolValue {
        match self {
            Self::DoubleZeroBlock
            | Self::ContributorBlock
            | Self::DevicePrefix
            | Self::UserTunnelBlock
            | Self::DeviceTunnelBlock
            | Self::MulticastGroupBlock
            | Self::MulticastPublisherBlock
            | Self::AddressRegistry
            | Self::ClientAddresses
            | Self::ContributorPrefix => PoolValue::Address,
            Self::TunnelIds | Self::EndpointLoopbacks | Self::VrfIds => PoolValue::Number,
        }
    }

    /// A value as people write it: `45.33.0.0` or `500`.
    pub fn show(self, value: u32) -> String {
        match self.values() {
            PoolValue::Address => Ipv4Addr::from(value).to_string(),
            PoolValue::Number => value.to_string(),
        }
    }
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
    ///
    /// # Errors
    /// [`PoolError`]: the pool is full, or the value is taken, free, misaligned or out of range.
    pub fn lowest_free(&self, units: u32) -> Result<u32, PoolError> {
        if !units.is_power_of_two() {
            return Err(PoolError::Misaligned(units));
        }
        let mut start = 0u32;
        while start.checked_add(units).is_some_and(|end| end <= self.count) {
            if units == 1 && start.is_multiple_of(8) && self.bitmap[(start / 8) as usize] == u8::MAX {
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
    ///
    /// # Errors
    /// [`PoolError`]: the pool is full, or the value is taken, free, misaligned or out of range.
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
    ///
    /// # Errors
    /// [`PoolError`]: the pool is full, or the value is taken, free, misaligned or out of range.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn pool(unit: u32, count: u32, reserved: u32) -> Pool {
        Pool::new(PoolKind::TunnelIds, Pubkey::default(), 1 << 16, unit, count, reserved)
    }

    /// The allocator in the plainest words: a set of taken units.
    struct Reference {
        taken: BTreeSet<u32>,
        reserved: u32,
        count: u32,
    }

    impl Reference {
        fn lowest_free(&self, units: u32) -> Option<u32> {
            let free =
                |first: &u32| (*first..first + units).all(|unit| unit >= self.reserved && !self.taken.contains(&unit));
            (0..self.count).step_by(units as usize).filter(|first| first + units <= self.count).find(free)
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        /// The lowest free run of two to the power of this.
        Take(u32),
        /// A run at this unit.
        Claim(u32, u32),
        /// A run at this unit, held or not.
        Release(u32, u32),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0u32..4).prop_map(Op::Take),
            (0u32..80, 0u32..4).prop_map(|(unit, power)| Op::Claim(unit, power)),
            (0u32..80, 0u32..4).prop_map(|(unit, power)| Op::Release(unit, power)),
        ]
    }

    proptest! {
        /// No unit twice, none lost, freed ones found again, exhaustion exact; a refusal changes nothing.
        #[test]
        fn agrees_with_a_plain_set(
            count in 1u32..70,
            reserved in 0u32..3,
            power in 0u32..9,
            ops in prop::collection::vec(op(), 0..120),
        ) {
            let unit = 1 << power;
            let mut pool = pool(unit, count, reserved);
            let mut plain = Reference { taken: BTreeSet::new(), reserved: reserved.min(count), count };
            let value = |index: u32| pool_base() + index * unit;
            for op in ops {
                let before = pool.clone();
                match op {
                    Op::Take(power) => {
                        let units = 1 << power;
                        match (pool.lowest_free(units), plain.lowest_free(units)) {
                            (Ok(found), Some(expected)) => {
                                prop_assert_eq!(found, value(expected));
                                prop_assert_eq!(pool.claim(found, units), Ok(()));
                                plain.taken.extend(expected..expected + units);
                            }
                            (found, expected) => {
                                prop_assert_eq!(found, Err(PoolError::Exhausted { units }));
                                prop_assert_eq!(expected, None);
                            }
                        }
                    }
                    Op::Claim(first, power) => {
                        let units = 1 << power;
                        let run = first..first + units;
                        let expected = if first % units != 0 {
                            Err(PoolError::Misaligned(value(first)))
                        } else if run.end > count {
                            Err(PoolError::OutOfRange(value(first)))
                        } else if first < plain.reserved {
                            Err(PoolError::Reserved(value(first)))
                        } else if let Some(taken) = run.clone().find(|unit| plain.taken.contains(unit)) {
                            Err(PoolError::Taken(value(taken)))
                        } else {
                            plain.taken.extend(run);
                            Ok(())
                        };
                        prop_assert_eq!(pool.claim(value(first), units), expected);
                        prop_assert!(expected.is_ok() || pool == before);
                    }
                    Op::Release(first, power) => {
                        let units = 1 << power;
                        let run = first..first + units;
                        let expected = if first % units != 0 {
                            Err(PoolError::Misaligned(value(first)))
                        } else if run.end > count {
                            Err(PoolError::OutOfRange(value(first)))
                        } else if first < plain.reserved {
                            Err(PoolError::Reserved(value(first)))
                        } else if let Some(free) = run.clone().find(|unit| !plain.taken.contains(unit)) {
                            Err(PoolError::NotTaken(value(free)))
                        } else {
                            run.for_each(|unit| {
                                plain.taken.remove(&unit);
                            });
                            Ok(())
                        };
                        prop_assert_eq!(pool.release(value(first), units), expected);
                        prop_assert!(expected.is_ok() || pool == before);
                    }
                }
                prop_assert_eq!(pool.used() as usize, plain.taken.len());
                prop_assert_eq!(pool.taken().collect::<Vec<_>>(), plain.taken.iter().map(|u| value(*u)).collect::<Vec<_>>());
                prop_assert_eq!(Pool::decode(&pool.encode()), Ok(pool.clone()));
            }
        }

        /// Whatever the bytes say: they are refused, or no method of the pool panics.
        #[test]
        fn any_bytes_are_refused_or_sound(mut data in prop::collection::vec(any::<u8>(), 0..120), value: u32, power in 0u32..33) {
            if let Some(tag) = data.first_mut() {
                *tag = AccountType::Pool as u8;
            }
            sound(Pool::decode(&data), value, power);
            let mut near = pool(1, 70, 2).encode();
            for (at, byte) in data.iter().enumerate().skip(1).take(3) {
                let index = (usize::from(*byte) * 7 + at) % near.len();
                near[index] = data[data.len() - at];
            }
            sound(Pool::decode(&near), value, power);
        }
    }

    fn pool_base() -> u32 {
        1 << 16
    }

    fn sound(decoded: Result<Pool, super::super::DecodeError>, value: u32, power: u32) {
        let Ok(mut pool) = decoded else { return };
        let units = 1u32.checked_shl(power).unwrap_or(3);
        let _ = (pool.contains(value), pool.is_taken(value), pool.used(), pool.capacity(), pool.taken().count());
        let _ = (pool.lowest_free(units.min(64)), pool.claim(value, units), pool.release(value, units));
    }

    #[test]
    fn runs_are_aligned_to_their_size() {
        let mut pool = pool(1, 16, 1);
        assert_eq!(pool.lowest_free(1), Ok((1 << 16) + 1));
        assert_eq!(pool.lowest_free(4), Ok((1 << 16) + 4));
        assert_eq!(pool.lowest_free(16), Err(PoolError::Exhausted { units: 16 }));
        assert_eq!(pool.lowest_free(3), Err(PoolError::Misaligned(3)));
        assert_eq!(pool.claim(1 << 16, 1), Err(PoolError::Reserved(1 << 16)));
        assert_eq!(pool.claim(1 << 15, 1), Err(PoolError::OutOfRange(1 << 15)));
        assert_eq!(pool.claim((1 << 16) + 8, 8), Ok(()));
        assert_eq!((pool.used(), pool.capacity()), (8, 15));
        assert!(pool.is_taken((1 << 16) + 15) && pool.is_taken(1 << 16) && !pool.is_taken((1 << 16) + 16));
    }

    #[test]
    fn each_unsound_account_is_named() {
        let good = pool(2, 12, 1);
        let broken = |change: fn(&mut Pool)| {
            let mut pool = good.clone();
            change(&mut pool);
            Pool::decode(&pool.encode()).unwrap_err().to_string()
        };
        assert_eq!(broken(|pool| pool.unit = 0), "malformed Pool account: unit and count must not be zero");
        assert_eq!(broken(|pool| pool.base = u32::MAX - 22), "malformed Pool account: the last value exceeds 32 bits");
        let fit = "malformed Pool account: bitmap, count and reserved units do not fit together";
        assert_eq!(broken(|pool| pool.bitmap.push(0)), fit);
        assert_eq!(broken(|pool| pool.reserved = 13), fit);
        assert_eq!(
            broken(|pool| pool.bitmap[1] = 0x10),
            "malformed Pool account: bitmap: bits past the last unit are set"
        );
        assert_eq!(broken(|pool| pool.bitmap[0] = 0), "malformed Pool account: bitmap: a reserved unit is free");
        let last = Pool::new(PoolKind::DevicePrefix, Pubkey::default(), u32::MAX - 23, 2, 12, 0);
        assert_eq!(Pool::decode(&last.encode()), Ok(last));
    }
}
