//! Tunnels between a client and a device, with both ways to make them.

use std::net::Ipv4Addr;

use dz_net::gre::{Discard, Taken, TunnelError, TunnelSpec};
use dz_net::host::{Host, RawSpec};
use dz_net::kernel::{AddrInfo, Scope};
use dz_net::probe::ProbeConfig;
use dz_net::wire::ipv4;
use dzsim_fabric::PathProfile;
use dzsim_host::{Modules, VirtualHost};

use crate::world::{A, B, DELAY, HELPER, KERNEL, World, once};

fn spec(name: &str, local: Ipv4Addr, remote: Ipv4Addr) -> TunnelSpec {
    TunnelSpec { name: name.to_owned(), local, remote, ttl: 64, mtu: 1476 }
}

async fn address(host: &VirtualHost, index: u32, address: &str) {
    let _ = host.add_addr(&AddrInfo::new(index, address.parse().unwrap()).scoped(Scope::Link)).await.unwrap();
}

/// Both ends, with 169.254.0.1 at `a` and 169.254.0.0 at `b`.
async fn tunnel(world: &World) -> [u32; 2] {
    let a = world.a.tunnels().await.unwrap().create(&spec("doublezero0", A, B)).await.unwrap().ifindex;
    let b = world.b.tunnels().await.unwrap().create(&spec("tun500", B, A)).await.unwrap().ifindex;
    address(&world.a, a, "169.254.0.1/31").await;
    address(&world.b, b, "169.254.0.0/31").await;
    [a, b]
}

const FAR: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 0);

async fn carries(modules: Modules) {
    let world = World::new(modules);
    let [a, _] = tunnel(&world).await;
    let config = ProbeConfig { device: Some("doublezero0".to_owned()), ..once() };
    let result = world.ping(&world.a, FAR, config).await;
    assert_eq!(result.rtts, [2 * DELAY], "{:?}", result.last_error);
    let counters = world.a.links().await.unwrap().into_iter().find(|link| link.index == a).unwrap().counters;
    assert_eq!((counters.tx_packets, counters.rx_packets, counters.tx_bytes), (1, 1, 84));
}

#[tokio::test]
async fn the_helper_carries_packets() {
    carries(HELPER).await;
}

#[tokio::test]
async fn the_kernel_carries_packets() {
    carries(KERNEL).await;
}

#[tokio::test]
async fn two_tunnels_never_share_their_addresses() {
    for modules in [HELPER, KERNEL] {
        let world = World::new(modules);
        let tunnels = world.a.tunnels().await.unwrap();
        tunnels.create(&spec("doublezero0", A, B)).await.unwrap();
        let error = tunnels.create(&spec("doublezero1", A, B)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "tunnel doublezero1 (9.1.0.1 -> 9.2.0.1): tunnel doublezero0 has the same local and remote address (EEXIST)"
        );
        let error = tunnels.create(&spec("eth0", A, FAR)).await.unwrap_err();
        assert!(matches!(error, TunnelError::Exists { taken: Taken::Name, .. }), "{error}");
        tunnels.delete("doublezero0").await.unwrap();
        assert!(matches!(tunnels.delete("eth0").await.unwrap_err(), TunnelError::NotFound { .. }));
        tunnels.create(&spec("doublezero1", A, B)).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_no_packet_of_a_tunnel_is_counted() {
    let world = World::new(HELPER);
    tunnel(&world).await;
    let raw = world.a.raw(&RawSpec { protocol: 255, device: None }).await.unwrap();
    let mut keyed = ipv4::packet(A, B, 47, &[0x20, 0, 8, 0, 0, 0, 0, 9, 0x45]).unwrap();
    raw.send(&keyed).unwrap();
    keyed[12..16].copy_from_slice(&[9, 1, 0, 7]);
    keyed[20] = 0;
    keyed.truncate(24);
    keyed.extend(ipv4::packet(A, B, 17, &[0; 8]).unwrap());
    raw.send(&keyed).unwrap();
    assert_eq!(world.ping(&world.a, B, once()).await.received, 1);
    let discards = world.b.tunnels().await.unwrap().discards().await.unwrap();
    assert_eq!(discards, [(Discard::Key, 1), (Discard::NoTunnel, 1)].into());
}

#[tokio::test]
async fn a_narrow_path_narrows_the_tunnel() {
    let world = World::new(HELPER);
    tunnel(&world).await;
    let profile = PathProfile { mtu: Some(1400), ..PathProfile::with_delay(DELAY) };
    world.network.fabric().set_path("a", "b", profile).unwrap();
    let big = ProbeConfig { payload: 1400, device: Some("doublezero0".to_owned()), ..once() };
    assert_eq!(world.ping(&world.a, FAR, big.clone()).await.received, 0);
    let link = world.a.link("doublezero0").await.unwrap().unwrap();
    assert_eq!(link.mtu, 1376);
    // From now on it is cut before it is encapsulated.
    assert_eq!(world.ping(&world.a, FAR, big).await.received, 1);
}

#[tokio::test]
async fn tunnels_go_with_the_helper() {
    let world = World::new(HELPER);
    assert!(!world.network.kill_helper("a").unwrap());
    tunnel(&world).await;
    assert!(world.network.kill_helper("a").unwrap());
    assert_eq!(world.a.tunnels().await.unwrap().list().await.unwrap(), []);
    assert_eq!(world.a.link("doublezero0").await.unwrap(), None);
    assert!(!world.network.kill_helper("a").unwrap());
}
