//! The ledger as its clients meet it: over sockets, with the clients that Solana ships.

mod rpc_client;
mod support;
