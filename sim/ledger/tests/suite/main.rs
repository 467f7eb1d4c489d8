//! The ledger as its clients meet it: over sockets, with the clients that Solana ships.

mod faults;
mod hostile;
mod index;
mod load;
mod pubsub_client;
mod rpc_client;
mod support;
