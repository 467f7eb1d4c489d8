//! A client of the chain in memory: one key at one node.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::{LocalNode, follow::follow};
use crate::{
    ledger::{Landed, Ledger, LedgerError},
    view::NetworkView,
};

/// How long an answer is waited for, as [`RpcLedger`](crate::ledger::rpc::RpcLedger) does.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a transaction may take to land, as there.
const LANDING_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of the chain in memory: what [`RpcLedger`](crate::ledger::rpc::RpcLedger) is to a chain behind URLs.
/// Dropping it ends its following.
pub struct LocalClient {
    node: LocalNode,
    payer: Pubkey,
    views: watch::Sender<Option<Arc<NetworkView>>>,
    follower: AbortHandle,
}

impl LocalNode {
    /// Starts following the chain as this key; everything is read again so often although no gap was seen. Must be
    /// called within a Tokio runtime.
    #[allow(clippy::disallowed_methods, reason = "ends with the client, and is the node's rather than the process's")]
    pub fn connect(&self, payer: Pubkey, verify_every: Duration) -> LocalClient {
        let views = watch::Sender::new(None);
        let follower = tokio::spawn(follow(self.clone(), views.clone(), verify_every)).abort_handle();
        LocalClient { node: self.clone(), payer, views, follower }
    }

    pub(super) fn unavailable(&self, reason: impl Into<String>) -> LedgerError {
        LedgerError::Unavailable { url: "memory".to_owned(), reason: reason.into() }
    }

    /// Waits as long as a request is on its way.
    async fn travel(&self) -> Result<(), LedgerError> {
        let broken = || self.unavailable("the connection was reset");
        let faults = self.faults();
        if faults.outage {
            self.count(|hits| hits.cut += 1);
            return Err(broken());
        }
        if !faults.answer_delay.is_zero() {
            self.count(|hits| hits.delayed += 1);
        }
        let travelled = timeout(REQUEST_TIMEOUT, sleep(self.round_trip()));
        tokio::select! {
            biased;
            () = self.outage() => Err(broken()),
            travelled = travelled => travelled.map_err(|_| self.unavailable("no answer in time")),
        }
    }

    /// Reads all accounts, as old as the node's faults make them.
    pub(super) async fn read(&self) -> Result<Arc<NetworkView>, LedgerError> {
        self.travel().await?;
        match self.faults().read_lag {
            0 => self.chain().snapshot().await,
            slots => {
                self.count(|hits| hits.stale += 1);
                Ok(Arc::new(self.chain().bank().view_before(slots)?))
            }
        }
    }
}

impl Drop for LocalClient {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

#[async_trait]
impl Ledger for LocalClient {
    fn payer(&self) -> Pubkey {
        self.payer
    }

    fn program(&self) -> Pubkey {
        self.node.chain().program()
    }

    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        self.node.read().await
    }

    async fn send(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        let node = &self.node;
        node.travel().await?;
        let faults = node.faults();
        if node.draw(faults.refused_sends_ppm) {
            node.count(|hits| hits.refused += 1);
            return Err(node.unavailable("Node is unhealthy"));
        }
        node.some_arrive().await;
        if node.draw(faults.late_sends_ppm) {
            node.delay(self.payer, instructions);
            return Err(node.unavailable("the connection was reset"));
        }
        if node.draw(faults.lost_sends_ppm) {
            sleep(LANDING_TIMEOUT).await;
            return Err(node.unavailable("the transaction did not land in time"));
        }
        let landed = node.chain().as_payer(self.payer).send(instructions).await?;
        if node.draw(faults.lost_answers_ppm) {
            return Err(node.unavailable("the connection was reset"));
        }
        // The answer travels, too: it is what an outage may take.
        node.travel().await?;
        Ok(landed)
    }

    async fn balance(&self) -> Result<u64, LedgerError> {
        self.node.travel().await?;
        self.node.chain().as_payer(self.payer).balance().await
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        self.views.subscribe()
    }
}
