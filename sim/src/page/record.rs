//! Artifacts of a run, as the parts of a page need them.

use std::{
    collections::BTreeMap,
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::traffic::Traffic;
use crate::{
    answer::map::Tunnel,
    run::{
        artifacts,
        network::Network,
        protocol::{CaseSummary, Outcome},
    },
};

/// A line of the event log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) t_ns: u64,
    pub(super) who: String,
    pub(super) name: String,
    /// `ERROR` to `TRACE` for a line of a log, else empty.
    pub(super) level: String,
    pub(super) fields: Map<String, Value>,
}

impl Event {
    fn parse(line: &str) -> io::Result<Self> {
        let mut fields: Map<String, Value> = serde_json::from_str(line)?;
        let t_ns = fields.remove("t_ns").and_then(|value| value.as_u64()).unwrap_or_default();
        let mut text =
            |name: &str| fields.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let (who, name, level) = (text("who"), text("event"), text("level"));
        Ok(Self { t_ns, who, name, level, fields })
    }

    /// A field that is a text, or nothing.
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// What happened, with its fields, in one line.
    pub(super) fn line(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| match value {
            Value::String(text) => format!(" {name}={}", text.trim_end()),
            other => format!(" {name}={other}"),
        });
        std::iter::once(self.name.clone()).chain(fields).collect()
    }
}

/// Something that lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
    pub(super) title: String,
    /// How it is drawn.
    pub(super) class: &'static str,
}

/// A tunnel on the chain, from its user's creation to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) client: String,
    pub(super) pair: (Ipv4Addr, Ipv4Addr),
    pub(super) device: String,
    pub(super) kind: String,
    /// The last status that was seen; `gone` if it ended.
    pub(super) status: String,
    pub(super) from_ns: u64,
    pub(super) to_ns: u64,
}

impl Life {
    /// `unicast` or `multicast`.
    pub(super) fn class(&self) -> &'static str {
        if self.kind.eq_ignore_ascii_case("multicast") { "multicast" } else { "unicast" }
    }
}

/// One case with all that is known of it.
pub struct Record {
    pub(super) summary: CaseSummary,
    pub(super) network: Network,
    pub(super) events: Vec<Event>,
    pub(super) lives: Vec<Life>,
    pub(super) traffic: Traffic,
    pub(super) end_ns: u64,
    /// The folder of the artifacts as a page can link to it; none if it does not stay.
    pub(super) artifacts: Option<PathBuf>,
}

impl Record {
    /// Reads what a run left. `artifacts` is its folder as seen from where the page will be. A case that was not begun, or could
    /// not write, has left nothing, and its record is empty.
    ///
    /// # Errors
    /// A file that is there cannot be read.
    pub fn read(summary: &CaseSummary, artifacts: Option<PathBuf>) -> io::Result<Self> {
        // What was not begun has no artifacts; there may be those of an earlier run.
        let begun = !summary.started.is_empty() && summary.outcome != Outcome::CannotRun;
        let file = |name: &str| -> io::Result<Option<PathBuf>> {
            let path = summary.artifacts.join(name);
            Ok((begun && path.try_exists()?).then_some(path))
        };
        let events: Vec<Event> = match file(artifacts::EVENTS)? {
            Some(path) => fs::read_to_string(path)?.lines().map(Event::parse).collect::<io::Result<_>>()?,
            None => Vec::new(),
        };
        let network: Network = match file(artifacts::NETWORK)? {
            Some(path) => serde_json::from_slice(&fs::read(path)?)?,
            None => Network::default(),
        };
        let end_ns = events.last().map_or(0, |event| event.t_ns);
        let lives = lives(&events, &network, end_ns);
        let pairs = lives.iter().map(|life| life.pair).collect();
        let traffic = match file(artifacts::CAPTURE)? {
            Some(path) => Traffic::read(&path, start_ns(summary), end_ns, &pairs)?,
            None => Traffic::default(),
        };
        Ok(Self { summary: summary.clone(), network, events, lives, traffic, end_ns, artifacts })
    }

    /// The steps that were begun; the last one is bad if it did not hold.
    pub(super) fn steps(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut open = false;
        for event in self.events.iter().filter(|event| event.who == "scenario") {
            match (event.name.as_str(), spans.last_mut()) {
                ("step", _) => {
                    let number = event.fields.get("number").cloned().unwrap_or_default();
                    let title = format!("{number} {}", event.text("title"));
                    let class = if number.as_u64().is_some_and(|number| number.is_multiple_of(2)) { "" } else { "odd" };
                    spans.push(Span { from_ns: event.t_ns, to_ns: self.end_ns, title, class });
                    open = true;
                }
                ("step done", Some(last)) => {
                    last.to_ns = event.t_ns;
                    open = false;
                }
                _ => {}
            }
        }
        if let (true, Some(last)) = (open && self.summary.outcome == Outcome::Failed, spans.last_mut()) {
            last.class = "bad";
        }
        spans
    }

    /// What was broken, and for how long.
    pub(super) fn faults(&self) -> Vec<Span> {
        let mut open: BTreeMap<String, u64> = BTreeMap::new();
        let mut spans = Vec::new();
        let span = |title: String, from_ns, to_ns| Span { from_ns, to_ns, title, class: "fault" };
        for event in self.events.iter().filter(|event| event.who == "scenario" && event.name == "broken") {
            let list = event.fields.get("faults").and_then(Value::as_array);
            let now: Vec<String> = list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            let healed: Vec<String> = open.keys().filter(|fault| !now.contains(fault)).cloned().collect();
            for fault in healed {
                let from = open.remove(&fault).unwrap_or_default();
                spans.push(span(fault, from, event.t_ns));
            }
            for fault in now {
                open.entry(fault).or_insert(event.t_ns);
            }
        }
        spans.extend(open.into_iter().map(|(fault, from)| span(fault, from, self.end_ns)));
        spans.sort_by_key(|span| span.from_ns);
        spans
    }

    /// The tunnels as the picture of the network shows them.
    pub(super) fn tunnels(&self) -> Vec<Tunnel> {
        let mut tunnels: BTreeMap<(String, String, &str, Ipv4Addr), bool> = BTreeMap::new();
        for life in self.lives.iter().filter(|life| life.status != "Rejected") {
            let key = (life.client.clone(), life.device.clone(), life.class(), life.pair.1);
            *tunnels.entry(key).or_default() |= life.status != "gone";
        }
        let tunnel = |((client, device, kind, _), lives): ((String, String, &str, Ipv4Addr), bool)| Tunnel {
            client,
            device,
            kind: kind.to_owned(),
            lives,
        };
        tunnels.into_iter().map(tunnel).collect()
    }
}

/// The wall time of the zero of all times, in nanoseconds since 1970.
fn start_ns(summary: &CaseSummary) -> u64 {
    let wall = humantime::parse_rfc3339(&summary.started).ok();
    let since = wall.and_then(|wall| wall.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn lives(events: &[Event], network: &Network, end_ns: u64) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    for event in events.iter().filter(|event| event.who == "chain" && event.name == "user") {
        let (Ok(client), Ok(endpoint)) = (event.text("client_ip").parse(), event.text("endpoint_ip").parse()) else {
            continue;
        };
        let pair = (client, endpoint);
        let status = event.text("status").to_owned();
        let open = lives.iter_mut().rev().find(|life| life.pair == pair && life.status != "gone");
        match open {
            Some(life) => {
                life.to_ns = if status == "gone" { event.t_ns } else { end_ns };
                life.status = status;
            }
            None => lives.push(Life {
                client: network.client_at(client),
                pair,
                device: event.text("device").to_owned(),
                kind: event.text("type").to_owned(),
                status,
                from_ns: event.t_ns,
                to_ns: end_ns,
            }),
        }
    }
    lives.sort_by(|a, b| (&a.client, a.pair, a.from_ns).cmp(&(&b.client, b.pair, b.from_ns)));
    lives
}

/// The way from the folder of a file to a place, if both are below one root; else the place itself.
pub fn relative(file: &Path, to: &Path) -> PathBuf {
    let (Ok(file), Ok(to)) = (std::path::absolute(file), std::path::absolute(to)) else { return to.to_owned() };
    let folder: Vec<_> = file.parent().unwrap_or(Path::new("/")).components().collect();
    let target: Vec<_> = to.components().collect();
    let common = folder.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let up = folder[common..].iter().map(|_| std::path::Component::ParentDir);
    up.chain(target[common..].iter().copied()).collect()
}

/// A path as a link: what has a meaning in one is written as its number (RFC 3986).
pub(super) fn link(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
