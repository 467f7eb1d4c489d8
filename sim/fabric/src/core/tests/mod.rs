//! The engine on a fake clock: time passes when a test says so, and every packet that comes out is looked at.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Core, CoreConfig, PortId};
use crate::counters::{FabricCounters, PathCounters, Tally};
use crate::packet::Packet;
use crate::packet::ipv4::{self, Header};
use crate::profile::PathProfile;

mod changes;
mod conservation;
mod impairments;
mod links;
mod nonsense;
mod reports;
mod routing;
mod translate;

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const B2: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const C: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

const MS: u64 = 1_000_000;

/// A packet that came out.
#[derive(Debug, Clone, PartialEq)]
struct Arrived {
    at: u64,
    port: PortId,
    packet: Packet,
}

impl Arrived {
    fn ip(&self) -> Header {
        ipv4::parse(&self.packet.bytes).expect("a valid header came out")
    }

    /// The number that [`numbered`] put into it.
    fn number(&self) -> u32 {
        u32::from_be_bytes(self.packet.bytes[20..24].try_into().expect("four bytes"))
    }

    /// Type, code and the second word of an ICMP message.
    fn icmp(&self) -> (u8, u8, u32) {
        let icmp = &self.packet.bytes[20..];
        (icmp[0], icmp[1], u32::from_be_bytes(icmp[4..8].try_into().expect("four bytes")))
    }
}

/// Three nodes on the internet and a clock.
struct Net {
    core: Core,
    now: u64,
    a: PortId,
    b: PortId,
    c: PortId,
}

impl Net {
    fn new() -> Self {
        Self::seeded(1)
    }

    fn seeded(seed: u64) -> Self {
        Self::with(CoreConfig { seed, router: ROUTER, max_bytes: 1 << 26, max_flows: 1 << 16 })
    }

    fn with(config: CoreConfig) -> Self {
        let mut core = Core::new(config);
        let mut attach = |name, prefix: &str| core.attach(name, &[prefix.parse().unwrap()]).unwrap();
        let a = attach("a", "192.0.2.1/32");
        let b = attach("b", "198.51.100.0/29");
        let c = attach("c", "203.0.113.0/24");
        Self { core, now: 0, a, b, c }
    }

    /// With `profile` from `a` to `b`.
    fn with_path(profile: PathProfile) -> Self {
        let mut net = Self::new();
        net.core.set_path("a", "b", Some(profile)).unwrap();
        net
    }

    fn send(&mut self, port: PortId, bytes: Vec<u8>) {
        self.core.receive(self.now, port, Packet::plain(bytes));
    }

    /// Sends from `a` to `b` a packet of `len` bytes that carries `number`.
    fn send_numbered(&mut self, number: u32, len: usize) {
        self.send(self.a, numbered(A, B, number, len));
    }

    /// Lets time pass until `until`; each packet comes out when it is due.
    fn run_until(&mut self, until: u64) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        while let Some(due) = self.core.next_due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let at = self.now;
            self.core.deliver(at, 1, |port, packet| {
                arrived.push(Arrived { at, port, packet: packet.clone() });
                true
            });
        }
        self.now = self.now.max(until);
        arrived
    }

    /// Lets time pass until nothing is under way.
    fn drain(&mut self) -> Vec<Arrived> {
        let mut arrived = Vec::new();
        while let Some(due) = self.core.next_due() {
            arrived.extend(self.run_until(due));
        }
        arrived
    }

    fn counters(&self) -> FabricCounters {
        self.core.counters_snapshot()
    }

    /// What was counted for one direction and protocol.
    fn row(&self, from: &str, to: &str, protocol: u8) -> PathCounters {
        let rows = self.counters().paths;
        let row = rows.into_iter().find(|row| row.from == from && row.to == to && row.protocol == protocol);
        row.unwrap_or_else(|| panic!("nothing was counted from {from} to {to}"))
    }
}

/// A UDP packet of `len` bytes that carries `number`.
fn numbered(from: Ipv4Addr, to: Ipv4Addr, number: u32, len: usize) -> Vec<u8> {
    let mut bytes = ipv4::tests::packet(ipv4::UDP, from.octets(), to.octets(), len - 20);
    bytes[20..24].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn dont_fragment(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[6] |= 0x40;
    ipv4::seal(&mut bytes[..20]);
    bytes
}

fn with_ttl(mut bytes: Vec<u8>, ttl: u8) -> Vec<u8> {
    bytes[8] = ttl;
    ipv4::seal(&mut bytes[..20]);
    bytes
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn delay(count: u64) -> PathProfile {
    PathProfile::with_delay(ms(count))
}

fn tally(packets: u64, bytes: u64) -> Tally {
    Tally { packets, bytes }
}
