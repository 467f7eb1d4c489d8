//! Creates a metro.

use crate::{
    accounts::{Context, Info},
    error::Result,
    lists,
    pda::Place,
    state::{Exchange, ExchangeStatus},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateExchange<Info<'a, 'info>>,
    code: String,
    name: String,
    latitude: i32,
    longitude: i32,
) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    super::check(&name, latitude, longitude)?;
    let status = ExchangeStatus::Activated;
    let value = Exchange { code: code.clone(), name, latitude, longitude, status, reference_count: 0 };
    ctx.create(a.exchange, Place::Exchange(&code), value)
}
