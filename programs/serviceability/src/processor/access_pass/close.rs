//! Closes a pass that no user was created under and that names nothing any more.

use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::AccessPass,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    ctx.foundation()?;
    let pass = ctx.load::<AccessPass>()?;
    ensure!([pass.unicast_users, pass.multicast_users, pass.banned_users] == [0; 3], PassInUse);
    ensure!(pass.tenants.is_empty() && pass.publish.is_empty() && pass.subscribe.is_empty(), PassHasEntries);
    ctx.close(pass, ctx.signer)
}
