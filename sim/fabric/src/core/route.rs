//! The routing table of the internet: longest prefix first, and no two nodes with the same address.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::NodeId;

/// Prefixes and their nodes. Prefixes of different nodes never overlap.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    by_prefix: BTreeMap<(u32, u8), NodeId>,
    /// How many prefixes have each length, so that a lookup tries only lengths that exist.
    by_length: BTreeMap<u8, usize>,
}

impl Routes {
    /// Gives `prefix` to `node`. If another node has an address of it, says which and what it registered.
    pub(crate) fn add(&mut self, node: NodeId, prefix: Ipv4Net) -> Result<(), (NodeId, Ipv4Net)> {
        let prefix = prefix.trunc();
        if let Some(other) = self.overlapping(prefix).find(|(other, _)| *other != node) {
            return Err(other);
        }
        if self.by_prefix.insert(key(prefix), node).is_none() {
            *self.by_length.entry(prefix.prefix_len()).or_default() += 1;
        }
        Ok(())
    }

    /// Takes `prefix` from `node`; false if it was not the node's.
    pub(crate) fn remove(&mut self, node: NodeId, prefix: Ipv4Net) -> bool {
        let key = key(prefix.trunc());
        if self.by_prefix.get(&key) != Some(&node) {
            return false;
        }
        self.by_prefix.remove(&key);
        if let Some(count) = self.by_length.get_mut(&key.1) {
            *count -= 1;
            if *count == 0 {
                self.by_length.remove(&key.1);
            }
        }
        true
    }

    /// Takes everything from `node`.
    pub(crate) fn remove_node(&mut self, node: NodeId) {
        for prefix in self.of(node).collect::<Vec<_>>() {
            self.remove(node, prefix);
        }
    }

    /// The prefixes of `node`, in address order.
    pub(crate) fn of(&self, node: NodeId) -> impl Iterator<Item = Ipv4Net> {
        self.by_prefix.iter().filter(move |(_, owner)| **owner == node).map(|(key, _)| net(*key))
    }

    /// The node that has `address`.
    pub(crate) fn lookup(&self, address: Ipv4Addr) -> Option<NodeId> {
        longest(self.by_length.keys().rev().copied(), address, |key| self.by_prefix.get(&key).copied())
    }

    fn overlapping(&self, prefix: Ipv4Net) -> impl Iterator<Item = (NodeId, Ipv4Net)> {
        let around = (0..prefix.prefix_len())
            .filter_map(move |len| Ipv4Net::new(prefix.network(), len).ok())
            .filter_map(|wider| self.by_prefix.get_key_value(&key(wider.trunc())));
        let within = self.by_prefix.range(key(prefix)..=(prefix.broadcast().to_bits(), 32));
        around.chain(within.filter(move |(key, _)| key.1 >= prefix.prefix_len())).map(|(key, node)| (*node, net(*key)))
    }
}

/// The first value that `get` finds for a prefix around `address`, by `lengths` in turn.
pub(crate) fn longest<V>(
    mut lengths: impl Iterator<Item = u8>,
    address: Ipv4Addr,
    get: impl Fn((u32, u8)) -> Option<V>,
) -> Option<V> {
    lengths.find_map(|len| {
        let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
        get((address.to_bits() & mask, len))
    })
}

fn key(prefix: Ipv4Net) -> (u32, u8) {
    (prefix.network().to_bits(), prefix.prefix_len())
}

fn net((network, len): (u32, u8)) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_bits(network), len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);

    fn prefix(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn overlap_names_the_other_and_changes_nothing() {
        let mut routes = Routes::default();
        routes.add(A, prefix("45.33.100.0/29")).unwrap();
        for text in ["45.33.100.0/29", "45.33.100.3/32", "45.33.0.0/16", "0.0.0.0/0"] {
            assert_eq!(routes.add(B, prefix(text)), Err((A, prefix("45.33.100.0/29"))), "{text}");
        }
        routes.add(B, prefix("45.33.100.8/29")).unwrap();
        routes.add(A, prefix("45.33.100.1/32")).unwrap();
        assert_eq!(routes.of(B).collect::<Vec<_>>(), [prefix("45.33.100.8/29")]);
        assert_eq!(routes.lookup(Ipv4Addr::new(45, 33, 100, 9)), Some(B));
    }

    #[test]
    fn what_is_removed_is_free_again() {
        let mut routes = Routes::default();
        routes.add(A, prefix("45.33.100.0/29")).unwrap();
        assert!(!routes.remove(B, prefix("45.33.100.0/29")));
        assert!(routes.remove(A, prefix("45.33.100.0/29")));
        assert!(!routes.remove(A, prefix("45.33.100.0/29")));
        assert_eq!(routes.lookup(Ipv4Addr::new(45, 33, 100, 1)), None);
        routes.add(B, prefix("45.33.0.0/16")).unwrap();
        routes.remove_node(B);
        assert_eq!(routes.of(B).count(), 0);
        assert!(routes.by_length.is_empty());
    }

    proptest! {
        /// Against a list that is searched in full.
        #[test]
        fn agrees_with_a_plain_list(
            adds in proptest::collection::vec((0u32..3, 0u32..64, 26u8..=32), 1..30),
            probes in proptest::collection::vec(0u32..64, 1..20),
        ) {
            let (mut routes, mut list) = (Routes::default(), Vec::<(NodeId, Ipv4Net)>::new());
            for (node, address, len) in adds {
                let (node, net) = (NodeId(node), Ipv4Net::new(Ipv4Addr::from_bits(address), len).unwrap().trunc());
                let overlaps = list.iter().any(|(other, taken)| {
                    *other != node && (taken.contains(&net) || net.contains(taken))
                });
                prop_assert_eq!(routes.add(node, net).is_err(), overlaps);
                if !overlaps {
                    list.push((node, net));
                }
            }
            for probe in probes.into_iter().map(Ipv4Addr::from_bits) {
                let best = list.iter().filter(|(_, net)| net.contains(&probe)).max_by_key(|(_, net)| net.prefix_len());
                prop_assert_eq!(routes.lookup(probe), best.map(|(node, _)| *node));
            }
        }
    }
}
