//! The internet checksum (RFC 1071).

/// Adds `data`, as big-endian words and a last odd byte as the high half of one, to the running sum `seed`.
pub(crate) fn sum(data: &[u8], seed: u32) -> u32 {
    // Sums of any word size fold to the same result (RFC 1071 section 2); eight bytes at once are the fastest.
    let mut total: u128 = u128::from(seed);
    let mut chunks = data.chunks_exact(8);
    for chunk in &mut chunks {
        total += u128::from(u64::from_be_bytes([
            chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7],
        ]));
    }
    let mut rest = [0; 8];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    total += u128::from(u64::from_be_bytes(rest));
    while total > 0xffff_ffff {
        total = (total & 0xffff_ffff) + (total >> 32);
    }
    total as u32
}

/// The checksum of a running sum: folded to 16 bits and inverted.
pub(crate) fn finish(sum: u32) -> u16 {
    !fold(sum)
}

/// A running sum folded to 16 bits.
pub(crate) fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// `checksum` after one 16-bit word of what it covers changed (RFC 1624, equation 3).
pub(crate) fn update(checksum: u16, old: u16, new: u16) -> u16 {
    finish(u32::from(!checksum) + u32::from(!old) + u32::from(new))
}

/// The sum of the pseudo header that TCP and UDP cover (RFC 793 section 3.1).
pub(crate) fn pseudo_header(source: u32, destination: u32, protocol: u8, length: u32) -> u32 {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&source.to_be_bytes());
    bytes[4..8].copy_from_slice(&destination.to_be_bytes());
    bytes[9] = protocol;
    bytes[10..].copy_from_slice(&(length as u16).to_be_bytes());
    sum(&bytes, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn example_of_rfc_1071() {
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum(&data, 0)), 0xddf2);
        assert_eq!(finish(sum(&data, 0)), 0x220d);
    }

    proptest! {
        #[test]
        fn equals_the_plain_definition(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut plain = 0u64;
            for pair in data.chunks(2) {
                plain += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
            }
            while plain > 0xffff {
                plain = (plain & 0xffff) + (plain >> 16);
            }
            prop_assert_eq!(fold(sum(&data, 0)), plain as u16);
        }

        #[test]
        fn update_equals_a_new_sum(mut words in proptest::collection::vec(any::<u16>(), 2..20), new: u16) {
            let of = |words: &[u16]| {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                finish(sum(&bytes, 0))
            };
            // All-zero data is the one case in which the two zeros of ones' complement differ.
            prop_assume!(words[1] != 0);
            let before = of(&words);
            let old = std::mem::replace(&mut words[0], new);
            prop_assert_eq!(update(before, old, new), of(&words));
        }
    }
}
