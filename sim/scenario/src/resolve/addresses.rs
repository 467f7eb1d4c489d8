//! Addresses: those of the file are checked against each other, the rest is allocated.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::context::{At, Context};

/// What addresses are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// On the internet.
    Public,
    /// Inside tunnels and links.
    Private,
    /// Groups.
    Multicast,
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Private => "private or link-local",
            Self::Multicast => "multicast",
        })
    }
}

/// Networks that the program takes for none of the internet's.
const NOT_PUBLIC: [(&str, [u8; 4], u8); 14] = [
    ("this network", [0, 0, 0, 0], 8),
    ("private", [10, 0, 0, 0], 8),
    ("carrier-grade NAT", [100, 64, 0, 0], 10),
    ("loopback", [127, 0, 0, 0], 8),
    ("link-local", [169, 254, 0, 0], 16),
    ("private", [172, 16, 0, 0], 12),
    ("protocol assignments", [192, 0, 0, 0], 24),
    ("documentation", [192, 0, 2, 0], 24),
    ("private", [192, 168, 0, 0], 16),
    ("documentation", [198, 51, 100, 0], 24),
    ("documentation", [203, 0, 113, 0], 24),
    ("multicast", [224, 0, 0, 0], 4),
    ("reserved", [240, 0, 0, 0], 4),
    ("broadcast", [255, 255, 255, 255], 32),
];

/// Why a network is not of the internet.
fn not_public(net: Ipv4Net) -> Option<&'static str> {
    NOT_PUBLIC
        .iter()
        .find(|(_, base, len)| Ipv4Net::new((*base).into(), *len).is_ok_and(|special| overlap(special, net)))
        .map(|(name, ..)| *name)
}

/// What all addresses of a network are good for.
pub(super) fn space_of(net: Ipv4Net) -> Option<Space> {
    match not_public(net) {
        None => Some(Space::Public),
        Some("private" | "link-local") => Some(Space::Private),
        Some("multicast") if net.network().is_multicast() => Some(Space::Multicast),
        Some(_) => None,
    }
}

/// Everything that has addresses on the internet.
#[derive(Default)]
pub(super) struct Registry {
    taken: Vec<(Ipv4Net, String)>,
    /// The last address that was given out of a network: nothing before it is free.
    last: BTreeMap<Ipv4Net, u32>,
}

impl Registry {
    /// Notes a network without a look at it: one that the policy has checked.
    pub(super) fn note(&mut self, net: Ipv4Net, owner: String) {
        self.taken.push((net, owner));
    }

    /// Notes what the file gives to `owner`, and reports if it is not public or already taken.
    pub(super) fn claim<'t>(&mut self, context: &mut Context<'t, '_, '_>, at: At<'t>, net: Ipv4Net, owner: String) {
        let shown = if net.prefix_len() == 32 { net.addr().to_string() } else { net.to_string() };
        if let Some(why) = not_public(net) {
            let help = "addresses such as 9.1.2.3 look public; without one the next free one is taken";
            context.error(at, format!("{shown} is not public: {why} addresses are refused by the program"), help);
        }
        if let Some((other, first)) = self.taken.iter().find(|(other, _)| overlap(*other, net)) {
            let message = if *other == net {
                format!("{shown} is taken: it is {first}")
            } else {
                format!("{shown} overlaps {other}, which is {first}")
            };
            context.error(at, message, "");
        }
        self.taken.push((net, owner));
    }

    /// The next free address of a network, in order. Addresses that end in 0 or 255 are left out: they look like
    /// mistakes.
    pub(super) fn next(&mut self, within: Ipv4Net, owner: String) -> Ipv4Addr {
        let first = self.last.get(&within).map_or(u32::from(within.network()), |last| last.saturating_add(1));
        let last = u32::from(within.broadcast());
        let free = (first..=last).find(|address| {
            let net = Ipv4Net::from(Ipv4Addr::from(*address));
            !matches!(address & 0xff, 0 | 0xff) && !self.taken.iter().any(|(other, _)| overlap(*other, net))
        });
        // A /9 has more addresses than a file can name.
        let address = Ipv4Addr::from(free.unwrap_or(u32::from(within.network())));
        self.last.insert(within, address.into());
        self.taken.push((address.into(), owner));
        address
    }
}

/// Whether two networks share an address.
pub(super) fn overlap(left: Ipv4Net, right: Ipv4Net) -> bool {
    left.contains(&right) || right.contains(&left)
}
