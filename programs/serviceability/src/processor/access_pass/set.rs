//! Creates a pass or changes its limits; the tenants that follow are allowed, too.

use std::net::Ipv4Addr;

use solana_pubkey::Pubkey;

use super::{allow_tenant, load_epoch};
use crate::{
    accounts::Context,
    error::{Result, ensure},
    network::is_global,
    pda::Place,
    state::{AccessPass, Tenant},
};

pub(in crate::processor) struct Args {
    pub(in crate::processor) client_ip: Ipv4Addr,
    pub(in crate::processor) payer: Pubkey,
    pub(in crate::processor) last_access_epoch: u64,
    pub(in crate::processor) max_unicast_users: u16,
    pub(in crate::processor) max_multicast_users: u16,
}

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, args: Args) -> Result {
    let Args { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users } = args;
    let epoch = load_epoch(ctx)?;
    let info = ctx.take()?;
    ensure!(client_ip.is_unspecified() || is_global(client_ip), AddressNotPublic);
    ensure!(last_access_epoch == 0 || last_access_epoch >= epoch, EpochInPast);

    if ctx.exists(info)? {
        let mut pass = ctx.read::<AccessPass>(info)?;
        ensure!((pass.client_ip, pass.payer) == (client_ip, payer), WrongPass);
        // One without a tenant is the foundation's own.
        ensure!(!pass.tenants.is_empty() || ctx.signer_is_foundation(), NotTenantAdministrator);
        pass.last_access_epoch = last_access_epoch;
        pass.max_unicast_users = max_unicast_users;
        pass.max_multicast_users = max_multicast_users;
        allow_tenants(ctx, &mut pass)?;
        return ctx.save(&pass);
    }
    let mut pass = AccessPass {
        client_ip,
        payer,
        tenants: vec![],
        publish: vec![],
        subscribe: vec![],
        last_access_epoch,
        max_unicast_users,
        max_multicast_users,
        unicast_users: 0,
        multicast_users: 0,
        banned_users: 0,
    };
    allow_tenants(ctx, &mut pass)?;
    ctx.create(info, Place::AccessPass { client_ip, payer: &payer }, pass)
}

/// A tenant's administrator may touch only passes all of whose tenants, and at least one, are its own: it names
/// each of them. The foundation names those to add.
fn allow_tenants(ctx: &mut Context, pass: &mut AccessPass) -> Result {
    let mut named = Vec::with_capacity(ctx.left());
    while ctx.left() > 0 {
        let mut tenant = ctx.load::<Tenant>()?;
        ctx.tenant_administrator(&tenant)?;
        named.push(*tenant.key());
        allow_tenant(ctx, pass, &mut tenant)?;
    }
    let all = !named.is_empty() && pass.tenants.iter().all(|tenant| named.contains(tenant));
    ensure!(all || ctx.signer_is_foundation(), NotTenantAdministrator);
    Ok(())
}
