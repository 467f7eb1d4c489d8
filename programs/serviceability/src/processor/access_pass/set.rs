//! Creates a pass or changes its limits.

use std::net::Ipv4Addr;

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    lists,
    network::is_global,
    pda::Place,
    processor::{client, load_time},
    state::{AccessPass, Requests, Tenant, TenantStatus},
};

pub(in crate::processor) struct Args {
    pub(in crate::processor) client_ip: Ipv4Addr,
    pub(in crate::processor) payer: Pubkey,
    pub(in crate::processor) last_access_epoch: u64,
    pub(in crate::processor) max_unicast_users: u16,
    pub(in crate::processor) max_multicast_users: u16,
}

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SetAccessPass<Info<'a, 'info>>,
    args: Args,
) -> Result {
    let Args { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users } = args;
    let epoch = load_time(a.clock)?.epoch;
    ensure!(client_ip.is_unspecified() || is_global(client_ip), AddressNotPublic);
    ensure!(last_access_epoch == 0 || last_access_epoch >= epoch, EpochInPast);
    let tenant = a.tenant.map(|info| ctx.read::<Tenant>(info)).transpose()?;
    match &tenant {
        None => ctx.foundation()?,
        Some(tenant) => ctx.tenant_administrator(tenant)?,
    }
    let giver = tenant.as_ref().map_or(*ctx.config.key(), |tenant| *tenant.key());

    if ctx.exists(a.access_pass)? {
        let mut pass = ctx.read::<AccessPass>(a.access_pass)?;
        ensure!((pass.client_ip, pass.payer, pass.giver) == (client_ip, payer, giver), WrongPass);
        pass.last_access_epoch = last_access_epoch;
        pass.max_unicast_users = max_unicast_users;
        pass.max_multicast_users = max_multicast_users;
        return ctx.save(&pass);
    }
    let pass = AccessPass {
        client_ip,
        payer,
        giver,
        tenants: tenant.iter().map(|tenant| *tenant.key()).collect(),
        publish: vec![],
        subscribe: vec![],
        last_access_epoch,
        max_unicast_users,
        max_multicast_users,
        unicast_users: 0,
        multicast_users: 0,
        banned_users: 0,
        requests: Requests::default(),
    };
    match (ctx.names_address(&pass), a.client) {
        (false, None) => {}
        (true, Some(info)) => client::name(ctx, info, client_ip)?,
        (false, Some(_)) | (true, None) => return Err(ServiceabilityError::WrongAddress),
    }
    if let Some(mut tenant) = tenant {
        ensure!(tenant.status != TenantStatus::Deleting, TenantDeleting);
        tenant.reference_count.up()?;
        ctx.save(&tenant)?;
    }
    ctx.create(a.access_pass, Place::AccessPass { client_ip, payer: &payer, giver: &giver }, pass)
}
