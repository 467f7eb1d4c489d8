//! The instruction for each action.
//!
//! The values are in the decision; the accounts they touch are found in the view the plan was made from, or follow
//! from the values when the plan itself creates them.

use dz_sdk::{
    NetworkView,
    build::{
        self, BuildError,
        find::{config, user},
    },
    instruction::{
        decided_on,
        device::{activate_device, pull_endpoint},
        tenant::activate_tenant,
        user::{Grant, set_user_roles},
    },
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::plan::{Action, Decision};

/// The instruction of an action that was planned from this view, which a later life of its subject refuses.
///
/// # Errors
/// When the view lacks an account that the action touches.
pub fn instruction(view: &NetworkView, signer: &Pubkey, action: &Action) -> Result<Instruction, BuildError> {
    Ok(decided_on(view, of_action(view, signer, action)?))
}

fn of_action(view: &NetworkView, signer: &Pubkey, action: &Action) -> Result<Instruction, BuildError> {
    let program = view.program();
    let key = action.subject.key;
    match &action.decision {
        Decision::AllocateContributorBlock { block } => build::allocate_contributor_block(view, signer, key, *block),
        Decision::ReleaseContributorBlock { block } => build::release_contributor_block(view, signer, key, *block),
        Decision::CloseContributor => Ok(build::close_contributor_account(view, signer, key)),
        Decision::CarveDevicePrefix { net } => build::carve_device_prefix(view, signer, key, *net),
        // The prefix may be carved by an action before this one, so that the view's device does not have it yet.
        Decision::PullEndpoint { prefix, ip, loopback_number } => {
            let first = config(view)?.endpoint_loopback_first;
            Ok(pull_endpoint(program, signer, key, *prefix, first, *ip, *loopback_number))
        }
        Decision::ActivateDevice => Ok(activate_device(program, signer, key)),
        Decision::RemoveDevicePrefix { net } => build::remove_device_prefix(view, signer, key, *net),
        Decision::CloseDevice => build::close_device_account(view, signer, key),
        Decision::ActivateInterface => build::activate_interface(view, signer, key),
        Decision::DeleteInterface => build::delete_interface(view, signer, key),
        Decision::CloseInterface => build::close_interface(view, signer, key),
        Decision::ActivateLink { net } => build::activate_link(view, signer, key, *net),
        Decision::CloseLink => build::close_link(view, signer, key),
        Decision::ActivateTenant { vrf_id } => Ok(activate_tenant(program, signer, key, *vrf_id)),
        Decision::CloseTenant => Ok(build::close_tenant(view, signer, key)),
        Decision::ActivateMulticastGroup { ip } => build::activate_multicast_group(view, signer, key, *ip),
        Decision::CloseMulticastGroup => build::close_multicast_group(view, signer, key),
        Decision::ActivateUser { tunnel_net, tunnel_id, dz_ip } => {
            let grant = Grant { tunnel_net: *tunnel_net, tunnel_id: *tunnel_id, dz_ip: *dz_ip };
            build::activate_user(view, signer, key, grant)
        }
        Decision::StripRoles { changes } => {
            let user = user(view, &key)?;
            Ok(set_user_roles(program, signer, user.access_pass, user.device, key, None, changes))
        }
        Decision::RejectUser { reason } => build::reject_user_alone(view, signer, key, reason),
        Decision::CloseUser => build::close_user_account(view, signer, key),
        Decision::FinishBan => build::finish_ban_alone(view, signer, key),
    }
}
