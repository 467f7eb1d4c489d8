//! Takes a seat for a tunnel of this client to this endpoint. The account's address is the pair, so a second live
//! tunnel with the same pair cannot exist, whoever asks and however many ask at once.

use std::net::Ipv4Addr;

use super::{roles, seat};
use crate::{
    accounts::{Account, Context},
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    instruction::MAX_ROLES_PER_INSTRUCTION,
    network::NetworkV4,
    pda::Place,
    processor::access_pass::load_epoch,
    registry::check_own,
    state::{
        AccessPass, Device, DeviceStatus, Interface, MulticastGroup, Roles, Tenant, TenantStatus, User, UserStatus,
        UserType,
    },
};

pub(in crate::processor) struct Args {
    pub(in crate::processor) client_ip: Ipv4Addr,
    pub(in crate::processor) endpoint_ip: Ipv4Addr,
    pub(in crate::processor) user_type: UserType,
    pub(in crate::processor) roles: Vec<Roles>,
}

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, args: Args) -> Result {
    let Args { client_ip, endpoint_ip, user_type, roles } = args;
    let epoch = load_epoch(ctx)?;
    let mut pass = ctx.load::<AccessPass>()?;
    let mut device = ctx.load::<Device>()?;
    let mut interface = ctx.load::<Interface>()?;
    let info = ctx.take()?;
    check_pass(ctx, &pass, client_ip)?;
    if !user_type.is_multicast() {
        ensure!(epoch <= pass.last_access_epoch, PassExpired);
    }
    let old = if ctx.exists(info)? { Some(giving_way(ctx.read(info)?, client_ip, endpoint_ip)?) } else { None };
    ensure!(device.status == DeviceStatus::Activated, DeviceNotActivated);
    ensure!(interface.device == *device.key(), WrongInterface);
    let endpoint = interface.endpoint().ok_or(ServiceabilityError::NotAnEndpoint)?;
    ensure!(endpoint == endpoint_ip, EndpointMismatch);

    let mut user = Box::new(User {
        client_ip,
        endpoint_ip,
        owner: pass.payer,
        access_pass: *pass.key(),
        device: *device.key(),
        interface: *interface.key(),
        user_type,
        tenant: None,
        status: UserStatus::Pending,
        allocation: None,
        publishers: vec![],
        subscribers: vec![],
        reject_reason: String::new(),
    });
    if user_type.is_multicast() {
        join_groups(ctx, &mut user, &pass, &roles)?;
    } else {
        ensure!(roles.is_empty(), UnicastWithRoles);
        join_tenant(ctx, &mut user, &pass)?;
    }
    seat::take(&mut device, &mut interface, &mut pass, user_type, user.is_publisher())?;
    ctx.save(&pass)?;
    ctx.save(&device)?;
    ctx.save(&interface)?;
    match old {
        None => ctx.create(info, Place::User { client_ip, endpoint_ip }, *user),
        Some(mut old) => {
            *old = *user;
            ctx.save(&old)
        }
    }
}

fn check_pass(ctx: &Context, pass: &AccessPass, client_ip: Ipv4Addr) -> Result {
    ctx.pass_payer(pass)?;
    // The dz_ip of most users is their client_ip: one out of a block would be another user's, too.
    check_own(&ctx.config, NetworkV4::host(client_ip))?;
    ensure!(pass.client_ip.is_unspecified() || pass.client_ip == client_ip, PassForOtherAddress);
    ensure!(pass.banned_users == 0, PassBanned);
    Ok(())
}

/// A rejected user holds nothing and gives way; any other at this address is in the way, each for its own reason.
fn giving_way<'a, 'info>(
    old: Account<'a, 'info, User>,
    client_ip: Ipv4Addr,
    endpoint_ip: Ipv4Addr,
) -> Result<Account<'a, 'info, User>> {
    ensure!((old.client_ip, old.endpoint_ip) == (client_ip, endpoint_ip), WrongAddress);
    match old.status {
        UserStatus::Rejected => Ok(old),
        UserStatus::Pending | UserStatus::Activated | UserStatus::Updating => Err(ServiceabilityError::EndpointInUse),
        UserStatus::Deleting => Err(ServiceabilityError::UserDeleting),
        UserStatus::PendingBan | UserStatus::Banned => Err(ServiceabilityError::UserBanned),
    }
}

/// One group account follows for each role.
fn join_groups(ctx: &mut Context, user: &mut User, pass: &AccessPass, roles: &[Roles]) -> Result {
    ensure!(!roles.is_empty(), RolesRequired);
    ensure!(roles.len() <= MAX_ROLES_PER_INSTRUCTION, TooManyRoles);
    ensure!(ctx.left() == roles.len(), RolesMismatch);
    for &wanted in roles {
        ensure!(wanted.publish || wanted.subscribe, EmptyRole);
        let mut group = ctx.load::<MulticastGroup>()?;
        let key = *group.key();
        roles::set(user, &key, &mut group, wanted, pass)?;
        ctx.save(&group)?;
    }
    Ok(())
}

/// The tenant's account follows, if the user is to be in one.
fn join_tenant(ctx: &mut Context, user: &mut User, pass: &AccessPass) -> Result {
    if ctx.left() == 0 {
        ensure!(pass.tenants.is_empty(), TenantRequired);
        return Ok(());
    }
    let mut tenant = ctx.load::<Tenant>()?;
    ensure!(pass.tenants.contains(tenant.key()), TenantNotAllowed);
    ensure!(tenant.status == TenantStatus::Activated, TenantNotActivated);
    tenant.reference_count.up()?;
    user.tenant = Some(*tenant.key());
    ctx.save(&tenant)
}
