//! From an instruction to its verb. One folder an entity, one file a verb.

mod access_pass;
mod contributor;
mod device;
mod exchange;
mod global_config;
mod interface;
mod link;
mod member;
mod multicast_group;
mod tenant;
mod user;

use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    accounts::{Accounts, Context},
    error::Result,
    host::Host,
    instruction::ServiceabilityInstruction,
};

/// Carries out an instruction.
pub(crate) fn process(
    host: &dyn Host,
    program: &Pubkey,
    accounts: &[AccountInfo],
    instruction: ServiceabilityInstruction,
) -> Result {
    let mut accounts = Accounts::open(host, program, accounts)?;
    if let ServiceabilityInstruction::InitGlobalConfig(args) = instruction {
        return global_config::init::process(&mut accounts, args);
    }
    let mut context = Context::new(accounts)?;
    dispatch(&mut context, instruction)?;
    context.finish()
}

#[rustfmt::skip]
fn dispatch(ctx: &mut Context, instruction: ServiceabilityInstruction) -> Result {
    use ServiceabilityInstruction::*;
    match instruction {
        // Carried out above: it is the only one that finds no config.
        InitGlobalConfig(_) => Ok(()),
        SetGlobalConfig(args) => global_config::set::process(ctx, args),
        SetActivator { key } => global_config::set_activator::process(ctx, key),
        AddFoundation { key } => global_config::add_foundation::process(ctx, key),
        RemoveFoundation { key } => global_config::remove_foundation::process(ctx, key),
        AddBlock { kind, block } => global_config::add_block::process(ctx, kind, block),
        RemoveBlock { kind, block } => global_config::remove_block::process(ctx, kind, block),

        CreateContributor { code, owner } => contributor::create::process(ctx, code, owner),
        UpdateContributor { owner } => contributor::update::process(ctx, owner),
        SuspendContributor => contributor::suspend::process(ctx),
        ResumeContributor => contributor::resume::process(ctx),
        DeleteContributor => contributor::delete::process(ctx),
        AllocateContributorBlock { block } => contributor::allocate_block::process(ctx, block),
        ReleaseContributorBlock { block } => contributor::release_block::process(ctx, block),
        CloseContributor => contributor::close::process(ctx),

        CreateExchange { code, name, latitude, longitude } =>
            exchange::create::process(ctx, code, name, latitude, longitude),
        UpdateExchange { name, latitude, longitude } => exchange::update::process(ctx, name, latitude, longitude),
        SuspendExchange => exchange::suspend::process(ctx),
        ResumeExchange => exchange::resume::process(ctx),
        DeleteExchange => exchange::delete::process(ctx),

        CreateDevice(args) => device::create::process(ctx, args),
        UpdateDevice { device_type, caps, endpoints_wanted } =>
            device::update::process(ctx, device_type, caps, endpoints_wanted),
        SetDevicePublicIp { public_ip } => device::set_public_ip::process(ctx, public_ip),
        AddDevicePrefix { net } => device::add_prefix::process(ctx, net),
        RemoveDevicePrefix { net } => device::remove_prefix::process(ctx, net),
        CarveDevicePrefix { net } => device::carve_prefix::process(ctx, net),
        PullEndpoint { ip, loopback_number } => device::pull_endpoint::process(ctx, ip, loopback_number),
        ActivateDevice => device::activate::process(ctx),
        DrainDevice => device::drain::process(ctx),
        UndrainDevice => device::undrain::process(ctx),
        DeleteDevice => device::delete::process(ctx),
        CloseDevice => device::close::process(ctx),

        CreateInterface { name, ip, user_tunnel_endpoint } =>
            interface::create::process(ctx, name, ip, user_tunnel_endpoint),
        ActivateInterface => interface::activate::process(ctx),
        DeleteInterface => interface::delete::process(ctx),
        CloseInterface => interface::close::process(ctx),

        CreateLink { code, delay_ns, bandwidth, mtu } => link::create::process(ctx, code, delay_ns, bandwidth, mtu),
        AcceptLink => link::accept::process(ctx),
        ActivateLink { net } => link::activate::process(ctx, net),
        UpdateLink { delay_ns, bandwidth } => link::update::process(ctx, delay_ns, bandwidth),
        SetLinkStatus { status } => link::set_status::process(ctx, status),
        DeleteLink => link::delete::process(ctx),
        CloseLink => link::close::process(ctx),

        CreateTenant { code, administrators } => tenant::create::process(ctx, code, administrators),
        UpdateTenant { administrators } => tenant::update::process(ctx, administrators),
        ActivateTenant { vrf_id } => tenant::activate::process(ctx, vrf_id),
        DeleteTenant => tenant::delete::process(ctx),
        CloseTenant => tenant::close::process(ctx),

        SetAccessPass { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users } =>
            access_pass::set::process(
                ctx,
                access_pass::set::Args { client_ip, payer, last_access_epoch, max_unicast_users, max_multicast_users },
            ),
        SetPassTenant { allowed } => access_pass::set_tenant::process(ctx, allowed),
        SetPassGroup { publish, subscribe } => access_pass::set_group::process(ctx, publish, subscribe),
        CloseAccessPass => access_pass::close::process(ctx),

        CreateMulticastGroup { code, owner, max_bandwidth } =>
            multicast_group::create::process(ctx, code, owner, max_bandwidth),
        UpdateMulticastGroup { owner, max_bandwidth } => multicast_group::update::process(ctx, owner, max_bandwidth),
        ActivateMulticastGroup { ip } => multicast_group::activate::process(ctx, ip),
        DeleteMulticastGroup => multicast_group::delete::process(ctx),
        CloseMulticastGroup => multicast_group::close::process(ctx),

        CreateUser { client_ip, endpoint_ip, user_type, roles } =>
            user::create::process(ctx, user::create::Args { client_ip, endpoint_ip, user_type, roles }),
        ActivateUser { tunnel_net, tunnel_id, dz_ip } => user::activate::process(ctx, tunnel_net, tunnel_id, dz_ip),
        RejectUser { reason } => user::reject::process(ctx, reason),
        SetUserRoles { changes } => user::set_roles::process(ctx, changes),
        DeleteUser => user::delete::process(ctx),
        CloseUser => user::close::process(ctx),
        BanUser => user::ban::process(ctx),
        FinishBan => user::finish_ban::process(ctx),
    }
}
