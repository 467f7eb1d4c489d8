//! A port of a node: a TUN device in its namespace, whose other end the lab hands out.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use dz_net::kernel::{Added, AddrInfo, Netlink, NetlinkError, RTPROT_STATIC, RouteInfo};
use dz_net::netns::NetNs;
use dz_net::tun::{Offload, Tun, TunError, TunSpec};
use ipnet::Ipv4Net;
use nix::errno::Errno;

use crate::name::{InvalidName, PortName};

/// Why a port could not be made or configured.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The device.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// Its offloads.
    #[error("cannot set the offloads: {0}")]
    Offload(#[source] std::io::Error),
    /// Its keeping.
    #[error("cannot keep the device: {0}")]
    Persist(#[source] Errno),
    /// Its state, addresses or route.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// A port to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    /// The interface's name in the node.
    pub name: PortName,
    /// Its addresses.
    pub addresses: Vec<Ipv4Net>,
    /// Whether the node's default route leads out of it, with the first address as source.
    pub default_route: bool,
    /// Its MTU, in bytes.
    pub mtu: u32,
    /// `Some`: each packet at the other end has a `virtio_net_hdr` in front, and may use these offloads.
    pub offload: Option<Offload>,
}

impl PortSpec {
    /// A port without addresses and with an MTU of 1500.
    ///
    /// # Errors
    /// [`InvalidName`]: no interface can have that name.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        Ok(Self { name: PortName::new(name)?, addresses: Vec::new(), default_route: false, mtu: 1500, offload: None })
    }

    /// A node's way to the internet: `eth0`, with these addresses as /32 and the default route.
    pub fn uplink(addresses: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        Self {
            name: PortName::uplink(),
            addresses: addresses.into_iter().map(Ipv4Net::from).collect(),
            default_route: true,
            mtu: 1500,
            offload: None,
        }
    }

    /// Makes the device in the namespace of the calling thread.
    ///
    /// It is persistent: it lasts as long as the namespace, not as long as its other end is open. The last close of
    /// one that is not waits for an RCU barrier, some 20 ms each and one after the other, which for a thousand nodes
    /// is most of a minute at the end of every run; the kernel removes a namespace with all that is in it in one go.
    pub(crate) fn create(&self) -> Result<OwnedFd, PortError> {
        let tun = Tun::create(&TunSpec { vnet_hdr: self.offload.is_some(), ..TunSpec::new(self.name.as_str()) })?;
        if let Some(offload) = self.offload {
            tun.set_offload(offload).map_err(PortError::Offload)?;
        }
        let fd = tun.into_fd();
        // SAFETY: the request takes its argument by value.
        Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETPERSIST, 1) }).map_err(PortError::Persist)?;
        Ok(fd)
    }

    /// Gives the device, which is down, what the description says, and sets it up.
    ///
    /// What the lab configures carries the protocol number of an administrator: the products leave it alone.
    pub(crate) async fn configure(&self, netlink: &Netlink) -> Result<(), PortError> {
        let index = netlink.link_index(self.name.as_str()).await?;
        if self.mtu != 1500 {
            netlink.set_link_mtu(index, self.mtu).await?;
        }
        for address in &self.addresses {
            let address = AddrInfo { protocol: RTPROT_STATIC, ..AddrInfo::new(index, *address) };
            // Given twice, it is there once.
            let (Added::Created | Added::Existed) = netlink.add_addr(&address).await?;
        }
        netlink.set_link_up(index, true).await?;
        self.route(netlink, index).await
    }

    /// Sets the port up or down. The kernel forgets the routes of a link that goes down; they come back with it.
    pub(crate) async fn set_up(&self, netlink: &Netlink, up: bool) -> Result<(), PortError> {
        let index = netlink.link_index(self.name.as_str()).await?;
        netlink.set_link_up(index, up).await?;
        if up { self.route(netlink, index).await } else { Ok(()) }
    }

    /// Moves the device into a fresh namespace, where it has nothing of what it had.
    pub(crate) async fn relocate(&self, from: &Netlink, to: &NetNs) -> Result<(), PortError> {
        let index = from.link_index(self.name.as_str()).await?;
        Ok(from.move_link(index, to).await?)
    }

    /// Removes the device, of which the other end then gives nothing more.
    pub(crate) async fn remove(&self, netlink: &Netlink) -> Result<(), PortError> {
        if let Some(link) = netlink.link(self.name.as_str()).await? {
            netlink.delete_link(link.index).await?;
        }
        Ok(())
    }

    async fn route(&self, netlink: &Netlink, index: u32) -> Result<(), PortError> {
        if self.default_route {
            let route = RouteInfo {
                dev: Some(index),
                source: self.addresses.first().map(Ipv4Net::addr),
                protocol: RTPROT_STATIC,
                ..RouteInfo::unicast(Ipv4Net::default())
            };
            netlink.replace_route(&route).await?;
        }
        Ok(())
    }
}
