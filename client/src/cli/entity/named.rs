//! Verbs that all things with a code share: naming one, listing all.

use clap::Args;
use dz_sdk::NetworkView;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{Changed, Operator};
use crate::cli::{
    error::CommandError,
    names::{self, Coded},
    output::Row,
};

/// A thing as a verb names it.
#[derive(Args, Clone, Debug)]
pub struct Named {
    /// Its code or account
    code: String,
}

impl Named {
    /// The thing itself, and how a change to it is reported.
    pub(super) fn find<'v, T: Coded>(&self, view: &'v NetworkView) -> Result<(Changed<'_>, &'v T), CommandError> {
        let (account, thing) = names::find::<T>(view, &self.code)?;
        Ok((Changed { kind: T::KIND, name: &self.code, account }, thing))
    }
}

/// What is done to a thing, given only its account.
pub(super) type Verb = fn(program: &Pubkey, payer: &Pubkey, account: Pubkey) -> Instruction;

impl Operator<'_> {
    /// Prints all things of a kind, by code.
    pub(super) fn list_all<T: Coded, R: Row>(
        &mut self,
        view: &NetworkView,
        row: impl Fn(&NetworkView, &Pubkey, &T) -> R,
    ) -> Result<(), CommandError> {
        let mut all: Vec<_> = T::all(view).iter().collect();
        all.sort_by_key(|(_, thing)| thing.code());
        self.list(&all.into_iter().map(|(key, thing)| row(view, key, thing)).collect::<Vec<_>>())
    }

    /// Prints one thing.
    pub(super) fn show<T: Coded, R: Row>(
        &mut self,
        view: &NetworkView,
        named: &Named,
        row: impl Fn(&NetworkView, &Pubkey, &T) -> R,
    ) -> Result<(), CommandError> {
        let (Changed { account, .. }, thing) = named.find::<T>(view)?;
        self.one(&row(view, &account, thing))
    }

    /// What a verb comes to that needs nothing but the thing.
    pub(super) fn verb<'n, T: Coded>(
        &self,
        view: &NetworkView,
        named: &'n Named,
        verb: Verb,
    ) -> Result<(Changed<'n>, Instruction), CommandError> {
        let (changed, _) = named.find::<T>(view)?;
        Ok((changed, verb(&self.program(), &self.payer(), changed.account)))
    }
}
