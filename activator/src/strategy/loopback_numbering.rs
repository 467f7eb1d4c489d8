//! Strategies for the number of an endpoint's loopback.

use std::net::Ipv4Addr;

use dz_policy::LoopbackNumbering;

use super::Strategy;

/// What a loopback number is chosen from.
#[derive(Clone, Copy, Debug)]
pub struct FreeNumbers<'a> {
    /// The address that the loopback will hold.
    pub address: Ipv4Addr,
    /// First number of the range.
    pub first: u16,
    /// How many numbers the range has.
    pub count: u16,
    /// The free ones, ascending.
    pub free: &'a [u16],
}

impl Strategy for LoopbackNumbering {
    type From<'a> = FreeNumbers<'a>;
    type Choice = u16;

    fn choose(self, from: FreeNumbers<'_>) -> Option<u16> {
        let lowest = from.free.first().copied()?;
        match self {
            Self::Lowest => Some(lowest),
            Self::ByAddress => {
                let offset = u32::from(from.address) % u32::from(from.count.max(1));
                let home = u32::from(from.first) + offset;
                Some(from.free.iter().copied().find(|&number| u32::from(number) >= home).unwrap_or(lowest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A range of ten numbers from 100 on; 45.33.100.5 modulo 10 is 3.
    #[rstest]
    #[case::nothing_left([45, 33, 100, 5], &[], None, None)]
    #[case::all_free([45, 33, 100, 5], &[100, 101, 102, 103, 104, 105, 106, 107, 108, 109], Some(100), Some(103))]
    #[case::next_address([45, 33, 100, 6], &[101, 102, 103, 104, 105], Some(101), Some(104))]
    #[case::home_taken([45, 33, 100, 5], &[101, 104, 109], Some(101), Some(104))]
    #[case::starts_over([45, 33, 100, 9], &[101, 104], Some(101), Some(101))]
    fn number_of_the_next_loopback(
        #[case] address: [u8; 4],
        #[case] free: &[u16],
        #[case] lowest: Option<u16>,
        #[case] by_address: Option<u16>,
    ) {
        let from = FreeNumbers { address: address.into(), first: 100, count: 10, free };
        assert_eq!(LoopbackNumbering::Lowest.choose(from), lowest);
        assert_eq!(LoopbackNumbering::ByAddress.choose(from), by_address);
    }
}
