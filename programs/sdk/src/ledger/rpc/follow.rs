//! The task that keeps the view: subscribe, read everything, apply what comes, and start again after any gap.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::{
    config::{RpcTransactionLogsConfig, RpcTransactionLogsFilter},
    response::{Response, RpcKeyedAccount, RpcLogsResponse, SlotUpdate},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{COMMITMENT, Inner, decode, error::unavailable, program_config, replica::Replica};
use crate::{ledger::LedgerError, view::NetworkView};

/// Follows for ever: after any end it waits a little, longer each time, and subscribes anew.
pub(super) async fn follow(inner: Arc<Inner>, views: watch::Sender<Option<Arc<NetworkView>>>) {
    let mut backoff = Backoff::new(&inner);
    loop {
        let end = connection(&inner, &views, &mut backoff).await;
        let pause = backoff.next();
        tracing::warn!(reason = %end, retry_in = ?pause, "the view of the ledger is not live");
        sleep(pause).await;
    }
}

/// One connection to its end.
async fn connection(
    inner: &Inner,
    views: &watch::Sender<Option<Arc<NetworkView>>>,
    backoff: &mut Backoff,
) -> LedgerError {
    match try_connection(inner, views, backoff).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

enum Never {}

async fn try_connection(
    inner: &Inner,
    views: &watch::Sender<Option<Arc<NetworkView>>>,
    backoff: &mut Backoff,
) -> Result<Never, LedgerError> {
    let failed = |error: &dyn std::error::Error| unavailable(&inner.ws_url, error);
    let ended = |reason: &str| LedgerError::Unavailable { url: inner.ws_url.clone(), reason: reason.to_owned() };
    let limit = inner.options.request_timeout;

    let client = timeout(limit, PubsubClient::new(inner.ws_url.as_str()));
    let client = client.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    // In this order: when a slot is announced, its accounts and its transactions have been.
    let subscribe = async {
        let accounts = client.program_subscribe(&inner.program, Some(program_config())).await?.0;
        let filter = RpcTransactionLogsFilter::Mentions(vec![inner.program.to_string()]);
        let config = RpcTransactionLogsConfig { commitment: Some(COMMITMENT) };
        let logs = client.logs_subscribe(filter, config).await?.0;
        let slots = client.slot_updates_subscribe().await?.0;
        Ok((accounts, logs, slots))
    };
    let subscribed = timeout(limit, subscribe).await.map_err(|error| failed(&error))?;
    let (mut accounts, mut logs, mut slots) = subscribed.map_err(|error: PubsubError| failed(&error))?;

    loop {
        let mut replica = read(inner, views).await?;
        publish(views, &replica);
        backoff.reset();
        tracing::debug!(slot = replica.view().slot(), "the view is live");
        let verify = Instant::now() + inner.options.verify_every;
        loop {
            tokio::select! {
                // Slots come last: what was announced before them is then already waiting.
                biased;
                account = accounts.next() => {
                    take_account(&mut replica, inner, account.ok_or_else(|| ended("the connection ended"))?)?;
                }
                log = logs.next() => take_log(&mut replica, &log.ok_or_else(|| ended("the connection ended"))?),
                slot = slots.next() => {
                    let mut changed = false;
                    let mut next = Some(slot.ok_or_else(|| ended("the connection ended"))?);
                    // A burst becomes one new view.
                    while let Some(slot) = next {
                        while let Some(account) = ready(&mut accounts) {
                            take_account(&mut replica, inner, account)?;
                        }
                        while let Some(log) = ready(&mut logs) {
                            take_log(&mut replica, &log);
                        }
                        changed |= take_slot(&mut replica, &slot)?;
                        next = ready(&mut slots);
                    }
                    if changed && replica.gap().is_none() {
                        publish(views, &replica);
                    }
                }
                () = tokio::time::sleep_until(verify) => break,
            }
            if let Some(reason) = replica.gap() {
                tracing::info!(reason, slot = replica.view().slot(), "reading everything again");
                break;
            }
        }
    }
}

type PubsubError = solana_pubsub_client::nonblocking::pubsub_client::PubsubClientError;

/// The next item, if it has come already. Without the runtime's own budget, which would hide what is there.
fn ready<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    tokio::task::unconstrained(stream.next()).now_or_never().flatten()
}

/// Reads everything, and again while the answer is older than what is known: a node may lag behind its peers.
async fn read(inner: &Inner, views: &watch::Sender<Option<Arc<NetworkView>>>) -> Result<Replica, LedgerError> {
    let known = views.borrow().as_ref().map_or(0, |view| view.slot());
    let mut backoff = Backoff::new(inner);
    let deadline = Instant::now() + inner.options.request_timeout;
    loop {
        let snapshot = inner.read_all().await?;
        if snapshot.slot >= known {
            return Ok(Replica::new(inner.program, snapshot.slot, &snapshot.accounts)?);
        }
        if Instant::now() > deadline {
            let reason = format!("it answers as of slot {}, and slot {known} is known", snapshot.slot);
            return Err(LedgerError::Unavailable { url: inner.rpc_url.clone(), reason });
        }
        sleep(backoff.next()).await;
    }
}

/// Readers are woken only by a view that differs or is newer.
fn publish(views: &watch::Sender<Option<Arc<NetworkView>>>, replica: &Replica) {
    views.send_if_modified(|current| {
        let new = replica.view();
        let same = current.as_ref().is_some_and(|old| old.slot() == new.slot() && old == new);
        if !same {
            *current = Some(Arc::clone(new));
        }
        !same
    });
}

fn take_account(
    replica: &mut Replica,
    inner: &Inner,
    notification: Response<RpcKeyedAccount>,
) -> Result<(), LedgerError> {
    let (key, data): (Pubkey, _) = decode(&notification.value, &inner.program)?;
    replica.account(notification.context.slot, key, data);
    Ok(())
}

fn take_log(replica: &mut Replica, notification: &Response<RpcLogsResponse>) {
    if notification.value.err.is_none() {
        replica.active(notification.context.slot);
    }
}

fn take_slot(replica: &mut Replica, update: &SlotUpdate) -> Result<bool, LedgerError> {
    match *update {
        SlotUpdate::CreatedBank { slot, parent, .. } => {
            replica.created(slot, parent);
            Ok(false)
        }
        // The commitment that accounts are subscribed with.
        SlotUpdate::OptimisticConfirmation { slot, .. } => Ok(replica.complete(slot)?),
        SlotUpdate::FirstShredReceived { .. }
        | SlotUpdate::Completed { .. }
        | SlotUpdate::Frozen { .. }
        | SlotUpdate::Dead { .. }
        | SlotUpdate::Root { .. } => Ok(false),
    }
}

/// Waits that double up to a limit, each between half and all of itself, so that clients do not come back in step.
struct Backoff {
    start: Duration,
    limit: Duration,
    current: Duration,
    dice: SmallRng,
}

impl Backoff {
    fn new(inner: &Inner) -> Self {
        let (start, limit) = (inner.options.backoff_start, inner.options.backoff_limit);
        Self { start, limit, current: start, dice: SmallRng::from_os_rng() }
    }

    fn next(&mut self) -> Duration {
        let pause = self.current.mul_f64(self.dice.random_range(0.5..=1.0));
        self.current = (self.current * 2).min(self.limit);
        pause
    }

    fn reset(&mut self) {
        self.current = self.start;
    }
}
