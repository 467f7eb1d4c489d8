//! Rank of candidates that are equally near.
//!
//! First a device, then an endpoint of it: a device with more endpoints does not draw more load.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use dz_policy::{ConnectPolicy, Rank};
use dz_sdk::program::state::Device;
use solana_pubkey::Pubkey;

use super::Choice;

/// An endpoint that could be used, with what it is ranked by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) choice: Choice,
    /// Live tunnels that end on it.
    pub(super) tunnels: u32,
    /// Its device.
    pub(super) device: &'a Device,
}

/// The best of the candidates for this client; none when there is none.
pub(super) fn best(candidates: &[Candidate<'_>], policy: &ConnectPolicy, client_ip: Ipv4Addr) -> Option<Choice> {
    let tie = match policy.rank {
        Rank::Latency => Duration::ZERO,
        Rank::FewestTunnels | Rank::LeastShare | Rank::Spread => policy.latency_tie.0,
    };
    let mut devices: BTreeMap<Pubkey, Vec<&Candidate<'_>>> = BTreeMap::new();
    for candidate in candidates {
        devices.entry(candidate.choice.device).or_default().push(candidate);
    }
    let devices: Vec<Vec<&Candidate<'_>>> = devices.into_values().map(|endpoints| near(endpoints, tie)).collect();
    let nearest = |endpoints: &Vec<&Candidate<'_>>| endpoints.iter().map(|it| it.choice.rtt.min).min();
    let limit = devices.iter().filter_map(nearest).min()?.saturating_add(tie);
    devices
        .into_iter()
        .filter(|endpoints| nearest(endpoints).is_some_and(|rtt| rtt <= limit))
        .filter_map(|endpoints| {
            let first = endpoints.into_iter().min_by_key(|it| (it.tunnels, it.choice.endpoint))?;
            Some((load(policy.rank, first, client_ip), first.choice.endpoint, first.choice))
        })
        .min_by_key(|(load, endpoint, _)| (*load, *endpoint))
        .map(|(_, _, choice)| choice)
}

/// The endpoints of one device that a probe cannot distinguish from its nearest.
fn near<'c, 'd>(endpoints: Vec<&'c Candidate<'d>>, tie: Duration) -> Vec<&'c Candidate<'d>> {
    let limit = endpoints.iter().map(|it| it.choice.rtt.min).min().unwrap_or_default().saturating_add(tie);
    endpoints.into_iter().filter(|it| it.choice.rtt.min <= limit).collect()
}

/// What a device is ranked by: the lowest wins.
fn load(rank: Rank, candidate: &Candidate<'_>, client_ip: Ipv4Addr) -> u64 {
    let Candidate { choice, device, .. } = candidate;
    let users = u64::from(device.counts.users());
    match rank {
        Rank::FewestTunnels | Rank::Latency => users,
        // In parts of 2^32, which no two different shares of 16-bit numbers have in common.
        Rank::LeastShare => (users << 32) / u64::from(device.caps.max_users.max(1)),
        Rank::Spread => weight(client_ip, &choice.device),
    }
}

/// A number that client and device determine and nothing else does: with the lowest of each client, devices get equal
/// shares of the clients, and one that goes moves only its own (rendezvous hashing, over FNV-1a with a final mix).
fn weight(client_ip: Ipv4Addr, device: &Pubkey) -> u64 {
    let bytes = client_ip.octets().into_iter().chain(device.to_bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a client is drawn to must not move with a new version: by an implementation of its own in another language.
    #[test]
    fn a_weight_is_what_it_was() {
        let weights = [(1, 7), (2, 7), (1, 8)]
            .map(|(client, device)| weight(Ipv4Addr::new(9, 100, 0, client), &Pubkey::new_from_array([device; 32])));
        assert_eq!(weights, [0x59a2_1028_b07f_4d0c, 0x3257_26a9_090c_037c, 0x584d_eb7d_dba9_4a06]);
    }
}
