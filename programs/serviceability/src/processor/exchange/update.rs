//! Changes a metro's name and place.

use crate::{
    accounts::{Context, Info},
    error::Result,
    lists,
    state::Exchange,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::UpdateExchange<Info<'a, 'info>>,
    name: String,
    latitude: i32,
    longitude: i32,
) -> Result {
    ctx.foundation()?;
    super::check(&name, latitude, longitude)?;
    let mut exchange = ctx.read::<Exchange>(a.exchange)?;
    exchange.name = name;
    exchange.latitude = latitude;
    exchange.longitude = longitude;
    ctx.save(&exchange)
}
