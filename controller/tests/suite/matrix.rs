//! Each kind of user to each kind of target: what arrives, what does not, and what is counted on the way.
//!
//! | | the device's end | a user of the same tenant | an overlay address of another | the internet | a group |
//! |---|---|---|---|---|---|
//! | unicast, own address | answers | reached | no | no | dropped and counted |
//! | unicast, allocated | answers | reached | no | no | dropped and counted |
//! | publisher | answers | no | no | no | reached, its own groups |
//! | subscriber | answers | no | no | no | dropped and counted |

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use dz_net::{filter::Filter, sandbox};

use crate::{
    backbone::{Backbone, endpoint_of},
    multicast::{Member, TUNNEL},
    unicast::{Client, client},
    view_builder::{Kind, ip},
    wire::Host,
};

const PORT: u16 = 7790;
/// What is sent where it is not to arrive.
const STRAY: u32 = 13;
/// What is sent on a way that works, after everything that may have strayed has been where it goes.
const LAST: u32 = 0;

/// A user of one kind on nyc1.
struct User {
    kind: &'static str,
    host: Host,
    tunnel: &'static str,
    /// Name of the tunnel on the device.
    far: &'static str,
    /// What it may send from.
    source: Ipv4Addr,
    /// The device's end of its tunnel.
    device: Ipv4Addr,
    reaches_users: bool,
    reaches_group: bool,
}

impl User {
    fn unicast(net: &Backbone, client: &Client, kind: &'static str, far: &'static str) -> Self {
        let device = net.chain.overlay(&client.user).addr();
        let (host, source) = (client.host.clone(), client.dz_ip);
        Self { kind, host, tunnel: "doublezero0", far, source, device, reaches_users: true, reaches_group: false }
    }

    fn multicast(net: &Backbone, member: &Member, kind: &'static str, far: &'static str) -> Self {
        let device = net.chain.overlay(&member.user).addr();
        let (host, source, publishes) = (member.host.clone(), member.source, kind == "publisher");
        Self { kind, host, tunnel: TUNNEL, far, source, device, reaches_users: false, reaches_group: publishes }
    }

    async fn send(&self, to: Ipv4Addr, word: u32) {
        self.host.route(&format!("{to}/32"), self.tunnel, Some(self.source)).await;
        let socket = self.host.udp(self.source, 0);
        socket.send_to(&word.to_be_bytes(), (to, PORT)).unwrap();
        // Answered only after what was sent before on the same way.
        self.host.answers(self.source, self.device).await.expect("the device answers at its end of the tunnel");
    }
}

/// All words that come, up to the last one.
fn words(inbox: &UdpSocket) -> Vec<u32> {
    let mut words = Vec::new();
    while words.last() != Some(&LAST) {
        let mut word = [0; 4];
        inbox.recv_from(&mut word).unwrap_or_else(|error| panic!("{error} after {words:?}"));
        words.push(u32::from_be_bytes(word));
    }
    words
}

#[test]
fn each_kind_of_user_reaches_what_is_its_to_reach() {
    sandbox::run_async(async || {
        let mut net = Backbone::new().await;
        let mg01 = net.chain.group("mg01");
        net.chain.group("mg02");
        let web = net.internet.host(&["9.9.0.1"]).await;
        let target = client(&mut net, "chi1", 9, None).await;
        let own = client(&mut net, "nyc1", 1, None).await;
        let kind = Kind::Allocated { tenant: None, dz_ip: "45.33.100.3" };
        let (internet, chain) = (&mut net.internet, &mut net.chain);
        let allocated = Client::new(internet, chain, "nyc1", endpoint_of("nyc1"), "9.1.0.2", 502, kind).await;
        let publisher = Member::new(&mut net, "nyc1", 3, &["mg01"], &[]).await;
        let subscriber = Member::new(&mut net, "nyc1", 4, &[], &["mg01"]).await;
        net.settle().await;

        let users = [
            User::unicast(&net, &own, "own address", "tun501"),
            User::unicast(&net, &allocated, "allocated", "tun502"),
            User::multicast(&net, &publisher, "publisher", "tun503"),
            User::multicast(&net, &subscriber, "subscriber", "tun504"),
        ];
        let nyc1 = net.host("nyc1").clone();
        let to_group = async |user: &User| {
            let before = Filter::open_in(&nyc1.ns).unwrap().dropped().unwrap()[user.far].group;
            let socket = socket2::SockRef::from(&user.host.udp(user.source, 0)).try_clone().unwrap();
            // A client's own address is on its way to the internet too.
            socket.bind_device(Some(user.tunnel.as_bytes())).unwrap();
            socket.send_to(&STRAY.to_be_bytes(), &SocketAddr::from((mg01, PORT)).into()).unwrap();
            user.host.answers(user.source, user.device).await.expect("the device answers at its end of the tunnel");
            Filter::open_in(&nyc1.ns).unwrap().dropped().unwrap()[user.far].group - before
        };
        let inbox = target.host.udp(Ipv4Addr::UNSPECIFIED, PORT);
        let from_web = web.udp(ip("9.9.0.1"), PORT);
        let overlay = Ipv4Addr::from(u32::from(net.chain.overlay(&target.user).addr()) + 1);
        // The target reached over its own way, after all that strayed had its turn.
        let last_word = || own.host.udp(own.dz_ip, 0).send_to(&LAST.to_be_bytes(), (target.dz_ip, PORT)).unwrap();
        own.route_to(target.dz_ip).await;
        for user in &users {
            let kind = user.kind;
            if kind != "own address" {
                user.host.route(&format!("{}/32", target.dz_ip), user.tunnel, Some(user.source)).await;
            }
            let socket = user.host.udp(user.source, 0);
            socket.send_to(&7u32.to_be_bytes(), (target.dz_ip, PORT)).unwrap();
            user.host.answers(user.source, user.device).await.expect("the device answers at its end of the tunnel");
            user.send(overlay, STRAY).await;
            last_word();
            let expected = if user.reaches_users { vec![7, LAST] } else { vec![LAST] };
            assert_eq!(words(&inbox), expected, "{kind} to a user and to its overlay address");

            user.send(ip("9.9.0.1"), STRAY).await;
            nyc1.udp(ip("9.0.0.1"), 0).send_to(&LAST.to_be_bytes(), ("9.9.0.1", PORT)).unwrap();
            assert_eq!(words(&from_web), [LAST], "{kind} to the internet");
            assert_eq!(to_group(user).await, u64::from(!user.reaches_group), "{kind} to a group, dropped and counted");
        }
    });
}
