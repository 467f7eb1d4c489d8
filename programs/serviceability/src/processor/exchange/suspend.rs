//! Lets a metro take no more devices.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Exchange, ExchangeStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SuspendExchange<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let mut exchange = ctx.read::<Exchange>(a.exchange)?;
    ensure!(exchange.status == ExchangeStatus::Activated, ExchangeNotActive);
    exchange.status = ExchangeStatus::Suspended;
    ctx.save(&exchange)
}
