//! The ledger over Solana's JSON-RPC and its subscriptions.
