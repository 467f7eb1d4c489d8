//! This machine's kernel behind the trait of hosts, seen from within its namespace and from outside.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use dz_net::filter::IngressPolicy;
use dz_net::gre::{Dataplane, HelperCommand, TunnelSpec};
use dz_net::host::{Forwarding, Host, KernelHost, RawSpec, TunnelMaker, UdpSpec, Watched};
use dz_net::kernel::{Added, AddrInfo, Change, Deleted, LinkKind, LinkSpec, RouteInfo, RuleInfo};
use dz_net::mroute::MulticastRoute;
use dz_net::netns::NetNs;
use dz_net::probe::ProbeConfig;
use dz_net::sandbox;
use dz_net::wire::ipv4;
use tokio::time::timeout;

const OWN: Ipv4Addr = Ipv4Addr::new(9, 1, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
const GROUP: Ipv4Addr = Ipv4Addr::new(233, 84, 178, 1);
const DEADLINE: Duration = Duration::from_secs(10);

fn maker() -> TunnelMaker {
    let helper = HelperCommand::new(env!("CARGO_BIN_EXE_dz-gre-helper"), [] as [&str; 0]);
    TunnelMaker { dataplane: Dataplane::Userspace, helper }
}

/// The same on a host that is entered for each call and on one of the calling thread's namespace.
fn on_both(body: impl AsyncFn(Arc<dyn Host>)) {
    sandbox::run_async(async || {
        let here = KernelHost::open(maker()).unwrap();
        body(Arc::new(KernelHost::open_in(NetNs::new().unwrap(), maker()).unwrap())).await;
        assert_eq!(here.link("d0").await.unwrap(), None, "what was done elsewhere is here");
        body(Arc::new(here)).await;
    });
}

/// A link of that name that is up and has this address.
async fn link(host: &dyn Host, name: &str, address: &str) -> u32 {
    let spec = LinkSpec { name: name.to_owned(), kind: LinkKind::Loopback, mtu: None };
    assert_eq!(host.add_link(&spec).await.unwrap(), Added::Created);
    let index = host.link_index(name).await.unwrap();
    assert_eq!(host.add_addr(&AddrInfo::new(index, address.parse().unwrap())).await.unwrap(), Added::Created);
    host.set_link_up(index, true).await.unwrap();
    index
}

#[test]
fn a_host_is_configured_and_read_back() {
    on_both(async |host| {
        let mut changes = host.watch(Watched::Router).await.unwrap();
        let index = link(host.as_ref(), "d0", "9.1.0.1/24").await;
        let changed = timeout(DEADLINE, changes.changed()).await.unwrap().unwrap();
        assert!(changed.contains(&Change::Link), "{changed:?}");
        host.set_link_alias(index, "a test").await.unwrap();
        host.set_link_mtu(index, 1400).await.unwrap();
        let found = host.link("d0").await.unwrap().unwrap();
        assert_eq!((found.alias.as_deref(), found.mtu, found.up), (Some("a test"), 1400, true));

        let route = RouteInfo { dev: Some(index), ..RouteInfo::unicast("9.2.0.0/16".parse().unwrap()) };
        assert_eq!(host.add_route(&route).await.unwrap(), Added::Created);
        assert_eq!(host.add_route(&route).await.unwrap(), Added::Existed);
        assert!(host.routes().await.unwrap().contains(&route));
        assert_eq!(host.source_towards(FAR).await.unwrap(), OWN);
        assert_eq!(host.delete_route(&route).await.unwrap(), Deleted::Deleted);
        assert_eq!(host.source_towards(FAR).await.unwrap_err().raw_os_error(), Some(libc::ENETUNREACH));

        let rule = RuleInfo { iif: Some("d0".to_owned()), ..RuleInfo::lookup(1000, 100) };
        assert_eq!(host.add_rule(&rule).await.unwrap(), Added::Created);
        assert!(host.rules().await.unwrap().contains(&rule));
        assert_eq!(host.delete_rule(&rule).await.unwrap(), Deleted::Deleted);

        host.set_sysctl("net/ipv4/ip_forward", "1").await.unwrap();
        assert_eq!(host.sysctl("net/ipv4/ip_forward").await.unwrap(), "1");

        let policy = IngressPolicy {
            interface: "d0".to_owned(),
            sources: ["9.1.0.9/32".parse().unwrap()].into(),
            groups: [GROUP].into(),
        };
        host.set_ingress(vec![policy.clone()]).await.unwrap();
        assert_eq!(host.ingress().await.unwrap()["d0"], policy);
        assert_eq!(host.ingress_dropped().await.unwrap()["d0"].source, 0);

        let _joined = host.join_group(GROUP, index).await.unwrap();
        let out = link(host.as_ref(), "d1", "9.3.0.1/24").await;
        let forwarding = host.forward_groups(true).await.unwrap();
        assert!(matches!(forwarding, Forwarding::Lasting), "{forwarding:?}");
        let entry = MulticastRoute { source: FAR, group: GROUP, incoming: index, outgoing: [out].into() };
        host.set_group_routes(vec![entry.clone()]).await.unwrap();
        assert_eq!(host.group_routes().await.unwrap()[0].0, entry);

        assert_eq!(host.delete_link(out).await.unwrap(), Deleted::Deleted);
        assert_eq!(host.delete_link(out).await.unwrap(), Deleted::Absent);
    });
}

#[test]
fn tunnels_are_made_where_the_host_is() {
    on_both(async |host| {
        link(host.as_ref(), "d0", "9.1.0.1/24").await;
        let tunnels = host.tunnels().await.unwrap();
        assert_eq!(tunnels.dataplane(), Dataplane::Userspace);
        let spec = TunnelSpec { name: "t0".to_owned(), local: OWN, remote: FAR, ttl: 64, mtu: 1400 };
        let made = tunnels.create(&spec).await.unwrap();
        assert_eq!(host.link_index("t0").await.unwrap(), made.ifindex);
        tunnels.delete("t0").await.unwrap();
        assert_eq!(host.link("t0").await.unwrap(), None);
    });
}

#[test]
fn applications_send_and_receive() {
    sandbox::run_async(async || {
        let elsewhere = NetNs::new().unwrap();
        let host: Arc<dyn Host> = Arc::new(KernelHost::open_in(elsewhere, maker()).unwrap());
        host.set_link_up(host.link_index("lo").await.unwrap(), true).await.unwrap();
        link(host.as_ref(), "d0", "9.1.0.1/24").await;

        let at = SocketAddrV4::new(OWN, 20_000);
        let receiver = host.udp(&UdpSpec { bind: Some(at), ..UdpSpec::default() }).await.unwrap();
        assert_eq!(receiver.local_addr().unwrap(), at);
        let from = SocketAddrV4::new(FAR, 7);
        let spoofing = UdpSpec { bind: Some(from), freebind: true, ..UdpSpec::default() };
        host.set_sysctl("net/ipv4/conf/all/rp_filter", "0").await.unwrap();
        host.set_sysctl("net/ipv4/conf/lo/rp_filter", "0").await.unwrap();
        let own = host.udp(&UdpSpec::default()).await.unwrap();
        own.send_to(b"hello", at).unwrap();
        let mut buffer = [0; 64];
        let (length, sender) = timeout(DEADLINE, receiver.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!((&buffer[..length], *sender.ip()), (b"hello".as_slice(), OWN));
        // An address that is not the host's can be bound to, and only so.
        assert!(host.udp(&spoofing).await.is_ok());
        let refused = host.udp(&UdpSpec { freebind: false, ..spoofing }).await.unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EADDRNOTAVAIL));
        // Where no route leads, the sender is told.
        let unreachable = own.send_to(b"hello", from).unwrap_err();
        assert_eq!(unreachable.raw_os_error(), Some(libc::ENETUNREACH));

        // A whole packet of a protocol that nobody has arrives as it was sent.
        let raw = host.raw(&RawSpec { protocol: 253, device: None }).await.unwrap();
        let mut packet = vec![0x45, 0, 0, 24, 0, 0, 0x40, 0, 64, 253, 0, 0];
        packet.extend(OWN.octets());
        packet.extend(OWN.octets());
        packet.extend(*b"dzdz");
        raw.send(&packet).unwrap();
        let length = timeout(DEADLINE, raw.recv(&mut buffer)).await.unwrap().unwrap();
        let header = ipv4::Header::decode(&buffer[..length]).unwrap();
        assert_eq!((header.source, header.destination, header.protocol), (OWN, OWN, 253));
        assert_eq!(&buffer[length - 4..length], b"dzdz");
        assert_eq!(raw.send(&packet[..12]).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);

        let mut pinger = host.pinger(ProbeConfig { probes: 1, ..ProbeConfig::default() }).await.unwrap();
        let results = pinger.round([OWN].into()).await.unwrap();
        assert!(results[&OWN].reachable(), "{results:?}");
    });
}

#[test]
fn a_parameter_is_that_of_the_interface_that_has_the_name_now() {
    on_both(async |host| {
        let parameter = "net/ipv4/conf/d0/rp_filter";
        for value in ["1", "2"] {
            let _ =
                host.add_link(&LinkSpec { name: "d0".to_owned(), kind: LinkKind::Bridge, mtu: None }).await.unwrap();
            host.set_sysctl(parameter, value).await.unwrap();
            assert_eq!(host.sysctl(parameter).await.unwrap(), value);
            host.set_sysctl(parameter, "0").await.unwrap();
            assert_eq!(host.sysctl(parameter).await.unwrap(), "0");
            let index = host.link("d0").await.unwrap().unwrap().index;
            assert_eq!(host.delete_link(index).await.unwrap(), Deleted::Deleted);
            let gone = host.sysctl(parameter).await.unwrap_err().to_string();
            assert_eq!(gone, "sysctl net/ipv4/conf/d0/rp_filter: No such file or directory (os error 2)");
        }
    });
}
