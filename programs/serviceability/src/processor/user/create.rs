//! Takes a seat for a tunnel of this client to this endpoint. The account's address is the pair, so a second live
//! tunnel with the same pair cannot exist, however many connects race.

use std::net::Ipv4Addr;

use super::{roles, seat};
use crate::{
    accounts::{Account, Context, Info},
    address_registry::check_own,
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    instruction::MAX_ROLES_PER_INSTRUCTION,
    lists,
    network::NetworkV4,
    pda::Place,
    processor::{
        access_pass,
        client::{self, Place24},
        load_time,
    },
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
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateUser<Info<'a, 'info>>,
    args: Args,
) -> Result {
    let Args { client_ip, endpoint_ip, user_type, roles } = args;
    let time = load_time(a.clock)?;
    let mut pass = ctx.read::<AccessPass>(a.access_pass)?;
    let mut device = ctx.read::<Device>(a.device)?;
    let mut interface = ctx.read::<Interface>(a.interface)?;
    check_pass(ctx, &pass, client_ip)?;
    if !user_type.is_multicast() {
        ensure!(time.epoch <= pass.last_access_epoch, PassExpired);
    }
    if !ctx.signer_is_foundation() {
        access_pass::count_request(ctx, &mut pass, a.tenant, time.unix_time)?;
    }
    let old = match ctx.exists(a.user)? {
        true => Some(giving_way(ctx.read(a.user)?, client_ip, endpoint_ip)?),
        false => None,
    };
    ensure!(device.status == DeviceStatus::Activated, DeviceNotActivated);
    ensure!(interface.device == *device.key(), WrongInterface);
    let endpoint = interface.endpoint().ok_or(ServiceabilityError::NotAnEndpoint)?;
    ensure!(endpoint == endpoint_ip, EndpointMismatch);
    ensure!(interface.service.admits(user_type), EndpointKept);
    let place = Place24 { named_pass: a.named_pass, client: a.client, clients: a.clients, registry: a.registry };
    client::enter(ctx, &place, &pass, client_ip)?;

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
        // It is in no tenant: the one that is given has given the pass.
        ensure!(a.tenant.is_none_or(|tenant| *tenant.key == pass.giver), TenantNotAllowed);
        join_groups(ctx, &mut user, &pass, &roles, &a.groups)?;
    } else {
        ensure!(roles.is_empty() && a.groups.is_empty(), UnicastWithRoles);
        join_tenant(ctx, &mut user, &pass, a.tenant)?;
    }
    seat::take(&mut device, &mut interface, &mut pass, user_type, user.is_publisher())?;
    ctx.save(&pass)?;
    ctx.save(&device)?;
    ctx.save(&interface)?;
    match (old, a.old_payer) {
        (None, None) => ctx.create(a.user, Place::User { client_ip, endpoint_ip }, *user),
        // What the old one's payer has deposited is not the new one's.
        (Some(old), Some(payer)) => ctx.replace(old, payer, *user),
        (None, Some(_)) | (Some(_), None) => Err(ServiceabilityError::WrongRentRecipient),
    }
}

fn check_pass(ctx: &Context, pass: &AccessPass, client_ip: Ipv4Addr) -> Result {
    ctx.pass_payer(pass)?;
    // The dz_ip of most users is their client_ip: one out of a block would be another user's, too.
    check_own(&ctx.config, NetworkV4::host(client_ip))?;
    ensure!(!pass.names_address() || pass.client_ip == client_ip, PassForOtherAddress);
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

/// One group for each role.
fn join_groups<'a, 'info>(
    ctx: &Context<'a, 'info>,
    user: &mut User,
    pass: &AccessPass,
    roles: &[Roles],
    groups: &[Info<'a, 'info>],
) -> Result {
    ensure!(!roles.is_empty(), RolesRequired);
    ensure!(roles.len() <= MAX_ROLES_PER_INSTRUCTION, TooManyRoles);
    ensure!(groups.len() == roles.len(), RolesMismatch);
    for (&wanted, group) in roles.iter().zip(groups) {
        ensure!(wanted.publish || wanted.subscribe, EmptyRole);
        let mut group = ctx.read::<MulticastGroup>(group)?;
        let key = *group.key();
        roles::set(user, &key, &mut group, wanted, pass)?;
        ctx.save(&group)?;
    }
    Ok(())
}

fn join_tenant<'a, 'info>(
    ctx: &Context<'a, 'info>,
    user: &mut User,
    pass: &AccessPass,
    tenant: Option<Info<'a, 'info>>,
) -> Result {
    let Some(tenant) = tenant else {
        ensure!(pass.tenants.is_empty(), TenantRequired);
        return Ok(());
    };
    let mut tenant = ctx.read::<Tenant>(tenant)?;
    ensure!(pass.tenants.contains(tenant.key()), TenantNotAllowed);
    ensure!(tenant.status == TenantStatus::Activated, TenantNotActivated);
    tenant.reference_count.up()?;
    user.tenant = Some(*tenant.key());
    ctx.save(&tenant)
}
