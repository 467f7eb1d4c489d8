//! Keeping a client's view by notifications, by the same rules as over JSON-RPC: whole slots, and everything again
//! after any gap.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use dz_service::Backoff;
use solana_pubkey::Pubkey;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::LocalNode;
use crate::{
    ledger::{Ledger, LedgerError, replica::Replica},
    view::NetworkView,
};

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_LONGEST: Duration = Duration::from_secs(5);

type Views = watch::Sender<Option<Arc<NetworkView>>>;

/// Follows for ever: after any end it waits a little, longer each time, and begins again.
pub(super) async fn follow(node: LocalNode, views: Views, verify_every: Duration) {
    let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_LONGEST, node.seed());
    loop {
        let connected = tokio::select! {
            biased;
            () = node.outage() => node.unavailable("the connection ended"),
            error = connection(&node, &views, verify_every, &mut backoff) => error,
        };
        let pause = backoff.next_wait();
        tracing::warn!(reason = %connected, retry_in_ms = pause.as_millis() as u64, "the view of the ledger is not live");
        sleep(pause).await;
    }
}

async fn connection(node: &LocalNode, views: &Views, verify_every: Duration, backoff: &mut Backoff) -> LedgerError {
    let mut slots = node.chain().watch();
    loop {
        let mut replica = match read(node, views, backoff).await {
            Ok(view) => Replica::new(view.slot()),
            Err(error) => return error,
        };
        backoff.reset();
        let mut queue = Queue { told: replica.slot(), due: VecDeque::new() };
        let verify = Instant::now() + verify_every;
        slots.mark_changed();
        loop {
            let next = queue.due.front().map_or(verify, |(due, _)| *due);
            tokio::select! {
                biased;
                changed = slots.changed() => {
                    if changed.is_err() {
                        return node.unavailable("the chain has ended");
                    }
                    let now = slots.borrow_and_update().clone();
                    if queue.due.is_empty() && node.faults().spare_notifications() {
                        // All clients that are told everything share one view.
                        let Some(now) = now else { continue };
                        if now.slot() > replica.slot() {
                            (queue.told, replica) = (now.slot(), Replica::new(now.slot()));
                            views.send_replace(Some(now));
                        }
                    } else if !queue.fill(node) {
                        break;
                    }
                }
                () = sleep_until(next.min(verify)) => {
                    if Instant::now() >= verify {
                        break;
                    }
                    if let Err(error) = queue.deliver(&mut replica, views) {
                        return error;
                    }
                }
            }
            if let Some(reason) = replica.gap() {
                tracing::info!(reason, slot = replica.slot(), "reading everything again");
                break;
            }
        }
    }
}

/// Reads everything and shows it, and again while the answer is older than what is known.
async fn read(node: &LocalNode, views: &Views, backoff: &mut Backoff) -> Result<Arc<NetworkView>, LedgerError> {
    let known = views.borrow().as_ref().map_or(0, |view| view.slot());
    loop {
        let view = node.read().await?;
        if view.slot() >= known {
            views.send_if_modified(|current| {
                let same = current.as_ref().is_some_and(|old| *old == view);
                if !same {
                    *current = Some(Arc::clone(&view));
                }
                !same
            });
            return Ok(view);
        }
        sleep(backoff.next_wait()).await;
    }
}

/// One notification to a client.
#[derive(Clone)]
enum Notification {
    Created { slot: u64, parent: u64 },
    Account { slot: u64, key: Pubkey, data: Vec<u8> },
    Active { slot: u64 },
    Complete { slot: u64 },
}

/// Notifications on their way, in order.
struct Queue {
    /// The last slot whose notifications have been sent.
    told: u64,
    due: VecDeque<(Instant, Notification)>,
}

impl Queue {
    /// Sends what the slots since the last have changed; false if that is no longer known.
    fn fill(&mut self, node: &LocalNode) -> bool {
        let faults = node.faults();
        let program = node.chain().program();
        let bank = node.chain().bank();
        let Some(slots) = bank.changes_after(self.told) else { return false };
        let due = Instant::now() + faults.notification_delay;
        let due = self.due.back().map_or(due, |(last, _)| due.max(*last));
        for (slot, changes) in slots {
            let parent = bank.parent(slot);
            let mut notifications = vec![Notification::Created { slot, parent }];
            // That accounts are again what they were before a lost slot is announced by nobody.
            if parent == slot - 1 {
                notifications.extend(changes.iter().map(|(key, (_, after))| {
                    let data = after.data_of(&program).to_vec();
                    Notification::Account { slot, key: *key, data }
                }));
                notifications.push(Notification::Active { slot });
            }
            notifications.push(Notification::Complete { slot });
            for notification in notifications {
                if node.draw(faults.lost_notifications_ppm) {
                    node.count(|hits| hits.lost += 1);
                    continue;
                }
                if !faults.notification_delay.is_zero() {
                    node.count(|hits| hits.delayed += 1);
                }
                if node.draw(faults.duplicated_notifications_ppm) {
                    node.count(|hits| hits.duplicated += 1);
                    self.due.push_back((due, notification.clone()));
                }
                self.due.push_back((due, notification));
            }
            self.told = slot;
        }
        true
    }

    /// Hands over what is due and shows it if it completes a slot.
    fn deliver(&mut self, replica: &mut Replica, views: &Views) -> Result<(), LedgerError> {
        let now = Instant::now();
        let mut changed = false;
        while let Some((_, notification)) = self.due.pop_front_if(|(due, _)| *due <= now) {
            match notification {
                Notification::Created { slot, parent } => replica.created(slot, parent),
                Notification::Account { slot, key, data } => replica.account(slot, key, &data)?,
                Notification::Active { slot } => replica.active(slot),
                Notification::Complete { slot } => changed |= replica.complete(slot),
            }
        }
        if changed && replica.gap().is_none() {
            views.send_modify(|current| {
                if let Some(view) = current {
                    replica.show(Arc::make_mut(view));
                }
            });
        }
        Ok(())
    }
}
