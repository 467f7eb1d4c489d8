//! Traffic reports.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::counters::{FlowNumber, GrePair, Purposes, Traffic, TrafficFilter};

const INNER_A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const INNER_B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// A GRE packet with an IPv4 packet inside, 124 bytes in all.
fn gre(from: Ipv4Addr, to: Ipv4Addr, inner_from: Ipv4Addr, inner_to: Ipv4Addr) -> Vec<u8> {
    let inner = numbered(inner_from, inner_to, 1, 100);
    let mut bytes = ipv4::tests::packet(ipv4::GRE, from.octets(), to.octets(), 4 + inner.len());
    bytes.truncate(20);
    bytes.extend([0, 0, 8, 0]);
    bytes.extend(inner);
    bytes
}

fn filter() -> TrafficFilter {
    TrafficFilter::default()
}

#[test]
fn traffic_is_found_by_node_addresses_protocol_and_what_is_inside() {
    let mut net = Net::with_path(delay(10));
    let mark = net.core.mark();
    net.send(net.a, gre(A, B, INNER_A, INNER_B));
    net.send(net.a, gre(A, B2, INNER_A, INNER_B));
    net.send(net.a, numbered(A, B, 1, 100));
    net.send(net.b, gre(B, A, INNER_B, INNER_A));
    let sent = |net: &Net, filter| net.core.traffic(Some(&mark), &filter).sent.packets;
    assert_eq!(sent(&net, filter()), 4);
    assert_eq!(sent(&net, TrafficFilter { from: Some("a".to_owned()), ..filter() }), 3);
    assert_eq!(sent(&net, TrafficFilter { from: Some("nobody".to_owned()), ..filter() }), 0);
    assert_eq!(sent(&net, TrafficFilter { protocol: Some(ipv4::GRE), ..filter() }), 3);
    assert_eq!(sent(&net, TrafficFilter { source: Some(A), destination: Some(B), ..filter() }), 2);
    assert_eq!(sent(&net, TrafficFilter { inner_source: Some(INNER_A), ..filter() }), 2);
    let one = TrafficFilter { destination: Some(B2), inner_destination: Some(INNER_B), ..filter() };
    assert_eq!(net.core.traffic(Some(&mark), &one), Traffic { sent: tally(1, 124), delivered: tally(0, 0) });
    net.drain();
    assert_eq!(net.core.traffic(Some(&mark), &one), Traffic { sent: tally(1, 124), delivered: tally(1, 124) });
    let later = net.core.mark();
    assert_eq!(net.core.traffic(Some(&later), &filter()), Traffic::default());
}

#[test]
fn gre_pairs_are_those_each_node_sent() {
    let mut net = Net::new();
    net.send(net.a, gre(A, B, INNER_A, INNER_B));
    let mark = net.core.mark();
    net.send(net.a, gre(A, B2, INNER_A, INNER_B));
    net.send(net.a, gre(A, B2, INNER_A, INNER_A));
    net.send(net.b, gre(B2, A, INNER_B, INNER_A));
    net.send(net.c, numbered(C, A, 1, 100));
    let pair = |source, destination| GrePair { source, destination };
    let of = |a: &[GrePair]| {
        let b = BTreeSet::from([pair(B2, A)]);
        BTreeMap::from([("a".to_owned(), a.iter().copied().collect()), ("b".to_owned(), b)])
    };
    assert_eq!(net.core.gre_pairs(Some(&mark)), of(&[pair(A, B2)]));
    assert_eq!(net.core.gre_pairs(None), of(&[pair(A, B), pair(A, B2)]));
}

#[test]
fn probes_and_flows_are_counted_apart() {
    let mut net = Net::new();
    let mark = net.core.mark();
    let marked = |tag: [u8; 8]| {
        let mut bytes = numbered(A, B, 1, 100);
        bytes[36..44].copy_from_slice(&tag);
        bytes
    };
    let flow = FlowNumber::new(7);
    for tag in [dz_net::probe::TAG, dz_net::probe::TAG, flow.tag(), FlowNumber::new(8).tag(), [0; 8]] {
        net.send(net.a, marked(tag));
    }
    let sent = |purposes| net.core.traffic(Some(&mark), &TrafficFilter { purposes, ..filter() }).sent.packets;
    assert_eq!(sent(Purposes::All), 5);
    assert_eq!(sent(Purposes::NoProbes), 3);
    assert_eq!(sent(Purposes::Flow(flow)), 1);
}

#[test]
fn an_error_about_a_probe_is_no_traffic_of_others() {
    let mut net = Net::new();
    let mark = net.core.mark();
    let mut probe = with_ttl(numbered(A, B, 1, 100), 1);
    probe[36..44].copy_from_slice(&dz_net::probe::TAG);
    net.send(net.a, probe);
    assert_eq!(net.drain().len(), 1);
    let delivered = |purposes| net.core.traffic(Some(&mark), &TrafficFilter { purposes, ..filter() }).delivered.packets;
    assert_eq!((delivered(Purposes::All), delivered(Purposes::NoProbes)), (1, 0));
}
