//! Refuses a user that cannot be served: a Pending one gives everything back, an Updating one keeps its tunnel.

use super::release;
use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    processor::client,
    state::{User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::RejectUser<Info<'a, 'info>>,
    reason: String,
) -> Result {
    ctx.activator()?;
    release::check_reason(&reason)?;
    let mut user = ctx.read::<User>(a.user)?;
    match user.status {
        UserStatus::Pending => {
            let needed = |account: Option<Info<'a, 'info>>| account.ok_or(ServiceabilityError::MissingAccount);
            let holdings = release::Holdings {
                device: needed(a.device)?,
                interface: needed(a.interface)?,
                access_pass: needed(a.access_pass)?,
                left: client::Left {
                    client: needed(a.client)?,
                    client_payer: needed(a.client_payer)?,
                    clients: needed(a.clients)?,
                    clients_payer: needed(a.clients_payer)?,
                },
                tenant: a.tenant,
                // What waits has no tunnel.
                tunnel_nets: None,
                tunnel_ids: None,
                dz_ips: None,
            };
            release::everything(ctx, &mut user, holdings)?;
            user.status = UserStatus::Rejected;
        }
        UserStatus::Updating => {
            // What it holds must fit its roles: the new ones that asked for more are stripped before.
            let holds_publisher_ip = user.allocation.is_some_and(|held| held.dz_ip_pool.is_some());
            ensure!(user.is_publisher() == holds_publisher_ip, UserHasRoles);
            user.status = UserStatus::Activated;
        }
        _ => return Err(ServiceabilityError::UserNotPending),
    }
    user.reject_reason = reason;
    ctx.save(&user)
}
