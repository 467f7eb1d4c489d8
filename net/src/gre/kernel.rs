//! Tunnels as `gre` links of the kernel.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Dataplane, Discard, Taken, Tunnel, TunnelError, TunnelSpec, Tunnels, Unsupported};
use crate::kernel::{Added, Deleted, GreInfo, LinkInfo, LinkKind, LinkSpec, Netlink, NetlinkError};
use crate::netns::NetNs;

/// What [`Kernel::open`] says where the kernel has no GRE.
pub const UNSUPPORTED: Unsupported = Unsupported {
    backend: "kernel",
    missing: "this kernel has no `gre` link type",
    fix: "load the module: `modprobe ip_gre`; or use the userspace dataplane",
};

/// The kernel's tunnels in one namespace.
#[derive(Clone, Debug)]
pub struct Kernel {
    netlink: Netlink,
}

impl Kernel {
    /// Opens the calling thread's namespace, after a tunnel could be made and removed for a trial.
    ///
    /// # Errors
    /// [`TunnelError`]: the kernel has no GRE, or netlink cannot be opened.
    pub async fn open() -> Result<Self, TunnelError> {
        Self::tried(Netlink::open()?).await
    }

    /// Opens the namespace `ns`, as [`Kernel::open`] does the calling thread's.
    ///
    /// # Errors
    /// [`TunnelError`]: the kernel has no GRE, or netlink cannot be opened.
    pub async fn open_in(ns: &NetNs) -> Result<Self, TunnelError> {
        Self::tried(Netlink::open_in(ns)?).await
    }

    async fn tried(netlink: Netlink) -> Result<Self, TunnelError> {
        // Nothing can clash with the trial in a namespace of its own; without the right to make one, in this one.
        match NetNs::new() {
            Ok(scratch) => try_gre(&Netlink::open_in(&scratch)?).await?,
            Err(_) => try_gre(&netlink).await?,
        }
        Ok(Self { netlink })
    }

    fn error(name: &str, source: NetlinkError) -> TunnelError {
        match source {
            NetlinkError::Unsupported { .. } => TunnelError::Unsupported(UNSUPPORTED),
            source => TunnelError::Kernel { name: name.to_owned(), source },
        }
    }
}

/// Makes and removes a tunnel. The addresses are for documentation (RFC 5737), so that no real tunnel has them.
async fn try_gre(netlink: &Netlink) -> Result<(), TunnelError> {
    const NAME: &str = "dz-gre-trial";
    let gre = GreInfo { local: [192, 0, 2, 1].into(), remote: [192, 0, 2, 2].into(), ttl: 1 };
    let spec = LinkSpec { name: NAME.to_owned(), kind: LinkKind::Gre(gre), mtu: None };
    let _: Added = netlink.add_link(&spec).await.map_err(|e| Kernel::error(NAME, e))?;
    if let Some(link) = netlink.link(NAME).await? {
        netlink.delete_link(link.index).await?;
    }
    Ok(())
}

#[async_trait]
impl Tunnels for Kernel {
    fn dataplane(&self) -> Dataplane {
        Dataplane::Kernel
    }

    async fn create(&self, spec: &TunnelSpec) -> Result<Tunnel, TunnelError> {
        spec.check()?;
        let name = spec.name.as_str();
        let gre = GreInfo { local: spec.local, remote: spec.remote, ttl: spec.ttl };
        let link = LinkSpec { name: spec.name.clone(), kind: LinkKind::Gre(gre), mtu: Some(spec.mtu) };
        match self.netlink.add_link(&link).await.map_err(|e| Self::error(name, e))? {
            Added::Created => {}
            Added::Existed => {
                let holder = self.list().await?.into_iter().find(|other| {
                    other.spec.name != name && (other.spec.local, other.spec.remote) == (spec.local, spec.remote)
                });
                let taken = holder.map_or(Taken::Name, |other| Taken::Endpoints { by: other.spec.name });
                let (local, remote) = (spec.local, spec.remote);
                return Err(TunnelError::Exists { name: name.to_owned(), local, remote, taken });
            }
        }
        let up = async {
            let index = self.netlink.link_index(name).await?;
            // Only IPv4 is carried.
            self.netlink.silence_ipv6(index).await?;
            self.netlink.set_link_up(index, true).await?;
            self.netlink.link(name).await
        };
        let link = up.await.map_err(|e| Self::error(name, e))?;
        link.and_then(tunnel).ok_or_else(|| TunnelError::NotFound { name: name.to_owned() })
    }

    async fn delete(&self, name: &str) -> Result<(), TunnelError> {
        let absent = || TunnelError::NotFound { name: name.to_owned() };
        let link = self.netlink.link(name).await?;
        let tunnel = link.and_then(tunnel).ok_or_else(absent)?;
        match self.netlink.delete_link(tunnel.ifindex).await.map_err(|e| Self::error(name, e))? {
            Deleted::Deleted => Ok(()),
            Deleted::Absent => Err(absent()),
        }
    }

    async fn list(&self) -> Result<Vec<Tunnel>, TunnelError> {
        let mut tunnels: Vec<_> = self.netlink.links().await?.into_iter().filter_map(tunnel).collect();
        tunnels.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
        Ok(tunnels)
    }

    async fn discards(&self) -> Result<BTreeMap<Discard, u64>, TunnelError> {
        Ok(BTreeMap::new())
    }
}

/// Reads a link as a tunnel. The fallback device `gre0` that the module puts into each namespace has no addresses and
/// is none.
fn tunnel(link: LinkInfo) -> Option<Tunnel> {
    let gre = link.gre.filter(|gre| !gre.local.is_unspecified() && !gre.remote.is_unspecified())?;
    let spec = TunnelSpec { name: link.name, local: gre.local, remote: gre.remote, ttl: gre.ttl, mtu: link.mtu };
    Some(Tunnel { spec, ifindex: link.index, counters: link.counters })
}
