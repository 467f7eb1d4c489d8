//! Benchmark of TCP through a tunnel, beside the bare wire under it in the same run.
//!
//! `cargo bench -p dz-net --bench throughput [-- SECONDS]`: two namespaces joined by a veth pair. The measure of all is
//! that pair without offloads (what every packet costs when it is one packet); the tunnel runs over the same pair.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use dz_net::gre::{DEFAULT_MTU, Dataplane, HelperCommand, TunnelSpec, open};
use dz_net::kernel::{AddrInfo, LinkKind, LinkSpec, Netlink};
use dz_net::netns::NetNs;
use dz_net::probe::{ProbeConfig, Prober};
use dz_net::sandbox;

const WIRE: [Ipv4Addr; 2] = [Ipv4Addr::new(9, 0, 0, 1), Ipv4Addr::new(9, 0, 0, 2)];
const OVERLAY: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

fn main() {
    sandbox::run_async(|| async {
        let seconds = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(3);
        let hosts = [NetNs::new().unwrap(), NetNs::new().unwrap()];
        wire(&hosts).await;
        println!();
        let offloads = stream(&hosts, false, seconds);
        report("veth, with offloads", offloads, offloads);
        for host in &hosts {
            host.run(without_offloads).unwrap();
        }
        let plain = stream(&hosts, false, seconds);
        report("veth, without offloads", plain, plain);
        for dataplane in [Dataplane::Kernel, Dataplane::Userspace] {
            match tunnel(&hosts, dataplane).await {
                Ok(()) => {
                    report(&format!("{dataplane} tunnel over it"), stream(&hosts, true, seconds), plain);
                    datagrams(&hosts, &dataplane.to_string(), seconds);
                    round_trips(&hosts, &dataplane.to_string()).await;
                }
                Err(error) => println!("{dataplane:>9} tunnel: {error}"),
            }
        }
    });
}

fn report(what: &str, rate: f64, plain: f64) {
    println!("{what:<28} {:>8.2} Gbit/s   {:>5.2} of plain veth", rate * 8.0 / 1e9, rate / plain);
}

async fn wire(hosts: &[NetNs; 2]) {
    let links = [Netlink::open_in(&hosts[0]).unwrap(), Netlink::open_in(&hosts[1]).unwrap()];
    let kind = LinkKind::Veth { peer: "far0".to_owned() };
    let _ = links[0].add_link(&LinkSpec { name: "eth0".to_owned(), kind, mtu: None }).await.unwrap();
    links[0].move_link(links[0].link_index("far0").await.unwrap(), &hosts[1]).await.unwrap();
    links[1].rename_link(links[1].link_index("far0").await.unwrap(), "eth0").await.unwrap();
    for (netlink, address) in links.iter().zip(WIRE) {
        let index = netlink.link_index("eth0").await.unwrap();
        netlink.set_link_up(index, true).await.unwrap();
        let _ = netlink.add_addr(&AddrInfo::new(index, format!("{address}/24").parse().unwrap())).await.unwrap();
    }
    while !links[0].link("eth0").await.unwrap().is_some_and(|link| link.running) {
        tokio::task::yield_now().await;
    }
}

/// Makes the tunnel's two ends, in place of an earlier one's.
async fn tunnel(hosts: &[NetNs; 2], dataplane: Dataplane) -> Result<(), String> {
    for (host, (local, remote)) in hosts.iter().zip([(WIRE[0], WIRE[1]), (WIRE[1], WIRE[0])]) {
        let create = host.spawn("tunnel", move || async move {
            let helper = HelperCommand::new(env!("CARGO_BIN_EXE_dz-gre-helper"), [] as [&str; 0]);
            let tunnels = open(dataplane, helper).await.map_err(|e| e.to_string())?;
            let netlink = Netlink::open().map_err(|e| e.to_string())?;
            if let Some(link) = netlink.link("doublezero0").await.map_err(|e| e.to_string())? {
                netlink.delete_link(link.index).await.map_err(|e| e.to_string())?;
            }
            let spec = TunnelSpec { name: "doublezero0".to_owned(), local, remote, ttl: 64, mtu: DEFAULT_MTU };
            tunnels.create(&spec).await.map_err(|e| e.to_string())
        });
        let tunnel = create.unwrap().output().await.unwrap()?;
        let netlink = Netlink::open_in(host).unwrap();
        let address = OVERLAY[usize::from(local == WIRE[1])];
        let address = AddrInfo::new(tunnel.ifindex, format!("{address}/24").parse().unwrap());
        let _ = netlink.add_addr(&address).await.unwrap();
    }
    Ok(())
}

/// Bytes per second of one TCP stream.
fn stream(hosts: &[NetNs; 2], overlay: bool, seconds: u64) -> f64 {
    let address = SocketAddr::from((if overlay { OVERLAY[1] } else { WIRE[1] }, 5001));
    let listener = hosts[1].run(|| TcpListener::bind(address).unwrap()).unwrap();
    let mut sender = hosts[0].run(|| TcpStream::connect(address).unwrap()).unwrap();
    let sending = std::thread::spawn(move || {
        let end = Instant::now() + Duration::from_secs(seconds);
        let buffer = vec![7; 256 << 10];
        while Instant::now() < end {
            sender.write_all(&buffer).unwrap();
        }
    });
    let mut receiver = listener.accept().unwrap().0;
    let start = Instant::now();
    let (mut buffer, mut bytes) = (vec![0; 256 << 10], 0);
    loop {
        match receiver.read(&mut buffer).unwrap() {
            0 => break,
            count => bytes += count,
        }
    }
    sending.join().unwrap();
    bytes as f64 / start.elapsed().as_secs_f64()
}

/// Small datagrams through the tunnel, as many as arrive.
fn datagrams(hosts: &[NetNs; 2], what: &str, seconds: u64) {
    let address = SocketAddr::from((OVERLAY[1], 5002));
    let receiver = hosts[1].run(|| UdpSocket::bind(address).unwrap()).unwrap();
    let sender = hosts[0].run(|| UdpSocket::bind((OVERLAY[0], 0)).unwrap()).unwrap();
    receiver.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let end = Instant::now() + Duration::from_secs(seconds);
    let sending = std::thread::spawn(move || {
        let mut sent = 0u64;
        while Instant::now() < end {
            sent += u64::from(sender.send_to(&[0; 64], address).is_ok());
        }
        sent
    });
    let (mut buffer, mut received) = ([0; 128], 0u64);
    while receiver.recv(&mut buffer).is_ok() {
        received += 1;
    }
    let sent = sending.join().unwrap();
    println!(
        "{what:>9} tunnel, 64 bytes    {:>8.0} packets/s of {:.0} sent",
        received as f64 / seconds as f64,
        sent as f64 / seconds as f64
    );
}

/// Round trips on an idle machine, on the wire and through the tunnel.
async fn round_trips(hosts: &[NetNs; 2], what: &str) {
    for (path, target) in [("wire", WIRE[1]), ("tunnel", OVERLAY[1])] {
        let config = ProbeConfig { probes: 500, interval: Duration::from_millis(1), ..ProbeConfig::default() };
        let probe = hosts[0].spawn("probe", move || async move { Prober::open(config).unwrap().round([target]).await });
        let results = probe.unwrap().output().await.unwrap().unwrap();
        let result = &results[&target];
        println!(
            "{what:>9} {path:<6} round trip    min {:?}, median {:?}, max {:?}, lost {}",
            result.min().unwrap_or_default(),
            result.median().unwrap_or_default(),
            result.max().unwrap_or_default(),
            result.lost()
        );
    }
}

/// Makes every packet on the wire one packet: no segmentation, no checksum offload, no scatter and gather.
fn without_offloads() {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    const SET: [(&str, u32); 6] =
        [("rx", 0x15), ("tx", 0x17), ("sg", 0x19), ("tso", 0x1f), ("gso", 0x24), ("gro", 0x2c)];
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    for (name, command) in SET {
        let mut value = [command, 0u32];
        // SAFETY: plain data for which all zeroes is a value; the value outlives the call.
        let result = unsafe {
            let mut request: libc::ifreq = std::mem::zeroed();
            for (to, from) in request.ifr_name.iter_mut().zip(b"eth0") {
                *to = *from as libc::c_char;
            }
            request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
            libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &mut request)
        };
        if result != 0 {
            println!("cannot switch off {name}: {}", std::io::Error::last_os_error());
        }
    }
}
