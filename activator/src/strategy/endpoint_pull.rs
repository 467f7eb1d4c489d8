//! Strategies for the prefix that an endpoint is pulled off.

use dz_policy::EndpointPull;

use super::{PoolUse, Strategy};

impl Strategy for EndpointPull {
    type From<'a> = &'a [PoolUse];
    type Choice = usize;

    fn choose(self, prefixes: &[PoolUse]) -> Option<usize> {
        let mut with_room = prefixes.iter().enumerate().filter(|(_, prefix)| prefix.has_room());
        match self {
            Self::FirstFit => with_room.next(),
            Self::Spread => with_room.min_by_key(|(_, prefix)| prefix.endpoints),
        }
        .map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Each prefix as (used, endpoints) out of seven addresses.
    #[rstest]
    #[case::nothing_to_pull_from(&[], None, None)]
    #[case::one_prefix(&[(2, 2)], Some(0), Some(0))]
    #[case::equal_prefixes(&[(0, 0), (0, 0)], Some(0), Some(0))]
    #[case::fewest_endpoints_not_fewest_addresses(&[(1, 1), (6, 0)], Some(0), Some(1))]
    #[case::full_prefix_is_passed_over(&[(7, 0), (1, 1), (1, 1)], Some(1), Some(1))]
    #[case::all_full(&[(7, 2), (7, 0)], None, None)]
    fn prefix_of_the_next_endpoint(
        #[case] prefixes: &[(u32, u32)],
        #[case] first_fit: Option<usize>,
        #[case] spread: Option<usize>,
    ) {
        let prefixes: Vec<_> =
            prefixes.iter().map(|&(used, endpoints)| PoolUse { capacity: 7, used, endpoints }).collect();
        assert_eq!(EndpointPull::FirstFit.choose(&prefixes), first_fit);
        assert_eq!(EndpointPull::Spread.choose(&prefixes), spread);
    }
}
