//! Creates a metro.

use crate::{
    accounts::Context,
    error::Result,
    pda::Place,
    state::{Exchange, ExchangeStatus},
    validation::check_code,
};

#[inline(never)]
pub(in crate::processor) fn process(
    ctx: &mut Context,
    code: String,
    name: String,
    latitude: i32,
    longitude: i32,
) -> Result {
    ctx.foundation()?;
    check_code(&code)?;
    super::check(&name, latitude, longitude)?;
    let info = ctx.take()?;
    let status = ExchangeStatus::Activated;
    let value = Exchange { code: code.clone(), name, latitude, longitude, status, reference_count: 0 };
    ctx.create(info, Place::Exchange(&code), value)
}
