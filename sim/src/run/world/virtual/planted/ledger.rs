//! Bugs between a process and the chain.

use std::sync::Arc;

use async_trait::async_trait;
use dz_sdk::{
    Ledger, LedgerError, NetworkView,
    ledger::Landed,
    local::{LocalLedger, LocalNode, Record},
    program::state::{AccountData, Header, Pool, PoolKind, User},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use tokio::{sync::watch, task::AbortHandle};

use crate::run::world::bug::Bug;

/// A way to the ledger with a bug in it.
pub(super) struct Planted {
    inner: Arc<dyn Ledger>,
    bug: Planting,
}

enum Planting {
    Forging(Forging),
    Showing(Showing),
}

/// Changes accounts after a transaction, as a program with a bug would have.
struct Forging {
    chain: LocalLedger,
    bug: Option<Bug>,
}

/// Shows other views than those there are.
struct Showing {
    views: watch::Receiver<Option<Arc<NetworkView>>>,
    passing_on: AbortHandle,
}

impl Planted {
    pub(super) fn forging(inner: Arc<dyn Ledger>, chain: LocalLedger, bug: Option<Bug>) -> Self {
        Self { inner, bug: Planting::Forging(Forging { chain, bug }) }
    }

    /// Keeps the view that is read after something was missed to itself.
    pub(super) fn forgetful(inner: Arc<dyn Ledger>, node: LocalNode) -> Self {
        let missed = move || (node.hits().cut, node.hits().lost);
        let mut before = missed();
        Self::showing(inner, move |view| (std::mem::replace(&mut before, missed()) == missed()).then_some(view))
    }

    /// Shows each tunnel with the next id.
    pub(super) fn renumbering(inner: Arc<dyn Ledger>) -> Self {
        Self::showing(inner, |view| {
            let mut shown = NetworkView::clone(&view);
            for (key, user) in view.users() {
                let mut user = user.clone();
                user.allocation.as_mut()?.tunnel_id += 1;
                shown.set_account(*key, &user.encode()).ok()?;
            }
            Some(Arc::new(shown))
        })
    }

    /// Shows what is made of each view, if anything is.
    #[allow(clippy::disallowed_methods, reason = "ends with the client")]
    fn showing(
        inner: Arc<dyn Ledger>,
        mut made_of: impl FnMut(Arc<NetworkView>) -> Option<Arc<NetworkView>> + Send + 'static,
    ) -> Self {
        let (shown, views) = watch::channel(None);
        let mut all = inner.watch();
        let passing_on = tokio::spawn(async move {
            while all.changed().await.is_ok() {
                let view = all.borrow_and_update().clone();
                if let Some(view) = view.and_then(&mut made_of) {
                    shown.send_replace(Some(view));
                }
            }
        });
        Self { inner, bug: Planting::Showing(Showing { views, passing_on: passing_on.abort_handle() }) }
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        self.passing_on.abort();
    }
}

impl Forging {
    fn view(&self) -> Result<NetworkView, LedgerError> {
        Ok(self.chain.bank().view()?)
    }

    fn put(&self, key: &Pubkey, account: &impl AccountData) {
        let mut bank = self.chain.bank();
        let Some(record) = bank.accounts().get(key).cloned() else { return };
        // Its life stays the same one.
        let Ok((_, header)) = Header::read(&record.data) else { return };
        bank.set_account(*key, Record { data: account.encode_with(&header), ..record });
    }

    /// Takes the tunnel id of each user that is gone again.
    fn leak(&self, before: &NetworkView, after: &NetworkView) {
        for (_, gone) in before.users().iter().filter(|(key, _)| after.user(key).is_none()) {
            let ids = |pool: &Pool| pool.kind == PoolKind::TunnelIds && pool.owner == gone.device;
            let found = after.pools().iter().find(|(_, pool)| ids(pool));
            if let (Some((key, pool)), Some(held)) = (found, &gone.allocation) {
                let mut pool = pool.clone();
                if pool.claim(u32::from(held.tunnel_id), 1).is_ok() {
                    self.put(key, &pool);
                }
            }
        }
    }

    /// Gives each user that has just been granted something the tunnel id of another user of its device.
    fn grant_twice(&self, before: &NetworkView, after: &NetworkView) {
        let had = |key: &Pubkey| before.user(key).is_some_and(|user| user.allocation.is_some());
        for (key, user) in after.users().iter().filter(|(key, user)| user.allocation.is_some() && !had(key)) {
            let other = |(other, found): &(&Pubkey, &User)| *other != key && found.device == user.device;
            let taken = after.users().iter().filter(|found| other(found)).find_map(|(_, found)| found.allocation);
            if let (Some(taken), Some(mut granted)) = (taken, user.allocation) {
                granted.tunnel_id = taken.tunnel_id;
                self.put(key, &User { allocation: Some(granted), ..user.clone() });
            }
        }
    }

    async fn send(&self, inner: &dyn Ledger, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        let before = self.view()?;
        let landed = inner.send(instructions).await?;
        let after = self.view()?;
        match self.bug {
            Some(Bug::LeakedUnit) => self.leak(&before, &after),
            _ => self.grant_twice(&before, &after),
        }
        // Everybody sees what was put in: with a slot of its own, since who has seen a slot does not look again.
        if self.view()? != after {
            let _ = self.chain.bank().execute(&[], &[]);
            self.chain.snapshot().await?;
        }
        Ok(landed)
    }
}

#[async_trait]
impl Ledger for Planted {
    fn payer(&self) -> Pubkey {
        self.inner.payer()
    }

    fn program(&self) -> Pubkey {
        self.inner.program()
    }

    async fn snapshot(&self) -> Result<Arc<NetworkView>, LedgerError> {
        self.inner.snapshot().await
    }

    async fn send(&self, instructions: &[Instruction]) -> Result<Landed, LedgerError> {
        match &self.bug {
            Planting::Forging(forging) => forging.send(&*self.inner, instructions).await,
            Planting::Showing(_) => self.inner.send(instructions).await,
        }
    }

    async fn balance(&self) -> Result<u64, LedgerError> {
        self.inner.balance().await
    }

    fn watch(&self) -> watch::Receiver<Option<Arc<NetworkView>>> {
        match &self.bug {
            Planting::Forging(_) => self.inner.watch(),
            Planting::Showing(showing) => showing.views.clone(),
        }
    }
}
