//! Closes a metro in which no device stands.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::Exchange,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let exchange = ctx.load::<Exchange>()?;
    ensure!(exchange.reference_count == 0, ExchangeInUse);
    ctx.close(exchange, ctx.signer)
}
