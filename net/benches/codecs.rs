//! Benchmark of the codecs, per packet: `cargo bench -p dz-net --bench codecs`.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Instant;

use dz_net::wire::coalesce::Coalescer;
use dz_net::wire::offload::{VirtioHeader, segments};
use dz_net::wire::{checksum, gre, icmp, ipv4, udp};

fn main() {
    let (a, b) = (Ipv4Addr::new(9, 0, 0, 1), Ipv4Addr::new(9, 0, 0, 2));
    let inner = ipv4::packet(a, b, 17, &[7; 1440]).expect("it fits");
    let mut carried = Vec::new();
    gre::encode(&inner, &mut carried);
    let request = icmp::echo(false, 1, 1, &[0; 56]);
    measure("checksum of 1460 bytes", || checksum::checksum(black_box(&inner)));
    measure("ipv4 header decode", || ipv4::Header::decode(black_box(&inner)));
    measure("ipv4 header encode", || ipv4::Header::decode(black_box(&inner)).map(|header| header.encode()));
    measure("gre decode", || gre::decode(black_box(&carried)).map(<[u8]>::len));
    measure("icmp echo decode", || icmp::decode(black_box(&request)).is_ok());
    measure("icmp error of 1460 bytes", || icmp::error_packet(a, icmp::Error::TimeExceeded, black_box(&inner)));
    let (from, to) = ("9.0.0.1:7".parse().expect("an address"), "9.0.0.2:7".parse().expect("an address"));
    measure("udp packet of 64 bytes", || udp::packet(from, to, black_box(&[0; 64])));

    let (header, joined) = joined(a, b);
    let frame = [&header.encode()[..], &joined].concat();
    let mut segmented = Vec::new();
    segments(&mut frame.clone(), |headers, payload| segmented.push([headers, payload].concat())).expect("it is cut");
    println!("{} bytes of tcp are {} segments", joined.len(), segmented.len());
    let mut scratch = frame.clone();
    measure("cutting them", || {
        let mut bytes = 0;
        let _ = segments(black_box(&mut scratch), |headers, payload| bytes += headers.len() + payload.len());
        bytes
    });
    let mut coalescer = Coalescer::new();
    measure("joining them", || {
        let mut bytes = 0;
        let mut emit = |(), _: VirtioHeader, packet: &[u8]| bytes += packet.len();
        for packet in &segmented {
            coalescer.push((), black_box(packet), &mut emit);
        }
        coalescer.flush(&mut emit);
        bytes
    });
}

/// TCP data as a TUN device hands it over.
fn joined(a: Ipv4Addr, b: Ipv4Addr) -> (VirtioHeader, Vec<u8>) {
    let mut tcp = vec![0; 20 + 44 * 1424];
    tcp[12] = 5 << 4;
    tcp[13] = 0x10;
    let header = VirtioHeader {
        flags: 1,
        gso_type: 1,
        header_length: 40,
        gso_size: 1424,
        checksum_start: 20,
        checksum_offset: 16,
    };
    (header, ipv4::packet(a, b, 6, &tcp).expect("it fits"))
}

fn measure<T>(what: &str, mut f: impl FnMut() -> T) {
    const FOR_MS: u128 = 200;
    let (start, mut rounds) = (Instant::now(), 0u64);
    while start.elapsed().as_millis() < FOR_MS {
        for _ in 0..100 {
            black_box(f());
        }
        rounds += 100;
    }
    println!("{what:<28} {:>10.1} ns", start.elapsed().as_nanos() as f64 / rounds as f64);
}
