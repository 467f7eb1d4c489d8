//! Throughput of one TCP connection between two hosts, by what is between them.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dz_net::kernel::{LinkKind, LinkSpec, Netlink};
use dzsim_fabric::{Fabric, FabricConfig, PathProfile};

use crate::tunnel::TunnelEnd;
use crate::{Host, Offload, Sample};

/// How long a connection sends.
pub const RUN: Duration = Duration::from_millis(1500);
/// Rounds of which the median counts.
pub const ROUNDS: usize = 3;

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// Two hosts, and what is between them.
pub struct Pair {
    /// The sender.
    pub a: Host,
    /// The receiver.
    pub b: Host,
    /// Where `a` finds `b`.
    pub to: Ipv4Addr,
    _tunnel: Option<[TunnelEnd; 2]>,
    /// None between the ends of a veth pair.
    pub fabric: Option<Fabric>,
}

/// A name, and what makes a new pair.
pub type Case<'a> = (&'a str, &'a dyn Fn() -> Result<Pair>);

/// What one case carried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Median of the rounds.
    pub gbit_per_s: f64,
    /// Packets that the hosts' interfaces dropped in all rounds.
    pub dropped: u64,
}

/// Runs the cases in turns, each once a round.
///
/// # Errors
/// The kernel refuses a host, or a connection breaks.
pub fn compare(cases: &[Case<'_>], rounds: usize) -> Result<Vec<Rate>> {
    let mut results = vec![(Vec::new(), 0); cases.len()];
    for _ in 0..rounds {
        for ((_, set_up), (rates, dropped)) in cases.iter().zip(&mut results) {
            let pair = set_up()?;
            rates.push(stream(&pair.a, &pair.b, pair.to, |time| time > RUN)?);
            *dropped += pair.a.dropped()? + pair.b.dropped()?;
        }
    }
    let rate = |(rates, dropped)| Rate { gbit_per_s: Sample::new(rates).median(), dropped };
    Ok(results.into_iter().map(rate).collect())
}

/// Sends from `a` to `b` over one connection until `done`, given how long it has been sending; gives the rate in Gbit/s. To
/// connect is no part of it: an interface that has just come up may lose the first packet, which comes again after a second.
///
/// # Errors
/// The connection breaks.
pub fn stream(a: &Host, b: &Host, to: Ipv4Addr, done: impl Fn(Duration) -> bool) -> Result<f64> {
    let listener = b.listener(80)?;
    let mut stream = a.connect(to, 80)?;
    let (mut accepted, _) = listener.accept()?;
    let reader = std::thread::spawn(move || -> Result<u64> {
        let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
        loop {
            match accepted.read(&mut buffer)? {
                0 => return Ok(total),
                len => total += len as u64,
            }
        }
    });
    let chunk = vec![0x5a; 1 << 18];
    let start = Instant::now();
    while !done(start.elapsed()) {
        stream.write_all(&chunk)?;
    }
    drop(stream);
    let bytes = reader.join().expect("the reader does not panic")?;
    Ok(bytes as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9)
}

impl Pair {
    /// On a fabric whose paths are all like this.
    ///
    /// # Errors
    /// The kernel refuses a host.
    pub fn on_fabric(config: FabricConfig, offload: Offload, profile: PathProfile) -> Result<Self> {
        let fabric = Fabric::start(config)?;
        fabric.set_default_path(profile)?;
        let a = Host::attached(&fabric, "a", "192.0.2.1/32".parse()?, offload)?;
        let b = Host::attached(&fabric, "b", "198.51.100.1/32".parse()?, offload)?;
        Ok(Self { a, b, to: B, _tunnel: None, fabric: Some(fabric) })
    }

    /// Puts a userspace tunnel between the hosts, with a helper of its own in each.
    ///
    /// # Errors
    /// The helper does not start, or the kernel refuses an end.
    pub fn with_tunnel(self) -> Result<Self> {
        let ends = [
            TunnelEnd::make(&self.a, (A, B), "10.0.0.1/24".parse()?)?,
            TunnelEnd::make(&self.b, (B, A), "10.0.0.2/24".parse()?)?,
        ];
        Ok(Self { to: Ipv4Addr::new(10, 0, 0, 2), _tunnel: Some(ends), ..self })
    }

    /// At the ends of a veth pair.
    ///
    /// # Errors
    /// The kernel refuses a host or the pair.
    pub fn veth(offload: Offload) -> Result<Self> {
        let (a, b) = (Host::new(A)?, Host::new(B)?);
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
            let netlink = Netlink::open_in(&a.ns)?;
            let kind = LinkKind::Veth { peer: "eth1".to_owned() };
            let _ = netlink.add_link(&LinkSpec { name: "eth0".to_owned(), kind, mtu: Some(1500) }).await?;
            let peer = netlink.link_index("eth1").await?;
            netlink.move_link(peer, &b.ns).await?;
            let netlink = Netlink::open_in(&b.ns)?;
            netlink.rename_link(netlink.link_index("eth1").await?, "eth0").await?;
            anyhow::Ok(())
        })?;
        for (host, other) in [(&a, B), (&b, A)] {
            host.configure("eth0", Some(ipnet::Ipv4Net::new(host.address, 32)?))?;
            host.route(ipnet::Ipv4Net::new(other, 32)?, "eth0")?;
            if offload == Offload::Off {
                host.ns.run(|| without_offloads("eth0"))??;
            }
        }
        Ok(Self { a, b, to: B, _tunnel: None, fabric: None })
    }
}

/// Turns off what lets packets pass in large pieces (ethtool(8): tso, gso, gro, tx).
fn without_offloads(name: &str) -> Result<()> {
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    const ETHTOOL_STXCSUM: u32 = 0x17;
    const ETHTOOL_STSO: u32 = 0x1f;
    const ETHTOOL_SGSO: u32 = 0x24;
    const ETHTOOL_SGRO: u32 = 0x2c;
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    for command in [ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM] {
        let mut value = Value { command, data: 0 };
        // SAFETY: ifreq is plain data; the kernel reads name and pointer, which outlive the call.
        let result = unsafe {
            let mut request: libc::ifreq = std::mem::zeroed();
            for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
                *to = from as libc::c_char;
            }
            request.ifr_ifru.ifru_data = (&raw mut value).cast();
            libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request)
        };
        ensure!(result == 0, "ethtool {command:#x} on {name}: {}", std::io::Error::last_os_error());
    }
    Ok(())
}
