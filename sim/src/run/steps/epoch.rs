//! `epoch`: time on the chain.

use super::{Context, StepError};

/// Lets the epoch begin.
pub(super) async fn run(context: &Context, epoch: u64) -> Result<(), StepError> {
    Ok(context.world.backend.ledger().begin_epoch(epoch).await?)
}
