//! Latency of each endpoint: probes as [`Schedule`] says, new endpoints at once, and those that have just fallen silent
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
use futures_util::{StreamExt, future::try_join3, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    published::Published,
    schedule::{Extent, FEW, Schedule, near},
    targets::{Target, Targets, targets},
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
    /// As the schedule says.
    Scheduled(Extent),
    /// Those that fell silent a moment ago, after this pause. A new endpoint is on chain before its device has it, and one
    /// lost round should not keep a device away for a whole period.
    Again(Duration),
}

/// The first pause before a silent endpoint is probed again; doubles each time until the next round of all is nearer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Somebody who waits for results.
#[derive(Debug)]
pub(super) struct Question {
    /// Whether they have to be of all endpoints with all probes; if not, a round that began at most a period ago will do.
    thorough: bool,
    /// It is answered by being dropped.
    _answer: oneshot::Sender<()>,
}

/// Asks for results.
#[derive(Clone, Debug)]
pub(super) struct Asking(mpsc::UnboundedSender<Question>);

/// What is asked for.
pub(super) type Questions = mpsc::UnboundedReceiver<Question>;

impl Asking {
    /// A way to ask and what comes by it.
    pub(super) fn channel() -> (Self, Questions) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Returns when the published results are as asked for, or none such can be had.
    pub(super) async fn for_results(&self, thorough: bool) {
        let (sender, answer) = oneshot::channel();
        if self.0.send(Question { thorough, _answer: sender }).is_ok() {
            let _ = answer.await;
        }
    }
}

/// Probes until the ledger's subscription ends.
pub(super) async fn keep_measuring(
    host: &dyn Host,
    clock: WallClock,
    mut views: watch::Receiver<Option<Arc<NetworkView>>>,
    config: ProbeConfig,
    period: Duration,
    mut questions: Questions,
    told: Published<Latency>,
) {
    let mut known = Known::default();
    let mut schedule = Schedule::new(period);
    let mut rounds = FuturesUnordered::new();
    // Who waits for the round that is under way.
    let mut waiting: Vec<Question> = Vec::new();
    let mut under_way = false;
    let mut tick = pin!(sleep(FAR));
    views.mark_changed();
    loop {
        tokio::select! {
            biased;
            changed = views.changed() => {
                if changed.is_err() {
                    return;
                }
                let Some(view) = views.borrow_and_update().clone() else { continue };
                let Seen { new, changed } = known.see(&view);
                if !new.is_empty() {
                    debug!(endpoints = new.len(), "probing new endpoints");
                    // The first are all there are.
                    let first = new.len() == known.targets.len();
                    let kind = if first && !under_way {
                        under_way = true;
                        Kind::Scheduled(schedule.begin(Instant::now(), known.targets.len()))
                    } else {
                        Kind::New
                    };
                    rounds.push(round(host, kind, config.clone(), known.new_ones(&new)));
                }
                if !changed {
                    // Most of what the chain does is about others; nobody waits for its number.
                    told.amend(|latency| latency.slot = known.slot);
                    continue;
                }
            }
            Some((kind, results)) = rounds.next() => {
                match results {
                    Ok(results) => {
                        let silent = known.take(results, clock.now());
                        let (silent, pause) = match kind {
                            Kind::New | Kind::Scheduled(_) => (silent.new, FIRST_PAUSE),
                            Kind::Again(pause) => (silent.all, 2 * pause),
                        };
                        if !silent.is_empty() && pause < period {
                            let thorough = Probed { thorough: silent, ..Probed::default() };
                            rounds.push(round(host, Kind::Again(pause), config.clone(), thorough));
                        }
                    }
                    // Without a raw socket nothing can be measured; the next round tries again.
                    Err(error) => warn!(%error, "endpoints are not probed"),
                }
                if let Kind::Scheduled(extent) = kind {
                    under_way = false;
                    let now = Instant::now();
                    let due = schedule.due(now);
                    tick.set(sleep_until(due));
                    told.publish(known.latency());
                    // A glance answers nobody who has asked since for what is too old.
                    let is_none = extent == Extent::Glance && due <= now;
                    waiting.retain(|question| is_none || question.thorough && extent != Extent::All);
                    continue;
                }
            }
            // Far in the future while a round is on its way: rounds do not overtake each other.
            () = &mut tick => {
                tick.set(sleep(FAR));
                under_way = true;
                let extent = schedule.begin(Instant::now(), known.targets.len());
                rounds.push(round(host, Kind::Scheduled(extent), config.clone(), known.of_extent(extent)));
                continue;
            }
            Some(question) = questions.recv() => {
                let now = Instant::now();
                let due = schedule.asked(now, question.thorough);
                if under_way {
                    waiting.push(question);
                } else if due && !known.targets.is_empty() {
                    waiting.push(question);
                    tick.set(sleep_until(now));
                } else {
                    tick.set(sleep_until(schedule.due(now)));
                }
                continue;
            }
        }
        told.publish(known.latency());
    }
}

/// Whom a round asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Probed {
    /// With all probes.
    thorough: BTreeSet<Ipv4Addr>,
    /// With one.
    once: BTreeSet<Ipv4Addr>,
    /// With one, and then those of the nearest devices with all: nothing is known of any.
    unknown: Vec<Target>,
}

type Results = Result<BTreeMap<Ipv4Addr, ProbeResult>, ProbeError>;

async fn round(host: &dyn Host, kind: Kind, config: ProbeConfig, probed: Probed) -> (Kind, Results) {
    if let Kind::Again(pause) = kind {
        sleep(pause).await;
    }
    (kind, probe(host, config, probed).await)
}

async fn probe(host: &dyn Host, config: ProbeConfig, probed: Probed) -> Results {
    let once = ProbeConfig { probes: 1, ..config.clone() };
    let ask = async |config: ProbeConfig, addresses: BTreeSet<Ipv4Addr>| match addresses.is_empty() {
        true => Ok(BTreeMap::new()),
        false => host.pinger(config).await?.round(addresses).await,
    };
    let unknown = probed.unknown.iter().map(|(_, address)| *address).collect();
    let (mut results, seldom, unknown) =
        try_join3(ask(config.clone(), probed.thorough), ask(once.clone(), probed.once), ask(once, unknown)).await?;
    results.extend(seldom);
    let nearest = near(&probed.unknown, |address| unknown.get(&address).and_then(ProbeResult::min));
    results.extend(unknown);
    results.extend(ask(config, nearest).await?);
    Ok(results)
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

/// What a view is news of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Endpoints that nobody has asked yet.
    new: BTreeSet<Ipv4Addr>,
    /// Whether any endpoint has come, gone or changed.
    changed: bool,
}

/// The endpoints of the newest view and the newest result of each.
#[derive(Debug, Default)]
struct Known {
    slot: Option<u64>,
    targets: Arc<Targets>,
    results: BTreeMap<Ipv4Addr, Measured>,
    /// Addresses that a round was started for.
    asked: BTreeSet<Ipv4Addr>,
}

impl Known {
    /// Takes a view in.
    fn see(&mut self, view: &NetworkView) -> Seen {
        let first = self.slot.is_none();
        self.slot = Some(view.slot());
        let targets = targets(view);
        if Arc::ptr_eq(&self.targets, &targets) || (*self.targets == *targets && !first) {
            self.targets = targets;
            return Seen::default();
        }
        self.targets = targets;
        let addresses: BTreeSet<_> = self.targets.keys().map(|(_, address)| *address).collect();
        self.results.retain(|address, _| addresses.contains(address));
        self.asked.retain(|address| addresses.contains(address));
        let new: BTreeSet<_> = addresses.difference(&self.asked).copied().collect();
        self.asked.extend(&new);
        Seen { new, changed: true }
    }

    /// Endpoints of which nothing is known.
    fn new_ones(&self, new: &BTreeSet<Ipv4Addr>) -> Probed {
        if new.len() <= FEW {
            return Probed { thorough: new.clone(), ..Probed::default() };
        }
        let unknown = self.targets.keys().filter(|(_, address)| new.contains(address)).copied().collect();
        Probed { unknown, ..Probed::default() }
    }

    fn of_extent(&self, extent: Extent) -> Probed {
        let targets: Vec<_> = self.targets.keys().copied().collect();
        let all = || targets.iter().map(|(_, address)| *address);
        let rtt = |address| self.results.get(&address).and_then(|measured| measured.window.min());
        let near = near(&targets, rtt);
        let rest = all().filter(|address| !near.contains(address));
        let once = match extent {
            Extent::All => BTreeSet::new(),
            Extent::Rest => rest.collect(),
            Extent::Near => rest.filter(|address| rtt(*address).is_none()).collect(),
            Extent::Glance => all().filter(|address| near.contains(address) || rtt(*address).is_none()).collect(),
        };
        let thorough = match extent {
            Extent::All => all().collect(),
            Extent::Near | Extent::Rest => near,
            Extent::Glance => BTreeSet::new(),
        };
        Probed { thorough, once, unknown: Vec::new() }
    }

    /// Takes results in and returns the endpoints that did not answer; those that went in the meantime are left out.
    fn take(&mut self, results: BTreeMap<Ipv4Addr, ProbeResult>, now: SystemTime) -> Silent {
        let (mut silent, mut changed) = (Silent::default(), Vec::new());
        for (address, result) in results.into_iter().filter(|(address, _)| self.asked.contains(address)) {
            let before = self.results.get(&address);
            let news = before.map(|before| before.result.reachable()) != Some(result.reachable());
            if !result.reachable() {
                silent.all.insert(address);
                silent.new.extend(news.then_some(address));
            }
            if news {
                changed.push(address);
            }
            let (mut window, earlier) =
                before.map(|before| (before.window.clone(), before.last_seen)).unwrap_or_default();
            window.push(result.min());
            let last_seen = if result.reachable() { Some(now) } else { earlier };
            self.results.insert(address, Measured { result, window, last_seen });
        }
        self.log(&changed);
        silent
    }

    /// Logs endpoints that answer since this round, or no longer do: each of a few, and the number of many.
    fn log(&self, changed: &[Ipv4Addr]) {
        let results = || changed.iter().filter_map(|address| Some((address, &self.results.get(address)?.result)));
        if changed.len() > FEW {
            let reachable = results().filter(|(_, result)| result.reachable()).count();
            info!(reachable, unreachable = changed.len() - reachable, "many endpoints probed");
            return;
        }
        for (address, result) in results() {
            info!(
                endpoint = %address, reachable = result.reachable(), rtt_ns = result.median().map(nanos),
                error = result.last_error, "endpoint probed"
            );
        }
    }

    fn latency(&self) -> Latency {
        let mut results: Vec<_> = self
            .targets
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
        let ready = self.slot.is_some() && results.len() == self.targets.len();
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
    use crate::daemon::targets::Endpoint;

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
            targets: Arc::new(BTreeMap::from([((solana_pubkey::Pubkey::default(), address), endpoint)])),
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
