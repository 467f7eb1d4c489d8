//! Backbone links between nodes.

use std::net::Ipv4Addr;

use anyhow::Result;
use dz_net::sandbox;
use dzsim_fabric::{Fabric, FabricConfig, LinkSpec, Medium, PathProfile, Tally, TrafficFilter};

use dzsim_testbed::{DEADLINE, Host};

const A: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);
const Z: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 1);

/// Two nodes with no uplink and one link.
fn two_ends(fabric: &Fabric) -> Result<(Host, Host)> {
    let (a, z) = (Host::new(A)?, Host::new(Z)?);
    let device = |host: &Host| host.device("wan0", Some(ipnet::Ipv4Net::new(host.address, 31)?), true);
    fabric.add_link(LinkSpec {
        name: "a-z".to_owned(),
        a: ("a".to_owned(), device(&a)?),
        z: ("z".to_owned(), device(&z)?),
        profile_az: PathProfile::with_delay(std::time::Duration::from_millis(1)),
        profile_za: PathProfile::default(),
    })?;
    Ok((a, z))
}

#[test]
fn a_link_carries_unicast_and_groups() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let fabric = Fabric::start(FabricConfig::default())?;
            let (a, z) = two_ends(&fabric)?;
            let (sender, receiver) = (a.udp(0)?, z.udp(5000)?);
            sender.send_to(b"to you", (Z, 5000))?;
            let group = Ipv4Addr::new(233, 84, 178, 1);
            receiver.join_multicast_v4(&group, &Z)?;
            socket2::SockRef::from(&sender).set_multicast_if_v4(&A)?;
            sender.send_to(b"to all", (group, 5000))?;
            let mut received = Vec::new();
            for _ in 0..2 {
                let mut buffer = [0; 100];
                let (len, from) = receiver.recv_from(&mut buffer)?;
                received.push((String::from_utf8_lossy(&buffer[..len]).into_owned(), from.ip()));
            }
            assert_eq!(received, [("to you".to_owned(), A.into()), ("to all".to_owned(), A.into())]);
            let filter = TrafficFilter {
                from: Some("a".to_owned()),
                destination: Some(group),
                medium: Some(Medium::Link("a-z".to_owned())),
                ..TrafficFilter::default()
            };
            // The join itself is a message to another group, from the other end.
            assert_eq!(fabric.traffic(&filter).delivered, Tally { packets: 1, bytes: 34 });
            Ok(())
        };
        body().unwrap();
    });
}

#[test]
fn a_link_is_cut_and_healed() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let fabric = Fabric::start(FabricConfig::default())?;
            let (a, z) = two_ends(&fabric)?;
            let (sender, receiver) = (a.udp(0)?, z.udp(5000)?);
            fabric.set_link_up("a-z", false)?;
            let (mark, version) = (fabric.mark(), fabric.version());
            sender.send_to(b"lost", (Z, 5000))?;
            assert_ne!(fabric.wait_traffic(version, DEADLINE), version);
            fabric.set_link_up("a-z", true)?;
            sender.send_to(b"kept", (Z, 5000))?;
            let mut buffer = [0; 100];
            let len = receiver.recv(&mut buffer)?;
            assert_eq!(&buffer[..len], b"kept");
            let to_z = TrafficFilter { destination: Some(Z), ..TrafficFilter::default() };
            let traffic = fabric.traffic_since(&mark, &to_z);
            assert_eq!((traffic.sent.packets, traffic.delivered.packets), (2, 1));
            Ok(())
        };
        body().unwrap();
    });
}
