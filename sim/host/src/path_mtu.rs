//! Path MTUs below that of the outgoing interface (RFC 1191, `__ip_rt_update_pmtu`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// How long a report is believed (`mtu_expires`).
const BELIEVED: Duration = Duration::from_secs(600);
/// A path is never believed to take less (`min_pmtu`).
const LEAST: u32 = 552;

/// The MTU of the path to a destination, in bytes, and until when it is believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathMtus(BTreeMap<Ipv4Addr, (u32, Instant)>);

impl PathMtus {
    /// A router has said that `mtu` bytes are the most, where `before` was.
    pub(crate) fn report(&mut self, destination: Ipv4Addr, mtu: u32, before: u32, now: Instant) {
        if mtu <= before {
            self.0.insert(destination, (mtu.max(LEAST.min(before)), now + BELIEVED));
        }
    }

    /// What is believed now.
    pub(crate) fn get(&self, destination: Ipv4Addr, now: Instant) -> Option<u32> {
        self.0.get(&destination).filter(|(_, until)| now < *until).map(|(mtu, _)| *mtu)
    }
}
