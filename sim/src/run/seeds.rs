//! Seeds for the parts of a run, made from the scenario's.

/// A seed for the thing of this name, of this kind. FNV-1a, and a round of SplitMix64 that spreads it.
pub fn of(seed: u64, kind: &str, name: &str) -> u64 {
    let octets = seed.to_le_bytes().into_iter().chain(kind.bytes()).chain([0]).chain(name.bytes());
    let hash =
        octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_part_has_its_own() {
        let seeds = [super::of(1, "a", "b"), super::of(1, "a", "c"), super::of(1, "ab", ""), super::of(2, "a", "b")];
        let distinct: std::collections::BTreeSet<_> = seeds.into_iter().collect();
        assert_eq!(distinct.len(), seeds.len());
        assert_eq!(super::of(1, "a", "b"), seeds[0]);
    }
}
