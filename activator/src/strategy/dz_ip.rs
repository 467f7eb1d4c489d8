//! Strategies for the pool of a user's dz_ip.

use dz_policy::DzIp;

use super::{PoolUse, Strategy};

impl Strategy for DzIp {
    type From<'a> = &'a [PoolUse];
    type Choice = usize;

    fn choose(self, pools: &[PoolUse]) -> Option<usize> {
        let mut with_room = pools.iter().enumerate().filter(|(_, pool)| pool.has_room());
        match self {
            Self::FirstFit => with_room.next(),
            // a/b < c/d without division: both capacities are positive where there is room.
            Self::Spread => with_room.reduce(|best, next| {
                let share = |used: u32, of: u32| u64::from(used) * u64::from(of);
                if share(next.1.used, best.1.capacity) < share(best.1.used, next.1.capacity) { next } else { best }
            }),
        }
        .map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Each pool as (used, capacity).
    #[rstest]
    #[case::no_pool(&[], None, None)]
    #[case::equal_pools(&[(0, 7), (0, 7)], Some(0), Some(0))]
    #[case::fewer_used(&[(3, 7), (2, 7)], Some(0), Some(1))]
    #[case::share_counts_not_number(&[(3, 7), (5, 15)], Some(0), Some(1))]
    #[case::equal_shares_of_different_sizes(&[(2, 6), (4, 12)], Some(0), Some(0))]
    #[case::roll_over(&[(7, 7), (6, 7)], Some(1), Some(1))]
    #[case::all_full(&[(7, 7), (15, 15)], None, None)]
    fn pool_of_the_next_address(
        #[case] pools: &[(u32, u32)],
        #[case] first_fit: Option<usize>,
        #[case] spread: Option<usize>,
    ) {
        let pools: Vec<_> = pools.iter().map(|&(used, capacity)| PoolUse { capacity, used, endpoints: 0 }).collect();
        assert_eq!(DzIp::FirstFit.choose(&pools), first_fit);
        assert_eq!(DzIp::Spread.choose(&pools), spread);
    }
}
