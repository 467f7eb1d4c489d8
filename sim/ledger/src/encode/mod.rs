//! Accounts and transactions as JSON-RPC writes them. Pure.

pub(crate) mod account;
pub(crate) mod transaction;
