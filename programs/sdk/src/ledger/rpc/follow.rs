//! The task that keeps the view: subscribe, read everything, apply what comes, and start again after any gap.

use std::sync::Arc;

use dz_service::Backoff;
use futures_util::{FutureExt, Stream, StreamExt};
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::{
    config::{RpcTransactionLogsConfig, RpcTransactionLogsFilter},
    response::{Response, RpcKeyedAccount, RpcLogsResponse, SlotUpdate},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{COMMITMENT, Inner, Snapshot, decode, error::unavailable, program_config};
use crate::{
    ledger::{LedgerError, replica::Replica},
    view::NetworkView,
};

/// Follows until it is dropped: after any end it backs off and subscribes again.
pub(super) async fn follow(inner: Arc<Inner>, views: watch::Sender<Option<Arc<NetworkView>>>) {
    let mut backoff = inner.backoff();
    loop {
        let end = connection(&inner, &views, &mut backoff).await;
        let pause = backoff.next_wait();
        tracing::warn!(reason = %end, retry_in_ms = pause.as_millis() as u64, "the view of the ledger is not live");
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
        backoff.reset();
        tracing::debug!(slot = replica.slot(), "the view is live");
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
                        changed |= take_slot(&mut replica, &slot);
                        next = ready(&mut slots);
                    }
                    if changed && replica.gap().is_none() {
                        publish(views, &mut replica);
                    }
                }
                () = tokio::time::sleep_until(verify) => break,
            }
            if let Some(reason) = replica.gap() {
                tracing::info!(reason, slot = replica.slot(), "reading everything again");
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

/// Reads everything and shows it, and again while the answer is older than what is known: a node may lag behind its
/// peers.
async fn read(inner: &Inner, views: &watch::Sender<Option<Arc<NetworkView>>>) -> Result<Replica, LedgerError> {
    let known = views.borrow().as_ref().map_or(0, |view| view.slot());
    let mut backoff = inner.backoff();
    let deadline = Instant::now() + inner.options.request_timeout;
    loop {
        let Snapshot { slot, accounts } = inner.read_all().await?;
        if slot >= known {
            let accounts = accounts.iter().map(|(key, data)| (*key, data.as_slice()));
            let view = NetworkView::from_accounts(inner.program, slot, accounts)?;
            // Readers are woken only by what they do not have.
            views.send_if_modified(|current| {
                let same = current.as_ref().is_some_and(|old| **old == view);
                if !same {
                    *current = Some(Arc::new(view));
                }
                !same
            });
            return Ok(Replica::new(slot));
        }
        if Instant::now() > deadline {
            let reason = format!("it answers as of slot {slot}, and slot {known} is known");
            return Err(LedgerError::Unavailable { url: inner.rpc_url.clone(), reason });
        }
        sleep(backoff.next_wait()).await;
    }
}

/// Changes the view in its place; only a reader that still holds the one before makes it a copy.
fn publish(views: &watch::Sender<Option<Arc<NetworkView>>>, replica: &mut Replica) {
    views.send_modify(|current| {
        if let Some(view) = current {
            replica.show(Arc::make_mut(view));
        }
    });
}

fn take_account(
    replica: &mut Replica,
    inner: &Inner,
    notification: Response<RpcKeyedAccount>,
) -> Result<(), LedgerError> {
    let (key, data) = decode(&notification.value, &inner.program)?;
    Ok(replica.account(notification.context.slot, key, &data)?)
}

fn take_log(replica: &mut Replica, notification: &Response<RpcLogsResponse>) {
    if notification.value.err.is_none() {
        replica.active(notification.context.slot);
    }
}

fn take_slot(replica: &mut Replica, update: &SlotUpdate) -> bool {
    match *update {
        SlotUpdate::CreatedBank { slot, parent, .. } => {
            replica.created(slot, parent);
            false
        }
        // The commitment that accounts are subscribed with.
        SlotUpdate::OptimisticConfirmation { slot, .. } => replica.complete(slot),
        SlotUpdate::FirstShredReceived { .. }
        | SlotUpdate::Completed { .. }
        | SlotUpdate::Frozen { .. }
        | SlotUpdate::Dead { .. }
        | SlotUpdate::Root { .. } => false,
    }
}
