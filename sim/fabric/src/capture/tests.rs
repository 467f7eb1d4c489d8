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

#[test]
fn holds_what_was_seen_where_when_and_in_which_step() {
    let (_folder, mut capture) = start(None, None);
    let nyc1 = capture.interface("nyc1");
    capture.annotate("step 1: connect");
    capture.record(7, nyc1, Way::Sent, &packet(61));
    let link = capture.interface("nyc1:wan");
    assert_eq!(capture.interface("nyc1"), nyc1);
    capture.record(1_500_000_008, link, Way::Received, &packet(1400));
    capture.annotate("step 2: ping");
    capture.annotate("step 3: nothing");
    capture.record(1_500_000_009, nyc1, Way::Received, &packet(20));
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
    capture.record(0, nyc1, Way::Sent, &packet(1400));
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
    capture.record(0, nyc1, Way::Sent, &partial);
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
        capture.record(at, nyc1, Way::Sent, &packet(100));
    }
    capture.annotate("step 2");
    for at in 5..7 {
        capture.record(at, pit1, Way::Sent, &packet(100));
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
        capture.record(at, nyc1, Way::Sent, &packet(500));
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
    capture.record(0, nyc1, Way::Sent, &packet(100));
    let message = capture.flush().unwrap_err().to_string();
    assert!(message.ends_with("No space left on device (os error 28)"), "{message}");
    // Packets go on, and the error stays.
    capture.record(0, nyc1, Way::Sent, &packet(100));
    assert!(capture.flush().is_err());
}

#[test]
fn what_is_recorded_is_handed_over_in_time() {
    let (_folder, mut capture) = start(None, None);
    assert_eq!(capture.tick(0), None);
    let nyc1 = capture.interface("nyc1");
    capture.record(1, nyc1, Way::Sent, &packet(100));
    assert_eq!(capture.tick(1), Some(TICK_NS));
    assert_eq!(capture.tick(TICK_NS - 1), Some(TICK_NS));
    assert_eq!(capture.tick(TICK_NS), None);
    let Sink::Stream(stream) = &capture.sink else { panic!("a capture without a ring is a stream") };
    assert!(stream.chunk.is_empty());
}
