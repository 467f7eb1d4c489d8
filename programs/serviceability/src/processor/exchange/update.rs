//! Changes a metro's name and place.

use crate::{accounts::Context, error::Result, state::Exchange};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, name: String, latitude: i32, longitude: i32) -> Result {
    ctx.foundation()?;
    super::check(&name, latitude, longitude)?;
    let mut exchange = ctx.load::<Exchange>()?;
    exchange.name = name;
    exchange.latitude = latitude;
    exchange.longitude = longitude;
    ctx.save(&exchange)
}
