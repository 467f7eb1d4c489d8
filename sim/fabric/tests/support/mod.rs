//! Nodes with a real kernel behind them, for tests and benches: a network namespace each, with a TUN uplink whose
//! other end a fabric holds.

use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use dz_net::kernel::{AddrInfo, Netlink, RouteInfo, sysctl};
use dz_net::netns::NetNs;
use dz_net::tun::{Tun, TunSpec};
use dzsim_fabric::{Fabric, NodeSpec};
use ipnet::Ipv4Net;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// How long anything that happens at once on an idle machine may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Whether an uplink hands over large segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offload {
    On,
    Off,
}

/// A namespace with addresses.
pub(crate) struct Host {
    pub(crate) ns: NetNs,
    pub(crate) address: Ipv4Addr,
    runtime: tokio::runtime::Runtime,
}

impl Host {
    /// A namespace with nothing but its loopback.
    pub(crate) fn new(address: Ipv4Addr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ns = NetNs::new()?;
        // A kernel with IPv6 would look for routers on every interface, between the packets of a test.
        let no_ipv6 = "net/ipv6/conf/default/disable_ipv6";
        ns.run(|| if sysctl::read(no_ipv6).is_ok() { sysctl::write(no_ipv6, "1") } else { Ok(()) })??;
        Ok(Self { ns, address, runtime })
    }

    /// A namespace with an uplink that is attached to `fabric`, a default route, and the whole prefix as its own.
    pub(crate) fn attached(fabric: &Fabric, name: &str, net: Ipv4Net, offload: Offload) -> Result<Self> {
        let host = Self::new(net.addr())?;
        let vnet_hdr = offload == Offload::On;
        let tun = host.device("eth0", Some(Ipv4Net::new(net.addr(), 32)?), vnet_hdr)?;
        host.route("0.0.0.0/0".parse()?, "eth0")?;
        fabric.attach(NodeSpec { name: name.to_owned(), tun, vnet_hdr, prefixes: vec![net.trunc()] })?;
        Ok(host)
    }

    /// A TUN device in the namespace, up.
    pub(crate) fn device(&self, name: &str, address: Option<Ipv4Net>, vnet_hdr: bool) -> Result<OwnedFd> {
        let spec = TunSpec { vnet_hdr, ..TunSpec::new(name) };
        let tun = self.ns.run(|| Tun::create(&spec))??;
        self.configure(name, address)?;
        Ok(tun.into_fd())
    }

    /// Gives an interface its address and sets it up.
    pub(crate) fn configure(&self, name: &str, address: Option<Ipv4Net>) -> Result<()> {
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
    #[allow(dead_code, reason = "the benches take nothing down")]
    pub(crate) fn set_up(&self, name: &str, up: bool) -> Result<()> {
        self.runtime.block_on(async {
            let netlink = Netlink::open_in(&self.ns)?;
            Ok(netlink.set_link_up(netlink.link_index(name).await?, up).await?)
        })
    }

    /// Packets that its interfaces have dropped on their way out, because they were not read in time.
    #[allow(dead_code, reason = "the tests send no more than is taken")]
    pub(crate) fn dropped(&self) -> Result<u64> {
        self.runtime.block_on(async {
            let links = Netlink::open_in(&self.ns)?.links().await?;
            Ok(links.iter().map(|link| link.counters.tx_dropped).sum())
        })
    }

    /// Moves an interface to another host, where it has neither addresses nor routes.
    #[allow(dead_code, reason = "the benches move nothing")]
    pub(crate) fn move_device(&self, name: &str, to: &Host) -> Result<()> {
        self.runtime.block_on(async {
            let netlink = Netlink::open_in(&self.ns)?;
            Ok(netlink.move_link(netlink.link_index(name).await?, &to.ns).await?)
        })
    }

    /// Routes `destination` over an interface.
    pub(crate) fn route(&self, destination: Ipv4Net, dev: &str) -> Result<()> {
        self.runtime.block_on(async {
            let netlink = Netlink::open_in(&self.ns)?;
            let dev = Some(netlink.link_index(dev).await?);
            let _ = netlink.add_route(&RouteInfo { dev, ..RouteInfo::unicast(destination) }).await?;
            Ok(())
        })
    }

    /// A socket of the namespace.
    pub(crate) fn socket(&self, kind: Type, protocol: Option<Protocol>) -> Result<Socket> {
        let socket = self.ns.run(|| Socket::new(Domain::IPV4, kind, protocol))??;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.set_write_timeout(Some(DEADLINE))?;
        Ok(socket)
    }

    /// A UDP socket bound to `port`.
    pub(crate) fn udp(&self, port: u16) -> Result<std::net::UdpSocket> {
        let socket = self.socket(Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        Ok(socket.into())
    }

    /// A TCP listener on `port`.
    pub(crate) fn listener(&self, port: u16) -> Result<std::net::TcpListener> {
        let socket = self.socket(Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        socket.listen(1)?;
        Ok(socket.into())
    }

    /// A TCP connection to another host.
    pub(crate) fn connect(&self, to: Ipv4Addr, port: u16) -> Result<std::net::TcpStream> {
        let socket = self.socket(Type::STREAM, Some(Protocol::TCP))?;
        socket.connect_timeout(&SocketAddrV4::new(to, port).into(), DEADLINE)?;
        Ok(socket.into())
    }

    /// Something to ping with.
    pub(crate) fn pinger(&self) -> Result<Pinger> {
        let socket = self.socket(Type::RAW, Some(Protocol::ICMPV4))?;
        // As ping(8) does: when a thread gets to run is no part of a round trip.
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        Ok(Pinger { socket, sequence: 0 })
    }
}

/// What came back for an echo request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Reply { rtt: Duration, ttl: u8 },
    Error { kind: u8, code: u8, rest: u32, from: Ipv4Addr },
}

/// Sends echo requests from a raw socket and waits for what comes of each.
pub(crate) struct Pinger {
    pub(crate) socket: Socket,
    sequence: u16,
}

impl Pinger {
    /// Sends a request with `payload` bytes and waits for the reply or an error about it.
    pub(crate) fn ping(&mut self, to: Ipv4Addr, payload: usize) -> Result<Answer> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = vec![0u8; 8 + payload];
        request[0] = 8;
        request[4..6].copy_from_slice(&0x6d7au16.to_be_bytes());
        request[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        let sum = !request.chunks(2).fold(0u32, |sum, pair| {
            let sum = sum + u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
            (sum & 0xffff) + (sum >> 16)
        }) as u16;
        request[2..4].copy_from_slice(&sum.to_be_bytes());
        let (start, sent) = (Instant::now(), SystemTime::now());
        self.socket.send_to(&request, &SockAddr::from(SocketAddrV4::new(to, 0))).context("send echo request")?;
        let mut buffer = vec![0u8; 65535];
        while start.elapsed() < DEADLINE {
            let (len, received) = self.receive(&mut buffer).with_context(|| format!("no answer to ping of {to}"))?;
            let rtt = received.duration_since(sent).context("the clock was set meanwhile")?;
            ensure!(len >= 28, "short packet of {len} bytes on a raw socket");
            let header = usize::from(buffer[0] & 0xf) * 4;
            let icmp = &buffer[header..len];
            if icmp[0] == 0 && icmp[4..8] == request[4..8] {
                return Ok(Answer::Reply { rtt, ttl: buffer[8] });
            }
            if matches!(icmp[0], 3 | 11) && icmp.get(8 + 20 + 4..8 + 20 + 8) == Some(&request[4..8]) {
                return Ok(Answer::Error {
                    kind: icmp[0],
                    code: icmp[1],
                    rest: u32::from_be_bytes([icmp[4], icmp[5], icmp[6], icmp[7]]),
                    from: Ipv4Addr::new(buffer[12], buffer[13], buffer[14], buffer[15]),
                });
            }
        }
        bail!("no answer to ping of {to} within {DEADLINE:?}")
    }

    /// The next packet, and when the kernel got it.
    fn receive(&self, buffer: &mut [u8]) -> Result<(usize, SystemTime)> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let message = recvmsg::<()>(fd, &mut slices, Some(&mut control), MsgFlags::empty())?;
        let stamp = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
        Ok((message.bytes, UNIX_EPOCH + stamp.context("the kernel stamped no time")?))
    }
}
