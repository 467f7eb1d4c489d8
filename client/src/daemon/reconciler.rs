//! Keeps the host's tunnels as the chain says, and publishes their state.
//!
//! One loop owns the tunnels. Whatever happens (the chain changes, someone allows or forbids tunnels, the host's
//! configuration changes, a far end answers or stops) is a reason to compare the whole of what should be with the
//! whole of what is, and to change what differs. While the ledger is away, what it said last stays true.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use dz_net::{host::Changes, kernel::NetlinkError};
use dz_sdk::NetworkView;
use dz_service::{Backoff, LookInterval};
use solana_pubkey::Pubkey;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    args::Args,
    changes::{Action, Actual, ActualTunnel, Change, Wanted, changes},
    client_ip,
    desired::{DesiredTunnel, Group, desired},
    kernel::{Found, Kernel, KernelError},
    outer_source,
    published::Published,
    routes::Routes,
    session::Subject,
    sessions::Sessions,
    tunnel_names,
};
use crate::api::{MulticastGroups, Service, Session, SessionStatus, Status, Subscription};

/// How often changes are made in one go before what is left waits for its next turn. One round suffices; another
/// meets what happened during the first, such as a change by hand.
const ROUNDS: usize = 3;
/// Pause before what did not work is tried again; doubles each time.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest of these.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// Time for all else in which the chain's news is not followed, for each time that was spent on routes of peers alone: in a
/// network of a thousand clients that all connect at once each has a thousand such changes, which cost less in batches. A
/// router's routes wait as well (RFC 4271, section 9.2.1.1).
const REST: u32 = 16;
/// The longest of these.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// What the loop listens to.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) views: watch::Receiver<Option<Arc<NetworkView>>>,
    pub(super) enabled: watch::Receiver<bool>,
    pub(super) host: Box<dyn Changes>,
}

/// Who hears of the tunnels.
pub(super) struct Telling {
    pub(super) status: Published<Status>,
    pub(super) routes: Routes,
}

/// Owner of this client's tunnels.
pub(super) struct Reconciler {
    client_ip: Ipv4Addr,
    /// Whether that is what the host has, and changes with it.
    follows_host: bool,
    payer: Option<Pubkey>,
    kernel: Kernel,
    inputs: Inputs,
    sessions: Sessions,
    told: Published<Status>,
    routes: Routes,
    retry: Backoff,
    /// What could not be done, by interface, as it was logged last.
    failures: BTreeMap<String, String>,
    /// For changes of the host, most of which are made here.
    look_interval: LookInterval,
    /// What the host was last found to have; none once something else than the chain has moved.
    held: Option<Held>,
}

/// A host that has what it should have.
struct Held {
    enabled: bool,
    desired: BTreeMap<Pubkey, DesiredTunnel>,
    found: Found,
}

/// What came of one comparison.
struct Outcome {
    wanted: BTreeMap<String, Wanted>,
    found: Found,
    failures: BTreeMap<String, String>,
    changes: usize,
    of_peers_alone: bool,
    settled: bool,
}

/// What a turn of the loop came to.
#[derive(Default)]
struct Turn {
    /// How many changes were made.
    changes: usize,
    /// Whether they were of nothing but routes of peers.
    of_peers_alone: bool,
    /// When to try again what did not work.
    again: Option<Duration>,
}

impl Reconciler {
    /// The owner of the tunnels of the client that is known by `client_ip`; `seed` decides how long it waits.
    pub(super) fn new(
        args: &Args,
        client_ip: Ipv4Addr,
        kernel: Kernel,
        inputs: Inputs,
        sessions: Sessions,
        Telling { status: told, routes }: Telling,
        seed: u64,
    ) -> Self {
        Self {
            client_ip,
            follows_host: args.client_ip.is_none(),
            payer: args.payer,
            kernel,
            inputs,
            sessions,
            told,
            routes,
            retry: Backoff::new(FIRST_RETRY, LONGEST_RETRY, seed),
            look_interval: LookInterval::new(seed.wrapping_add(1)),
            failures: BTreeMap::new(),
            held: None,
        }
    }

    /// Reconciles until the host can no longer be watched or the ledger's subscription ends.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut by_host = false;
        let mut looked = Instant::now();
        let mut not_before = looked;
        loop {
            let view = self.inputs.views.borrow_and_update().clone();
            let enabled = *self.inputs.enabled.borrow_and_update();
            let began = Instant::now();
            let turn = self.turn(view.as_deref(), enabled).await;
            let rest = if turn.of_peers_alone { (began.elapsed() * REST).min(LONGEST_REST) } else { Duration::ZERO };
            let next_view = Instant::now() + rest;
            if by_host {
                let since_last = looked.elapsed();
                looked = Instant::now();
                not_before = looked + self.look_interval.after_change(since_last, turn.changes);
            }
            let retry = async {
                match turn.again {
                    Some(wait) => sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            by_host = false;
            // Every turn looks at the newest view, so views come last: they can be too many to hear anything else.
            tokio::select! {
                biased;
                changed = self.inputs.enabled.changed() => changed.map_err(io::Error::other)?,
                changed = changed_after(self.inputs.host.as_mut(), not_before) => {
                    changed.map_err(io::Error::other)?;
                    by_host = true;
                }
                (tunnel, session) = self.sessions.changed() => info!(tunnel, %session, "session changed"),
                () = retry => {}
                changed = async {
                    sleep_until(next_view).await;
                    self.inputs.views.changed().await
                } => {
                    changed.map_err(io::Error::other)?;
                    continue;
                }
            }
            self.held = None;
        }
    }

    /// One comparison and what follows from it.
    async fn turn(&mut self, view: Option<&NetworkView>, enabled: bool) -> Turn {
        if self.follows_host && self.held.is_none() {
            self.look_for_address().await;
        }
        let desired = match (enabled, view) {
            (false, _) => BTreeMap::new(),
            (true, Some(view)) => desired(view, self.client_ip, self.payer),
            // What an earlier daemon left stays until the chain says otherwise.
            (true, None) => return self.tell_unread(),
        };
        if self.held.as_ref().is_some_and(|held| held.enabled == enabled && held.desired == desired) {
            // Most of what the chain does is about others.
            let slot = view.map(NetworkView::slot);
            self.told.change(|status| std::mem::replace(&mut status.slot, slot) != slot);
            return Turn::default();
        }
        let known = self.held.take().map(|held| held.found);
        let outcome = match self.reconcile(&desired, known).await {
            Ok(outcome) => outcome,
            Err(error) => {
                warn!(%error, "the host cannot be read");
                return Turn { again: Some(self.retry.next_wait()), ..Turn::default() };
            }
        };
        for (tunnel, error) in &outcome.failures {
            if self.failures.get(tunnel) != Some(error) {
                warn!(tunnel, error, "not as it should be");
            }
        }
        self.publish(view, enabled, &outcome);
        let Outcome { settled, changes, of_peers_alone, failures, wanted, found } = outcome;
        self.routes.tell(wanted, &found.tunnels, settled);
        self.failures = failures;
        if settled {
            self.held = Some(Held { enabled, desired, found });
            self.retry.reset();
            return Turn { changes, of_peers_alone, again: None };
        }
        Turn { changes, of_peers_alone, again: Some(self.retry.next_wait()) }
    }

    /// Takes over the address that the host has now. While it has none on the internet, the last stays.
    async fn look_for_address(&mut self) {
        match client_ip::of_default_route(self.kernel.host().as_ref()).await {
            Ok(found) if found != self.client_ip => {
                info!(before = %self.client_ip, now = %found, "the host's address has changed");
                self.client_ip = found;
            }
            Ok(_) => {}
            Err(error) => debug!(%error, "the host's address is not known"),
        }
    }

    /// Brings the host to what is desired as far as it goes. `known` is what it has, unless it has to be looked at.
    async fn reconcile(
        &mut self,
        desired: &BTreeMap<Pubkey, DesiredTunnel>,
        known: Option<Found>,
    ) -> Result<Outcome, KernelError> {
        let mut failures = BTreeMap::new();
        let (mut round, mut made, mut of_peers_alone) = (0, 0, false);
        let mut found = match known {
            Some(found) => found,
            None => self.kernel.read().await?,
        };
        let (wanted, settled) = loop {
            let routed = outer_source::routed(self.kernel.host().as_ref(), desired, &found.addresses).await;
            let sourced = outer_source::assign(desired, &found.addresses, &found.tunnels, &routed);
            let wanted = self.wanted(&sourced, &found.tunnels);
            let left = changes(&wanted, &found.tunnels);
            if left.is_empty() || round == ROUNDS || !failures.is_empty() {
                break (wanted, left.is_empty());
            }
            let mut is_known = true;
            for together in left.chunk_by(Change::goes_with) {
                let name = &together[0].name;
                // After a failure the rest of that tunnel waits; the others do not.
                if failures.contains_key(name) {
                    continue;
                }
                match (self.kernel.apply(together).await, together) {
                    (Ok(()), _) => {
                        made += together.len();
                        for change in together {
                            is_known &= note(&mut found.tunnels, change);
                            match is_of_peer(change) {
                                true => debug!(tunnel = name, "{change}"),
                                false => info!(tunnel = name, "{change}"),
                            }
                        }
                    }
                    (Err(error), [change]) => drop(failures.insert(name.clone(), format!("{change}: {error}"))),
                    // Which of the routes it is about is in the error.
                    (Err(error), _) => drop(failures.insert(name.clone(), error.to_string())),
                }
            }
            if is_known && failures.is_empty() {
                // Routes of peers alone, each of them noted: another look would find nothing.
                of_peers_alone = round == 0;
                break (wanted, true);
            }
            found = self.kernel.read().await?;
            round += 1;
        };
        self.sessions.follow(subjects(&wanted, &found.tunnels));
        Ok(Outcome { wanted, found, failures, changes: made, of_peers_alone, settled })
    }

    fn wanted(&self, desired: &BTreeMap<Pubkey, DesiredTunnel>, actual: &Actual) -> BTreeMap<String, Wanted> {
        let pairs = actual.iter().filter_map(|(name, have)| Some((name.clone(), have.pair?))).collect();
        tunnel_names::assign(desired, &pairs)
            .into_iter()
            .map(|(name, tunnel)| {
                let have = actual.get(&name).filter(|have| have.pair == Some((tunnel.local, tunnel.remote)));
                let session = self.session(&name, &tunnel, have).session_status;
                (name, Wanted { tunnel, session })
            })
            .collect()
    }

    /// What a tunnel's far end said last; nothing of one that is not there.
    fn session(&self, name: &str, tunnel: &DesiredTunnel, have: Option<&ActualTunnel>) -> SessionStatus {
        match have {
            Some(have) => self.sessions.of(&subject(name, tunnel, have.ifindex)),
            None => SessionStatus { session_status: Session::Pending, last_session_update: None },
        }
    }

    fn publish(&self, view: Option<&NetworkView>, enabled: bool, outcome: &Outcome) {
        let services = outcome.wanted.iter().map(|(name, Wanted { tunnel, .. })| {
            let session = self.session(name, tunnel, outcome.found.tunnels.get(name));
            service(name, tunnel, session, outcome.failures.get(name))
        });
        self.told.publish(Status {
            reconciler_enabled: enabled,
            client_ip: self.client_ip,
            slot: view.map(NetworkView::slot),
            settled: outcome.settled,
            services: services.collect(),
            ..self.told.now()
        });
    }

    fn tell_unread(&self) -> Turn {
        debug!("the ledger has not been read yet");
        self.told.publish(Status {
            reconciler_enabled: true,
            client_ip: self.client_ip,
            settled: false,
            ..self.told.now()
        });
        Turn::default()
    }
}

/// Waits for a change of the host, of which none is looked at before this time.
async fn changed_after(host: &mut dyn Changes, not_before: Instant) -> Result<(), NetlinkError> {
    sleep_until(not_before).await;
    host.changed().await.map(drop)
}

/// A route to one more client, of which there can be a thousand.
fn is_of_peer(change: &Change) -> bool {
    match &change.action {
        Action::SetRoute { key, .. } | Action::RemoveRoute(key) => !key.destination.addr().is_multicast(),
        _ => false,
    }
}

/// Enters a change that was made; false if what it leads to has to be looked at. A route of one more peer leads to nothing
/// else, and is what nearly all changes are: each client has one to each other.
fn note(actual: &mut Actual, change: &Change) -> bool {
    let Some(tunnel) = actual.get_mut(&change.name) else { return false };
    match &change.action {
        Action::SetRoute { key, source } => {
            tunnel.routes.insert(*key, Some(*source));
        }
        Action::RemoveRoute(key) => {
            tunnel.routes.remove(key);
        }
        _ => return false,
    }
    true
}

fn subject(name: &str, tunnel: &DesiredTunnel, ifindex: u32) -> Subject {
    let DesiredTunnel { overlay, peer, remote: endpoint, .. } = tunnel;
    Subject { name: name.to_owned(), ifindex, overlay: overlay.addr(), peer: *peer, endpoint: *endpoint }
}

/// The tunnels that exist and have what it takes to be asked.
fn subjects(wanted: &BTreeMap<String, Wanted>, actual: &Actual) -> BTreeSet<Subject> {
    let ready = |tunnel: &DesiredTunnel, have: &ActualTunnel| {
        have.up && have.addresses.iter().any(|address| address.net == tunnel.overlay)
    };
    wanted
        .iter()
        .filter_map(|(name, Wanted { tunnel, .. })| Some((name, tunnel, actual.get(name)?)))
        .filter(|(_, tunnel, have)| ready(tunnel, have))
        .map(|(name, tunnel, have)| subject(name, tunnel, have.ifindex))
        .collect()
}

fn service(name: &str, tunnel: &DesiredTunnel, session: SessionStatus, error: Option<&String>) -> Service {
    let codes = |groups: &BTreeMap<Ipv4Addr, Group>| groups.values().map(|group| group.code.clone()).collect();
    let groups: BTreeMap<_, _> = tunnel.publish.iter().chain(&tunnel.subscribe).collect();
    let subscription = |(address, group): (&Ipv4Addr, &Group)| Subscription {
        pubkey: group.account.to_string(),
        code: group.code.clone(),
        multicast_ip: *address,
        max_bandwidth: group.max_bandwidth,
        publisher: tunnel.publish.contains_key(address),
        subscriber: tunnel.subscribe.contains_key(address),
    };
    Service {
        tunnel_name: name.to_owned(),
        tunnel_src: tunnel.local,
        tunnel_dst: tunnel.remote,
        doublezero_ip: tunnel.dz_ip,
        doublezero_status: session,
        user_type: tunnel.user_type.to_string(),
        current_device: tunnel.device.clone(),
        // Known to who probes, and put in when it is asked for.
        current_device_rtt_nanoseconds: None,
        current_device_loss_percentage: None,
        lowest_latency_device: None,
        metro: tunnel.metro.clone(),
        tenant: tunnel.tenant.clone(),
        multicast_groups: MulticastGroups { publisher: codes(&tunnel.publish), subscriber: codes(&tunnel.subscribe) },
        subscriptions: groups.into_iter().map(subscription).collect(),
        error: error.or(tunnel.trouble.as_ref()).cloned(),
    }
}
