//! Changes to a running network.

use super::*;
use crate::counters::DropReason;
use crate::error::FabricError;
use crate::geo::{Geography, metro};
use crate::profile::{ProfileError, Reach};

/// When the next packet from `a` to `b` arrives, from now.
fn time_to(net: &mut Net, to: Ipv4Addr) -> Option<u64> {
    let start = net.now;
    net.send(net.a, numbered(A, to, 1, 100));
    net.drain().first().map(|arrived| (arrived.at - start) / MS)
}

#[test]
fn a_pair_comes_before_the_default_and_an_address_before_the_pair() {
    let mut net = Net::new();
    let prefix = |text: &str| text.parse().unwrap();
    net.core.set_default_path(delay(1)).unwrap();
    assert_eq!(time_to(&mut net, B), Some(1));
    net.core.set_path("a", "b", Some(delay(2))).unwrap();
    assert_eq!(time_to(&mut net, B), Some(2));
    net.core.set_address_path(None, prefix("198.51.100.0/29"), Some(delay(3))).unwrap();
    assert_eq!((time_to(&mut net, B), time_to(&mut net, B2)), (Some(3), Some(3)));
    net.core.set_address_path(Some("a"), prefix("198.51.100.0/29"), Some(delay(4))).unwrap();
    assert_eq!(time_to(&mut net, B), Some(4));
    net.core.set_address_path(None, prefix("198.51.100.1/32"), Some(delay(5))).unwrap();
    assert_eq!((time_to(&mut net, B), time_to(&mut net, B2)), (Some(5), Some(4)));
    let gone = PathProfile { reach: Reach::Silent, ..PathProfile::default() };
    net.core.set_address_path(Some("a"), prefix("198.51.100.2/32"), Some(gone)).unwrap();
    assert_eq!((time_to(&mut net, B), time_to(&mut net, B2)), (Some(5), None));

    // And back, the last first.
    net.core.set_address_path(Some("a"), prefix("198.51.100.2/32"), None).unwrap();
    assert_eq!(time_to(&mut net, B2), Some(4));
    net.core.set_address_path(None, prefix("198.51.100.1/32"), None).unwrap();
    net.core.set_address_path(Some("a"), prefix("198.51.100.0/29"), None).unwrap();
    assert_eq!(time_to(&mut net, B), Some(3));
    net.core.set_address_path(None, prefix("198.51.100.0/29"), None).unwrap();
    assert_eq!(time_to(&mut net, B), Some(2));
    net.core.set_path("a", "b", None).unwrap();
    assert_eq!(time_to(&mut net, B), Some(1));
}

#[test]
fn distance_decides_where_nothing_else_does() {
    let mut net = Net::new();
    let position = |code| metro(code).unwrap().position;
    let geography = Geography { stretch: 1.5, floor: ms(1) };
    let expected = geography.delay(position("nyc"), position("lon")).as_nanos() as u64 / MS;
    net.core.set_default_path(PathProfile { mtu: Some(1000), ..delay(7) }).unwrap();
    net.core.set_geography(Some(geography));
    net.core.set_position("a", position("nyc")).unwrap();
    assert_eq!(time_to(&mut net, B), Some(7));
    net.core.set_position("b", position("lon")).unwrap();
    assert_eq!(time_to(&mut net, B), Some(expected));
    // The rest of the default counts all the same.
    net.send(net.a, dont_fragment(numbered(A, B, 1, 1001)));
    assert_eq!(net.drain()[0].icmp(), (3, 4, 1000));
    net.core.set_position("b", position("nyc")).unwrap();
    assert_eq!(time_to(&mut net, B), Some(1));
    net.core.set_path("a", "b", Some(delay(3))).unwrap();
    assert_eq!(time_to(&mut net, B), Some(3));
    net.core.set_path("a", "b", None).unwrap();
    assert_eq!(time_to(&mut net, B), Some(1));
    net.core.set_geography(None);
    assert_eq!(time_to(&mut net, B), Some(7));
}

#[test]
fn the_rule_of_one_sender_is_not_that_of_another() {
    let mut net = Net::new();
    net.core.set_address_path(Some("c"), "198.51.100.1/32".parse().unwrap(), Some(PathProfile::silent())).unwrap();
    assert_eq!(time_to(&mut net, B), Some(0));
    net.send(net.c, numbered(C, B, 1, 100));
    assert_eq!(net.drain(), []);
}

#[test]
fn a_shorter_path_overtakes_what_is_under_way() {
    let mut net = Net::with_path(delay(100));
    net.send_numbered(1, 100);
    net.core.set_path("a", "b", Some(delay(10))).unwrap();
    net.send_numbered(2, 100);
    let arrived: Vec<_> = net.drain().iter().map(|a| (a.number(), a.at / MS)).collect();
    assert_eq!(arrived, [(2, 10), (1, 100)]);
}

#[test]
fn setting_another_path_leaves_this_one_alone() {
    let mut net = Net::with_path(delay(100));
    net.send_numbered(1, 100);
    net.core.set_path("b", "a", Some(delay(10))).unwrap();
    net.core.set_default_path(delay(5)).unwrap();
    net.send_numbered(2, 100);
    assert_eq!(net.drain().iter().map(|a| (a.number(), a.at / MS)).collect::<Vec<_>>(), [(1, 100), (2, 100)]);
}

#[test]
fn a_partition_cuts_also_what_is_under_way() {
    let mut net = Net::with_path(delay(10));
    let (a, b) = (net.core.node("a").unwrap(), net.core.node("b").unwrap());
    net.send_numbered(1, 100);
    net.core.set_blocked(&[(a, b)], true);
    net.send_numbered(2, 100);
    net.send(net.b, numbered(B, A, 3, 100));
    let arrived = net.drain();
    assert_eq!(arrived.iter().map(Arrived::number).collect::<Vec<_>>(), [3]);
    assert_eq!(net.row("a", "b", ipv4::UDP).dropped[&DropReason::Blocked], tally(2, 200));
    net.core.set_blocked(&[(a, b)], false);
    assert_eq!(time_to(&mut net, B), Some(10));
    net.core.set_blocked(&[(a, b)], true);
    net.core.heal();
    assert_eq!(time_to(&mut net, B), Some(10));
}

#[test]
fn a_path_that_becomes_silent_or_unreachable_loses_what_is_under_way() {
    for reach in [Reach::Silent, Reach::Unreachable] {
        let mut net = Net::with_path(delay(10));
        net.send_numbered(1, 100);
        net.core.set_path("a", "b", Some(PathProfile { reach, ..delay(10) })).unwrap();
        assert_eq!(net.drain(), []);
        assert_eq!(net.row("a", "b", ipv4::UDP).dropped[&DropReason::Blocked], tally(1, 100));
    }
}

#[test]
fn an_uplink_that_is_down_neither_sends_nor_receives() {
    let mut net = Net::with_path(delay(10));
    net.send_numbered(1, 100);
    net.core.set_uplink("b", false).unwrap();
    net.send(net.b, numbered(B, A, 2, 100));
    assert_eq!(net.drain(), []);
    assert_eq!(net.row("a", "b", ipv4::UDP).dropped[&DropReason::LinkDown], tally(1, 100));
    assert_eq!(net.row("b", "a", ipv4::UDP).dropped[&DropReason::LinkDown], tally(1, 100));
    net.core.set_uplink("b", true).unwrap();
    assert_eq!(time_to(&mut net, B), Some(10));
}

#[test]
fn a_node_that_returns_finds_its_paths() {
    let mut net = Net::with_path(delay(10));
    assert_eq!(net.core.detach("b").unwrap(), net.b);
    assert!(matches!(net.core.detach("b"), Err(FabricError::NotAttached(name)) if name == "b"));
    assert_eq!(net.core.attach("b", &["198.51.100.0/30".parse().unwrap()]).unwrap(), net.b);
    assert_eq!(time_to(&mut net, B), Some(10));
    assert!(matches!(net.core.attach("b", &[]), Err(FabricError::NodeExists(name)) if name == "b"));
}

#[test]
fn refusals_say_what_and_change_nothing() {
    let mut net = Net::with_path(delay(10));
    let bad = PathProfile { mtu: Some(10), ..PathProfile::default() };
    let message = |result: Result<(), FabricError>| result.unwrap_err().to_string();
    let mtu = ProfileError::Mtu(10);
    assert_eq!(message(net.core.set_path("a", "b", Some(bad.clone()))), format!("path a to b: {mtu}"));
    assert_eq!(message(net.core.set_default_path(bad.clone())), format!("default path: {mtu}"));
    let prefix: ipnet::Ipv4Net = "198.51.100.0/30".parse().unwrap();
    let address = net.core.set_address_path(None, prefix, Some(bad));
    assert_eq!(message(address), format!("path * to 198.51.100.0/30: {mtu}"));
    assert_eq!(message(net.core.set_path("a", "z", None)), "no node z is known to the fabric");
    assert_eq!(message(net.core.set_path("internet", "a", None)), "no node internet is known to the fabric");
    assert_eq!(
        message(net.core.attach("internet", &[]).map(drop)),
        "the name internet is taken by the internet itself"
    );
    assert_eq!(message(net.core.remove_prefix("a", prefix)), "198.51.100.0/30 is not registered for a");
    assert_eq!(time_to(&mut net, B), Some(10));
}
