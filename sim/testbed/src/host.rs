//! A host: a network namespace with a TUN uplink whose other end a fabric holds.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use anyhow::Result;
use dz_net::kernel::{AddrInfo, Netlink, RouteInfo, sysctl};
use dz_net::netns::NetNs;
use dz_net::tun::{Tun, TunSpec};
use dzsim_fabric::{Fabric, NodeSpec};
use ipnet::Ipv4Net;
use socket2::{Domain, Protocol, Socket, Type};

use crate::{DEADLINE, Pinger};

/// Whether an uplink hands over large segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offload {
    /// It does.
    On,
    /// Packets are as small as on the wire.
    Off,
}

/// A namespace with addresses.
pub struct Host {
    /// Its namespace.
    pub ns: NetNs,
    /// Its own address.
    pub address: Ipv4Addr,
    runtime: tokio::runtime::Runtime,
}

impl Host {
    /// A namespace with nothing but its loopback.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn new(address: Ipv4Addr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ns = NetNs::new()?;
        // A kernel with IPv6 would look for routers on every interface, between the packets of a test.
        let no_ipv6 = "net/ipv6/conf/default/disable_ipv6";
        ns.run(|| if sysctl::read(no_ipv6).is_ok() { sysctl::write(no_ipv6, "1") } else { Ok(()) })??;
        Ok(Self { ns, address, runtime })
    }

    /// A namespace with an uplink that is attached to `fabric`, a default route, and the whole prefix as its own.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn attached(fabric: &Fabric, name: &str, net: Ipv4Net, offload: Offload) -> Result<Self> {
        let host = Self::new(net.addr())?;
        let vnet_hdr = offload == Offload::On;
        let tun = host.device("eth0", Some(Ipv4Net::new(net.addr(), 32)?), vnet_hdr)?;
        host.route("0.0.0.0/0".parse()?, "eth0")?;
        fabric.attach(NodeSpec { name: name.to_owned(), tun, vnet_hdr, prefixes: vec![net.trunc()] })?;
        Ok(host)
    }

    /// A TUN device in the namespace, up.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn device(&self, name: &str, address: Option<Ipv4Net>, vnet_hdr: bool) -> Result<OwnedFd> {
        let spec = TunSpec { vnet_hdr, ..TunSpec::new(name) };
        let tun = self.ns.run(|| Tun::create(&spec))??;
        self.configure(name, address)?;
        Ok(tun.into_fd())
    }

    /// Gives an interface its address and sets it up.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn configure(&self, name: &str, address: Option<Ipv4Net>) -> Result<()> {
        self.runtime.block_on(async {
            let netlink = Netlink::open_in(&self.ns)?;
            let index = netlink.link_index(name).await?;
            if let Some(address) = address {
                let _ = netlink.add_addr(&AddrInfo::new(index, address)).await?;
            }
            netlink.set_link_up(index, true).await?;
            Ok(())
        })
    }

    /// Sets an interface up or down.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn set_up(&self, name: &str, up: bool) -> Result<()> {
        self.runtime.block_on(async {
            let netlink = Netlink::open_in(&self.ns)?;
            Ok(netlink.set_link_up(netlink.link_index(name).await?, up).await?)
        })
    }

    /// Packets that its interfaces have dropped on their way out, because they were not read in time.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn dropped(&self) -> Result<u64> {
        self.runtime.block_on(async {
            let links = Netlink::open_in(&self.ns)?.links().await?;
            Ok(links.iter().map(|link| link.counters.tx_dropped).sum())
        })
    }

    /// Moves an interface to another host, where it has neither addresses nor routes.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn move_device(&self, name: &str, to: &Host) -> Result<()> {
        self.runtime.block_on(async {
            let netlink = Netlink::open_in(&self.ns)?;
            Ok(netlink.move_link(netlink.link_index(name).await?, &to.ns).await?)
        })
    }

    /// Routes `destination` over an interface.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn route(&self, destination: Ipv4Net, dev: &str) -> Result<()> {
        self.runtime.block_on(async {
            let netlink = Netlink::open_in(&self.ns)?;
            let dev = Some(netlink.link_index(dev).await?);
            let _ = netlink.add_route(&RouteInfo { dev, ..RouteInfo::unicast(destination) }).await?;
            Ok(())
        })
    }

    /// A socket of the namespace.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn socket(&self, kind: Type, protocol: Option<Protocol>) -> Result<Socket> {
        let socket = self.ns.run(|| Socket::new(Domain::IPV4, kind, protocol))??;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.set_write_timeout(Some(DEADLINE))?;
        Ok(socket)
    }

    /// A UDP socket bound to `port`.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn udp(&self, port: u16) -> Result<std::net::UdpSocket> {
        let socket = self.socket(Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        Ok(socket.into())
    }

    /// A TCP listener on `port`.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn listener(&self, port: u16) -> Result<std::net::TcpListener> {
        let socket = self.socket(Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        socket.listen(1)?;
        Ok(socket.into())
    }

    /// A TCP connection to another host.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn connect(&self, to: Ipv4Addr, port: u16) -> Result<std::net::TcpStream> {
        let socket = self.socket(Type::STREAM, Some(Protocol::TCP))?;
        socket.connect_timeout(&SocketAddrV4::new(to, port).into(), DEADLINE)?;
        Ok(socket.into())
    }

    /// Something to ping with.
    ///
    /// # Errors
    /// The kernel refuses a part of it.
    pub fn pinger(&self) -> Result<Pinger> {
        Pinger::new(self.socket(Type::RAW, Some(Protocol::ICMPV4))?)
    }
}
