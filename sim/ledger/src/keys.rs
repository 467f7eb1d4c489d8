//! The keys of a ledger: all come from its seed.

use solana_keypair::Keypair;
use solana_sha256_hasher::hashv;

/// The key that the seed gives to a name: a funded key of a ledger that runs alone, for example.
pub fn keypair(seed: u64, name: &str) -> Keypair {
    let secret = hashv(&[b"dzsim key", &seed.to_le_bytes(), name.as_bytes()]);
    Keypair::new_from_array(secret.to_bytes())
}

/// The key that airdrops are paid from.
pub(crate) fn faucet(seed: u64) -> Keypair {
    keypair(seed, "faucet")
}
