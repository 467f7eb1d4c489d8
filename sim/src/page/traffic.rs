//! Packets of each tunnel, counted in a capture.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufReader},
    net::Ipv4Addr,
    path::Path,
};

use pcap_file::pcapng::{Block, PcapNgReader, blocks::enhanced_packet::EnhancedPacketBlock};

/// Parts that the time is cut into.
pub(super) const PARTS: usize = 200;

/// Packets of one tunnel in each part of the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) to_device: Vec<u32>,
    pub(super) to_client: Vec<u32>,
}

/// Packets by outer pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traffic(BTreeMap<(Ipv4Addr, Ipv4Addr), Flow>);

impl Traffic {
    /// The tunnels that carried anything.
    pub(super) fn flows(&self) -> &BTreeMap<(Ipv4Addr, Ipv4Addr), Flow> {
        &self.0
    }

    /// Counts the GRE packets of these pairs in a capture, which has each of them once with these addresses.
    pub(super) fn read(
        path: &Path,
        start_ns: u64,
        end_ns: u64,
        pairs: &BTreeSet<(Ipv4Addr, Ipv4Addr)>,
    ) -> io::Result<Self> {
        let broken = |error| io::Error::other(format!("{}: {error}", path.display()));
        let mut traffic = Self::default();
        // A run that was cut short may have left nothing, or not all of the last block.
        let Ok(mut reader) = PcapNgReader::new(BufReader::new(File::open(path)?)) else { return Ok(traffic) };
        while let Some(block) = reader.next_block() {
            match block {
                Ok(Block::EnhancedPacket(packet)) => traffic.count(&packet, start_ns, end_ns, pairs),
                Ok(_) => {}
                Err(pcap_file::PcapError::IncompleteBuffer) => break,
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(traffic)
    }

    fn count(
        &mut self,
        packet: &EnhancedPacketBlock<'_>,
        start_ns: u64,
        end_ns: u64,
        pairs: &BTreeSet<(Ipv4Addr, Ipv4Addr)>,
    ) {
        let Some((source, destination)) = gre_pair(&packet.data) else { return };
        let up = pairs.contains(&(source, destination));
        let pair = if up { (source, destination) } else { (destination, source) };
        if !pairs.contains(&pair) {
            return;
        }
        let at = u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX).saturating_sub(start_ns);
        let part = (at as f64 / end_ns.max(1) as f64 * PARTS as f64) as usize;
        let flow = self.0.entry(pair).or_insert_with(|| Flow { to_device: vec![0; PARTS], to_client: vec![0; PARTS] });
        let series = if up { &mut flow.to_device } else { &mut flow.to_client };
        series[part.min(PARTS - 1)] += 1;
    }
}

/// The addresses of a GRE packet (protocol 47).
fn gre_pair(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let header: &[u8; 20] = packet.first_chunk()?;
    let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
    (header[0] >> 4 == 4 && header[9] == 47).then(|| (address(12), address(16)))
}
