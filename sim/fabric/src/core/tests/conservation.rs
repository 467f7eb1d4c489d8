//! No packet appears or vanishes unaccounted, whatever is sent and whatever changes meanwhile.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::profile::{Jitter, Loss, Ordering, Reach};
use crate::units::{BitRate, Probability};

/// Something that happens to the network.
#[derive(Debug, Clone)]
enum Event {
    Send { from: usize, to: usize, len: usize, dont_fragment: bool, ttl: u8 },
    Wait(u64),
    Path { from: usize, to: usize, profile: usize },
    Uplink { node: usize, up: bool },
    Block { from: usize, to: usize, blocked: bool },
    Reattach(usize),
    LinkUp(bool),
    LinkSend { end: usize, len: usize },
    RefuseDeliveries(bool),
}

const NAMES: [&str; 3] = ["a", "b", "c"];
const PREFIXES: [&str; 3] = ["192.0.2.1/32", "198.51.100.0/29", "203.0.113.0/24"];
const UNKNOWN: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
const GROUP: Ipv4Addr = Ipv4Addr::new(233, 84, 178, 1);
const ADDRESSES: [Ipv4Addr; 5] = [A, B, C, UNKNOWN, GROUP];

fn profiles() -> Vec<PathProfile> {
    let half = Probability::new(0.5).unwrap();
    let base = delay(5);
    vec![
        base.clone(),
        PathProfile { loss: Loss::Random { probability: half }, duplicate: half, ..base.clone() },
        PathProfile { mtu: Some(576), jitter: Jitter::Normal { deviation: ms(9) }, ..base.clone() },
        PathProfile { rate: BitRate::from_bits_per_second(1_000_000), queue_bytes: Some(3_000), ..base.clone() },
        PathProfile { ordering: Ordering::HeldBack { probability: half, by: ms(7) }, duplicate: half, ..base },
        PathProfile { reach: Reach::Unreachable, ..PathProfile::default() },
        PathProfile::silent(),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let node = 0..3usize;
    prop_oneof![
        10 => (node.clone(), 0..5usize, 24..3000usize, any::<bool>(), 0..4u8)
            .prop_map(|(from, to, len, dont_fragment, ttl)| Event::Send { from, to, len, dont_fragment, ttl }),
        4 => (0..20 * MS).prop_map(Event::Wait),
        2 => (node.clone(), node.clone(), 0..7usize)
            .prop_map(|(from, to, profile)| Event::Path { from, to, profile }),
        1 => (node.clone(), any::<bool>()).prop_map(|(node, up)| Event::Uplink { node, up }),
        1 => (node.clone(), node.clone(), any::<bool>())
            .prop_map(|(from, to, blocked)| Event::Block { from, to, blocked }),
        1 => node.prop_map(Event::Reattach),
        1 => any::<bool>().prop_map(Event::LinkUp),
        3 => (0..2usize, 24..3000usize).prop_map(|(end, len)| Event::LinkSend { end, len }),
        1 => any::<bool>().prop_map(Event::RefuseDeliveries),
    ]
}

/// Sent, made on the way, and gone or under way must be the same, for each direction and protocol.
fn assert_conserved(net: &Net) {
    for row in net.counters().paths {
        let dropped = row.dropped.values().fold(Tally::default(), |sum, tally| sum + *tally);
        assert_eq!(row.sent + row.duplicated + row.fragments, row.delivered + dropped + row.under_way, "{row:#?}");
    }
}

proptest! {
    #[test]
    fn packets_are_conserved(events in proptest::collection::vec(event(), 1..150)) {
        let mut net = Net::new();
        let link = net.core.add_link("l", ["a", "b"], [delay(2), profiles().remove(1)]).unwrap();
        let (mut sent, mut taken, mut refusing) = (0, BTreeMap::<PortId, Tally>::new(), false);
        for event in events {
            match event {
                Event::Send { from, to, len, dont_fragment, ttl } => {
                    let packet = with_ttl(numbered(ADDRESSES[from], ADDRESSES[to], 0, len), ttl);
                    let packet = if dont_fragment { super::dont_fragment(packet) } else { packet };
                    net.send([net.a, net.b, net.c][from], packet);
                    sent += 1;
                }
                Event::LinkSend { end, len } => {
                    net.send(link[end], numbered(A, B, 0, len));
                    sent += 1;
                }
                Event::Wait(time) => {
                    net.now += time;
                    net.core.deliver(net.now, usize::MAX, |port, packet| {
                        if !refusing {
                            *taken.entry(port).or_default() += tally(1, packet.bytes.len() as u64);
                        }
                        !refusing
                    });
                }
                Event::Path { from, to, profile } => {
                    net.core.set_path(NAMES[from], NAMES[to], Some(profiles().remove(profile))).unwrap();
                }
                Event::Uplink { node, up } => net.core.set_uplink(NAMES[node], up).unwrap(),
                Event::Block { from, to, blocked } => {
                    let pair = (net.core.node(NAMES[from]).unwrap(), net.core.node(NAMES[to]).unwrap());
                    net.core.set_blocked(&[pair], blocked);
                }
                Event::Reattach(node) => {
                    net.core.detach(NAMES[node]).unwrap();
                    net.core.attach(NAMES[node], &[PREFIXES[node].parse().unwrap()]).unwrap();
                }
                Event::LinkUp(up) => net.core.set_link_up("l", up).unwrap(),
                Event::RefuseDeliveries(refuse) => refusing = refuse,
            }
            assert_conserved(&net);
        }
        for arrived in net.drain() {
            *taken.entry(arrived.port).or_default() += tally(1, arrived.packet.bytes.len() as u64);
        }
        assert_conserved(&net);

        let rows = net.counters().paths;
        prop_assert!(rows.iter().all(|row| row.under_way == Tally::default()));
        let from_nodes = rows.iter().filter(|row| row.from != "internet");
        prop_assert_eq!(from_nodes.map(|row| row.sent.packets).sum::<u64>(), sent);
        // What was counted as delivered is what came out, packet by packet and byte by byte.
        let delivered = rows.iter().fold(Tally::default(), |sum, row| sum + row.delivered);
        prop_assert_eq!(delivered, taken.values().fold(Tally::default(), |sum, tally| sum + *tally));
        // The traffic query, asked for everything, sees the same.
        let all = net.core.traffic(None, &Default::default());
        prop_assert_eq!(all.delivered, delivered);
    }
}
