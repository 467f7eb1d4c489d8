//! Echoes in a capture, as Wireshark reads it: each request has one reply.

use std::{collections::BTreeMap, fs::File, net::Ipv4Addr, path::Path};

use dz_net::wire::ipv4;
use pcap_file::pcapng::{Block, PcapNgReader};

use crate::support::Place;

/// What Wireshark matches echoes by: both addresses, identifier and sequence number, and whether it is in GRE.
type Key = ([Ipv4Addr; 2], [u8; 4], bool);

/// Type and key of an echo, in GRE or not.
fn echo(bytes: &[u8], in_gre: bool) -> Option<(u8, Key)> {
    let ip = ipv4::Header::decode(bytes).ok()?;
    let payload = &bytes[ip.header_length..];
    match ip.protocol {
        // GRE, whose header is four bytes in this stack.
        47 => echo(payload.get(4..)?, true),
        1 if matches!(payload[0], 0 | 8) => {
            let mut ends = [ip.source, ip.destination];
            ends.sort_unstable();
            Some((payload[0], (ends, payload[4..8].try_into().ok()?, in_gre)))
        }
        _ => None,
    }
}

/// The packets of a capture by their numbers.
#[derive(Debug, Default)]
struct Echoes {
    pairs: usize,
    /// Requests without a reply.
    unanswered: Vec<usize>,
    /// Requests that are there again before their reply, and replies to nothing.
    repeated: Vec<usize>,
}

fn matched(path: &Path) -> Echoes {
    let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
    let (mut open, mut echoes, mut number) = (BTreeMap::new(), Echoes::default(), 0);
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        number += 1;
        let Some((kind, key)) = echo(&packet.data, false) else { continue };
        match (kind, open.remove(&key)) {
            (0, Some(_)) => echoes.pairs += 1,
            (0, None) => echoes.repeated.push(number),
            (_, before) => {
                echoes.repeated.extend(before);
                open.insert(key, number);
            }
        }
    }
    echoes.unanswered = open.into_values().collect();
    echoes
}

#[test]
fn requests_and_replies_are_pairs_in_both_worlds() {
    let scenario = format!("{}/../scenarios/termination/secondary-address.yaml", env!("CARGO_MANIFEST_DIR"));
    for world in ["virtual", "real"] {
        let place = Place::new();
        place.run(&["run", &scenario, "--world", world]).code(0);
        let echoes = matched(&place.path("artifacts/termination/secondary-address/capture.pcapng"));
        // Two steps of three pings each, and the probes of the daemon.
        assert!(echoes.pairs > 6, "{world}: {echoes:?}");
        assert_eq!(echoes.repeated, [0; 0], "{world}: {echoes:?}");
        // In real time a probe may come before its tunnel's other end.
        if world == "virtual" {
            assert_eq!(echoes.unanswered, [0; 0]);
        }
    }
}
