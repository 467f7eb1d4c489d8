//! A solana-program-test bank behind a Solana JSON-RPC server.
