//! Changes a multicast user's roles in the groups that follow. The payer may add and remove within the pass's
//! allowlists; the activator may strip, before it refuses or takes back what the user holds.

use super::{roles, seat};
use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    instruction::{MAX_ROLES_PER_INSTRUCTION, RoleChange},
    lists,
    processor::{access_pass, load_time},
    state::{AccessPass, Device, MulticastGroup, User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SetUserRoles<Info<'a, 'info>>,
    changes: Vec<RoleChange>,
) -> Result {
    let mut pass = ctx.read::<AccessPass>(a.access_pass)?;
    let mut device = ctx.read::<Device>(a.device)?;
    let mut user = ctx.read::<User>(a.user)?;
    ensure!(*pass.key() == user.access_pass, WrongPass);
    ensure!(*device.key() == user.device, WrongDevice);
    ensure!(user.user_type.is_multicast(), UserNotMulticast);
    ensure!(changes.len() <= MAX_ROLES_PER_INSTRUCTION, TooManyRoles);
    ensure!(!changes.is_empty() && a.groups.len() == changes.len(), RolesMismatch);
    let mut wishes = Vec::with_capacity(changes.len());
    for (change, group) in changes.into_iter().zip(&a.groups) {
        let group = ctx.read::<MulticastGroup>(group)?;
        let wanted = change.over(user.roles_in(group.key()));
        wishes.push((group, wanted));
    }
    let strips = wishes.iter().all(|(group, wanted)| roles::only_strips(&user, group.key(), *wanted));
    let right = right(ctx, &user, strips)?;
    if right == Right::Payer && !ctx.signer_is_foundation() {
        access_pass::count_request(ctx, &mut pass, a.tenant, load_time(a.clock)?.unix_time)?;
        ctx.save(&pass)?;
    }

    let was_publisher = user.is_publisher();
    for (group, wanted) in &mut wishes {
        let key = *group.key();
        roles::set(&mut user, &key, group, *wanted, &pass)?;
        ctx.save(group)?;
    }
    if user.is_publisher() != was_publisher {
        seat::change(&mut device, user.is_publisher(), right == Right::Payer)?;
        ctx.save(&device)?;
    }
    if right == Right::Payer {
        let holds_publisher_ip = user.allocation.is_some_and(|held| held.dz_ip_pool.is_some());
        let fits = user.is_publisher() == holds_publisher_ip;
        user.status = if fits { UserStatus::Activated } else { UserStatus::Updating };
        user.reject_reason.clear();
    }
    ctx.save(&user)
}

/// As whom the signer acts. A key that is both acts as the activator where the activator may.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    Activator,
    Payer,
}

fn right(ctx: &Context, user: &User, strips: bool) -> Result<Right> {
    use UserStatus::{Activated, Deleting, Pending, PendingBan, Updating};
    if ctx.signer_is_activator() && matches!(user.status, Pending | Updating | Deleting | PendingBan) {
        if strips {
            return Ok(Right::Activator);
        }
        ensure!(user.status == Updating && ctx.user_owner(user).is_ok(), ActivatorMayOnlyStrip);
    }
    ctx.user_owner(user)?;
    match user.status {
        Activated | Updating => Ok(Right::Payer),
        Pending => Err(ServiceabilityError::UserNotActivated),
        Deleting => Err(ServiceabilityError::UserDeleting),
        UserStatus::Rejected => Err(ServiceabilityError::UserRejected),
        PendingBan | UserStatus::Banned => Err(ServiceabilityError::UserBanned),
    }
}
