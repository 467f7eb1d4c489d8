//! `doublezero address`, `balance` and `keygen`: the payer's key.

use std::{io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::Context;
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{
    error::CommandError,
    output::{self, Format},
};

/// Who may read a key file.
const MODE: u32 = 0o600;

/// Writes a new key as the Solana tools write it.
///
/// # Errors
/// The file is there already, or cannot be written.
pub(super) fn generate(path: &Path) -> anyhow::Result<Keypair> {
    let keypair = Keypair::new();
    let text = serde_json::to_string(&keypair.to_bytes().to_vec())?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
        .with_context(|| format!("writing the key file {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing the key file {}", path.display()))?;
    Ok(keypair)
}

/// Lamports in a SOL.
const SOL: u64 = 1_000_000_000;

/// Prints what a key has, as the Solana tools do.
pub(super) fn print_balance(lamports: u64, format: Format, out: &mut dyn Write) -> Result<(), CommandError> {
    match format {
        Format::Json => output::json(out, &serde_json::json!({"lamports": lamports})),
        Format::Table => {
            let text = format!("{}.{:09}", lamports / SOL, lamports % SOL);
            writeln!(out, "{} SOL", text.trim_end_matches('0').trim_end_matches('.'))
        }
    }
    .map_err(anyhow::Error::from)?;
    Ok(())
}

/// Prints the address of a key.
pub(super) fn print(keypair: &Keypair, format: Format, out: &mut dyn Write) -> Result<(), CommandError> {
    let address = keypair.pubkey().to_string();
    match format {
        Format::Json => output::json(out, &serde_json::json!({"address": address})),
        Format::Table => writeln!(out, "{address}"),
    }
    .map_err(anyhow::Error::from)?;
    Ok(())
}
