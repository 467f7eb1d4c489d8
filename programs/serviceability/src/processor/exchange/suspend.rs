//! Lets a metro take no more devices.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Exchange, ExchangeStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let mut exchange = ctx.load::<Exchange>()?;
    ensure!(exchange.status == ExchangeStatus::Activated, ExchangeNotActive);
    exchange.status = ExchangeStatus::Suspended;
    ctx.save(&exchange)
}
