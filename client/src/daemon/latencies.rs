//! How far each endpoint is: probes all of them once a period, new ones at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use dz_net::probe::{ProbeConfig, ProbeError, ProbeResult, Prober};
use dz_sdk::NetworkView;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::watch, time::sleep};
use tracing::{debug, info, warn};

use super::{
    hub::Told,
    targets::{Endpoint, Target, targets},
};
use crate::api::{EndpointLatency, Latency};

/// Probes until the ledger's subscription ends.
pub(super) async fn keep_measuring(
    mut views: watch::Receiver<Option<Arc<NetworkView>>>,
    config: ProbeConfig,
    period: Duration,
    told: Told<Latency>,
) {
    let mut known = Known::default();
    let mut rounds = FuturesUnordered::new();
    let mut tick = pin!(sleep(period));
    loop {
        let view = views.borrow_and_update().clone();
        if let Some(view) = &view {
            let new = known.see(view);
            if !new.is_empty() {
                debug!(endpoints = new.len(), "probing new endpoints");
                rounds.push(round(config.clone(), new));
            }
            told.tell(known.latency());
        }
        tokio::select! {
            changed = views.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(results) = rounds.next() => {
                match results {
                    Ok(results) => known.take(results),
                    // Without a raw socket nothing can be measured, and nothing that waits may believe it was.
                    Err(error) => {
                        warn!(%error, "endpoints are not probed");
                        known.asked.clear();
                    }
                }
                told.tell(known.latency());
            }
            () = &mut tick => {
                let all = known.all();
                if !all.is_empty() {
                    rounds.push(round(config.clone(), all));
                }
                tick.set(sleep(period));
            }
        }
    }
}

async fn round(
    config: ProbeConfig,
    addresses: BTreeSet<Ipv4Addr>,
) -> Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError> {
    Prober::open(config)?.round(addresses).await
}

/// The endpoints of the newest view and the newest result of each.
#[derive(Debug, Default)]
struct Known {
    slot: Option<u64>,
    endpoints: BTreeMap<Target, Endpoint>,
    results: BTreeMap<Ipv4Addr, ProbeResult>,
    /// Addresses that a round was started for.
    asked: BTreeSet<Ipv4Addr>,
}

impl Known {
    /// Takes a view in and returns the addresses that nobody has asked yet.
    fn see(&mut self, view: &NetworkView) -> BTreeSet<Ipv4Addr> {
        self.slot = Some(view.slot());
        self.endpoints = targets(view);
        let addresses = self.all();
        self.results.retain(|address, _| addresses.contains(address));
        self.asked.retain(|address| addresses.contains(address));
        let new: BTreeSet<_> = addresses.difference(&self.asked).copied().collect();
        self.asked.extend(&new);
        new
    }

    fn all(&self) -> BTreeSet<Ipv4Addr> {
        self.endpoints.keys().map(|(_, address)| *address).collect()
    }

    /// Takes results in; those of endpoints that went in the meantime are nobody's any more.
    fn take(&mut self, results: BTreeMap<Ipv4Addr, ProbeResult>) {
        for (address, result) in results.into_iter().filter(|(address, _)| self.asked.contains(address)) {
            let was = self.results.get(&address).map(ProbeResult::reachable);
            if was != Some(result.reachable()) {
                info!(
                    endpoint = %address, reachable = result.reachable(), rtt = ?result.median(),
                    error = result.last_error, "endpoint probed"
                );
            }
            self.results.insert(address, result);
        }
    }

    fn latency(&self) -> Latency {
        let mut results: Vec<_> = self
            .endpoints
            .iter()
            .filter_map(|((device, address), endpoint)| {
                let result = self.results.get(address)?;
                Some(EndpointLatency {
                    device_pk: device.to_string(),
                    device_code: endpoint.device.clone(),
                    device_ip: *address,
                    interface_name: endpoint.interface.clone(),
                    min_latency_ns: result.min().map(nanos),
                    median_latency_ns: result.median().map(nanos),
                    avg_latency_ns: result.mean().map(nanos),
                    max_latency_ns: result.max().map(nanos),
                    loss_percentage: percent(result),
                    reachable: result.reachable(),
                })
            })
            .collect();
        results.sort_by_key(|result| {
            (!result.reachable, result.median_latency_ns, result.device_code.clone(), result.device_ip)
        });
        let ready = self.slot.is_some() && results.len() == self.endpoints.len();
        Latency { version: 0, ready, slot: self.slot, results }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Lost probes in percent, never 100 while one was answered and never 0 while one was lost.
fn percent(result: &ProbeResult) -> u8 {
    match (result.lost(), result.sent) {
        (0, _) => 0,
        (lost, sent) if lost == sent => 100,
        // Between 1 and 99, so it fits.
        (lost, sent) => u8::try_from(u64::from(lost) * 100 / u64::from(sent)).unwrap_or(99).clamp(1, 99),
    }
}
