use std::borrow::Cow;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};

use super::*;
use crate::packet::{Offload, PartialChecksum, ipv4};

/// A packet as another program reads it.
#[derive(Debug, PartialEq)]
struct Seen {
    at: Duration,
    interface: u32,
    flags: u32,
    original_len: u32,
    bytes: Vec<u8>,
    comments: Vec<String>,
}

fn read(path: &Path) -> (Vec<String>, Vec<Seen>) {
    let (mut names, mut packets) = (Vec::new(), Vec::new());
    let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => {
                assert_eq!(interface.linktype, DataLink::RAW);
                assert!(interface.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                names.extend(interface.options.iter().filter_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                }));
            }
            Block::EnhancedPacket(packet) => {
                let mut seen = Seen {
                    at: packet.timestamp,
                    interface: packet.interface_id,
                    flags: 0,
                    original_len: packet.original_len,
                    bytes: packet.data.to_vec(),
                    comments: Vec::new(),
                };
                for option in packet.options {
                    match option {
                        EnhancedPacketOption::Comment(Cow::Borrowed(text)) => seen.comments.push(text.to_owned()),
                        EnhancedPacketOption::Flags(flags) => seen.flags = flags,
                        other => panic!("an option that was never written: {other:?}"),
                    }
                }
                packets.push(seen);
            }
            other => panic!("a block that was never written: {other:?}"),
        }
    }
    (names, packets)
}

const EPOCH_NS: u64 = 1_700_000_000_000_000_000;

fn start(snaplen: Option<u32>, ring: Option<Ring>) -> (tempfile::TempDir, Capture) {
    let folder = tempfile::tempdir().unwrap();
    let config = CaptureConfig { path: folder.path().join("capture.pcapng"), snaplen, ring };
    let capture = Capture::create(&config, EPOCH_NS).unwrap();
    (folder, capture)
}

fn packet(len: usize) -> Packet {
    Packet::plain(ipv4::tests::packet(ipv4::UDP, [192, 0, 2, 1], [192, 0, 2, 2], len - 20))
}

fn record(capture: &mut Capture, at: u64, interface: InterfaceId, way: Way, packet: &Packet) {
    let image = capture.image(packet);
    capture.record(at, interface, way, image, None);
}

#[test]
fn holds_what_was_seen_where_when_and_in_which_step() {
    let (_folder, mut capture) = start(None, None);
    let nyc1 = capture.interface("nyc1");
    capture.annotate("step 1: connect");
    record(&mut capture, 7, nyc1, Way::Sent, &packet(61));
    let link = capture.interface("nyc1:wan");
    assert_eq!(capture.interface("nyc1"), nyc1);
    record(&mut capture, 1_500_000_008, link, Way::Received, &packet(1400));
    capture.annotate("step 2: ping");
    capture.annotate("step 3: nothing");
    record(&mut capture, 1_500_000_009, nyc1, Way::Received, &packet(20));
    capture.flush().unwrap();
    let (names, packets) = read(&capture.path);
    assert_eq!(names, ["nyc1", "nyc1:wan"]);
    let at = |ns| Duration::from_nanos(EPOCH_NS + ns);
    let seen = |ns, interface, flags, len: usize, comments: &[&str]| Seen {
        at: at(ns),
        interface,
        flags,
        original_len: len as u32,
        bytes: packet(len).bytes,
        comments: comments.iter().map(|&text| text.to_owned()).collect(),
    };
    assert_eq!(
        packets,
        [
            seen(7, 0, 0b10, 61, &["step 1: connect"]),
            seen(1_500_000_008, 1, 0b01, 1400, &[]),
            seen(1_500_000_009, 0, 0b01, 20, &["step 2: ping", "step 3: nothing"]),
        ]
    );
}

#[test]
fn a_snaplen_keeps_the_beginning() {
    let (_folder, mut capture) = start(Some(40), None);
    let nyc1 = capture.interface("nyc1");
    record(&mut capture, 0, nyc1, Way::Sent, &packet(1400));
    capture.flush().unwrap();
    let (_, packets) = read(&capture.path);
    assert_eq!((packets[0].original_len, packets[0].bytes.len()), (1400, 40));
}

#[test]
fn a_checksum_left_to_the_device_is_complete() {
    let (_folder, mut capture) = start(None, None);
    let nyc1 = capture.interface("nyc1");
    let mut partial = packet(100);
    partial.offload = Offload { checksum: Some(PartialChecksum { start: 20, offset: 6 }), segments: None };
    record(&mut capture, 0, nyc1, Way::Sent, &partial);
    capture.flush().unwrap();
    partial.complete_checksum();
    assert_eq!(read(&capture.path).1[0].bytes, partial.bytes);
}

#[test]
fn a_ring_keeps_the_last_packets_and_the_step_they_belong_to() {
    let (_folder, mut capture) = start(None, Some(Ring::Packets(3)));
    let (nyc1, pit1) = (capture.interface("nyc1"), capture.interface("pit1"));
    capture.annotate("step 1");
    for at in 0..5 {
        record(&mut capture, at, nyc1, Way::Sent, &packet(100));
    }
    capture.annotate("step 2");
    for at in 5..7 {
        record(&mut capture, at, pit1, Way::Sent, &packet(100));
    }
    capture.flush().unwrap();
    let (names, packets) = read(&capture.path);
    assert_eq!(names, ["nyc1", "pit1"]);
    let kept: Vec<_> = packets.iter().map(|seen| (seen.at.subsec_nanos(), seen.comments.clone())).collect();
    let step = |text: &str| vec![text.to_owned()];
    assert_eq!(kept, [(4, step("step 1")), (5, step("step 2")), (6, vec![])]);
}

#[test]
fn a_ring_of_bytes_holds_at_least_that_many_and_not_one_packet_more() {
    let (_folder, mut capture) = start(None, Some(Ring::Bytes(10_000)));
    let nyc1 = capture.interface("nyc1");
    for at in 0..1000 {
        record(&mut capture, at, nyc1, Way::Sent, &packet(500));
    }
    capture.flush().unwrap();
    let blocks = 10_000usize.div_ceil(500 + 32 + 8 + 4);
    assert_eq!(read(&capture.path).1.len(), blocks);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let config = CaptureConfig { path: "/nowhere/capture.pcapng".into(), snaplen: None, ring: None };
    let message = Capture::create(&config, 0).unwrap_err().to_string();
    assert_eq!(message, "capture /nowhere/capture.pcapng: No such file or directory (os error 2)");
}

#[test]
fn a_disk_that_is_full_is_told_at_the_flush() {
    let (_folder, mut capture) = start(None, None);
    let full = File::options().write(true).open("/dev/full").unwrap();
    capture.sink = Sink::Stream(Stream::start(full).unwrap());
    let nyc1 = capture.interface("nyc1");
    record(&mut capture, 0, nyc1, Way::Sent, &packet(100));
    let message = capture.flush().unwrap_err().to_string();
    assert!(message.ends_with("No space left on device (os error 28)"), "{message}");
    // Packets go on, and the error stays.
    record(&mut capture, 0, nyc1, Way::Sent, &packet(100));
    assert!(capture.flush().is_err());
}

#[test]
fn what_is_recorded_is_handed_over_in_time() {
    let (_folder, mut capture) = start(None, None);
    assert_eq!(capture.tick(0), None);
    let nyc1 = capture.interface("nyc1");
    record(&mut capture, 1, nyc1, Way::Sent, &packet(100));
    assert_eq!(capture.tick(1), Some(TICK_NS));
    assert_eq!(capture.tick(TICK_NS - 1), Some(TICK_NS));
    assert_eq!(capture.tick(TICK_NS), None);
    let Sink::Stream(stream) = &capture.sink else { panic!("a capture without a ring is a stream") };
    assert!(stream.chunk.is_empty());
}

/// A stepped fabric with `home` behind a translator and `a` on the internet, and what its capture is of a run of `body`:
/// interface, flags and comments of each packet with its source and destination.
fn recorded(body: impl FnOnce(&crate::Stepper, [crate::PortId; 2])) -> Vec<(u32, u32, Vec<String>, [u8; 8])> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.pcapng");
    let capture = Some(CaptureConfig { path: path.clone(), snaplen: None, ring: None });
    let config = crate::FabricConfig { capture, ..crate::FabricConfig::default() };
    let (fabric, stepper) = crate::Fabric::stepped(&config, Duration::ZERO).unwrap();
    let home = stepper.attach("home", &["192.168.0.2/32".parse().unwrap()]).unwrap();
    let a = stepper.attach("a", &["192.0.2.1/32".parse().unwrap()]).unwrap();
    fabric.put_behind("home", HOME.into(), OUTSIDE.into(), crate::NatFilter::PortRestricted).unwrap();
    body(&stepper, [home, a]);
    fabric.flush_capture().unwrap();
    let pair = |seen: &Seen| seen.bytes[12..20].try_into().unwrap();
    read(&path).1.into_iter().map(|seen| (seen.interface, seen.flags, seen.comments.clone(), pair(&seen))).collect()
}

const HOME: [u8; 4] = [192, 168, 0, 2];
const OUTSIDE: [u8; 4] = [9, 9, 9, 9];
const A: [u8; 4] = [192, 0, 2, 1];
const ROUTER: [u8; 4] = [192, 0, 0, 8];

fn pair(source: [u8; 4], destination: [u8; 4]) -> [u8; 8] {
    [source, destination].concat().try_into().unwrap()
}

#[test]
fn a_packet_is_there_once_with_each_pair_of_addresses() {
    let seen = recorded(|stepper, [home, a]| {
        let give = |to| assert!(stepper.give(u64::MAX / 2, |_, port, _| port == to));
        stepper.take_in(0, home, ipv4::tests::packet(ipv4::GRE, HOME, A, 40));
        give(a);
        stepper.take_in(1, a, ipv4::tests::packet(ipv4::GRE, A, OUTSIDE, 40));
        give(home);
    });
    let (received, sent) = (0b01, 0b10);
    let expected = [
        (0, sent, vec![], pair(HOME, A)),
        (1, received, vec![], pair(OUTSIDE, A)),
        (1, sent, vec![], pair(A, OUTSIDE)),
        (0, received, vec![], pair(A, HOME)),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_packet_that_does_not_set_out_says_why() {
    let seen = recorded(|stepper, [_, a]| {
        stepper.take_in(0, a, ipv4::tests::packet(ipv4::UDP, A, [203, 0, 113, 9], 40));
        assert!(stepper.give(0, |_, port, _| port == a));
        stepper.take_in(1, a, ipv4::tests::packet(ipv4::GRE, A, OUTSIDE, 40));
    });
    let why = |text: &str| vec![format!("dropped: {text}")];
    let (received, sent) = (0b01, 0b10);
    let expected = [
        (1, sent, why("no_route"), pair(A, [203, 0, 113, 9])),
        (1, received, vec![], pair(ROUTER, A)),
        (1, sent, why("not_translated"), pair(A, OUTSIDE)),
    ];
    assert_eq!(seen, expected);
}
