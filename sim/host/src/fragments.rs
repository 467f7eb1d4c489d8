//! Reassembly of what arrives in fragments (RFC 791 section 3.2, RFC 815; `net/ipv4/ip_fragment.c`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use dz_net::wire::ipv4::{self, Header};

/// How long the rest of a packet is waited for (`ipfrag_time`).
const PATIENCE: Duration = Duration::from_secs(30);

/// What fragments of one packet have in common.
type Key = (Ipv4Addr, Ipv4Addr, u8, u16);

/// Packets of which something is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reassembly(BTreeMap<Key, Partial>);

#[derive(Clone, Debug)]
struct Partial {
    since: Instant,
    /// The header of the first fragment.
    header: Option<Vec<u8>>,
    parts: BTreeMap<u16, Vec<u8>>,
    /// Length of the whole payload, once the last fragment is there.
    length: Option<usize>,
}

impl Reassembly {
    /// Takes a fragment and returns the packet if it is whole by it.
    pub(crate) fn take(&mut self, now: Instant, header: &Header, packet: &[u8]) -> Option<Vec<u8>> {
        self.0.retain(|_, partial| now.saturating_duration_since(partial.since) < PATIENCE);
        let key = (header.source, header.destination, header.protocol, header.identification);
        let fresh = || Partial { since: now, header: None, parts: BTreeMap::new(), length: None };
        let partial = self.0.entry(key).or_insert_with(fresh);
        let payload = &packet[header.header_length..usize::from(header.total_length)];
        let offset = header.fragment_offset();
        if offset == 0 {
            partial.header = Some(packet[..header.header_length].to_vec());
        }
        if header.fragment & ipv4::MORE_FRAGMENTS == 0 {
            partial.length = Some(usize::from(offset) + payload.len());
        }
        partial.parts.insert(offset, payload.to_vec());
        let whole = partial.whole()?;
        self.0.remove(&key);
        Some(whole)
    }
}

impl Partial {
    fn whole(&self) -> Option<Vec<u8>> {
        let (header, length) = (self.header.as_ref()?, self.length?);
        let mut packet = header.clone();
        for (offset, part) in &self.parts {
            if packet.len() - header.len() != usize::from(*offset) {
                return None;
            }
            packet.extend_from_slice(part);
        }
        if packet.len() - header.len() != length || packet.len() > usize::from(u16::MAX) {
            return None;
        }
        ipv4::set_fragment(&mut packet, header.len(), 0, false);
        Some(packet)
    }
}
