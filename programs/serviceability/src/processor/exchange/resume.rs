//! Lets a metro take devices again.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Exchange, ExchangeStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::ResumeExchange<Info<'a, 'info>>,
) -> Result {
    ctx.foundation()?;
    let mut exchange = ctx.read::<Exchange>(a.exchange)?;
    ensure!(exchange.status == ExchangeStatus::Suspended, ExchangeNotSuspended);
    exchange.status = ExchangeStatus::Activated;
    ctx.save(&exchange)
}
