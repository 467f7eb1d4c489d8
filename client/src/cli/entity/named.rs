//! Verbs that all things with a code share: naming one, showing one or all.

use clap::{Args, Subcommand};
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

/// The verbs that only look.
#[derive(Clone, Debug, Subcommand)]
pub enum Look {
    /// List all
    List,
    /// Show one
    Get(Named),
}

/// What is done to a thing, given only its account.
pub(super) type Verb = fn(program: &Pubkey, payer: &Pubkey, account: Pubkey) -> Instruction;

impl Operator<'_> {
    /// Prints one thing, or all of a kind by code.
    pub(super) fn look<T: Coded, R: Row>(
        &mut self,
        view: &NetworkView,
        look: &Look,
        row: impl Fn(&NetworkView, &Pubkey, &T) -> R,
    ) -> Result<(), CommandError> {
        match look {
            Look::List => {
                let mut all: Vec<_> = T::all(view).iter().collect();
                all.sort_by_key(|(_, thing)| thing.code());
                self.list(&all.into_iter().map(|(key, thing)| row(view, key, thing)).collect::<Vec<_>>())
            }
            Look::Get(named) => {
                let (Changed { account, .. }, thing) = named.find::<T>(view)?;
                self.one(&row(view, &account, thing))
            }
        }
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
