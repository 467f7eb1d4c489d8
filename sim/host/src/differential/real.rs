//! A network namespace of this machine, with two TUN devices whose other ends the test holds.

use dz_net::gre::{Dataplane, HelperCommand};
use dz_net::host::{Host, KernelHost, TunnelMaker};
use dz_net::netns::NetNs;
use dz_net::tun::{MAX_PACKET, Tun, TunSpec};
use dz_net::wire::ipv4::Header;

use super::op::PORTS;

pub(super) struct Real {
    pub(super) host: KernelHost,
    ports: Vec<Tun>,
}

impl Real {
    pub(super) async fn new() -> Self {
        let ns = NetNs::new().unwrap();
        // Another thread of the test's runs the helper while this one does.
        let args = ["differential::gre_helper", "--exact", "--ignored", "--nocapture", "--test-threads=2"];
        let helper = HelperCommand::this_program(args).unwrap();
        let maker = TunnelMaker { dataplane: Dataplane::Userspace, helper };
        let host = KernelHost::open_in(ns.clone(), maker).unwrap();
        host.set_link_up(1, true).await.unwrap();
        for name in ["all", "default"] {
            let _ = host.set_sysctl(&format!("net/ipv6/conf/{name}/disable_ipv6"), "1").await;
        }
        // Every error that is due is sent.
        host.set_sysctl("net/ipv4/icmp_ratelimit", "0").await.unwrap();
        host.set_sysctl("net/ipv4/icmp_ratemask", "0").await.unwrap();
        for path in ["net/ipv4/conf/all/promote_secondaries", "net/ipv4/conf/default/promote_secondaries"] {
            host.set_sysctl(path, "0").await.unwrap();
        }
        for (path, value) in [("rp_filter", "0"), ("send_redirects", "0"), ("forwarding", "0"), ("accept_local", "0")] {
            for name in ["all", "default"] {
                host.set_sysctl(&format!("net/ipv4/conf/{name}/{path}"), value).await.unwrap();
            }
        }
        let ports = PORTS.map(|name| ns.run(|| Tun::create(&TunSpec::new(name))).unwrap().unwrap());
        for name in PORTS {
            let index = host.link_index(name).await.unwrap();
            host.set_link_up(index, true).await.unwrap();
        }
        Self { host, ports: ports.into() }
    }

    /// Has a packet come in by a port; false if the device does not take it.
    pub(super) fn receive(&self, port: usize, packet: &[u8]) -> bool {
        self.ports[port].send(packet).is_ok()
    }

    /// What has left by each port, but for what the model leaves out: IGMP, and IPv6.
    pub(super) fn sent(&self) -> Vec<(usize, Vec<u8>)> {
        let mut sent = Vec::new();
        let mut buffer = vec![0; MAX_PACKET];
        for (port, tun) in self.ports.iter().enumerate() {
            while let Ok(length) = tun.recv(&mut buffer) {
                let packet = buffer[..length].to_vec();
                if Header::decode(&packet).is_ok_and(|header| header.protocol != 2) {
                    sent.push((port, packet));
                }
            }
        }
        sent
    }
}
