//! The Internet checksum (RFC 1071), in parts that can be combined.

use std::net::Ipv4Addr;

/// A running one's complement sum over 16-bit words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    #[inline]
    pub fn new() -> Self {
        Self(0)
    }

    /// Adds bytes, which must start at an even offset of what is summed; an odd end is padded with zero.
    #[inline]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        // Eight bytes at a time in the machine's order: the sum is independent of byte order up to a final swap
        // (RFC 1071 section 2, B), and 64-bit addition with the carry added back is 16-bit addition four at a time.
        let mut sum = 0u64;
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = u64::from_ne_bytes(chunk.try_into().expect("chunks of eight"));
            let (added, carry) = sum.overflowing_add(word);
            sum = added + u64::from(carry);
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            let (added, carry) = sum.overflowing_add(u64::from_ne_bytes(last));
            sum = added + u64::from(carry);
        }
        self.word(u16::from_be(fold(sum)))
    }

    /// Adds one 16-bit value.
    #[inline]
    pub fn word(self, word: u16) -> Self {
        Self(self.0 + u64::from(word))
    }

    /// Adds an address.
    pub fn address(self, address: Ipv4Addr) -> Self {
        self.bytes(&address.octets())
    }

    /// Adds the pseudo header of TCP and UDP: `length` is that of the transport header and its payload, in bytes.
    pub fn pseudo_header(self, source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Self {
        self.address(source).address(destination).word(protocol.into()).word(length)
    }

    /// The sum folded to 16 bits, not complemented: 0xffff if a checksum was among what was summed and is right.
    #[inline]
    pub fn folded(self) -> u16 {
        fold(self.0)
    }

    /// The checksum to put into a header.
    #[inline]
    pub fn finish(self) -> u16 {
        !fold(self.0)
    }
}

/// The checksum of `bytes`, as IPv4 and ICMP use it.
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::new().bytes(bytes).finish()
}

/// `checksum` after one 16-bit word of what it covers changed (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')).
pub fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    Sum::new().word(!checksum).word(!old).word(new).finish()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::new().bytes(&bytes).folded(), 0xddf2);
        assert_eq!(checksum(&bytes), 0x220d);
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_plain_definition(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut plain = 0u32;
            for pair in bytes.chunks(2) {
                plain += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
                plain = (plain & 0xffff) + (plain >> 16);
            }
            prop_assert_eq!(Sum::new().bytes(&bytes).folded(), plain as u16);
        }

        #[test]
        fn parts_add_up(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..100) {
            let cut = (cut * 2).min(bytes.len() & !1);
            let parts = Sum::new().bytes(&bytes[..cut]).bytes(&bytes[cut..]);
            prop_assert_eq!(parts.folded(), Sum::new().bytes(&bytes).folded());
        }

        #[test]
        fn an_update_equals_a_new_sum(mut words in proptest::collection::vec(any::<u16>(), 2..20), new: u16) {
            let of = |words: &[u16]| checksum(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>());
            // All-zero data is the one case in which the two zeros of ones' complement differ.
            prop_assume!(words[1] != 0);
            let before = of(&words);
            let old = std::mem::replace(&mut words[0], new);
            prop_assert_eq!(updated(before, old, new), of(&words));
        }
    }
}
