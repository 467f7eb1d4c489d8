//! Packets with virtio headers: cutting refuses or stays within the bytes, and what is joined is cut into the same.
#![no_main]

use dz_net::wire::coalesce::Coalescer;
use dz_net::wire::offload::segments;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut frame = bytes.to_vec();
    let mut packets = Vec::new();
    let _ = segments(&mut frame, |headers, payload| {
        assert!(headers.len() <= 120 && payload.len() <= bytes.len());
        packets.push([headers, payload].concat());
    });
    let (mut coalescer, mut payload) = (Coalescer::new(), 0);
    let mut emit = |(), header: dz_net::wire::offload::VirtioHeader, packet: &[u8]| {
        let mut frame = [&header.encode()[..], packet].concat();
        segments(&mut frame, |headers, data| payload += headers.len() + data.len()).expect("what was joined is cut");
    };
    for packet in packets.iter().take(200) {
        coalescer.push((), packet, &mut emit);
    }
    coalescer.flush(&mut emit);
    assert_eq!(payload, packets.iter().take(200).map(Vec::len).sum::<usize>());
});
