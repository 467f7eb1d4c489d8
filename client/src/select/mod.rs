//! Choosing the endpoint a new tunnel ends on: the heart of the RFC, as one pure function.
//!
//! Devices tell tunnels apart by the outer address pair alone, so a client needs another endpoint for each tunnel.
//! [`choose`] takes the chain, the measured latencies and the request, and returns one endpoint or says of each
//! candidate why it fell out. It knows nothing of sockets, accounts' bytes or time.

mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use dz_sdk::{
    NetworkView,
    program::state::{Device, DeviceStatus, UserType},
};
use solana_pubkey::Pubkey;

pub use verdict::{Considered, NoEndpoint, Verdict};

/// A measured endpoint; what the chain says of it comes from the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The endpoint's address.
    pub endpoint: Ipv4Addr,
    /// Median round-trip time; none when no probe was answered.
    pub median: Option<Duration>,
}

/// What the client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its own address: outer source of the tunnel.
    pub client_ip: Ipv4Addr,
    /// Which service.
    pub user_type: UserType,
    /// True when it will publish to a group.
    pub publisher: bool,
    /// The one device it accepts; none for the best.
    pub device: Option<Pubkey>,
    /// How much slower than the device it already has another one may be.
    pub tolerance: Duration,
    /// Round-trip times that differ by no more than this are equal: what a probe cannot tell apart.
    pub tie: Duration,
    /// Endpoints that a concurrent connect of this client took between our reading and our writing.
    pub lost: BTreeSet<Ipv4Addr>,
}

/// The endpoint to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The device's account.
    pub device: Pubkey,
    /// The interface's account.
    pub interface: Pubkey,
    /// The address.
    pub endpoint: Ipv4Addr,
    /// Its median round-trip time.
    pub median: Duration,
}

/// An endpoint that could be used, with what it is ranked by.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    choice: Choice,
    /// Live tunnels that end on it.
    tunnels: u32,
}

/// The endpoint for a new tunnel, or why there is none.
///
/// - Candidates are reachable endpoints of activated devices with a free seat for the service.
/// - Endpoints that this client uses on any live or pending user are excluded.
/// - A client that has a tunnel gets another endpoint of the same device; if there is none, the best other device
///   that is at most `tolerance` slower; if there is none, an error.
/// - An explicit device never falls back.
/// - Among equals: lowest median, then fewest tunnels, then lowest address.
pub fn choose(view: &NetworkView, measured: &[Measured], request: &Request) -> Result<Choice, NoEndpoint> {
    let medians: BTreeMap<Ipv4Addr, Option<Duration>> =
        measured.iter().map(|result| (result.endpoint, result.median)).collect();
    let in_use: BTreeSet<Ipv4Addr> = view
        .users_of_client(request.client_ip)
        .filter(|(_, user)| user.is_live())
        .map(|(_, user)| user.endpoint_ip)
        .collect();
    let mut considered = Vec::new();
    let mut candidates = Vec::new();
    for (key, device) in view.devices() {
        if request.device.is_some_and(|wanted| wanted != *key) {
            continue;
        }
        if let Err(verdict) = admits(device, request) {
            considered.push(Considered { device: device.code.clone(), endpoint: None, verdict });
            continue;
        }
        for (endpoint, interface) in view.endpoints(key) {
            let verdict = if in_use.contains(&endpoint) {
                Verdict::InUse
            } else if request.lost.contains(&endpoint) {
                Verdict::Lost
            } else {
                match medians.get(&endpoint) {
                    None => Verdict::NotProbed,
                    Some(None) => Verdict::Unreachable,
                    Some(Some(median)) => {
                        candidates.push(Candidate {
                            choice: Choice { device: *key, interface, endpoint, median: *median },
                            tunnels: view.interface(&interface).map_or(0, |interface| interface.user_count),
                        });
                        continue;
                    }
                }
            };
            considered.push(Considered { device: device.code.clone(), endpoint: Some(endpoint), verdict });
        }
    }

    let Some(home) = home(view, &medians, request) else {
        return best(&candidates, request.tie).ok_or_else(|| NoEndpoint::new(considered));
    };
    let (same, other): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| home.devices.contains(&candidate.choice.device));
    // An explicit device has left only its own candidates, so the tolerance does not apply to it.
    let limit = home.median.filter(|_| request.device.is_none()).map(|median| median.saturating_add(request.tolerance));
    let (near, far): (Vec<_>, Vec<_>) =
        other.into_iter().partition(|candidate| limit.is_none_or(|limit| candidate.choice.median <= limit));
    best(&same, request.tie).or_else(|| best(&near, request.tie)).ok_or_else(|| {
        considered.extend(far.iter().map(|candidate| Considered {
            device: view.device(&candidate.choice.device).map_or_else(String::new, |device| device.code.clone()),
            endpoint: Some(candidate.choice.endpoint),
            verdict: Verdict::TooFar {
                median: candidate.choice.median,
                limit: limit.unwrap_or(candidate.choice.median),
            },
        }));
        NoEndpoint::new(considered)
    })
}

/// Where a client is already connected.
struct Home {
    devices: BTreeSet<Pubkey>,
    /// The lowest latency of any of them; none when none answers, and then there is nothing to be within.
    median: Option<Duration>,
}

fn home(view: &NetworkView, medians: &BTreeMap<Ipv4Addr, Option<Duration>>, request: &Request) -> Option<Home> {
    let devices: BTreeSet<Pubkey> = view
        .users_of_client(request.client_ip)
        .filter(|(_, user)| user.is_live())
        .map(|(_, user)| user.device)
        .collect();
    let median = devices
        .iter()
        .flat_map(|device| view.endpoints(device))
        .filter_map(|(endpoint, _)| medians.get(&endpoint).copied().flatten())
        .min();
    (!devices.is_empty()).then_some(Home { devices, median })
}

fn admits(device: &Device, request: &Request) -> Result<(), Verdict> {
    if device.status != DeviceStatus::Activated {
        return Err(Verdict::NotActivated(device.status));
    }
    device.seat_for(request.user_type, request.publisher).map_err(Verdict::NoSeat)
}

fn best(candidates: &[Candidate], tie: Duration) -> Option<Choice> {
    let fastest = candidates.iter().map(|candidate| candidate.choice.median).min()?;
    candidates
        .iter()
        .filter(|candidate| candidate.choice.median <= fastest.saturating_add(tie))
        .min_by_key(|candidate| (candidate.tunnels, candidate.choice.endpoint))
        .map(|candidate| candidate.choice)
}
