//! Packets between unicast users: one device and two, one tenant and two, right sources and wrong ones.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, UdpSocket},
};

use dz_net::{
    filter::{Dropped, Filter},
    kernel::Scope,
    sandbox,
};
use dz_sdk::program::state::{DeviceStatus, LinkStatus};
use dz_testing::eventually;
use solana_pubkey::Pubkey;

use crate::{
    backbone::{Backbone, endpoint_of},
    view_builder::{Chain, Kind, NewUser, ip},
    wire::{Host, Internet, client_tunnel, receive_until},
};

/// A client with a unicast tunnel.
pub(crate) struct Client {
    pub(crate) host: Host,
    pub(crate) user: Pubkey,
    pub(crate) dz_ip: Ipv4Addr,
    inbox: UdpSocket,
}

const PORT: u16 = 7777;

impl Client {
    /// A client whose user is on chain; the far side is there when the agent has made it.
    pub(crate) async fn new(
        internet: &mut Internet,
        chain: &mut Chain,
        device: &str,
        endpoint: &str,
        client: &str,
        id: u16,
        kind: Kind<'_>,
    ) -> Self {
        let dz_ip = match &kind {
            Kind::Allocated { dz_ip, .. } => ip(dz_ip),
            _ => ip(client),
        };
        let user = chain.user(NewUser { client, device, endpoint: 0, id, kind });
        let host = internet.host(&[client]).await;
        client_tunnel(&host, "doublezero0", ip(endpoint), ip(client), chain.overlay(&user)).await;
        if dz_ip != ip(client) {
            host.address("doublezero0", &format!("{dz_ip}/32"), Scope::Global).await;
        }
        let inbox = host.udp(dz_ip, PORT);
        Self { host, user, dz_ip, inbox }
    }

    /// Leads to another client through the tunnel.
    pub(crate) async fn route_to(&self, other: Ipv4Addr) {
        self.host.route(&format!("{other}/32"), "doublezero0", Some(self.dz_ip)).await;
    }

    /// Sends a word from this address.
    pub(crate) fn send(&self, source: Ipv4Addr, other: &Client, word: u32) {
        let outbox = self.host.udp(source, 0);
        outbox.send_to(&word.to_be_bytes(), (other.dz_ip, PORT)).unwrap();
    }

    /// Whether the way to the other leads through two devices, or through more: each takes one off the TTL.
    pub(crate) fn takes_two_devices(&self, other: &Client) -> Result<bool, String> {
        const SHORT: u32 = 1;
        let outbox = self.host.udp(self.dz_ip, 0);
        outbox.set_ttl(3).unwrap();
        outbox.send_to(&SHORT.to_be_bytes(), (other.dz_ip, PORT)).unwrap();
        self.send(self.dz_ip, other, MARK);
        Ok(other.receive_until(MARK)?.contains(&(self.dz_ip, SHORT)))
    }

    pub(crate) fn receive_until(&self, last: u32) -> Result<Vec<(Ipv4Addr, u32)>, String> {
        receive_until(&self.inbox, last)
    }

    /// Whether the other gets what is sent from the right source.
    pub(crate) fn reaches(&self, other: &Client) -> Result<(), String> {
        self.send(self.dz_ip, other, MARK);
        let got = other.receive_until(MARK)?;
        assert_eq!(got.last(), Some(&(self.dz_ip, MARK)), "the source is kept");
        Ok(())
    }
}

/// Waits until what is sent takes the short way, or the long one.
async fn becomes(what: &str, from: &Client, to: &Client, direct: bool) {
    eventually(what, async || match from.takes_two_devices(to)? {
        is if is == direct => Ok(()),
        _ => Err("still the other way".to_owned()),
    })
    .await;
}

/// A client of one of the devices, with its own address.
pub(crate) async fn client(net: &mut Backbone, device: &str, number: u8, tenant: Option<&str>) -> Client {
    let client = format!("9.1.0.{number}");
    let id = 500 + u16::from(number);
    let (internet, chain) = (&mut net.internet, &mut net.chain);
    Client::new(internet, chain, device, endpoint_of(device), &client, id, Kind::Own { tenant }).await
}

/// A client of nyc1 and one of chi1, with routes to each other.
async fn two_clients(net: &mut Backbone) -> (Client, Client) {
    let (a, b) = (client(net, "nyc1", 1, None).await, client(net, "chi1", 2, None).await);
    a.route_to(b.dz_ip).await;
    b.route_to(a.dz_ip).await;
    (a, b)
}

/// A word that says nothing but that it came.
const MARK: u32 = 0;

#[test]
fn users_reach_their_tenant_and_nobody_else() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        net.chain.tenant("acme", Some(2));
        let users = [
            ("nyc1", None),
            ("nyc1", None),
            ("pit1", None),
            ("chi1", None),
            ("nyc1", Some("acme")),
            ("nyc1", Some("acme")),
            ("chi1", Some("acme")),
        ];
        let mut clients = Vec::new();
        for (number, (device, tenant)) in (1..).zip(users) {
            clients.push(client(&mut net, device, number, tenant).await);
        }
        for client in &clients {
            for other in clients.iter().filter(|other| other.dz_ip != client.dz_ip) {
                client.route_to(other.dz_ip).await;
            }
        }
        net.settle().await;

        // Everybody writes to everybody, and at last each hears from a user of its own tenant, over the longest way there
        // is; so what will come has come.
        let word = |from: usize, to: usize| u32::try_from(100 * from + to + 1).unwrap();
        let pairs = |same: bool| {
            let all = (0..users.len()).flat_map(|from| (0..users.len()).map(move |to| (from, to)));
            all.filter(move |(from, to)| from != to && (users[*from].1 == users[*to].1) == same)
        };
        for (from, to) in pairs(false).chain(pairs(true)) {
            clients[from].send(clients[from].dz_ip, &clients[to], word(from, to));
        }
        for (to, client) in clients.iter().enumerate() {
            let mut expected: BTreeSet<_> = pairs(true)
                .filter(|pair| pair.1 == to)
                .map(|(from, to)| (clients[from].dz_ip, word(from, to)))
                .collect();
            while let Some((_, last)) = expected.last().copied() {
                for got in client.receive_until(last).unwrap() {
                    assert!(expected.remove(&got), "user {to} got {got:?}, expected {expected:?}");
                }
            }
        }
        // Had anything come over a tenant's border, it would be there by now.
        for (to, client) in clients.iter().enumerate() {
            let peer = (0..users.len()).find(|from| *from != to && users[*from].1 == users[to].1).unwrap();
            clients[peer].send(clients[peer].dz_ip, client, MARK);
            assert_eq!(client.receive_until(MARK), Ok(vec![(clients[peer].dz_ip, MARK)]));
        }
    });
}

#[test]
fn what_drains_or_breaks_is_gone_around() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let (a, b) = two_clients(&mut net).await;
        net.settle().await;
        assert_eq!(a.takes_two_devices(&b), Ok(true), "over the direct link");

        net.chain.set_link("nyc1-chi1", LinkStatus::SoftDrained);
        net.settle().await;
        assert_eq!(a.takes_two_devices(&b), Ok(false), "around the drained link");

        // With the other way cut, the drained link is better than none; the devices notice by themselves.
        let pit1 = net.host("pit1").clone();
        pit1.netlink.set_link_up(pit1.index("Ethernet2").await, false).await.unwrap();
        becomes("the drained link takes over", &a, &b, true).await;
        pit1.netlink.set_link_up(pit1.index("Ethernet2").await, true).await.unwrap();
        becomes("the way around is back", &a, &b, false).await;
    });
}

/// Cuts a link in the middle until both ends find it silent, and lets it carry again after `meanwhile`.
fn a_link_falls_silent(meanwhile: impl AsyncFnOnce(&Backbone)) {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let (a, b) = two_clients(&mut net).await;
        net.settle().await;
        becomes("the direct link is taken", &a, &b, true).await;
        net.switch.cut().await;
        becomes("the way around is taken", &a, &b, false).await;
        eventually("both ends find it silent", async || {
            let devices = net.controller.devices().await.unwrap().devices;
            let broken: Vec<_> =
                devices.iter().flat_map(|device| device.report.clone().unwrap().failed_links).collect();
            if broken == ["nyc1-chi1", "nyc1-chi1"] { Ok(()) } else { Err(broken) }
        })
        .await;
        meanwhile(&net).await;
        net.switch.connect().await;
        becomes("the direct link is back", &a, &b, true).await;
    });
}

#[test]
fn a_link_that_falls_silent_is_gone_around() {
    a_link_falls_silent(async |_| {});
}

#[test]
fn a_port_that_comes_back_as_another_interface_is_used_again() {
    a_link_falls_silent(async |net| net.switch.lay_again((net.host("nyc1"), "Ethernet3")).await);
}

#[test]
fn a_drained_device_serves_nobody_and_carries_what_has_no_other_way() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let (a, b) = two_clients(&mut net).await;
        let c = client(&mut net, "pit1", 3, None).await;
        for (from, to) in [(&a, &c), (&c, &a)] {
            from.route_to(to.dz_ip).await;
        }
        net.chain.set_link("nyc1-chi1", LinkStatus::HardDrained);
        net.chain.set_device("pit1", DeviceStatus::Drained);
        net.settle().await;
        a.reaches(&b).expect("through the drained device");
        assert_eq!(net.host("pit1").netlink.link("tun503").await.unwrap(), None);

        net.chain.set_device("pit1", DeviceStatus::Activated);
        net.settle().await;
        a.reaches(&c).expect("the device is back");
        c.reaches(&a).expect("both ways");
    });
}

#[test]
fn the_devices_own_address_is_reached_both_ways() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let own = client(&mut net, "nyc1", 1, None).await;
        let kind = Kind::Allocated { tenant: None, dz_ip: "45.33.100.3" };
        let allocated =
            Client::new(&mut net.internet, &mut net.chain, "nyc1", "45.33.100.1", "9.1.0.2", 600, kind).await;
        own.route_to(allocated.dz_ip).await;
        allocated.route_to(own.dz_ip).await;
        net.settle().await;
        own.reaches(&allocated).expect("a client's own address reaches an allocated one");
        allocated.reaches(&own).expect("and the other way");
        for client in [&own, &allocated] {
            let device = net.chain.overlay(&client.user).addr();
            client.host.answers(client.dz_ip, device).await.expect("the tunnel's far end answers the dz_ip");
        }
    });
}

#[test]
fn a_wrong_source_gets_nowhere() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let (a, b) = (client(&mut net, "nyc1", 1, None).await, client(&mut net, "nyc1", 2, None).await);
        let c = client(&mut net, "chi1", 3, None).await;
        for other in [&b, &c] {
            a.route_to(other.dz_ip).await;
        }
        let d = client(&mut net, "pit1", 4, None).await;
        // A forged address, and that of another user.
        a.host.address("lo", "9.9.9.9/32", Scope::Global).await;
        a.host.address("lo", &format!("{}/32", d.dz_ip), Scope::Global).await;
        net.settle().await;
        for other in [&b, &c] {
            for source in [ip("9.9.9.9"), d.dz_ip, ip("169.254.0.1")] {
                a.send(source, other, 1);
            }
            a.send(a.dz_ip, other, MARK);
            assert_eq!(other.receive_until(MARK), Ok(vec![(a.dz_ip, MARK)]));
        }
        // What has another's source is dropped and counted; from the overlay a client speaks to the device alone.
        let mut dropped = Filter::open_in(&net.host("nyc1").ns).unwrap().dropped().unwrap();
        assert_eq!(dropped.remove("tun501"), Some(Dropped { source: 4, group: 0 }));
    });
}
