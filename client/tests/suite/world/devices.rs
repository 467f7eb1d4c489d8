//! Devices: the far ends of tunnels, on real hosts.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_net::{
    gre::{self, Dataplane, TunnelSpec, Tunnels},
    kernel::{AddrInfo, Netlink},
    netns::NetNs,
};
use dz_sdk::{Ledger, NetworkView};
use tokio::sync::watch;

use super::{helper, wire::Host};

/// A device and the switch that says whether it terminates tunnels.
pub(crate) struct DeviceHost {
    _host: Host,
    serves: watch::Sender<bool>,
}

impl DeviceHost {
    /// Terminates the tunnels that the chain shows, for as long as the test lasts.
    pub(super) fn start(code: &str, host: Host, ledger: &dyn Ledger) -> Self {
        let (serves, served) = watch::channel(true);
        let (code, views) = (code.to_owned(), ledger.watch());
        let run = move || async move {
            let tunnels = gre::open(Dataplane::Auto, helper()).await.unwrap();
            keep_up(&code, tunnels.as_ref(), Netlink::open().unwrap(), views, served).await;
        };
        // The process ends with the test, and the thread with it.
        drop(NetNs::spawn(&host.ns, "device", run).unwrap());
        Self { _host: host, serves }
    }

    /// Lets it terminate tunnels or none.
    pub(crate) fn serve(&self, tunnels: bool) {
        self.serves.send_replace(tunnels);
    }
}

async fn keep_up(
    code: &str,
    tunnels: &dyn Tunnels,
    netlink: Netlink,
    mut views: watch::Receiver<Option<std::sync::Arc<NetworkView>>>,
    mut served: watch::Receiver<bool>,
) {
    loop {
        let view = views.borrow_and_update().clone();
        let wanted = match view.filter(|_| *served.borrow_and_update()) {
            Some(view) => wanted(&view, code),
            None => BTreeMap::new(),
        };
        let have = tunnels.list().await.unwrap();
        for tunnel in &have {
            if !wanted.contains_key(&tunnel.spec.name) {
                tunnels.delete(&tunnel.spec.name).await.unwrap();
            }
        }
        for (name, (local, remote, overlay)) in wanted {
            if have.iter().all(|tunnel| tunnel.spec.name != name) {
                let spec = TunnelSpec { name, local, remote, ttl: 32, mtu: gre::DEFAULT_MTU };
                let tunnel = tunnels.create(&spec).await.unwrap();
                let address = ipnet::Ipv4Net::new(overlay, 31).unwrap();
                let _ = netlink.add_addr(&AddrInfo::new(tunnel.ifindex, address)).await.unwrap();
            }
        }
        tokio::select! {
            changed = views.changed() => changed.unwrap(),
            changed = served.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Outer addresses and near overlay address, by interface.
fn wanted(view: &NetworkView, code: &str) -> BTreeMap<String, (Ipv4Addr, Ipv4Addr, Ipv4Addr)> {
    let Some((device, _)) = view.device_by_code(code) else { return BTreeMap::new() };
    view.users_of_device(&device)
        .filter(|(_, user)| user.status.has_tunnel())
        .filter_map(|(_, user)| {
            let held = user.allocation?;
            let name = format!("user{}-{}", held.tunnel_id, held.tunnel_net.network().octets()[3]);
            Some((name, (user.endpoint_ip, user.client_ip, held.tunnel_net.network())))
        })
        .collect()
}
