//! Dispatch of instructions to verbs. One folder an entity, one file a verb.

mod access_pass;
mod client;
mod contributor;
mod device;
mod exchange;
mod global_config;
mod interface;
mod key_list;
mod link;
mod multicast_group;
mod tenant;
mod user;

use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    accounts::{Accounts, Context, Info},
    error::{Result, ServiceabilityError},
    host::Host,
    instruction::ServiceabilityInstruction,
    lists,
};

/// Carries out an instruction that was decided on this life of what it is about.
pub(crate) fn process(
    host: &dyn Host,
    program: &Pubkey,
    accounts: &[AccountInfo],
    life: u64,
    instruction: ServiceabilityInstruction,
) -> Result {
    let mut accounts = Accounts::open(host, program, accounts, life)?;
    if let ServiceabilityInstruction::InitGlobalConfig(args) = instruction {
        let list = lists::InitGlobalConfig::take(&mut accounts)?;
        return global_config::init::process(&accounts, list, args);
    }
    let mut context = Context::new(accounts)?;
    dispatch(&mut context, instruction)?;
    context.count_lives()
}

/// What the clock sysvar says. A native program cannot ask for it, so it comes as an account.
struct Time {
    /// The epoch.
    epoch: u64,
    /// Seconds since the Unix epoch.
    unix_time: i64,
}

fn load_time(clock: Info) -> Result<Time> {
    /// slot u64, epoch_start_timestamp i64, epoch u64, leader_schedule_epoch u64, unix_timestamp i64
    const EPOCH: usize = 16;
    const UNIX_TIME: usize = 32;
    let error = ServiceabilityError::NotClock;
    if *clock.key != solana_sysvar::clock::ID {
        return Err(error);
    }
    let data = clock.try_borrow_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
    let field = |at: usize| data.get(at..).and_then(|rest| rest.first_chunk::<8>()).copied();
    let (epoch, unix_time) = field(EPOCH).zip(field(UNIX_TIME)).ok_or(error)?;
    Ok(Time { epoch: u64::from_le_bytes(epoch), unix_time: i64::from_le_bytes(unix_time) })
}

/// Takes the accounts of an instruction, notes who may send it, and hands both to the processor.
macro_rules! run {
    ($ctx:ident, $name:ident, $process:path $(, $arg:expr)*) => {{
        $ctx.accounts().rights = lists::$name::<Pubkey>::SPEC.rights;
        let list = lists::$name::take($ctx.accounts())?;
        $process($ctx, list $(, $arg)*)
    }};
}

#[rustfmt::skip]
fn dispatch(ctx: &mut Context, instruction: ServiceabilityInstruction) -> Result {
    use ServiceabilityInstruction::*;
    match instruction {
        // Carried out above: it is the only one that finds no config.
        InitGlobalConfig(_) => Ok(()),
        SetGlobalConfig(args) => run!(ctx, SetGlobalConfig, global_config::set::process, args),
        SetActivator { key } => run!(ctx, SetActivator, global_config::set_activator::process, key),
        AddFoundation { key } => run!(ctx, AddFoundation, global_config::add_foundation::process, key),
        RemoveFoundation { key } => run!(ctx, RemoveFoundation, global_config::remove_foundation::process, key),
        AddBlock { kind, block } => run!(ctx, AddBlock, global_config::add_block::process, kind, block),
        RemoveBlock { kind, block } => run!(ctx, RemoveBlock, global_config::remove_block::process, kind, block),
        CreateContributor { code, owner } => run!(ctx, CreateContributor, contributor::create::process, code, owner),
        UpdateContributor { owner, granted_blocks } => run!(ctx, UpdateContributor, contributor::update::process, owner, granted_blocks),
        SuspendContributor => run!(ctx, SuspendContributor, contributor::suspend::process),
        ResumeContributor => run!(ctx, ResumeContributor, contributor::resume::process),
        DeleteContributor => run!(ctx, DeleteContributor, contributor::delete::process),
        AllocateContributorBlock { block } => run!(ctx, AllocateContributorBlock, contributor::allocate_block::process, block),
        ReleaseContributorBlock { block } => run!(ctx, ReleaseContributorBlock, contributor::release_block::process, block),
        CloseContributor => run!(ctx, CloseContributor, contributor::close::process),
        AddContributorPrefix { net } => run!(ctx, AddContributorPrefix, contributor::add_prefix::process, net),
        RemoveContributorPrefix { net } => run!(ctx, RemoveContributorPrefix, contributor::remove_prefix::process, net),
        CreateExchange { code, name, latitude, longitude } => run!(ctx, CreateExchange, exchange::create::process, code, name, latitude, longitude),
        UpdateExchange { name, latitude, longitude } => run!(ctx, UpdateExchange, exchange::update::process, name, latitude, longitude),
        SuspendExchange => run!(ctx, SuspendExchange, exchange::suspend::process),
        ResumeExchange => run!(ctx, ResumeExchange, exchange::resume::process),
        DeleteExchange => run!(ctx, DeleteExchange, exchange::delete::process),
        CreateDevice(args) => run!(ctx, CreateDevice, device::create::process, args),
        UpdateDevice { device_type, caps, endpoints_wanted } => run!(ctx, UpdateDevice, device::update::process, device_type, caps, endpoints_wanted),
        SetDevicePublicIp { public_ip } => run!(ctx, SetDevicePublicIp, device::set_public_ip::process, public_ip),
        AddDevicePrefix { net } => run!(ctx, AddDevicePrefix, device::add_prefix::process, net),
        RemoveDevicePrefix { net } => run!(ctx, RemoveDevicePrefix, device::remove_prefix::process, net),
        CarveDevicePrefix { net } => run!(ctx, CarveDevicePrefix, device::carve_prefix::process, net),
        PullEndpoint { ip, loopback_number } => run!(ctx, PullEndpoint, device::pull_endpoint::process, ip, loopback_number),
        ActivateDevice => run!(ctx, ActivateDevice, device::activate::process),
        DrainDevice => run!(ctx, DrainDevice, device::drain::process),
        UndrainDevice => run!(ctx, UndrainDevice, device::undrain::process),
        DeleteDevice => run!(ctx, DeleteDevice, device::delete::process),
        CloseDevice => run!(ctx, CloseDevice, device::close::process),
        CreateInterface { name, ip, user_tunnel_endpoint } => run!(ctx, CreateInterface, interface::create::process, name, ip, user_tunnel_endpoint),
        UpdateInterface { service, metadata } => run!(ctx, UpdateInterface, interface::update::process, service, metadata),
        ActivateInterface => run!(ctx, ActivateInterface, interface::activate::process),
        DeleteInterface => run!(ctx, DeleteInterface, interface::delete::process),
        CloseInterface => run!(ctx, CloseInterface, interface::close::process),
        CreateLink { code, delay_ns, bandwidth, mtu } => run!(ctx, CreateLink, link::create::process, code, delay_ns, bandwidth, mtu),
        AcceptLink => run!(ctx, AcceptLink, link::accept::process),
        ActivateLink { net } => run!(ctx, ActivateLink, link::activate::process, net),
        UpdateLink { delay_ns, bandwidth } => run!(ctx, UpdateLink, link::update::process, delay_ns, bandwidth),
        SetLinkStatus { status } => run!(ctx, SetLinkStatus, link::set_status::process, status),
        DeleteLink => run!(ctx, DeleteLink, link::delete::process),
        CloseLink => run!(ctx, CloseLink, link::close::process),
        CreateTenant { code, administrators } => run!(ctx, CreateTenant, tenant::create::process, code, administrators),
        UpdateTenant { administrators } => run!(ctx, UpdateTenant, tenant::update::process, administrators),
        ActivateTenant { vrf_id } => run!(ctx, ActivateTenant, tenant::activate::process, vrf_id),
        DeleteTenant => run!(ctx, DeleteTenant, tenant::delete::process),
        CloseTenant => run!(ctx, CloseTenant, tenant::close::process),
        SetAccessPass { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users } => run!(ctx, SetAccessPass, access_pass::set::process, access_pass::set::Args { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users }),
        SetPassTenant { allowed } => run!(ctx, SetPassTenant, access_pass::set_tenant::process, allowed),
        SetPassGroup { publish, subscribe } => run!(ctx, SetPassGroup, access_pass::set_group::process, publish, subscribe),
        CloseAccessPass => run!(ctx, CloseAccessPass, access_pass::close::process),
        CreateMulticastGroup { code, owner, max_bandwidth } => run!(ctx, CreateMulticastGroup, multicast_group::create::process, code, owner, max_bandwidth),
        UpdateMulticastGroup { owner, max_bandwidth } => run!(ctx, UpdateMulticastGroup, multicast_group::update::process, owner, max_bandwidth),
        ActivateMulticastGroup { ip } => run!(ctx, ActivateMulticastGroup, multicast_group::activate::process, ip),
        DeleteMulticastGroup => run!(ctx, DeleteMulticastGroup, multicast_group::delete::process),
        CloseMulticastGroup => run!(ctx, CloseMulticastGroup, multicast_group::close::process),
        CreateUser { client_ip, endpoint_ip, user_type, roles } => run!(ctx, CreateUser, user::create::process, user::create::Args { client_ip, endpoint_ip, user_type, roles }),
        ActivateUser { tunnel_net, tunnel_id, dz_ip } => run!(ctx, ActivateUser, user::activate::process, tunnel_net, tunnel_id, dz_ip),
        RejectUser { reason } => run!(ctx, RejectUser, user::reject::process, reason),
        SetUserRoles { changes } => run!(ctx, SetUserRoles, user::set_roles::process, changes),
        DeleteUser => run!(ctx, DeleteUser, user::delete::process),
        CloseUser => run!(ctx, CloseUser, user::close::process),
        BanUser => run!(ctx, BanUser, user::ban::process),
        FinishBan => run!(ctx, FinishBan, user::finish_ban::process),
        ReclaimAddress => run!(ctx, ReclaimAddress, user::reclaim::process),
        EvictUser => run!(ctx, EvictUser, user::evict::process),
    }
}
