//! Two hosts on one wire: namespaces joined by a veth pair, 9.0.0.1 and 9.0.0.2.

use std::future::Future;
use std::net::Ipv4Addr;

use dz_net::kernel::{AddrInfo, LinkKind, LinkSpec, Netlink};
use dz_net::netns::NetNs;
use dz_testing::eventually;

/// Address of [`Hosts::a`].
pub(crate) const A: Ipv4Addr = Ipv4Addr::new(9, 0, 0, 1);
/// Address of [`Hosts::b`].
pub(crate) const B: Ipv4Addr = Ipv4Addr::new(9, 0, 0, 2);

/// One host.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) ns: NetNs,
    pub(crate) netlink: Netlink,
}

impl Host {
    pub(crate) async fn new() -> Self {
        let ns = NetNs::new().unwrap();
        let netlink = Netlink::open_in(&ns).unwrap();
        netlink.set_link_up(1, true).await.unwrap();
        Self { ns, netlink }
    }

    pub(crate) async fn add_address(&self, link: &str, address: &str) {
        let index = self.netlink.link_index(link).await.unwrap();
        let address = AddrInfo::new(index, address.parse().unwrap());
        let _ = self.netlink.add_addr(&address).await.unwrap();
    }

    /// Runs a future inside, on a runtime of its own.
    pub(crate) async fn run<T, F, Fut>(&self, f: F) -> T
    where
        T: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T>,
    {
        self.ns.spawn("host", f).unwrap().output().await.unwrap()
    }
}

/// The two hosts, wired.
pub(crate) struct Hosts {
    pub(crate) a: Host,
    pub(crate) b: Host,
}

impl Hosts {
    pub(crate) async fn new() -> Self {
        let (a, b) = (Host::new().await, Host::new().await);
        let pair = LinkSpec { name: "eth0".to_owned(), kind: LinkKind::Veth { peer: "far0".to_owned() }, mtu: None };
        let _ = a.netlink.add_link(&pair).await.unwrap();
        let far = a.netlink.link_index("far0").await.unwrap();
        a.netlink.move_link(far, &b.ns).await.unwrap();
        b.netlink.rename_link(b.netlink.link_index("far0").await.unwrap(), "eth0").await.unwrap();
        for (host, address) in [(&a, A), (&b, B)] {
            let index = host.netlink.link_index("eth0").await.unwrap();
            host.netlink.set_link_up(index, true).await.unwrap();
            host.add_address("eth0", &format!("{address}/24")).await;
        }
        // The kernel notices the carrier in its own time, and drops what is sent before.
        for host in [&a, &b] {
            eventually("carrier", async || match host.netlink.link("eth0").await.unwrap() {
                Some(link) if link.running => Ok(()),
                other => Err(other),
            })
            .await;
        }
        Self { a, b }
    }
}
