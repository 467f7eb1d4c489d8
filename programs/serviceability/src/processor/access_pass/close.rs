//! Closes a pass that no user was created under and that names nothing any more but the tenant that gave it.

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    lists,
    processor::client,
    state::AccessPass,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CloseAccessPass<Info<'a, 'info>>,
) -> Result {
    let pass = ctx.read::<AccessPass>(a.access_pass)?;
    let giver = super::read_giver(ctx, &pass, a.tenant)?;
    ensure!([pass.unicast_users, pass.multicast_users, pass.banned_users] == [0; 3], PassInUse);
    ensure!(pass.publish.is_empty() && pass.subscribe.is_empty(), PassHasEntries);
    match giver {
        None => ensure!(pass.tenants.is_empty(), PassHasEntries),
        Some(mut tenant) => {
            tenant.reference_count.down()?;
            ctx.save(&tenant)?;
        }
    }
    match (ctx.names_address(&pass), a.client, a.client_payer) {
        (false, None, None) => {}
        (true, Some(client), Some(payer)) => client::unname(ctx, client, payer, pass.client_ip)?,
        _ => return Err(ServiceabilityError::WrongAddress),
    }
    ctx.close(pass, a.access_pass_payer)
}
