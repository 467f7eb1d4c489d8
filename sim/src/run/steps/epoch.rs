//! `epoch`: time on the chain, which passes by transactions.

use anyhow::Context as _;
use dz_sdk::Ledger as _;
use solana_instruction::Instruction;
use solana_pubkey::{Pubkey, pubkey};

use super::{Context, StepError};
use crate::run::world::World;

/// The account that holds what time it is on the chain: slot, start of the epoch, epoch, eight octets each, and more.
const CLOCK: Pubkey = pubkey!("SysvarC1ock11111111111111111111111111111111");
/// The program that is told how much a transaction may use.
const COMPUTE_BUDGET: Pubkey = pubkey!("ComputeBudget111111111111111111111111111111");

/// Sends transactions that do nothing until the epoch has begun.
pub(super) async fn run(context: &Context, epoch: u64) -> Result<(), StepError> {
    let world = &context.world;
    let mut number = 0;
    while now(world).await? < epoch {
        world.chain.send(&[nothing(number)]).await.map_err(anyhow::Error::from)?;
        number += 1;
    }
    Ok(())
}

async fn now(world: &World) -> anyhow::Result<u64> {
    let clock = world.ledger.account(&CLOCK).await?.context("a chain without a clock")?;
    let octets = clock.data.get(16..24).context("a clock without an epoch")?;
    Ok(u64::from_le_bytes(octets.try_into()?))
}

/// Allows the transaction some compute units, and does nothing with them. Each number is another message: the same one
/// twice would be one transaction.
fn nothing(number: u32) -> Instruction {
    /// `SetComputeUnitLimit`
    const SET_LIMIT: u8 = 2;
    let mut data = vec![SET_LIMIT];
    data.extend((1_000 + number).to_le_bytes());
    Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data }
}
