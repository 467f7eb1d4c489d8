//! Reads the payer's key.

use std::path::Path;

use anyhow::Context;
use solana_keypair::Keypair;

/// Reads a key as the Solana tools write it.
///
/// # Errors
/// The file cannot be read or holds no key.
pub fn read_keypair(path: &Path) -> anyhow::Result<Keypair> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading the key file {}", path.display()))?;
    let bytes: Vec<u8> =
        serde_json::from_str(&text).with_context(|| format!("{} is not a Solana key file", path.display()))?;
    Keypair::try_from(bytes.as_slice()).with_context(|| format!("{} is not a Solana key file", path.display()))
}
