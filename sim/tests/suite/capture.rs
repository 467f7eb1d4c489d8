//! A capture as Wireshark reads it, each request with one reply, and what it has in common with events and summary.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    net::Ipv4Addr,
    path::Path,
    time::{Duration, SystemTime},
};

use dz_net::wire::ipv4;
use pcap_file::pcapng::{Block, PcapNgReader, blocks::enhanced_packet::EnhancedPacketOption};
use serde_json::Value;

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

/// The times of the packets, and the comments on them.
fn times_and_comments(path: &Path) -> (Vec<Duration>, Vec<String>) {
    let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
    let (mut times, mut comments) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block.unwrap() else { continue };
        times.push(packet.timestamp);
        comments.extend(packet.options.iter().filter_map(|option| match option {
            EnhancedPacketOption::Comment(text) => Some(text.to_string()),
            _ => None,
        }));
    }
    (times, comments)
}

/// The texts in a value that are values as a debugger shows them.
fn debug_texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => {
            let is_debug = ["Some(", "None", "Ok(", "Err(", "\""].iter().any(|start| text.starts_with(start));
            is_debug.then_some(text.as_str()).into_iter().collect()
        }
        Value::Array(values) => values.iter().flat_map(debug_texts).collect(),
        Value::Object(fields) => fields.values().flat_map(debug_texts).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn events_capture_and_summary_have_one_clock_and_one_name_for_each_process() {
    let scenario = format!("{}/../scenarios/termination/secondary-address.yaml", env!("CARGO_MANIFEST_DIR"));
    for world in ["virtual", "real"] {
        let place = Place::new();
        place.run(&["run", &scenario, "--world", world]).code(0);
        let folder = place.path("artifacts/termination/secondary-address");
        let summary: Value = serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
        let events = fs::read_to_string(folder.join("events.jsonl")).unwrap();
        let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let named = |name: &'static str| events.iter().filter(move |event| event["event"] == name);

        let started = &events[0];
        assert_eq!(started["event"], "started");
        assert_eq!((&started["wall"], &started["version"]), (&summary["started"], &summary["version"]));
        assert_eq!(named("up").next().unwrap()["dataplane"], summary["dataplane_used"]);

        let (times, comments) = times_and_comments(&folder.join("capture.pcapng"));
        let wall = humantime::parse_rfc3339(summary["started"].as_str().unwrap()).unwrap();
        let zero = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let last = events.iter().map(|event| event["t_ns"].as_u64().unwrap()).max().unwrap();
        let taken = zero..=zero + Duration::from_nanos(last) + Duration::from_secs(1);
        assert!(!times.is_empty() && times.iter().all(|time| taken.contains(time)), "{world}: {taken:?} {times:?}");
        let pings: Vec<_> = named("step").filter(|step| step["title"].as_str().unwrap().starts_with("ping")).collect();
        assert!(!pings.is_empty());
        for title in pings.iter().map(|step| step["title"].as_str().unwrap()) {
            assert!(comments.iter().any(|comment| comment.contains(title)), "{world}: {title} is not in {comments:?}");
        }

        let debug: Vec<&str> = events.iter().flat_map(debug_texts).collect();
        assert_eq!(debug, [""; 0], "{world}");
        // Beside those whose log it is: nodes, and the two that are none.
        let mut logs = BTreeSet::new();
        for entry in fs::read_dir(folder.join("logs")).unwrap() {
            logs.insert(entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
        }
        let processes = events.iter().map(|event| event["who"].as_str().unwrap()).filter(|who| who.contains('.'));
        let processes: BTreeSet<String> = processes.map(str::to_owned).collect();
        assert_eq!(processes, logs, "{world}");
    }
}
