//! Choosing the endpoint a new tunnel ends on: the heart of the RFC, as one pure function.
//!
//! Devices distinguish tunnels by the outer address pair alone, so a client needs another endpoint for each tunnel.
//! [`choose`] takes the chain, the measured latencies and the request, and returns one endpoint or says of each
//! candidate why it fell out. It knows nothing of sockets, accounts' bytes or time.

mod capacity;
mod rank;
mod rtt;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use dz_policy::ConnectPolicy;
use dz_sdk::{
    NetworkView,
    program::state::{Device, DeviceStatus, User, UserType},
};
use solana_pubkey::Pubkey;

use self::rank::{Candidate, best};
pub use self::{
    capacity::{Full, lacking},
    rtt::{Measured, Rtt, Window, nearest},
    verdict::{Considered, NoEndpoint, Verdict},
};

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
    /// How to choose.
    pub policy: ConnectPolicy,
    /// Endpoints that a concurrent connect of this client took between our reading and our writing.
    pub lost: BTreeSet<Ipv4Addr>,
    /// Devices on which the activator has just rejected this client.
    pub rejected: BTreeSet<Pubkey>,
    /// A user of this client that goes before the new one comes.
    pub leaving: Option<Pubkey>,
}

impl Request {
    /// Users of this client that have a tunnel, or will have one, beside the one that is asked for.
    fn others<'v>(&self, view: &'v NetworkView) -> impl Iterator<Item = &'v User> {
        let leaving = self.leaving;
        view.users_of_client(self.client_ip)
            .filter(move |(key, user)| user.is_live() && leaving.as_ref() != Some(*key))
            .map(|(_, user)| user)
    }
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
    /// How far it is.
    pub rtt: Rtt,
    /// A pool that has nothing left for this user; none while every pool has. The activator may reject the user then,
    /// or let it wait, as its policy says.
    pub full: Option<Full>,
}

/// The endpoint for a new tunnel, or why there is none.
///
/// - Candidates are reachable endpoints of activated devices with a free seat for the service.
/// - Endpoints that this client uses on any live or pending user are excluded.
/// - A client that has a tunnel gets another endpoint of the same device; if there is none, the best other device
///   that is at most the tolerance farther; if there is none, an error.
/// - A device with a full pool is a full device: it is chosen only when no candidate has room.
/// - An explicit device never falls back.
/// - Among equals: a device by the policy's rank, then its endpoint with the fewest tunnels, then the lowest address.
///
/// # Errors
/// No candidate is left; the error says of each why.
pub fn choose(view: &NetworkView, measured: &[Measured], request: &Request) -> Result<Choice, NoEndpoint> {
    let rtts: BTreeMap<Ipv4Addr, Option<Rtt>> = measured.iter().map(|result| (result.endpoint, result.rtt)).collect();
    let in_use: BTreeSet<Ipv4Addr> = request.others(view).map(|user| user.endpoint_ip).collect();
    let mut considered = Vec::new();
    let mut candidates = Vec::new();
    for (key, device) in view.devices() {
        if request.device.is_some_and(|wanted| wanted != *key) {
            continue;
        }
        if let Err(verdict) = admits(key, device, request) {
            considered.push(Considered { device: device.code.clone(), endpoint: None, verdict });
            continue;
        }
        let full = capacity::full(view, key, request);
        for (endpoint, interface) in view.endpoints(key) {
            let service = view.interface(&interface).map(|interface| interface.service).unwrap_or_default();
            let verdict = if !service.admits(request.user_type) {
                Verdict::Kept(service)
            } else if in_use.contains(&endpoint) {
                Verdict::InUse
            } else if request.lost.contains(&endpoint) {
                Verdict::Lost
            } else {
                match rtts.get(&endpoint) {
                    None => Verdict::NotProbed,
                    Some(None) => Verdict::Unreachable,
                    Some(Some(rtt)) => {
                        candidates.push(Candidate {
                            choice: Choice { device: *key, interface, endpoint, rtt: *rtt, full },
                            tunnels: view.interface(&interface).map_or(0, |interface| interface.user_count),
                            device,
                        });
                        continue;
                    }
                }
            };
            considered.push(Considered { device: device.code.clone(), endpoint: Some(endpoint), verdict });
        }
    }
    let home = home(view, &rtts, request);
    let (roomy, full) = candidates.into_iter().partition(|candidate| candidate.choice.full.is_none());
    pick(roomy, home.as_ref(), request, &mut considered)
        .or_else(|| pick(full, home.as_ref(), request, &mut considered))
        .ok_or_else(|| NoEndpoint::new(considered))
}

/// Whether there can be an endpoint for the tunnel, however far each of them is.
///
/// # Errors
/// No endpoint is left, whatever the probes say; the error says of each why.
pub fn possible(view: &NetworkView, request: &Request) -> Result<(), NoEndpoint> {
    let here = Rtt { min: Duration::ZERO, median: Duration::ZERO };
    let endpoints = view.devices().keys().flat_map(|device| view.endpoints(device));
    let near: Vec<_> = endpoints.map(|(endpoint, _)| Measured { endpoint, rtt: Some(here) }).collect();
    choose(view, &near, request).map(drop)
}

/// The best of some candidates for who is at home on some devices; those that are too far are noted.
fn pick(
    candidates: Vec<Candidate<'_>>,
    home: Option<&Home>,
    request: &Request,
    considered: &mut Vec<Considered>,
) -> Option<Choice> {
    let best = |candidates: &[Candidate<'_>]| best(candidates, &request.policy, request.client_ip);
    let Some(home) = home else { return best(&candidates) };
    let (same, other): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| home.devices.contains(&candidate.choice.device));
    // An explicit device has left only its own candidates, and the tolerance does not apply to it.
    let Some(own) = home.rtt.filter(|_| request.device.is_none()) else {
        return best(&same).or_else(|| best(&other));
    };
    let tolerance = request.policy.latency_tolerance.0;
    let limit = own.saturating_add(tolerance);
    let (near, far): (Vec<_>, Vec<_>) = other.into_iter().partition(|candidate| candidate.choice.rtt.min <= limit);
    let choice = best(&same).or_else(|| best(&near));
    if choice.is_none() {
        considered.extend(far.iter().map(|candidate| Considered {
            device: candidate.device.code.clone(),
            endpoint: Some(candidate.choice.endpoint),
            verdict: Verdict::TooFar { rtt: candidate.choice.rtt.min, own, tolerance },
        }));
    }
    choice
}

/// Where a client is already connected.
struct Home {
    devices: BTreeSet<Pubkey>,
    /// The nearest endpoint of any of them; none when none answers, and then there is nothing to be within.
    rtt: Option<Duration>,
}

fn home(view: &NetworkView, rtts: &BTreeMap<Ipv4Addr, Option<Rtt>>, request: &Request) -> Option<Home> {
    let devices: BTreeSet<Pubkey> = request.others(view).map(|user| user.device).collect();
    let rtt = devices
        .iter()
        .flat_map(|device| view.endpoints(device))
        .filter_map(|(endpoint, _)| Some(rtts.get(&endpoint).copied().flatten()?.min))
        .min();
    (!devices.is_empty()).then_some(Home { devices, rtt })
}

fn admits(key: &Pubkey, device: &Device, request: &Request) -> Result<(), Verdict> {
    if device.status != DeviceStatus::Activated {
        return Err(Verdict::NotActivated(device.status));
    }
    if request.rejected.contains(key) {
        return Err(Verdict::Rejected);
    }
    device.seat_for(request.user_type, request.publisher).map_err(Verdict::NoSeat)
}
