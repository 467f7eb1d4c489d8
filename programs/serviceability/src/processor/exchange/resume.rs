//! Lets a suspended metro take devices again.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::{Exchange, ExchangeStatus},
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let mut exchange = ctx.load::<Exchange>()?;
    ensure!(exchange.status == ExchangeStatus::Suspended, ExchangeNotSuspended);
    exchange.status = ExchangeStatus::Activated;
    ctx.save(&exchange)
}
