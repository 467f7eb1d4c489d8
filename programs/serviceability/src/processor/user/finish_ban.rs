//! Takes back what a user that is being banned holds: a banned user takes no capacity.

use super::release;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    processor::client,
    state::{User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::FinishBan<Info<'a, 'info>>,
) -> Result {
    ctx.activator()?;
    let mut user = ctx.read::<User>(a.user)?;
    ensure!(user.status == UserStatus::PendingBan, UserNotPendingBan);
    let holdings = release::Holdings {
        device: a.device,
        interface: a.interface,
        access_pass: a.access_pass,
        left: client::Left {
            client: a.client,
            client_payer: a.client_payer,
            clients: a.clients,
            clients_payer: a.clients_payer,
        },
        tenant: a.tenant,
        tunnel_nets: a.tunnel_nets,
        tunnel_ids: a.tunnel_ids,
        dz_ips: a.dz_ips,
    };
    release::everything(ctx, &mut user, holdings)?;
    user.status = UserStatus::Banned;
    ctx.save(&user)
}
