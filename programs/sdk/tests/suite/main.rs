//! The sdk against a ledger that answers as Solana does, and its pure parts against plain ones.

mod audit;
mod build;
mod local;
mod rpc;
mod view;
