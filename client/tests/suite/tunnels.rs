//! Tunnels from connect to disconnect.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dz_client::{
    api::{MulticastGroups, Service, Session, SessionStatus, Subscription},
    cli::exit::Exit,
};
use dz_net::sandbox;
use dz_sdk::program::{ID, pda};
use dz_testing::eventually;

use crate::world::{Answer, CLIENT, DeviceSpec, GROUPS, World};

const E0: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 1);
const E1: Ipv4Addr = Ipv4Addr::new(9, 2, 0, 2);
const NYC1: DeviceSpec<'_> = DeviceSpec { code: "nyc1", endpoints: &[E0, E1] };
const PUBLISHER: Ipv4Addr = Ipv4Addr::new(148, 51, 120, 0);

fn unicast(endpoint: Ipv4Addr) -> Service {
    Service {
        tunnel_name: "doublezero0".to_owned(),
        tunnel_src: CLIENT,
        tunnel_dst: endpoint,
        doublezero_ip: CLIENT,
        doublezero_status: SessionStatus { session_status: Session::Up, last_session_update: None },
        user_type: "IBRL".to_owned(),
        current_device: "nyc1".to_owned(),
        current_device_rtt_nanoseconds: None,
        current_device_loss_percentage: Some(0),
        lowest_latency_device: Some("nyc1".to_owned()),
        metro: "nyc".to_owned(),
        tenant: None,
        multicast_groups: MulticastGroups::default(),
        subscriptions: vec![],
        error: None,
    }
}

fn multicast(endpoint: Ipv4Addr, dz_ip: Ipv4Addr, publisher: &[&str], subscriber: &[&str]) -> Service {
    let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    let subscriptions = (1..).zip(GROUPS).map(|(number, code)| Subscription {
        pubkey: pda::multicast_group(&ID, code).0.to_string(),
        code: code.to_owned(),
        multicast_ip: Ipv4Addr::new(233, 84, 178, number),
        max_bandwidth: 1_000_000_000,
        publisher: publisher.contains(&code),
        subscriber: subscriber.contains(&code),
    });
    Service {
        tunnel_name: "doublezero1".to_owned(),
        doublezero_ip: dz_ip,
        user_type: "Multicast".to_owned(),
        multicast_groups: MulticastGroups { publisher: codes(publisher), subscriber: codes(subscriber) },
        subscriptions: subscriptions.filter(|group| group.publisher || group.subscriber).collect(),
        ..unicast(endpoint)
    }
}

#[test]
fn a_second_tunnel_ends_on_another_endpoint_and_each_goes_alone() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        world.does("connect ibrl").await;
        world.does("connect multicast --subscribe mg01").await;
        assert_eq!(world.up().await, [unicast(E0), multicast(E1, CLIENT, &[], &["mg01"])]);

        world.does("disconnect multicast").await;
        assert_eq!(world.up().await, [unicast(E0)]);
        world.does("disconnect").await;
        assert_eq!(world.settled().await.services, []);
        let nothing = world.doublezero("disconnect").await;
        assert_eq!(
            nothing,
            Answer { exit: Exit::Done, out: "no tunnels to disconnect\n".to_owned(), err: String::new() }
        );
    });
}

#[test]
fn roles_change_on_a_live_tunnel_and_its_neighbour_does_not_notice() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        world.does("connect ibrl").await;
        world.does("connect multicast --subscribe mg01").await;
        let interfaces = world.interfaces().await;

        for (command, dz_ip, publisher, subscriber) in [
            ("connect multicast --publish mg01", PUBLISHER, &["mg01"][..], &["mg01"][..]),
            // Asking for what already is succeeds.
            ("connect multicast --publish mg01 --subscribe mg01", PUBLISHER, &["mg01"], &["mg01"]),
            ("multicast publish mg02,mg03", PUBLISHER, &["mg01", "mg02", "mg03"], &["mg01"]),
            ("multicast unpublish mg01", PUBLISHER, &["mg02", "mg03"], &["mg01"]),
            ("multicast subscribe mg02", PUBLISHER, &["mg02", "mg03"], &["mg01", "mg02"]),
            ("multicast unpublish mg02,mg03", CLIENT, &[], &["mg01", "mg02"]),
            ("multicast unsubscribe mg01,mg02", CLIENT, &[], &[]),
            ("connect multicast --subscribe mg03", CLIENT, &[], &["mg03"]),
        ] {
            world.does(command).await;
            let expected = [unicast(E0), multicast(E1, dz_ip, publisher, subscriber)];
            assert_eq!(world.up().await, expected, "{command}");
            assert_eq!(world.interfaces().await, interfaces, "{command}");
        }
    });
}

#[test]
fn both_roles_on_one_tunnel_from_the_start_and_no_group_means_all() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        world.does("connect multicast --publish mg01,mg02 --subscribe mg02 mg03").await;
        assert_eq!(world.up().await, [multicast(E0, PUBLISHER, &["mg01", "mg02"], &["mg02", "mg03"])]);
        world.does("disconnect").await;
        world.does("connect multicast").await;
        let all = ["mg01", "mg02", "mg03"];
        assert_eq!(world.up().await, [multicast(E0, PUBLISHER, &all, &all)]);
    });
}

#[test]
fn eight_tunnels_end_on_eight_endpoints_and_a_ninth_is_refused() {
    sandbox::run_async(|| async {
        let endpoints: Vec<_> = (1..=8).map(|last| Ipv4Addr::new(9, 2, 0, last)).collect();
        let world = World::new(&[DeviceSpec { code: "nyc1", endpoints: &endpoints }]).await;
        world.does("connect multicast --subscribe mg01").await;
        world.does("connect ibrl").await;
        for _ in 0..3 {
            world.does("connect multicast --another --subscribe mg01").await;
            world.does("connect ibrl --another").await;
        }
        let services = world.up().await;
        let names: Vec<_> = services.iter().map(|service| service.tunnel_name.clone()).collect();
        assert_eq!(names, (0..8).map(|number| format!("doublezero{number}")).collect::<Vec<_>>());
        let taken: BTreeSet<_> = services.iter().map(|service| service.tunnel_dst).collect();
        assert_eq!(taken, endpoints.iter().copied().collect());

        let before = world.chain.view().await;
        let refused = world.doublezero("connect ibrl --another").await;
        assert_eq!(refused.exit, Exit::NoEndpoint);
        let reason = |last| format!("\n  nyc1 9.2.0.{last}: this client already has a tunnel there");
        let reasons: String = (1..=8).map(reason).collect();
        assert_eq!(refused.err, format!("error: no endpoint for the tunnel{reasons}\n"));
        assert_eq!(world.chain.view().await, before);

        // A tunnel in the middle goes; its number and its endpoint serve the next one.
        let gone = services[2].clone();
        let user = format!("user delete --client-ip {CLIENT} --endpoint {}", gone.tunnel_dst);
        world.does(&format!("--wait {user}")).await;
        world.does("connect ibrl --another").await;
        let again = world.up().await;
        assert_eq!(again.iter().map(|service| service.tunnel_name.clone()).collect::<Vec<_>>(), names);
        assert_eq!(again[2].tunnel_dst, gone.tunnel_dst);
    });
}

#[test]
fn two_connects_at_once_end_on_two_endpoints() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        let (one, other) =
            tokio::join!(world.doublezero("connect ibrl"), world.doublezero("connect multicast --subscribe mg01"));
        assert_eq!((one.exit, other.exit), (Exit::Done, Exit::Done), "{one:?} {other:?}");
        let taken: BTreeSet<_> = world.up().await.iter().map(|service| service.tunnel_dst).collect();
        assert_eq!(taken, BTreeSet::from([E0, E1]));
    });
}

#[test]
fn two_connects_at_once_that_want_the_same_share_one_tunnel() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        for command in ["connect ibrl", "connect multicast --subscribe mg01"] {
            let (one, other) = tokio::join!(world.doublezero(command), world.doublezero(command));
            assert_eq!((one.exit, other.exit), (Exit::Done, Exit::Done), "{one:?} {other:?}");
        }
        assert_eq!(world.up().await, [unicast(E0), multicast(E1, CLIENT, &[], &["mg01"])]);
        assert_eq!(world.chain.view().await.users().len(), 2);
    });
}

#[test]
fn of_several_tunnels_the_one_that_has_the_roles_is_taken() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        world.does("connect multicast --subscribe mg01").await;
        world.does("connect multicast --subscribe mg02 --another").await;
        let before = world.chain.view().await;
        for (group, endpoint) in [("mg01", E0), ("mg02", E1)] {
            let out = world.does(&format!("connect multicast --subscribe {group} --json")).await;
            let tunnel: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(tunnel["tunnel_dst"], endpoint.to_string());
        }
        assert_eq!(world.chain.view().await, before);
    });
}

#[test]
fn times_beyond_all_clocks_are_no_limits() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        let (ever, far) = ("500000000000y", "5000000h");
        world.does(&format!("--timeout {ever} connect ibrl --latency-tie {far} --latency-tolerance {far}")).await;
        let command = format!(
            "--timeout {ever} connect multicast --subscribe mg01 --latency-tie {far} --latency-tolerance {far}"
        );
        world.does(&command).await;
        assert_eq!(world.up().await, [unicast(E0), multicast(E1, CLIENT, &[], &["mg01"])]);
    });
}

#[test]
fn two_changes_of_roles_at_once_both_hold() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        world.does("connect multicast --subscribe mg03").await;
        let (one, other) =
            tokio::join!(world.doublezero("multicast publish mg01"), world.doublezero("multicast subscribe mg01"));
        assert_eq!((one.exit, other.exit), (Exit::Done, Exit::Done), "{one:?} {other:?}");
        assert_eq!(world.up().await, [multicast(E0, PUBLISHER, &["mg01"], &["mg01", "mg03"])]);
    });
}

/// A host behind a translator sends from its own address. The translator itself is not here, so nothing comes back.
#[test]
fn behind_a_translator_the_tunnel_starts_at_the_address_that_the_routes_choose() {
    sandbox::run_async(|| async {
        const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
        let world = World::with_client_at(PRIVATE, &[NYC1]).await;
        for (command, tunnels) in [("connect ibrl", 1), ("connect multicast --subscribe mg01", 2)] {
            let made = eventually("the tunnel is there", || async {
                let interfaces = world.interfaces().await;
                if interfaces.len() == tunnels { Ok(()) } else { Err(interfaces) }
            });
            world.gets_stuck(command, made).await;
        }
        let services = world.settled().await.services;
        let seen: Vec<_> = services.iter().map(|service| (service.tunnel_src, service.doublezero_ip)).collect();
        assert_eq!(seen, [(PRIVATE, CLIENT); 2]);
        // Inside, the client is known by its address on the internet, and its host takes what is sent to it.
        let interfaces = world.interfaces().await;
        let holders: Vec<_> = world.client.netlink.addrs().await.unwrap();
        let holders: BTreeSet<_> =
            holders.iter().filter(|held| held.address.addr() == CLIENT).map(|held| held.index).collect();
        assert_eq!(holders, interfaces.values().copied().collect());
        // And nothing is remade when the host is looked at again with the tunnels there.
        world.does("disable").await;
        world.does("enable").await;
        let services = world.settled().await.services;
        assert!(services.iter().all(|service| service.tunnel_src == PRIVATE), "{services:?}");
    });
}

#[test]
fn a_full_device_gives_way_to_a_near_one() {
    sandbox::run_async(|| async {
        const FAR: DeviceSpec<'_> = DeviceSpec { code: "pit1", endpoints: &[Ipv4Addr::new(9, 3, 0, 1)] };
        let mut world = World::new(&[DeviceSpec { code: "nyc1", endpoints: &[E0] }]).await;
        world.does("connect ibrl").await;
        let refused = world.doublezero("connect multicast --subscribe mg01").await;
        let said = "error: no endpoint for the tunnel\n  nyc1 9.2.0.1: this client already has a tunnel there\n";
        assert_eq!((refused.exit, refused.err.as_str()), (Exit::NoEndpoint, said));
        // The new device's endpoint is probed at once, and connect waits for that.
        world.add_device(FAR).await;
        world.does("connect multicast --subscribe mg01").await;
        let services = world.up().await;
        assert_eq!((services[0].tunnel_dst, services[1].tunnel_dst), (E0, FAR.endpoints[0]));
        assert_eq!(services[1].current_device, "pit1");
    });
}

#[test]
fn a_quick_reconnect_takes_the_same_endpoint_again() {
    sandbox::run_async(|| async {
        let world = World::new(&[NYC1]).await;
        world.does("connect ibrl").await;
        for _ in 0..5 {
            world.does("disconnect --no-wait").await;
            world.does("connect ibrl").await;
            assert_eq!(world.up().await, [unicast(E0)]);
        }
    });
}
