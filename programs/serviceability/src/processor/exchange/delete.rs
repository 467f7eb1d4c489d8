//! Closes a metro in which no device stands.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::Exchange,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::DeleteExchange<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let exchange = ctx.read::<Exchange>(a.exchange)?;
    ensure!(exchange.reference_count == 0, ExchangeInUse);
    ctx.close(exchange, a.exchange_payer)
}
