//! Tunnels of both backends, by the same test bodies, and what only the helper promises.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use dz_net::gre::{
    self, Dataplane, Discard, HelperCommand, Taken, Tunnel, TunnelError, TunnelSpec, Tunnels, kernel, open, picked,
};
use dz_net::kernel::{Added, Deleted, RouteInfo};
use dz_net::sandbox;
use dz_net::wire::{icmp, ipv4};
use dz_testing::eventually;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

use crate::hosts::{A, B, Host, Hosts};

fn helper() -> HelperCommand {
    HelperCommand::new(env!("CARGO_BIN_EXE_dz-gre-helper"), [] as [&str; 0])
}

fn spec(name: &str, local: Ipv4Addr, remote: Ipv4Addr) -> TunnelSpec {
    TunnelSpec { name: name.to_owned(), local, remote, ttl: 32, mtu: gre::DEFAULT_MTU }
}

/// The operations of one host's tunnels, each from a thread inside its namespace.
struct TunnelsOf<'a>(&'a Host, Dataplane);

impl TunnelsOf<'_> {
    async fn with<T, F>(&self, f: F) -> T
    where
        T: Send + 'static,
        F: AsyncFnOnce(Box<dyn Tunnels>) -> T + Send + 'static,
    {
        let dataplane = self.1;
        self.0.run(move || async move { f(open(dataplane, helper()).await.unwrap()).await }).await
    }

    async fn create(&self, spec: TunnelSpec) -> Result<Tunnel, TunnelError> {
        self.with(async move |tunnels| tunnels.create(&spec).await).await
    }

    async fn delete(&self, name: &'static str) -> Result<(), TunnelError> {
        self.with(async move |tunnels| tunnels.delete(name).await).await
    }

    async fn list(&self) -> Vec<Tunnel> {
        self.with(async |tunnels| tunnels.list().await.unwrap()).await
    }

    async fn names(&self) -> Vec<String> {
        self.list().await.into_iter().map(|tunnel| tunnel.spec.name).collect()
    }

    async fn discards(&self) -> BTreeMap<Discard, u64> {
        self.with(async |tunnels| tunnels.discards().await.unwrap()).await
    }
}

/// A tunnel between the hosts with 10.0.0.1 and 10.0.0.2 on it.
async fn tunnel_between(hosts: &Hosts, dataplane: Dataplane) {
    TunnelsOf(&hosts.a, dataplane).create(spec("doublezero0", A, B)).await.unwrap();
    TunnelsOf(&hosts.b, dataplane).create(spec("tun500", B, A)).await.unwrap();
    hosts.a.add_address("doublezero0", "10.0.0.1/24").await;
    hosts.b.add_address("tun500", "10.0.0.2/24").await;
}

fn udp(host: &Host, address: &str) -> UdpSocket {
    let address = address.to_owned();
    let socket = host.ns.run(move || UdpSocket::bind(address).unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

/// Sends a datagram and returns it as it arrived.
fn pass(from: &UdpSocket, to: &UdpSocket, payload: &[u8]) -> Vec<u8> {
    from.send_to(payload, to.local_addr().unwrap()).unwrap();
    let mut buffer = vec![0; 65_536];
    let (length, source) = to.recv_from(&mut buffer).unwrap();
    assert_eq!(source, from.local_addr().unwrap());
    buffer.truncate(length);
    buffer
}

async fn packets_pass_and_are_counted(dataplane: Dataplane) {
    let hosts = Hosts::new().await;
    tunnel_between(&hosts, dataplane).await;
    let (a, b) = (udp(&hosts.a, "10.0.0.1:7"), udp(&hosts.b, "10.0.0.2:7"));
    for round in 0..5 {
        assert_eq!(pass(&a, &b, &[round; 100]), [round; 100]);
        assert_eq!(pass(&b, &a, &[round; 50]), [round; 50]);
    }
    // Larger than the tunnel and not held together: fragmented before it goes in.
    assert_eq!(pass(&a, &b, &[9; 4000]), [9; 4000]);
    eventually("counters", async || {
        let counters = (
            TunnelsOf(&hosts.a, dataplane).list().await[0].counters,
            TunnelsOf(&hosts.b, dataplane).list().await[0].counters,
        );
        let (a, b) = counters;
        let bytes = 5 * 128 + 4008 + 3 * 20;
        if (a.tx_packets, a.tx_bytes, a.rx_packets, a.rx_bytes) == (8, bytes, 5, 5 * 78)
            && (b.rx_packets, b.rx_bytes, b.tx_packets, b.tx_bytes) == (8, bytes, 5, 5 * 78)
        {
            Ok(())
        } else {
            Err(counters)
        }
    })
    .await;
}

async fn a_second_tunnel_of_the_same_pair_is_refused(dataplane: Dataplane) {
    let host = Host::new().await;
    let tunnels = TunnelsOf(&host, dataplane);
    let first = tunnels.create(spec("doublezero0", A, B)).await.unwrap();
    assert_eq!(first.spec, spec("doublezero0", A, B));
    assert_eq!(first.ifindex, host.netlink.link_index("doublezero0").await.unwrap());

    let error = tunnels.create(spec("doublezero1", A, B)).await.unwrap_err();
    let TunnelError::Exists { name, local, remote, taken } = &error else { panic!("{error:?}") };
    assert_eq!((name.as_str(), *local, *remote), ("doublezero1", A, B));
    assert_eq!(*taken, Taken::Endpoints { by: "doublezero0".to_owned() });
    assert_eq!(
        error.to_string(),
        "tunnel doublezero1 (9.0.0.1 -> 9.0.0.2): tunnel doublezero0 has the same local and remote address (EEXIST)"
    );
    let error = tunnels.create(spec("doublezero0", A, A)).await.unwrap_err();
    assert!(matches!(error, TunnelError::Exists { taken: Taken::Name, .. }), "{error:?}");
    let error = tunnels.create(spec("lo", A, A)).await.unwrap_err();
    assert!(matches!(error, TunnelError::Exists { taken: Taken::Name, .. }), "{error:?}");
    assert_eq!(tunnels.names().await, ["doublezero0"]);
    assert_eq!(host.netlink.link("doublezero1").await.unwrap(), None);

    // Another endpoint is another tunnel.
    tunnels.create(spec("doublezero1", A, Ipv4Addr::new(9, 0, 0, 3))).await.unwrap();
    assert_eq!(tunnels.names().await, ["doublezero0", "doublezero1"]);
}

async fn tunnels_are_told_apart_by_their_endpoints(dataplane: Dataplane) {
    let hosts = Hosts::new().await;
    hosts.b.add_address("eth0", "9.0.0.3/24").await;
    let second = Ipv4Addr::new(9, 0, 0, 3);
    tunnel_between(&hosts, dataplane).await;
    TunnelsOf(&hosts.a, dataplane).create(spec("doublezero1", A, second)).await.unwrap();
    TunnelsOf(&hosts.b, dataplane).create(spec("tun501", second, A)).await.unwrap();
    hosts.a.add_address("doublezero1", "10.0.1.1/24").await;
    hosts.b.add_address("tun501", "10.0.1.2/24").await;
    let (a0, b0) = (udp(&hosts.a, "10.0.0.1:7"), udp(&hosts.b, "10.0.0.2:7"));
    let (a1, b1) = (udp(&hosts.a, "10.0.1.1:7"), udp(&hosts.b, "10.0.1.2:7"));
    assert_eq!(pass(&a0, &b0, b"first"), b"first");
    assert_eq!(pass(&a1, &b1, b"second"), b"second");
    assert_eq!(pass(&b1, &a1, b"back"), b"back");
    let packets: BTreeMap<_, _> = TunnelsOf(&hosts.b, dataplane)
        .list()
        .await
        .into_iter()
        .map(|tunnel| (tunnel.spec.name, tunnel.counters.rx_packets))
        .collect();
    assert_eq!(packets, BTreeMap::from([("tun500".to_owned(), 1), ("tun501".to_owned(), 1)]));
}

async fn what_is_gone_is_not_listed(dataplane: Dataplane) {
    let host = Host::new().await;
    let tunnels = TunnelsOf(&host, dataplane);
    assert_eq!(tunnels.list().await, []);
    let error = tunnels.delete("doublezero0").await.unwrap_err();
    assert!(matches!(&error, TunnelError::NotFound { name } if name == "doublezero0"), "{error:?}");
    assert_eq!(error.to_string(), "tunnel doublezero0: not found");

    tunnels.create(spec("doublezero0", A, B)).await.unwrap();
    tunnels.create(spec("doublezero1", B, A)).await.unwrap();
    // By hand, as by `ip link del`.
    let index = host.netlink.link_index("doublezero0").await.unwrap();
    assert_eq!(host.netlink.delete_link(index).await.unwrap(), Deleted::Deleted);
    assert_eq!(tunnels.names().await, ["doublezero1"]);
    let error = tunnels.delete("doublezero0").await.unwrap_err();
    assert!(matches!(error, TunnelError::NotFound { .. }), "{error:?}");
    // Its addresses are free again.
    tunnels.create(spec("doublezero0", A, B)).await.unwrap();
    tunnels.delete("doublezero0").await.unwrap();
    tunnels.delete("doublezero1").await.unwrap();
    assert_eq!(tunnels.list().await, []);
    assert_eq!(host.netlink.links().await.unwrap().len(), 1 + fallback_devices(&host).await);
}

/// The devices that the kernel's GRE modules put into each namespace.
async fn fallback_devices(host: &Host) -> usize {
    let links = host.netlink.links().await.unwrap();
    links.iter().filter(|link| ["gre0", "gretap0", "erspan0"].contains(&link.name.as_str())).count()
}

async fn the_outer_header_is_what_the_tunnel_says(dataplane: Dataplane) {
    let hosts = Hosts::new().await;
    tunnel_between(&hosts, dataplane).await;
    let wire = hosts.b.ns.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(47))).unwrap()).unwrap();
    wire.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let a = udp(&hosts.a, "10.0.0.1:7");
    a.send_to(b"hello", "10.0.0.2:9").unwrap();
    let mut buffer = [0u8; 2048];
    let length = io::Read::read(&mut (&wire), &mut buffer).unwrap();
    let outer = ipv4::Header::decode_checked(&buffer[..length]).unwrap();
    assert_eq!((outer.source, outer.destination, outer.ttl, outer.protocol, outer.tos), (A, B, 32, 47, 0));
    assert!(outer.dont_fragment());
    assert_eq!(buffer[20..24], [0, 0, 8, 0]);
    let inner = ipv4::Header::decode_checked(&buffer[24..length]).unwrap();
    assert_eq!((inner.source, inner.destination), ([10, 0, 0, 1].into(), [10, 0, 0, 2].into()));
}

async fn a_packet_too_big_is_refused_on_the_way_in(dataplane: Dataplane) {
    let hosts = Hosts::new().await;
    tunnel_between(&hosts, dataplane).await;
    let (a, b) = (udp(&hosts.a, "10.0.0.1:7"), udp(&hosts.b, "10.0.0.2:7"));
    let dont_fragment: libc::c_int = libc::IP_PMTUDISC_DO;
    // SAFETY: the option takes an int, which outlives the call.
    let result = unsafe {
        let value = (&raw const dont_fragment).cast();
        libc::setsockopt(a.as_raw_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value, 4)
    };
    assert_eq!(result, 0);
    let most = gre::DEFAULT_MTU as usize - 28;
    assert_eq!(pass(&a, &b, &vec![1; most]).len(), most);
    let error = a.send_to(&vec![1; most + 1], b.local_addr().unwrap()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
}

/// Streams cross in both directions, through whatever joins and cuts their segments.
async fn streams_arrive_whole(dataplane: Dataplane) {
    let hosts = Hosts::new().await;
    tunnel_between(&hosts, dataplane).await;
    let listener = hosts.b.ns.run(|| TcpListener::bind("10.0.0.2:80").unwrap()).unwrap();
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let exchange = |mut stream: TcpStream, data: Vec<u8>| {
        let mut reader = stream.try_clone().unwrap();
        reader.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let expected = data.clone();
        let writing = std::thread::spawn(move || {
            stream.write_all(&data).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == expected, "{} of {} bytes, or others", received.len(), expected.len());
    };
    let answer = data.clone();
    let serving = std::thread::spawn(move || exchange(listener.accept().unwrap().0, answer));
    let stream = hosts.a.ns.run(|| TcpStream::connect("10.0.0.2:80").unwrap()).unwrap();
    exchange(stream, data);
    serving.join().unwrap();
    // What was joined or cut on the way was counted as it was on the wire.
    let counters = TunnelsOf(&hosts.a, dataplane).list().await[0].counters;
    assert!(counters.tx_bytes > 3_000_000 && counters.rx_bytes > 3_000_000, "{counters:?}");
}

/// Every promise of [`Tunnels`], for one backend.
async fn gre_suite(dataplane: Dataplane) {
    packets_pass_and_are_counted(dataplane).await;
    a_second_tunnel_of_the_same_pair_is_refused(dataplane).await;
    tunnels_are_told_apart_by_their_endpoints(dataplane).await;
    what_is_gone_is_not_listed(dataplane).await;
    the_outer_header_is_what_the_tunnel_says(dataplane).await;
    a_packet_too_big_is_refused_on_the_way_in(dataplane).await;
    streams_arrive_whole(dataplane).await;
}

#[test]
fn the_userspace_backend_keeps_every_promise() {
    sandbox::run_async(|| gre_suite(Dataplane::Userspace));
}

/// Where the kernel has no GRE, it must say so in these words; where it has, it is held to the same promises. The
/// latter is proved by `ci/kernel-gre.sh`, on a stock kernel.
#[test]
fn the_kernel_backend_keeps_every_promise_or_says_what_is_missing() {
    sandbox::run_async(|| async {
        let host = Host::new().await;
        let opened = host.run(|| async { open(Dataplane::Kernel, helper()).await.map(|t| t.dataplane()) }).await;
        let auto = host.run(|| async { open(Dataplane::Auto, helper()).await.map(|t| t.dataplane()) }).await.unwrap();
        assert_eq!(host.run(|| async { picked(Dataplane::Auto).await }).await.unwrap(), auto);
        match opened {
            Ok(dataplane) => {
                println!("kernel gre: present, running the suite");
                assert_eq!((dataplane, auto), (Dataplane::Kernel, Dataplane::Kernel));
                gre_suite(Dataplane::Kernel).await;
            }
            Err(error) => {
                println!("kernel gre: absent: {error}");
                let TunnelError::Unsupported(missing) = &error else { panic!("{error:?}") };
                assert_eq!(*missing, kernel::UNSUPPORTED);
                assert_eq!(
                    error.to_string(),
                    "kernel tunnels: this kernel has no `gre` link type (load the module: `modprobe ip_gre`; or use \
                     the userspace dataplane)"
                );
                assert_eq!(auto, Dataplane::Userspace);
            }
        }
    });
}

#[test]
fn a_specification_without_sense_is_refused() {
    let good = spec("doublezero0", A, B);
    let cases = [
        (
            TunnelSpec { name: String::new(), ..good.clone() },
            "tunnel : expected a name of 1 to 15 bytes without `/`, `%` and spaces, got ``",
        ),
        (
            TunnelSpec { local: Ipv4Addr::UNSPECIFIED, ..good.clone() },
            "tunnel doublezero0: expected the address of a host as local, got 0.0.0.0",
        ),
        (
            TunnelSpec { remote: [233, 84, 178, 1].into(), ..good.clone() },
            "tunnel doublezero0: expected the address of a host as remote, got 233.84.178.1",
        ),
        (TunnelSpec { ttl: 0, ..good.clone() }, "tunnel doublezero0: expected a ttl from 1, got 0"),
        (TunnelSpec { mtu: 67, ..good.clone() }, "tunnel doublezero0: expected an mtu from 68 to 65511, got 67"),
    ];
    for (spec, message) in cases {
        assert_eq!(spec.check().unwrap_err().to_string(), message);
    }
    good.check().unwrap();
}

/// Process ids of the helpers that live in the sandbox.
fn helpers() -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if command.starts_with(helper().program.as_os_str().as_encoded_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// Lets `/proc` show the processes of the sandbox only.
fn mount_own_proc() {
    let none: Option<&str> = None;
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("proc"), "/proc", Some("proc"), flags, none).expect("a procfs of the sandbox is mounted");
}

#[test]
fn clients_that_start_the_helper_at_once_end_with_one() {
    sandbox::run_async(|| async {
        mount_own_proc();
        let host = Host::new().await;
        let creations = (0..8u8).map(|i| {
            let host = host.clone();
            async move {
                let spec = spec(&format!("doublezero{i}"), A, Ipv4Addr::new(9, 0, 1, i));
                TunnelsOf(&host, Dataplane::Userspace).create(spec).await.unwrap();
            }
        });
        futures_util::future::join_all(creations).await;
        assert_eq!(TunnelsOf(&host, Dataplane::Userspace).list().await.len(), 8);
        eventually("helpers", async || match helpers() {
            one if one.len() == 1 => Ok(()),
            other => Err(other),
        })
        .await;
    });
}

#[test]
fn the_helper_outlives_its_client_and_ends_with_its_last_tunnel() {
    sandbox::run_async(|| async {
        mount_own_proc();
        let host = Host::new().await;
        // Each of these is a client of its own, on a thread that has ended when it returns.
        let tunnels = TunnelsOf(&host, Dataplane::Userspace);
        tunnels.create(spec("doublezero0", A, B)).await.unwrap();
        let before = helpers();
        tunnels.create(spec("doublezero1", B, A)).await.unwrap();
        assert_eq!(helpers(), before);
        tunnels.delete("doublezero0").await.unwrap();
        tunnels.delete("doublezero1").await.unwrap();
        eventually("helpers", async || match helpers() {
            none if none.is_empty() => Ok(()),
            other => Err(other),
        })
        .await;
        assert_eq!(host.netlink.links().await.unwrap().len(), 1 + fallback_devices(&host).await);
        // And the next one starts it again.
        tunnels.create(spec("doublezero0", A, B)).await.unwrap();
        assert_eq!(tunnels.names().await, ["doublezero0"]);
    });
}

#[test]
fn tunnels_go_with_a_helper_that_is_killed_and_the_next_one_starts_anew() {
    sandbox::run_async(|| async {
        mount_own_proc();
        let host = Host::new().await;
        let tunnels = TunnelsOf(&host, Dataplane::Userspace);
        tunnels.create(spec("doublezero0", A, B)).await.unwrap();
        let [helper] = helpers()[..] else { panic!("one helper, got {:?}", helpers()) };
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(helper as i32), nix::sys::signal::SIGKILL).unwrap();
        eventually("no tunnels", async || match tunnels.with(async |tunnels| tunnels.list().await).await {
            Ok(none) if none.is_empty() => Ok(()),
            other => Err(other),
        })
        .await;
        eventually("no interface", async || match host.netlink.link("doublezero0").await.unwrap() {
            None => Ok(()),
            other => Err(other),
        })
        .await;
        tunnels.create(spec("doublezero0", A, B)).await.unwrap();
        assert_eq!(tunnels.names().await, ["doublezero0"]);
    });
}

#[test]
fn a_client_that_talks_nonsense_is_dropped_and_the_others_served() {
    sandbox::run_async(|| async {
        let host = Host::new().await;
        let tunnels = TunnelsOf(&host, Dataplane::Userspace);
        tunnels.create(spec("doublezero0", A, B)).await.unwrap();
        let connect = || {
            let address = SocketAddr::from_abstract_name("dz-gre").unwrap();
            let stream = host.ns.run(|| UnixStream::connect_addr(&address).unwrap()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream
        };
        // One that does not go on, and so is waited for without others having to wait.
        let mut silent = connect();
        silent.write_all(&[0, 0]).unwrap();
        for nonsense in [&[0xff; 8][..], b"\0\0\0\x02{}", b"\0\0\0\x08\"reboot\""] {
            let mut stream = connect();
            stream.write_all(nonsense).unwrap();
            let end = stream.read(&mut [0; 64]);
            assert!(matches!(&end, Ok(0)) || end.is_err_and(|e| e.kind() == io::ErrorKind::ConnectionReset));
            assert_eq!(tunnels.names().await, ["doublezero0"]);
        }
        silent.write_all(b"\0\x06\"list\"").unwrap();
        let mut head = [0; 4];
        silent.read_exact(&mut head).unwrap();
        assert!(u32::from_be_bytes(head) > 0);
    });
}

#[test]
fn a_helper_that_cannot_start_is_an_error() {
    sandbox::run_async(|| async {
        let host = Host::new().await;
        let create = |program: &'static str| {
            host.run(move || async move {
                let tunnels = open(Dataplane::Userspace, HelperCommand::new(program, ["x"])).await.unwrap();
                tunnels.create(&spec("doublezero0", A, B)).await.unwrap_err().to_string()
            })
        };
        assert_eq!(
            create("/nowhere/gre-helper").await,
            "gre helper: cannot start: No such file or directory (os error 2)"
        );
        assert_eq!(
            create("/bin/false").await,
            "gre helper: cannot start: it ended before it was ready; its standard error says why"
        );
    });
}

#[test]
fn malformed_packets_are_counted_by_kind() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        tunnel_between(&hosts, Dataplane::Userspace).await;
        let raw = hosts.a.ns.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(47))).unwrap()).unwrap();
        raw.bind(&std::net::SocketAddr::from((A, 0)).into()).unwrap();
        let to = std::net::SocketAddr::from((B, 0)).into();
        let inner = ipv4::packet([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 17, &[0; 8]).unwrap();
        let sent: [(&[u8], Discard); 8] = [
            (&[0, 0], Discard::Truncated),
            (&[0, 1, 0x88, 0x0b], Discard::Version),
            (&[0x40, 0, 8, 0], Discard::ReservedBits),
            (&[0x20, 0, 8, 0, 0, 0, 0, 1], Discard::Key),
            (&[0x10, 0, 8, 0, 0, 0, 0, 1], Discard::Sequence),
            (&[0, 0, 0x86, 0xdd], Discard::Protocol),
            (&[0x80, 0, 8, 0, 1, 2, 0, 0], Discard::Checksum),
            (&[0, 0, 8, 0, 0x45], Discard::InnerMalformed),
        ];
        for (bytes, _) in sent {
            raw.send_to(bytes, &to).unwrap();
        }
        // From an address that no tunnel has.
        hosts.a.add_address("eth0", "9.0.0.7/24").await;
        let stranger =
            hosts.a.ns.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(47))).unwrap()).unwrap();
        stranger.bind(&std::net::SocketAddr::from(([9, 0, 0, 7], 0)).into()).unwrap();
        stranger.send_to(&[&[0, 0, 8, 0][..], &inner].concat(), &to).unwrap();
        let expected: BTreeMap<_, _> =
            sent.iter().map(|(_, discard)| (*discard, 1)).chain([(Discard::NoTunnel, 1)]).collect();
        eventually("discards", async || match TunnelsOf(&hosts.b, Dataplane::Userspace).discards().await {
            discards if discards == expected => Ok(()),
            other => Err(other),
        })
        .await;
    });
}

#[test]
fn a_narrow_path_lowers_the_tunnel_mtu() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        tunnel_between(&hosts, Dataplane::Userspace).await;
        let (a, b) = (udp(&hosts.a, "10.0.0.1:7"), udp(&hosts.b, "10.0.0.2:7"));
        assert_eq!(pass(&a, &b, &[0; 1400]).len(), 1400);
        // What a router on the way would answer, sent by the far end in its place.
        let outer = ipv4::packet(A, B, 47, &[0; 1400]).unwrap();
        let report = icmp::error_packet(B, icmp::Error::FragmentationNeeded(1300), &outer).unwrap();
        let router = hosts.b.ns.run(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap()).unwrap();
        router.send_to(&report[20..], &std::net::SocketAddr::from((A, 0)).into()).unwrap();
        eventually("mtu", async || match TunnelsOf(&hosts.a, Dataplane::Userspace).list().await[0].spec.mtu {
            1276 => Ok(()),
            other => Err(other),
        })
        .await;
        assert_eq!(hosts.a.netlink.link("doublezero0").await.unwrap().unwrap().mtu, 1276);
        assert_eq!(TunnelsOf(&hosts.a, Dataplane::Userspace).discards().await.get(&Discard::PathMtu), Some(&1));
    });
}

#[test]
fn a_narrow_interface_lowers_the_tunnel_mtu() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        tunnel_between(&hosts, Dataplane::Userspace).await;
        let (a, b) = (udp(&hosts.a, "10.0.0.1:7"), udp(&hosts.b, "10.0.0.2:7"));
        // The outer packets' own way out: no router says anything about it, our kernel does.
        hosts.a.netlink.set_link_mtu(hosts.a.netlink.link_index("eth0").await.unwrap(), 1400).await.unwrap();
        a.send_to(&[0; 1400], b.local_addr().unwrap()).unwrap();
        eventually("mtu", async || match TunnelsOf(&hosts.a, Dataplane::Userspace).list().await[0].spec.mtu {
            1376 => Ok(()),
            other => Err(other),
        })
        .await;
        let discards = TunnelsOf(&hosts.a, Dataplane::Userspace).discards().await;
        assert_eq!(discards.keys().collect::<Vec<_>>(), [&Discard::Unsendable, &Discard::PathMtu]);
        // From now on it is fragmented before it goes in.
        assert_eq!(pass(&a, &b, &[1; 1400]), [1; 1400]);
    });
}

#[test]
fn a_tunnel_whose_end_is_routed_into_it_sends_nothing() {
    sandbox::run_async(|| async {
        let hosts = Hosts::new().await;
        tunnel_between(&hosts, Dataplane::Userspace).await;
        let dev = hosts.a.netlink.link_index("doublezero0").await.unwrap();
        let route = RouteInfo { dev: Some(dev), ..RouteInfo::unicast(ipnet::Ipv4Net::from(B)) };
        assert_eq!(hosts.a.netlink.add_route(&route).await.unwrap(), Added::Created);
        udp(&hosts.a, "10.0.0.1:7").send_to(b"round and round", "10.0.0.2:7").unwrap();
        eventually("discards", async || match TunnelsOf(&hosts.a, Dataplane::Userspace).discards().await {
            once if once == BTreeMap::from([(Discard::Recursion, 1)]) => Ok(()),
            other => Err(other),
        })
        .await;
    });
}

#[test]
fn the_helper_holds_more_tunnels_than_its_starter_could_files() {
    sandbox::run_async(|| async {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert!(hard >= 512, "this machine allows {hard} files");
        setrlimit(Resource::RLIMIT_NOFILE, 64, hard).unwrap();
        let host = Host::new().await;
        let tunnels = TunnelsOf(&host, Dataplane::Userspace);
        let remote = |i: u8| Ipv4Addr::new(9, 0, 1, i);
        for i in 0..100 {
            tunnels.create(spec(&format!("tun{i}"), A, remote(i))).await.unwrap();
        }
        assert_eq!(tunnels.list().await.len(), 100);
    });
}
