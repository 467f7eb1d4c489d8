//! Throughput of the fabric, beside a plain veth pair in the same run.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dz_net::kernel::{LinkKind, LinkSpec, Netlink};
use dzsim_fabric::{BitRate, CaptureConfig, Fabric, FabricConfig, Loss, PathProfile, Probability, TrafficFilter};

use crate::support::{Host, Offload};
use crate::tunnel::TunnelEnd;

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const RUN: Duration = Duration::from_millis(1500);
const ROUNDS: usize = 3;

/// Two hosts, and what is between them.
struct Pair {
    a: Host,
    b: Host,
    /// Where `a` finds `b`.
    to: Ipv4Addr,
    _tunnel: Option<[TunnelEnd; 2]>,
    /// None between the ends of a veth pair.
    fabric: Option<Fabric>,
}

type SetUp<'a> = &'a dyn Fn() -> Result<Pair>;

pub(crate) fn tcp() -> Result<()> {
    let per_packet = PathProfile {
        delay: Duration::from_micros(100),
        loss: Loss::Random { probability: Probability::new(1e-9)? },
        ..PathProfile::default()
    };
    let limited = |gbit: u64| PathProfile {
        rate: BitRate::from_bits_per_second(gbit * 1_000_000_000),
        ..PathProfile::with_delay(Duration::from_micros(100))
    };
    let delay = PathProfile::with_delay(Duration::from_micros(100));
    compare(&[
        ("veth, no offloads", &|| veth(Offload::Off)),
        ("veth, offloads", &|| veth(Offload::On)),
        ("fabric, no offloads", &|| through_fabric(Offload::Off, PathProfile::default())),
        ("fabric, offloads", &|| through_fabric(Offload::On, PathProfile::default())),
        ("fabric, offloads, 0.1 ms", &|| through_fabric(Offload::On, delay.clone())),
        ("fabric, offloads, captured", &|| captured()),
        ("fabric, offloads, per-packet rules", &|| through_fabric(Offload::On, per_packet.clone())),
        ("fabric, offloads, 1 Gbit/s", &|| through_fabric(Offload::On, limited(1))),
        ("fabric, offloads, 100 Gbit/s", &|| through_fabric(Offload::On, limited(100))),
    ])
}

/// Through a userspace tunnel, whose outer packets the fabric carries.
pub(crate) fn tunnels() -> Result<()> {
    compare(&[
        ("veth, no offloads", &|| veth(Offload::Off)),
        ("tunnel over veth, no offloads", &|| with_tunnel(veth(Offload::Off)?)),
        ("tunnel over fabric, no offloads", &|| with_tunnel(through_fabric(Offload::Off, PathProfile::default())?)),
        ("tunnel over fabric, offloads", &|| with_tunnel(through_fabric(Offload::On, PathProfile::default())?)),
    ])
}

/// Runs the cases in turns, the first of which is the measure of all.
fn compare(cases: &[(&str, SetUp<'_>)]) -> Result<()> {
    println!("TCP, one connection, Gbit/s: median of {ROUNDS} runs of {RUN:?}, in turns");
    let mut results = vec![(Vec::new(), 0); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, set_up), (rates, dropped)) in cases.iter().zip(&mut results) {
            let pair = set_up()?;
            let start = Instant::now();
            let bytes = stream(&pair.a, &pair.b, pair.to, || start.elapsed() > RUN)?;
            rates.push(bytes as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9);
            *dropped += pair.a.dropped()? + pair.b.dropped()?;
        }
    }
    let medians: Vec<f64> = results.iter_mut().map(|(rates, _)| median(rates)).collect();
    for (((name, _), gbit), (_, dropped)) in cases.iter().zip(&medians).zip(&results) {
        println!("{name:>36} {gbit:>8.2} {:>6.2} of {}, {dropped} dropped", gbit / medians[0], cases[0].0);
    }
    Ok(())
}

pub(crate) fn packets() -> Result<()> {
    println!("UDP datagrams of 100 bytes, thousands per second delivered in {RUN:?}");
    for offload in [Offload::Off, Offload::On] {
        let Pair { a, b, fabric, .. } = through_fabric(offload, PathProfile::default())?;
        let (socket, _sink) = (a.udp(9)?, b.udp(9)?);
        let start = Instant::now();
        while start.elapsed() < RUN {
            for _ in 0..64 {
                // The device's queue is full at times, which is what is measured.
                let _ = socket.send_to(&[0; 100], (B, 9));
            }
        }
        let fabric = fabric.expect("the hosts are on a fabric");
        let delivered = fabric.traffic(&TrafficFilter { destination: Some(B), ..TrafficFilter::default() }).delivered;
        println!(
            "{:>36} {:>8.0}",
            format!("fabric, offloads {offload:?}"),
            delivered.packets as f64 / RUN.as_secs_f64() / 1e3
        );
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Sends from `a` to `b` over one connection until `done`; gives the bytes that arrived.
pub(crate) fn stream(a: &Host, b: &Host, to: Ipv4Addr, done: impl Fn() -> bool) -> Result<u64> {
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
    while !done() {
        stream.write_all(&chunk)?;
    }
    drop(stream);
    reader.join().expect("the reader does not panic")
}

/// With everything recorded: the disk's part is left out.
fn captured() -> Result<Pair> {
    let capture = CaptureConfig { path: "/dev/null".into(), snaplen: None, ring: None };
    pair(FabricConfig { capture: Some(capture), ..FabricConfig::default() }, Offload::On, PathProfile::default())
}

fn through_fabric(offload: Offload, profile: PathProfile) -> Result<Pair> {
    pair(FabricConfig::default(), offload, profile)
}

fn pair(config: FabricConfig, offload: Offload, profile: PathProfile) -> Result<Pair> {
    let fabric = Fabric::start(config)?;
    fabric.set_default_path(profile)?;
    let a = Host::attached(&fabric, "a", "192.0.2.1/32".parse()?, offload)?;
    let b = Host::attached(&fabric, "b", "198.51.100.1/32".parse()?, offload)?;
    Ok(Pair { a, b, to: B, _tunnel: None, fabric: Some(fabric) })
}

/// Puts a userspace tunnel between the hosts, with a helper of its own in each.
fn with_tunnel(pair: Pair) -> Result<Pair> {
    let ends = [
        TunnelEnd::make(&pair.a, (A, B), "10.0.0.1/24".parse()?)?,
        TunnelEnd::make(&pair.b, (B, A), "10.0.0.2/24".parse()?)?,
    ];
    Ok(Pair { to: Ipv4Addr::new(10, 0, 0, 2), _tunnel: Some(ends), ..pair })
}

fn veth(offload: Offload) -> Result<Pair> {
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
    Ok(Pair { a, b, to: B, _tunnel: None, fabric: None })
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
