//! Group traffic: every subscriber gets each packet once, on one device and across three, and no other host gets any.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use dz_net::{
    filter::{Dropped, Filter},
    kernel::Scope,
    membership::Membership,
    mroute::MulticastRouter,
    sandbox,
};
use dz_testing::eventually;
use socket2::{Domain, Socket, Type};
use solana_pubkey::Pubkey;

use crate::{
    backbone::{Backbone, endpoint_of},
    view_builder::{Kind, NewUser, ip},
    wire::{Host, client_tunnel, receive_until},
};

const PORT: u16 = 7778;
const GROUPS: [&str; 2] = ["mg01", "mg02"];
pub(crate) const TUNNEL: &str = "doublezero1";

/// A client with a multicast tunnel.
pub(crate) struct Member {
    pub(crate) host: Host,
    pub(crate) user: Pubkey,
    /// What it sends from: a publisher its dz_ip, anybody else the tunnel's address.
    pub(crate) source: Ipv4Addr,
    inbox: UdpSocket,
    _memberships: Vec<Membership>,
}

impl Member {
    /// A client that listens to all groups, whatever it subscribes to.
    pub(crate) async fn new(
        net: &mut Backbone,
        device: &str,
        number: u8,
        publish: &[&str],
        subscribe: &[&str],
    ) -> Self {
        let client = format!("9.1.0.{number}");
        let kind = Kind::Multicast { publish, subscribe };
        let id = 500 + u16::from(number);
        let user = net.chain.user(NewUser { client: &client, device, endpoint: 0, id, kind });
        let host = net.internet.host(&[&client]).await;
        let overlay = net.chain.overlay(&user);
        client_tunnel(&host, TUNNEL, ip(endpoint_of(device)), ip(&client), overlay).await;
        let mut source = Ipv4Addr::from(u32::from(overlay.network()) + 1);
        if !publish.is_empty() {
            source = net.chain.dz_ip(&user);
            host.address(TUNNEL, &format!("{source}/32"), Scope::Global).await;
        }
        let index = host.index(TUNNEL).await;
        let join = |group: Ipv4Addr| host.ns.run(|| Membership::join(group, index)).unwrap().unwrap();
        let memberships = GROUPS.iter().map(|code| join(net.chain.group_address(code))).collect();
        let inbox = host.udp(Ipv4Addr::UNSPECIFIED, PORT);
        Self { host, user, source, inbox, _memberships: memberships }
    }

    pub(crate) fn send_from(&self, source: Ipv4Addr, group: Ipv4Addr, word: u32) {
        let socket = self.host.ns.run(|| Socket::new(Domain::IPV4, Type::DGRAM, None)).unwrap().unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        // The interface is chosen by the address it has.
        socket.set_multicast_if_v4(&source).unwrap();
        socket.set_multicast_ttl_v4(16).unwrap();
        socket.set_multicast_loop_v4(false).unwrap();
        socket.send_to(&word.to_be_bytes(), &SocketAddr::from((group, PORT)).into()).unwrap();
    }

    fn send(&self, group: Ipv4Addr, word: u32) {
        self.send_from(self.source, group, word);
    }

    fn receive_until(&self, last: u32) -> Result<Vec<(Ipv4Addr, u32)>, String> {
        receive_until(&self.inbox, last)
    }

    /// Says that nothing is waiting.
    fn has_nothing(&self) {
        self.inbox.set_nonblocking(true).unwrap();
        let got = self.inbox.recv_from(&mut [0; 16]);
        self.inbox.set_nonblocking(false).unwrap();
        got.expect_err("nothing is to come");
    }
}

/// Sends words to a group until each receiver got one, so that what was under way before has arrived.
async fn heard(sender: &Member, group: Ipv4Addr, receivers: &[&Member]) {
    for receiver in receivers {
        receiver.inbox.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        eventually("a subscriber hears the publisher", async || {
            sender.send(group, 0);
            receiver.receive_until(0)
        })
        .await;
    }
    for receiver in receivers {
        // Of each attempt one more may be waiting.
        while receiver.receive_until(0).is_ok() {}
        receiver.inbox.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    }
}

#[test]
fn each_subscriber_gets_each_packet_once_and_nobody_else_any() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let [mg01, mg02] = GROUPS.map(|code| net.chain.group(code));
        let publisher = Member::new(&mut net, "nyc1", 1, &["mg01", "mg02"], &["mg01"]).await;
        let here = Member::new(&mut net, "nyc1", 2, &[], &["mg01", "mg02"]).await;
        let there = Member::new(&mut net, "pit1", 3, &[], &["mg01"]).await;
        let both = Member::new(&mut net, "chi1", 4, &["mg01"], &["mg01"]).await;
        let outsider = Member::new(&mut net, "chi1", 5, &[], &[]).await;
        net.settle().await;
        heard(&publisher, mg01, &[&here, &there, &both]).await;
        heard(&both, mg01, &[&publisher, &here, &there]).await;

        for word in 1..=10 {
            publisher.send(mg01, word);
        }
        let expected: Vec<_> = (1..=10).map(|word| (publisher.source, word)).collect();
        for subscriber in [&here, &there, &both] {
            assert_eq!(subscriber.receive_until(10), Ok(expected.clone()));
        }
        publisher.send(mg02, 20);
        assert_eq!(here.receive_until(20), Ok(vec![(publisher.source, 20)]));
        both.send(mg01, 30);
        for subscriber in [&publisher, &here, &there] {
            assert_eq!(subscriber.receive_until(30), Ok(vec![(both.source, 30)]));
        }
        // The last packets have been everywhere they go to; no sender got its own, and no one what it has not asked for.
        publisher.send(mg01, 40);
        for subscriber in [&here, &there, &both] {
            assert_eq!(subscriber.receive_until(40), Ok(vec![(publisher.source, 40)]));
        }
        [&publisher, &here, &there, &both, &outsider].into_iter().for_each(Member::has_nothing);
    });
}

#[test]
fn only_a_publisher_sends_only_to_its_groups_and_only_from_its_source() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let [mg01, mg02] = GROUPS.map(|code| net.chain.group(code));
        let publisher = Member::new(&mut net, "nyc1", 1, &["mg01"], &[]).await;
        let subscriber = Member::new(&mut net, "nyc1", 2, &[], &["mg01", "mg02"]).await;
        let other = Member::new(&mut net, "nyc1", 3, &["mg02"], &["mg01", "mg02"]).await;
        net.settle().await;
        heard(&publisher, mg01, &[&subscriber, &other]).await;

        let dropped = || {
            let mut dropped = Filter::open_in(&net.host("nyc1").ns).unwrap().dropped().unwrap();
            ["tun501", "tun502"].map(|name| dropped.remove(name).unwrap())
        };
        let before = dropped();
        publisher.send(mg02, 1);
        subscriber.send(mg01, 2);
        publisher.host.address(TUNNEL, "9.9.9.9/32", Scope::Global).await;
        publisher.send_from(ip("9.9.9.9"), mg01, 3);
        publisher.send_from(ip("9.9.9.9"), mg01, 4);
        publisher.send(mg01, 5);
        for receiver in [&subscriber, &other] {
            assert_eq!(receiver.receive_until(5), Ok(vec![(publisher.source, 5)]));
        }
        let expected = [
            Dropped { source: before[0].source + 2, group: before[0].group + 1 },
            Dropped { group: before[1].group + 1, ..before[1] },
        ];
        // The two come by tunnels of their own: what one has sent says nothing of the other's.
        let counted = async || if dropped() == expected { Ok(()) } else { Err(dropped()) };
        eventually("what must be dropped is counted", counted).await;
    });
}

#[test]
fn leaving_stops_it_and_coming_back_starts_it_without_disturbing_others() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let mg01 = net.chain.group("mg01");
        net.chain.group("mg02");
        let publisher = Member::new(&mut net, "nyc1", 1, &["mg01"], &[]).await;
        let stays = Member::new(&mut net, "chi1", 2, &[], &["mg01"]).await;
        let leaves = Member::new(&mut net, "chi1", 3, &[], &["mg01"]).await;
        net.settle().await;
        heard(&publisher, mg01, &[&stays, &leaves]).await;

        let mut groups = Vec::new();
        net.chain.set_user(leaves.user, |user| groups = std::mem::take(&mut user.subscribers));
        net.settle().await;
        publisher.send(mg01, 1);
        assert_eq!(stays.receive_until(1), Ok(vec![(publisher.source, 1)]));
        leaves.has_nothing();

        net.chain.set_user(leaves.user, |user| user.subscribers = groups);
        net.settle().await;
        publisher.send(mg01, 2);
        for subscriber in [&stays, &leaves] {
            assert_eq!(subscriber.receive_until(2), Ok(vec![(publisher.source, 2)]));
        }

        // A publisher that is no more leaves nothing behind.
        net.chain.remove(publisher.user);
        net.settle().await;
        for device in ["nyc1", "pit1", "chi1"] {
            let routes = MulticastRouter::open_in(&net.host(device).ns).unwrap().routes().unwrap();
            assert_eq!(routes, [], "{device}");
        }
    });
}

#[test]
fn a_restarted_agent_keeps_group_traffic_going() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let mg01 = net.chain.group("mg01");
        net.chain.group("mg02");
        let publisher = Member::new(&mut net, "nyc1", 1, &["mg01"], &[]).await;
        let subscriber = Member::new(&mut net, "chi1", 2, &[], &["mg01"]).await;
        net.settle().await;
        heard(&publisher, mg01, &[&subscriber]).await;

        std::mem::take(&mut net.agents).into_iter().for_each(crate::wire::Process::kill);
        (1..=5).for_each(|word| publisher.send(mg01, word));
        let expected: Vec<_> = (1..=5).map(|word| (publisher.source, word)).collect();
        assert_eq!(subscriber.receive_until(5), Ok(expected));
    });
}
