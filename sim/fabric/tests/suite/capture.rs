//! The capture of a running fabric.

use std::fs::File;
use std::net::Ipv4Addr;

use anyhow::Result;
use dz_net::sandbox;
use dzsim_fabric::{CaptureConfig, Fabric, FabricConfig};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};

use dzsim_testbed::{Host, Offload};

const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// Interface, direction and comments of each packet.
fn read(path: &std::path::Path) -> Result<Vec<(u32, u32, Vec<String>)>> {
    let mut reader = PcapNgReader::new(File::open(path)?)?;
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block? {
            let mut seen = (packet.interface_id, 0, Vec::new());
            for option in packet.options {
                match option {
                    EnhancedPacketOption::Flags(flags) => seen.1 = flags,
                    EnhancedPacketOption::Comment(text) => seen.2.push(text.into_owned()),
                    _ => {}
                }
            }
            packets.push(seen);
        }
    }
    Ok(packets)
}

#[test]
fn a_ping_is_a_request_and_a_reply_each_where_it_was_sent() {
    sandbox::run(|| {
        let body = || -> Result<()> {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("capture.pcapng");
            let capture = Some(CaptureConfig { path: path.clone(), snaplen: None, ring: None });
            let fabric = Fabric::start(FabricConfig { capture, ..FabricConfig::default() })?;
            let a = Host::attached(&fabric, "a", "192.0.2.1/32".parse()?, Offload::Off)?;
            let _b = Host::attached(&fabric, "b", "198.51.100.1/29".parse()?, Offload::Off)?;
            fabric.annotate("step 1: ping b");
            a.pinger()?.ping(B, 56)?;
            fabric.flush_capture()?;
            let step = vec!["step 1: ping b".to_owned()];
            let sent = 0b10;
            assert_eq!(read(&path)?, [(0, sent, step), (1, sent, vec![])]);
            // What comes after is in the file once the fabric stops.
            a.pinger()?.ping(B, 56)?;
            fabric.stop()?;
            assert_eq!(read(&path)?.len(), 4);
            Ok(())
        };
        body().unwrap();
    });
}
