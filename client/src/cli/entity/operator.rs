//! The context of an operator's verb: it reads the chain, changes it, and prints the result.

use std::{io::Write, sync::Arc};

use dz_sdk::{
    Ledger, NetworkView, build,
    instruction::decided_on,
    program::{
        pda,
        state::{
            ContributorStatus, DeviceStatus, InterfaceStatus, LinkStatus, MulticastGroupStatus, TenantStatus,
            UserStatus,
        },
    },
};
use serde::Serialize;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::cli::{
    deadline::{ACTIVATOR, Waiting},
    error::CommandError,
    names::Coded,
    output::{self, Format, Row},
};

/// What a verb works with.
pub struct Operator<'a> {
    /// The chain.
    pub ledger: &'a dyn Ledger,
    /// The deadline and who hears of it.
    pub waiting: Waiting<'a>,
    /// True to wait until the activator has done its part, too.
    pub wait: bool,
    /// How to answer.
    pub format: Format,
    /// Where to.
    pub out: &'a mut (dyn Write + Send),
}

/// What a verb has changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed<'a> {
    /// What kind of thing.
    pub(super) kind: &'static str,
    /// Under which name.
    pub(super) name: &'a str,
    /// Its account.
    pub(super) account: Pubkey,
}

impl<'a> Changed<'a> {
    /// A thing that is about to be there under this code.
    pub(super) fn new<T: Coded>(code: &'a str, account: Pubkey) -> Self {
        Self { kind: T::KIND, name: code, account }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    kind: &'static str,
    name: &'a str,
    account: String,
    state: String,
    slot: u64,
}

impl Operator<'_> {
    pub(super) fn payer(&self) -> Pubkey {
        self.ledger.payer()
    }

    pub(super) fn program(&self) -> Pubkey {
        self.ledger.program()
    }

    pub(super) async fn view(&self) -> Result<Arc<NetworkView>, CommandError> {
        self.waiting.for_snapshot(self.ledger).await
    }

    /// Prints a list.
    pub(super) fn list<R: Row>(&mut self, rows: &[R]) -> Result<(), CommandError> {
        Ok(output::rows(self.out, self.format, rows).map_err(anyhow::Error::from)?)
    }

    /// Prints what was done on the way to a change, for people: with `--json` the answer stays one value, and the state
    /// of things is asked with `list`.
    pub(super) fn notes<R: Row>(&mut self, rows: &[R]) -> Result<(), CommandError> {
        match self.format {
            Format::Table if !rows.is_empty() => self.list(rows),
            Format::Table | Format::Json => Ok(()),
        }
    }

    /// Prints one thing.
    pub(super) fn one<R: Row>(&mut self, row: &R) -> Result<(), CommandError> {
        Ok(output::one(self.out, self.format, row).map_err(anyhow::Error::from)?)
    }

    /// Sends the instructions that were decided on this view, as few transactions as hold them, and prints in what state
    /// the thing is then.
    pub(super) async fn change(
        &mut self,
        view: &NetworkView,
        changed: Changed<'_>,
        instructions: impl IntoIterator<Item = Instruction>,
    ) -> Result<(), CommandError> {
        let mut since = 0;
        let instructions = instructions.into_iter().map(|instruction| decided_on(view, instruction));
        for batch in build::pack(&self.payer(), instructions) {
            since = self.waiting.for_landing(self.ledger, &batch).await?;
        }
        let Changed { kind, name, account } = changed;
        let step = format!("{kind} {name} to be settled");
        let (state, slot) = self
            .waiting
            .for_certain(
                self.ledger,
                since,
                &step,
                ACTIVATOR,
                |view| {
                    let (state, settled) = state(view, &account);
                    (settled || !self.wait).then(|| (state, view.slot()))
                },
                |(state, _)| state == GONE,
            )
            .await?;
        let report = Report { kind, name, account: account.to_string(), state, slot };
        match self.format {
            Format::Json => output::json(self.out, &report),
            Format::Table => writeln!(self.out, "{kind} {name}: {}", report.state),
        }
        .map_err(anyhow::Error::from)?;
        Ok(())
    }
}

/// The state of what is not there.
const GONE: &str = "gone";

/// In what state the thing at an address is, and whether the activator has nothing left to do about it.
fn state(view: &NetworkView, key: &Pubkey) -> (String, bool) {
    if let Some(device) = view.device(key) {
        return (device.status.to_string(), !matches!(device.status, DeviceStatus::Pending | DeviceStatus::Deleting));
    }
    if let Some(interface) = view.interface(key) {
        return (interface.status.to_string(), interface.status == InterfaceStatus::Activated);
    }
    if let Some(link) = view.link(key) {
        return (link.status.to_string(), !matches!(link.status, LinkStatus::Pending | LinkStatus::Deleting));
    }
    if let Some(user) = view.user(key) {
        let settled = matches!(user.status, UserStatus::Activated | UserStatus::Rejected | UserStatus::Banned);
        return (user.status.to_string(), settled);
    }
    if let Some(contributor) = view.contributor(key) {
        return (contributor.status.to_string(), contributor.status != ContributorStatus::Deleting);
    }
    if let Some(tenant) = view.tenant(key) {
        return (tenant.status.to_string(), tenant.status == TenantStatus::Activated);
    }
    if let Some(group) = view.group(key) {
        return (group.status.to_string(), group.status == MulticastGroupStatus::Activated);
    }
    if let Some(exchange) = view.exchange(key) {
        return (exchange.status.to_string(), true);
    }
    let config = view.config().is_some() && *key == pda::config(view.program()).0;
    if config || view.access_pass(key).is_some() {
        return ("set".to_owned(), true);
    }
    (GONE.to_owned(), true)
}
