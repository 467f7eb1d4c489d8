//! The daemon and what may happen to it: killed, tampered with, switched off, left alone by the ledger or a device.

use std::net::Ipv4Addr;

use dz_client::api::Session;
use dz_net::{kernel::AddrInfo, sandbox};
use dz_testing::eventually;

use crate::world::{DeviceSpec, Urls, Who, World};

const E0: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
const E1: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 2);
const NYC1: DeviceSpec<'_> = DeviceSpec { code: "nyc1", endpoints: &[E0, E1] };

/// A client with both tunnels.
async fn connected() -> World {
    let world = World::new(&[NYC1]).await;
    world.does("connect ibrl").await;
    world.does("connect multicast --publish mg01 --subscribe mg02").await;
    world.up().await;
    world
}

#[test]
fn a_killed_daemon_s_tunnels_are_adopted() {
    sandbox::run_async(|| async {
        let mut world = connected().await;
        let (services, interfaces) = (world.up().await, world.interfaces().await);
        let addresses = world.client.netlink.addrs().await.unwrap();
        let routes = world.client.netlink.routes().await.unwrap();
        world.kill_daemon();
        assert_eq!(world.interfaces().await, interfaces);
        world.start_daemon().await;
        assert_eq!(world.up().await, services);
        assert_eq!(world.interfaces().await, interfaces);
        assert_eq!(world.client.netlink.addrs().await.unwrap(), addresses);
        assert_eq!(world.client.netlink.routes().await.unwrap(), routes);
        // Memberships ended with the daemon that held them, and are back.
        assert!(world.memberships().await["doublezero1"].contains(&Ipv4Addr::new(233, 84, 178, 2)));
    });
}

#[test]
fn what_changed_while_it_was_away_is_repaired() {
    sandbox::run_async(|| async {
        let mut world = connected().await;
        let services = world.up().await;
        let interfaces = world.interfaces().await;
        world.kill_daemon();
        // The chain moves on, somebody tampers with one tunnel, and the other is none of their business.
        world.tamper("doublezero1").await;
        world.start_daemon().await;
        assert_eq!(world.up().await, services);
        assert_eq!(world.interfaces().await, interfaces);

        world.kill_daemon();
        let gone = world.client.netlink.link_index("doublezero1").await.unwrap();
        world.client.netlink.delete_link(gone).await.unwrap();
        world.start_daemon().await;
        assert_eq!(world.up().await, services);
        assert_eq!(world.interfaces().await["doublezero0"], interfaces["doublezero0"]);
    });
}

#[test]
fn what_changes_under_it_is_repaired_at_once() {
    sandbox::run_async(|| async {
        let world = connected().await;
        let services = world.up().await;
        let before = world.interfaces().await;
        let addresses = world.client.netlink.addrs().await.unwrap();
        world.tamper("doublezero1").await;
        eventually("the addresses are back", || async {
            let now = world.client.netlink.addrs().await.unwrap();
            if now == addresses { Ok(()) } else { Err(now) }
        })
        .await;
        let gone = world.client.netlink.link_index("doublezero1").await.unwrap();
        world.client.netlink.delete_link(gone).await.unwrap();
        eventually("the tunnel is back", || async {
            let now = world.interfaces().await;
            if now.get("doublezero1").is_some_and(|index| *index != gone) { Ok(()) } else { Err(now) }
        })
        .await;
        assert_eq!(world.up().await, services);
        assert_eq!(world.interfaces().await["doublezero0"], before["doublezero0"]);
    });
}

#[test]
fn without_the_ledger_tunnels_stay() {
    sandbox::run_async(|| async {
        let mut world = connected().await;
        let (services, interfaces) = (world.up().await, world.interfaces().await);
        world.kill_daemon();
        world.start_daemon_at(&Urls::nowhere()).await;
        let status = world.daemon().status(None).await.unwrap();
        assert_eq!((status.reconciler_enabled, status.slot, status.settled), (true, None, false));
        assert_eq!(world.interfaces().await, interfaces);
        world.kill_daemon();
        world.start_daemon().await;
        assert_eq!(world.up().await, services);
        assert_eq!(world.interfaces().await, interfaces);
    });
}

#[test]
fn switched_off_it_holds_no_tunnels_also_after_a_restart() {
    sandbox::run_async(|| async {
        let mut world = connected().await;
        let services = world.up().await;
        let chain = world.chain.view().await;
        assert_eq!(world.does("disable").await, "disabled\n");
        eventually("the tunnels go", || async {
            let now = world.interfaces().await;
            if now.is_empty() { Ok(()) } else { Err(now) }
        })
        .await;
        world.kill_daemon();
        world.start_daemon().await;
        let status = world.settled().await;
        assert_eq!((status.reconciler_enabled, status.services), (false, vec![]));
        assert_eq!(world.chain.view().await, chain);
        assert_eq!(world.does("enable").await, "enabled\n");
        assert_eq!(world.up().await, services);
    });
}

#[test]
fn a_device_that_stops_answering_is_noticed_and_its_return_too() {
    sandbox::run_async(|| async {
        let world = connected().await;
        let other = world.chain.peer(Ipv4Addr::new(9, 50, 0, 1), E0).await;
        let to_peer = || async {
            let routes = world.client.netlink.routes().await.unwrap();
            routes.iter().any(|route| route.destination == other.into())
        };
        eventually("the peer is routed", || async { to_peer().await.then_some(()).ok_or("no route") }).await;
        for (serves, session) in [(false, Session::Down), (true, Session::Up)] {
            world.devices[0].serve(serves);
            eventually("the sessions follow", || async {
                let services = world.daemon().status(None).await.unwrap().services;
                if services.iter().all(|service| service.doublezero_status.session_status == session) {
                    Ok(())
                } else {
                    Err(services)
                }
            })
            .await;
            // Peers are reached over the internet meanwhile.
            eventually("the routes follow", || async { (to_peer().await == serves).then_some(()).ok_or("not yet") })
                .await;
        }
    });
}

#[test]
fn a_foreign_interface_in_the_way_is_told_and_no_other_tunnel_waits_for_it() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        let netlink = &world.client.netlink;
        let spec = dz_net::kernel::LinkSpec {
            name: "doublezero0".to_owned(),
            kind: dz_net::kernel::LinkKind::Bridge,
            mtu: None,
        };
        let _ = netlink.add_link(&spec).await.unwrap();
        let told = eventually("what is in the way", || async {
            let services = world.daemon().status(None).await.unwrap().services;
            if services.iter().any(|service| service.error.is_some()) { Ok(()) } else { Err(services) }
        });
        world.gets_stuck("connect ibrl", told).await;
        world.does("connect multicast --subscribe mg01").await;
        let services = world.daemon().status(None).await.unwrap().services;
        let errors: Vec<_> =
            services.iter().map(|service| (service.tunnel_name.as_str(), service.error.as_deref())).collect();
        let error = "create doublezero0 from 9.1.0.1 to 9.2.0.1: tunnel doublezero0 (9.1.0.1 -> 9.2.0.1): \
                     an interface of that name exists (EEXIST)";
        assert_eq!(errors, [("doublezero0", Some(error)), ("doublezero1", None)]);
        // Once it is out of the way, the tunnel comes.
        netlink.delete_link(netlink.link_index("doublezero0").await.unwrap()).await.unwrap();
        assert_eq!(world.up().await.len(), 2);
    });
}

#[test]
fn a_drained_device_s_endpoints_are_probed_and_one_that_goes_is_forgotten() {
    sandbox::run_async(|| async {
        let mut world = World::new(&[NYC1]).await;
        world.add_device(DeviceSpec { code: "pit1", endpoints: &[Ipv4Addr::new(9, 3, 0, 1)] }).await;
        let as_foundation = |args: &'static str| world.doublezero_as(Who::Foundation, args);
        let probed = |expected: &'static [(&'static str, bool)]| {
            let daemon = world.daemon();
            async move {
                eventually("the endpoints are probed", || async {
                    let latency = daemon.latency(None).await.unwrap();
                    let mut now: Vec<_> =
                        latency.results.iter().map(|result| (result.device_ip.to_string(), result.reachable)).collect();
                    now.sort();
                    let expected: Vec<_> = expected.iter().map(|(ip, up)| ((*ip).to_owned(), *up)).collect();
                    if latency.ready && now == expected { Ok(()) } else { Err(now) }
                })
                .await;
            }
        };
        probed(&[("9.2.0.1", true), ("9.2.0.2", true), ("9.3.0.1", true)]).await;
        as_foundation("device drain pit1").await;
        probed(&[("9.2.0.1", true), ("9.2.0.2", true), ("9.3.0.1", true)]).await;
        as_foundation("interface delete nyc1 Ethernet2").await;
        probed(&[("9.2.0.1", true), ("9.3.0.1", true)]).await;
        // An endpoint that nobody answers for is told as such, without a time.
        as_foundation("interface create nyc1 Ethernet9 --ip 9.9.9.9 --user-tunnel-endpoint").await;
        world.chain.activate_interface("nyc1", "Ethernet9").await;
        probed(&[("9.2.0.1", true), ("9.3.0.1", true), ("9.9.9.9", false)]).await;
        let latency = world.daemon().latency(None).await.unwrap();
        let dead = latency.results.last().unwrap();
        assert_eq!((dead.device_ip, dead.median_latency_ns, dead.loss_percentage), ([9, 9, 9, 9].into(), None, 100));
    });
}

impl World {
    /// Takes the addresses off an interface, adds a wrong one and sets it down.
    async fn tamper(&self, name: &str) {
        let netlink = &self.client.netlink;
        let index = netlink.link_index(name).await.unwrap();
        for addr in netlink.addrs().await.unwrap().iter().filter(|addr| addr.index == index) {
            netlink.delete_addr(addr).await.unwrap();
        }
        let _ = netlink.add_addr(&AddrInfo::new(index, "169.254.77.1/31".parse().unwrap())).await.unwrap();
        netlink.set_link_up(index, false).await.unwrap();
    }
}
