//! IPv4 networks as the chain stores them: four octets and a prefix length, always in canonical form.

use std::{fmt, net::Ipv4Addr, ops::Deref, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize, io};
use ipnet::Ipv4Net;

/// Bytes of a network on chain.
pub const NETWORK_BYTES: usize = 5;

/// An IPv4 network whose host bits are zero. Five bytes on chain: network address, prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkV4(Ipv4Net);

impl NetworkV4 {
    /// The network with this address and length, or `None` when the length exceeds 32 or a host bit is set.
    pub fn new(address: Ipv4Addr, prefix_len: u8) -> Option<Self> {
        Self::try_from(Ipv4Net::new(address, prefix_len).ok()?).ok()
    }

    /// The number of addresses in it; 2^32 for `0.0.0.0/0`.
    pub fn address_count(&self) -> u64 {
        1u64 << (32 - self.0.prefix_len())
    }

    /// The `index`-th address, or `None` past the end.
    pub fn address(&self, index: u32) -> Option<Ipv4Addr> {
        (u64::from(index) < self.address_count())
            .then(|| Ipv4Addr::from(u32::from(self.0.network()).wrapping_add(index)))
    }

    /// True when the two share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// True when every address of it can be reached from the public internet.
    pub fn is_global(&self) -> bool {
        !SPECIAL.iter().chain([&MULTICAST_AND_RESERVED]).any(|block| block.overlaps(self))
    }

    /// True when it lies in one special-purpose block of unicast addresses: no host on the public internet has one.
    pub fn is_private(&self) -> bool {
        SPECIAL.iter().any(|block| block.0.contains(&self.0))
    }

    /// The network as a host route.
    pub fn host(address: Ipv4Addr) -> Self {
        Self(Ipv4Net::from(address))
    }
}

impl Deref for NetworkV4 {
    type Target = Ipv4Net;

    fn deref(&self) -> &Ipv4Net {
        &self.0
    }
}

/// A host bit is set, so the text or bytes do not name a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} has host bits set; the network is {network}", network = .0.trunc())]
pub struct HostBitsSet(pub Ipv4Net);

impl TryFrom<Ipv4Net> for NetworkV4 {
    type Error = HostBitsSet;

    fn try_from(net: Ipv4Net) -> Result<Self, HostBitsSet> {
        if net.trunc() == net { Ok(Self(net)) } else { Err(HostBitsSet(net)) }
    }
}

/// Why a text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNetworkError {
    /// Not of the form `a.b.c.d/len`.
    #[error("expected an IPv4 network such as 45.33.100.0/29")]
    Syntax,
    /// A host bit is set.
    #[error(transparent)]
    HostBitsSet(#[from] HostBitsSet),
}

impl FromStr for NetworkV4 {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let net: Ipv4Net = text.parse().map_err(|_| ParseNetworkError::Syntax)?;
        Ok(Self::try_from(net)?)
    }
}

impl fmt::Display for NetworkV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl BorshSerialize for NetworkV4 {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(&self.0.network().octets())?;
        writer.write_all(&[self.0.prefix_len()])
    }
}

impl BorshDeserialize for NetworkV4 {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let mut bytes = [0u8; 5];
        reader.read_exact(&mut bytes)?;
        let [a, b, c, d, len] = bytes;
        Self::new(Ipv4Addr::new(a, b, c, d), len).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{a}.{b}.{c}.{d}/{len} is not a network"))
        })
    }
}

/// The special-purpose blocks of RFC 6890, except 198.18.0.0/15, which the live network accepts.
const SPECIAL: [NetworkV4; 11] = [
    block([0, 0, 0, 0], 8),
    block([10, 0, 0, 0], 8),
    block([100, 64, 0, 0], 10),
    block([127, 0, 0, 0], 8),
    block([169, 254, 0, 0], 16),
    block([172, 16, 0, 0], 12),
    block([192, 0, 0, 0], 24),
    block([192, 0, 2, 0], 24),
    block([192, 168, 0, 0], 16),
    block([198, 51, 100, 0], 24),
    block([203, 0, 113, 0], 24),
];
/// Multicast, and what was reserved beyond it.
const MULTICAST_AND_RESERVED: NetworkV4 = block([224, 0, 0, 0], 3);

const fn block([a, b, c, d]: [u8; 4], prefix_len: u8) -> NetworkV4 {
    NetworkV4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len))
}

/// True for an address that can be reached from the public internet.
pub fn is_global(address: Ipv4Addr) -> bool {
    NetworkV4::host(address).is_global()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn bytes_and_text_are_canonical_or_refused() {
        let net: NetworkV4 = "45.33.100.0/29".parse().unwrap();
        assert_eq!(borsh::to_vec(&net).unwrap(), [45, 33, 100, 0, 29]);
        assert_eq!(borsh::from_slice::<NetworkV4>(&[45, 33, 100, 0, 29]).unwrap(), net);
        for bytes in [[45, 33, 100, 1, 29], [45, 33, 100, 0, 33], [1, 0, 0, 0, 0]] {
            assert!(borsh::from_slice::<NetworkV4>(&bytes).is_err(), "{bytes:?}");
        }
        let error = "45.33.100.1/29".parse::<NetworkV4>().unwrap_err();
        assert_eq!(error.to_string(), "45.33.100.1/29 has host bits set; the network is 45.33.100.0/29");
        assert_eq!("x".parse::<NetworkV4>(), Err(ParseNetworkError::Syntax));
    }

    #[test]
    fn the_edges_of_the_address_space() {
        let all: NetworkV4 = "0.0.0.0/0".parse().unwrap();
        assert_eq!((all.address_count(), all.address(u32::MAX)), (1 << 32, Some(Ipv4Addr::BROADCAST)));
        let last: NetworkV4 = "255.255.255.254/31".parse().unwrap();
        assert_eq!((last.address(1), last.address(2)), (Some(Ipv4Addr::BROADCAST), None));
    }

    /// First and last address of each special-purpose block, and its neighbours.
    #[rstest]
    #[case("0.0.0.0", "0.255.255.255")]
    #[case("10.0.0.0", "10.255.255.255")]
    #[case("100.64.0.0", "100.127.255.255")]
    #[case("127.0.0.0", "127.255.255.255")]
    #[case("169.254.0.0", "169.254.255.255")]
    #[case("172.16.0.0", "172.31.255.255")]
    #[case("192.0.0.0", "192.0.0.255")]
    #[case("192.0.2.0", "192.0.2.255")]
    #[case("192.168.0.0", "192.168.255.255")]
    #[case("198.51.100.0", "198.51.100.255")]
    #[case("203.0.113.0", "203.0.113.255")]
    #[case("224.0.0.0", "255.255.255.255")]
    fn special_blocks_are_not_global(#[case] first: Ipv4Addr, #[case] last: Ipv4Addr) {
        let (first, last) = (u32::from(first), u32::from(last));
        assert!(!is_global(first.into()) && !is_global(last.into()));
        if first > 0 {
            assert!(is_global((first - 1).into()), "{}", Ipv4Addr::from(first - 1));
        }
        if last < u32::MAX {
            assert!(is_global((last + 1).into()), "{}", Ipv4Addr::from(last + 1));
        }
    }

    /// Both ends of a network say nothing about what lies between them.
    #[rstest]
    #[case("9.0.0.0/8", true, false)]
    #[case("172.0.0.0/8", false, false)]
    #[case("203.0.112.0/20", false, false)]
    #[case("198.18.0.0/15", true, false)]
    #[case("172.16.0.0/12", false, true)]
    #[case("172.0.0.0/11", false, false)]
    #[case("10.1.0.0/16", false, true)]
    #[case("192.0.0.0/23", false, false)]
    #[case("233.84.178.0/24", false, false)]
    #[case("0.0.0.0/0", false, false)]
    fn a_network_is_global_or_private_as_a_whole(#[case] net: NetworkV4, #[case] global: bool, #[case] private: bool) {
        assert_eq!((net.is_global(), net.is_private()), (global, private));
    }
}
