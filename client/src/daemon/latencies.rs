//! How far each endpoint is: probes all of them once a period, new ones at once, and those that have just fallen silent
//! again soon.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use dz_net::{
    host::Host,
    probe::{ProbeConfig, ProbeError, ProbeResult},
};
use dz_sdk::NetworkView;
use dz_service::WallClock;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::watch, time::sleep};
use tracing::{debug, info, warn};

use super::{
    published::Published,
    targets::{Endpoint, Target, targets},
};
use crate::{
    UnixTime,
    api::{EndpointLatency, Latency},
    select::Window,
};

/// Longer than any round takes.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// Which endpoints a round is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Those not yet probed.
    New,
    /// All there are.
    All,
    /// Those that fell silent a moment ago, after this pause. A new endpoint is on chain before its device has it, and one
    /// lost round should not keep a device away for a whole period.
    Again(Duration),
}

/// The first pause before a silent endpoint is probed again; doubles each time until the next round of all is nearer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Probes until the ledger's subscription ends.
pub(super) async fn keep_measuring(
    host: &dyn Host,
    clock: WallClock,
    mut views: watch::Receiver<Option<Arc<NetworkView>>>,
    config: ProbeConfig,
    period: Duration,
    told: Published<Latency>,
) {
    let mut known = Known::default();
    let mut rounds = FuturesUnordered::new();
    let mut tick = pin!(sleep(period));
    views.mark_changed();
    loop {
        tokio::select! {
            biased;
            changed = views.changed() => {
                if changed.is_err() {
                    return;
                }
                let Some(view) = views.borrow_and_update().clone() else { continue };
                let new = known.see(&view);
                if !new.is_empty() {
                    debug!(endpoints = new.len(), "probing new endpoints");
                    rounds.push(round(host, Kind::New, config.clone(), new));
                }
            }
            Some((kind, results)) = rounds.next() => {
                match results {
                    Ok(results) => {
                        let silent = known.take(results, clock.now());
                        let (silent, pause) = match kind {
                            Kind::New | Kind::All => (silent.new, FIRST_PAUSE),
                            Kind::Again(pause) => (silent.all, 2 * pause),
                        };
                        if !silent.is_empty() && pause < period {
                            rounds.push(round(host, Kind::Again(pause), config.clone(), silent));
                        }
                    }
                    // Without a raw socket nothing can be measured; the next round tries again.
                    Err(error) => warn!(%error, "endpoints are not probed"),
                }
                if kind == Kind::All {
                    tick.set(sleep(period));
                }
            }
            // Far in the future while a round of all is on its way: rounds do not overtake each other.
            () = &mut tick => {
                tick.set(sleep(FAR));
                rounds.push(round(host, Kind::All, config.clone(), known.all()));
            }
        }
        told.publish(known.latency());
    }
}

async fn round(
    host: &dyn Host,
    kind: Kind,
    config: ProbeConfig,
    addresses: BTreeSet<Ipv4Addr>,
) -> (Kind, Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError>) {
    if let Kind::Again(pause) = kind {
        sleep(pause).await;
    }
    let results = async { host.pinger(config).await?.round(addresses).await };
    (kind, results.await)
}

/// The newest result of an endpoint.
#[derive(Debug)]
struct Measured {
    result: ProbeResult,
    /// The shortest round trips of the last rounds.
    window: Window,
    /// When it was answered last, in this round or an earlier one.
    last_seen: Option<SystemTime>,
}

/// Endpoints of a round that did not answer.
#[derive(Debug, Default, PartialEq, Eq)]
struct Silent {
    /// All of them.
    all: BTreeSet<Ipv4Addr>,
    /// Those that had answered before, or had never been asked.
    new: BTreeSet<Ipv4Addr>,
}

/// The endpoints of the newest view and the newest result of each.
#[derive(Debug, Default)]
struct Known {
    slot: Option<u64>,
    endpoints: BTreeMap<Target, Endpoint>,
    results: BTreeMap<Ipv4Addr, Measured>,
    /// Addresses that a round was started for.
    asked: BTreeSet<Ipv4Addr>,
}

impl Known {
    /// Takes a view in and returns the addresses that have not been probed.
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

    /// Takes results in and returns the endpoints that did not answer; those that went in the meantime are left out.
    fn take(&mut self, results: BTreeMap<Ipv4Addr, ProbeResult>, now: SystemTime) -> Silent {
        let mut silent = Silent::default();
        for (address, result) in results.into_iter().filter(|(address, _)| self.asked.contains(address)) {
            let before = self.results.get(&address);
            let news = before.map(|before| before.result.reachable()) != Some(result.reachable());
            if !result.reachable() {
                silent.all.insert(address);
                silent.new.extend(news.then_some(address));
            }
            if news {
                info!(
                    endpoint = %address, reachable = result.reachable(), rtt = ?result.median(),
                    error = result.last_error, "endpoint probed"
                );
            }
            let (mut window, earlier) =
                before.map(|before| (before.window.clone(), before.last_seen)).unwrap_or_default();
            window.push(result.min());
            let last_seen = if result.reachable() { Some(now) } else { earlier };
            self.results.insert(address, Measured { result, window, last_seen });
        }
        silent
    }

    fn latency(&self) -> Latency {
        let mut results: Vec<_> = self
            .endpoints
            .iter()
            .filter_map(|((device, address), endpoint)| {
                let Measured { result, window, last_seen } = self.results.get(address)?;
                Some(EndpointLatency {
                    device_pk: device.to_string(),
                    device_code: endpoint.device.clone(),
                    device_ip: *address,
                    interface_name: endpoint.interface.clone(),
                    min_latency_ns: window.min().map(nanos),
                    median_latency_ns: result.median().map(nanos),
                    avg_latency_ns: result.mean().map(nanos),
                    max_latency_ns: result.max().map(nanos),
                    loss_percentage: percent(result),
                    reachable: result.reachable(),
                    last_seen: last_seen.map(UnixTime::from),
                })
            })
            .collect();
        results.sort_by_key(|result| {
            (!result.reachable, result.min_latency_ns, result.device_code.clone(), result.device_ip)
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn result(sent: u32, received: u32) -> ProbeResult {
        let rtts = (1..=u64::from(received)).map(Duration::from_millis).collect();
        ProbeResult { sent, received, rtts, ..ProbeResult::default() }
    }

    #[rstest]
    #[case(3, 3, 0)]
    #[case(3, 2, 33)]
    #[case(3, 0, 100)]
    #[case(1000, 999, 1)]
    #[case(1000, 1, 99)]
    fn loss(#[case] sent: u32, #[case] received: u32, #[case] expected: u8) {
        assert_eq!(percent(&result(sent, received)), expected);
    }

    #[test]
    fn an_answer_is_remembered_and_a_loss_is_never_a_time() {
        let address = Ipv4Addr::new(9, 1, 0, 1);
        let endpoint = Endpoint { device: "nyc1".to_owned(), interface: "Ethernet1".to_owned() };
        let mut known = Known {
            slot: Some(7),
            endpoints: BTreeMap::from([((solana_pubkey::Pubkey::default(), address), endpoint)]),
            asked: BTreeSet::from([address]),
            ..Known::default()
        };
        assert!(!known.latency().ready);
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(known.take(BTreeMap::from([(address, result(3, 3))]), at(100)), Silent::default());
        let up = known.latency();
        assert_eq!((up.ready, up.results[0].reachable, up.results[0].last_seen), (true, true, Some(at(100).into())));
        assert_eq!(up.results[0].median_latency_ns, Some(2_000_000));
        let one = BTreeSet::from([address]);
        let silent = known.take(BTreeMap::from([(address, result(3, 0))]), at(200));
        assert_eq!(silent, Silent { all: one.clone(), new: one.clone() });
        // It is news only once.
        let silent = known.take(BTreeMap::from([(address, result(3, 0))]), at(250));
        assert_eq!(silent, Silent { all: one, new: BTreeSet::new() });
        let down = known.latency();
        assert_eq!(
            (down.ready, down.results[0].reachable, down.results[0].last_seen),
            (true, false, Some(at(100).into()))
        );
        let times = [down.results[0].min_latency_ns, down.results[0].avg_latency_ns, down.results[0].max_latency_ns];
        assert_eq!((down.results[0].median_latency_ns, times), (None, [None; 3]));
        // What comes in for an endpoint that is gone is nobody's.
        known.asked.clear();
        assert_eq!(known.take(BTreeMap::from([(address, result(3, 0))]), at(300)), Silent::default());
        assert_eq!(known.latency(), down);
    }
}
