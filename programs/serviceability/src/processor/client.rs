//! Addresses that clients connect from: whose they are while users come from them, and who may.

use std::net::Ipv4Addr;

use solana_pubkey::Pubkey;

use crate::{
    accounts::{Account, Context, Info},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    pda::Place,
    state::{AccessPass, Client},
};

/// The accounts of an address: its own, and the two registries of its /24.
pub(super) struct Place24<'a, 'info> {
    /// The payer's pass that the foundation gave for this very address, where it comes under another one.
    pub(super) named_pass: Option<Info<'a, 'info>>,
    pub(super) client: Info<'a, 'info>,
    pub(super) clients: Info<'a, 'info>,
    pub(super) registry: Info<'a, 'info>,
}

/// One more user of this pass comes from this address.
///
/// It must be free or the payer's own: an address is one payer's at a time, and is kept for the holders of the passes that the
/// foundation gave for it, if there are any. They may come under any pass they have.
pub(super) fn enter<'a, 'info>(
    ctx: &Context<'a, 'info>,
    at: &Place24<'a, 'info>,
    pass: &AccessPass,
    client_ip: Ipv4Addr,
) -> Result {
    let Some(mut client) = read(ctx, at.client, client_ip)? else {
        ctx.enter_client(at.clients, at.registry, client_ip)?;
        let value = Client { client_ip, payer: Some(pass.payer), user_count: 1, named_passes: 0 };
        return ctx.create(at.client, Place::Client(client_ip), value);
    };
    ensure!(client.named_passes == 0 || is_named(ctx, at.named_pass, pass, client_ip)?, AddressNamed);
    ensure!(client.payer.is_none_or(|payer| payer == pass.payer), AddressOfOtherPayer);
    if client.user_count == 0 {
        ctx.enter_client(at.clients, at.registry, client_ip)?;
    }
    client.payer = Some(pass.payer);
    client.user_count.up()?;
    ctx.save(&client)
}

/// Whether the payer of this pass has one that the foundation gave for this very address: this one, or the other.
fn is_named<'a, 'info>(
    ctx: &Context<'a, 'info>,
    named: Option<Info<'a, 'info>>,
    pass: &AccessPass,
    client_ip: Ipv4Addr,
) -> Result<bool> {
    let Some(named) = named else { return Ok(ctx.names_address(pass)) };
    let named = ctx.read::<AccessPass>(named)?;
    Ok(ctx.names_address(&named) && named.client_ip == client_ip && named.payer == pass.payer)
}

/// The accounts that a user that leaves its address gives back to, and the keys that paid for them.
pub(super) struct Left<'a, 'info> {
    pub(super) client: Info<'a, 'info>,
    pub(super) client_payer: Info<'a, 'info>,
    pub(super) clients: Info<'a, 'info>,
    pub(super) clients_payer: Info<'a, 'info>,
}

/// One user less comes from this address; with the last one it is free.
pub(super) fn leave<'a, 'info>(ctx: &Context<'a, 'info>, at: Left<'a, 'info>, client_ip: Ipv4Addr) -> Result {
    let mut client = read(ctx, at.client, client_ip)?.ok_or(ServiceabilityError::AccountNotFound)?;
    client.user_count.down()?;
    if client.user_count == 0 {
        client.payer = None;
        ctx.leave_client(at.clients, at.clients_payer, client_ip)?;
    }
    put_back(ctx, client, at.client_payer)
}

/// One more pass of the foundation names this address.
pub(super) fn name<'a, 'info>(ctx: &Context<'a, 'info>, info: Info<'a, 'info>, client_ip: Ipv4Addr) -> Result {
    let Some(mut client) = read(ctx, info, client_ip)? else {
        let value = Client { client_ip, payer: None::<Pubkey>, user_count: 0, named_passes: 1 };
        return ctx.create(info, Place::Client(client_ip), value);
    };
    client.named_passes.up()?;
    ctx.save(&client)
}

/// One less does.
pub(super) fn unname<'a, 'info>(
    ctx: &Context<'a, 'info>,
    info: Info<'a, 'info>,
    payer: Info<'a, 'info>,
    client_ip: Ipv4Addr,
) -> Result {
    let mut client = read(ctx, info, client_ip)?.ok_or(ServiceabilityError::AccountNotFound)?;
    client.named_passes.down()?;
    put_back(ctx, client, payer)
}

fn read<'a, 'info>(
    ctx: &Context<'a, 'info>,
    info: Info<'a, 'info>,
    client_ip: Ipv4Addr,
) -> Result<Option<Account<'a, 'info, Client>>> {
    if !ctx.exists(info)? {
        return Ok(None);
    }
    let client = ctx.read::<Client>(info)?;
    ensure!(client.client_ip == client_ip, WrongAddress);
    Ok(Some(client))
}

fn put_back<'a, 'info>(ctx: &Context<'a, 'info>, client: Account<'a, 'info, Client>, payer: Info<'a, 'info>) -> Result {
    if client.user_count == 0 && client.named_passes == 0 {
        return ctx.close(client, payer);
    }
    ctx.save(&client)
}
