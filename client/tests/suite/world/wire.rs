//! Hosts on one wire: namespaces joined by a bridge in one of their own, in one network without routers.

use std::{cell::Cell, net::Ipv4Addr};

use dz_net::{
    kernel::{AddrInfo, LinkKind, LinkSpec, Netlink, RouteInfo},
    netns::NetNs,
};
use dz_testing::eventually;

/// One host.
pub(crate) struct Host {
    pub(crate) ns: NetNs,
    pub(crate) netlink: Netlink,
}

/// The bridge.
pub(crate) struct Wire {
    netlink: Netlink,
    bridge: u32,
    hosts: Cell<u32>,
    _ns: NetNs,
}

async fn add(netlink: &Netlink, name: &str, kind: LinkKind) -> u32 {
    let _ = netlink.add_link(&LinkSpec { name: name.to_owned(), kind, mtu: None }).await.unwrap();
    let index = netlink.link_index(name).await.unwrap();
    netlink.set_link_up(index, true).await.unwrap();
    index
}

impl Wire {
    pub(crate) async fn new() -> Self {
        let ns = NetNs::new().unwrap();
        let netlink = Netlink::open_in(&ns).unwrap();
        let bridge = add(&netlink, "wire", LinkKind::Bridge).await;
        Self { netlink, bridge, hosts: Cell::new(0), _ns: ns }
    }

    /// A host with these addresses, which reaches everything by its only interface.
    pub(crate) async fn host(&self, addresses: &[Ipv4Addr]) -> Host {
        let number = self.hosts.replace(self.hosts.get() + 1);
        let (port, far) = (format!("port{number}"), format!("far{number}"));
        let ns = NetNs::new().unwrap();
        let netlink = Netlink::open_in(&ns).unwrap();
        netlink.set_link_up(1, true).await.unwrap();
        let index = add(&self.netlink, &port, LinkKind::Veth { peer: far.clone() }).await;
        self.netlink.set_link_master(index, self.bridge).await.unwrap();
        self.netlink.move_link(self.netlink.link_index(&far).await.unwrap(), &ns).await.unwrap();
        let uplink = netlink.link_index(&far).await.unwrap();
        netlink.rename_link(uplink, "eth0").await.unwrap();
        netlink.set_link_up(uplink, true).await.unwrap();
        for address in addresses {
            let _ = netlink.add_addr(&AddrInfo::new(uplink, (*address).into())).await.unwrap();
        }
        let source = addresses.first().copied();
        let default = RouteInfo { dev: Some(uplink), source, ..RouteInfo::unicast("0.0.0.0/0".parse().unwrap()) };
        let _ = netlink.add_route(&default).await.unwrap();
        // The bridge forwards from a port once the kernel has seen its carrier, which it looks at in its own time.
        eventually("the port runs", || async {
            let ports = self.netlink.links().await.unwrap();
            let port = ports.into_iter().find(|link| link.index == index).unwrap();
            if port.running { Ok(()) } else { Err(port) }
        })
        .await;
        Host { ns, netlink }
    }
}
