//! Backbone links: wires between two nodes.

use super::*;
use crate::counters::{DropReason, Medium, Traffic, TrafficFilter};
use crate::error::FabricError;

const GROUP: Ipv4Addr = Ipv4Addr::new(233, 84, 178, 1);

fn with_link(az: PathProfile, za: PathProfile) -> (Net, [PortId; 2]) {
    let mut net = Net::new();
    let ports = net.core.add_link("ab1", ["a", "b"], [az, za]).unwrap();
    (net, ports)
}

#[test]
fn a_wire_changes_nothing_and_carries_anything_either_way() {
    let (mut net, [a, b]) = with_link(delay(3), delay(4));
    let group = with_ttl(numbered(A, GROUP, 1, 100), 1);
    net.send(a, group.clone());
    net.send(b, numbered(C, Ipv4Addr::new(10, 0, 0, 1), 2, 100));
    let arrived = net.drain();
    let there = Arrived { at: 3 * MS, port: b, packet: Packet::plain(group) };
    let back = numbered(C, Ipv4Addr::new(10, 0, 0, 1), 2, 100);
    assert_eq!(arrived, [there, Arrived { at: 4 * MS, port: a, packet: Packet::plain(back) }]);
    let filter = |medium| TrafficFilter { medium, ..TrafficFilter::default() };
    let one = Traffic { sent: tally(2, 200), delivered: tally(2, 200) };
    assert_eq!(net.core.traffic(None, &filter(Some(Medium::Link("ab1".to_owned())))), one);
    assert_eq!(net.core.traffic(None, &filter(Some(Medium::Internet))), Traffic::default());
    assert_eq!(net.core.traffic(None, &filter(Some(Medium::Link("none".to_owned())))), Traffic::default());
}

#[test]
fn what_does_not_fit_a_wire_is_dropped_without_a_word() {
    let (mut net, [a, _]) = with_link(PathProfile { mtu: Some(1000), ..delay(1) }, delay(1));
    net.send(a, numbered(A, B, 1, 1001));
    net.send(a, dont_fragment(numbered(A, B, 1, 1001)));
    assert_eq!(net.drain(), []);
    let row = net.counters().paths.into_iter().find(|row| row.link.as_deref() == Some("ab1")).unwrap();
    assert_eq!(row.dropped[&DropReason::TooBig], tally(2, 2002));
}

#[test]
fn a_link_that_is_down_loses_also_what_is_under_way() {
    let (mut net, [a, b]) = with_link(delay(3), delay(3));
    net.send(a, numbered(A, B, 1, 100));
    net.core.set_link_up("ab1", false).unwrap();
    net.send(a, numbered(A, B, 2, 100));
    net.send(b, numbered(B, A, 3, 100));
    assert_eq!(net.drain(), []);
    assert_eq!(net.counters().dropped(DropReason::LinkDown), tally(3, 300));
    net.core.set_link_up("ab1", true).unwrap();
    net.core.set_link_profiles("ab1", [delay(7), delay(8)]).unwrap();
    net.send(a, numbered(A, B, 4, 100));
    assert_eq!(net.drain().len(), 1);
}

#[test]
fn links_and_partitions_do_not_know_of_each_other() {
    let (mut net, [a, _]) = with_link(delay(3), delay(3));
    let (from, to) = (net.core.node("a").unwrap(), net.core.node("b").unwrap());
    net.core.set_blocked(&[(from, to)], true);
    net.core.set_default_path(PathProfile::silent()).unwrap();
    net.send(a, numbered(A, B, 1, 100));
    assert_eq!(net.drain().len(), 1);
}

#[test]
fn a_link_may_be_removed_and_laid_again() {
    let (mut net, ports) = with_link(delay(3), delay(3));
    let again = net.core.add_link("ab1", ["a", "b"], [delay(1), delay(1)]);
    assert!(matches!(again, Err(FabricError::LinkExists(name)) if name == "ab1"));
    assert_eq!(net.core.remove_link("ab1").unwrap(), ports);
    assert!(matches!(net.core.set_link_up("ab1", true), Err(FabricError::UnknownLink(name)) if name == "ab1"));
    assert_eq!(net.core.add_link("ab1", ["a", "b"], [delay(9), delay(1)]).unwrap(), ports);
    net.send(ports[0], numbered(A, B, 1, 100));
    assert_eq!(net.drain()[0].at, 9 * MS);
    // Between others it is another link.
    net.core.remove_link("ab1").unwrap();
    assert_ne!(net.core.add_link("ab1", ["a", "c"], [delay(1), delay(1)]).unwrap(), ports);
}
