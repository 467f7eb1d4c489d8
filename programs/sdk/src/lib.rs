//! What every client of the chain links: instruction builders, the network view, the ledger.
