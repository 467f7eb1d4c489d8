//! Creates the config and the VRF id pool; the signer becomes foundation and, until it names another, activator.

use crate::{
    accounts::Accounts,
    error::{Result, ServiceabilityError, ensure},
    instruction::{DEFAULT_VRF_ID, GlobalConfigArgs, LAST_VRF_ID},
    pda::Place,
    state::{GlobalConfig, Pool, PoolKind},
};

#[inline(never)]
pub(in crate::processor) fn process(accounts: &mut Accounts, args: GlobalConfigArgs) -> Result {
    let config = accounts.config_info();
    let vrf_ids = accounts.take()?;
    accounts.finish()?;
    ensure!(!accounts.exists(config)?, AlreadyInitialized);
    super::check(&args)?;
    let signer = *accounts.signer.key;
    let value = GlobalConfig {
        foundation: vec![signer],
        activator: signer,
        local_asn: args.local_asn,
        remote_asn: args.remote_asn,
        endpoint_loopback_first: args.endpoint_loopback_first,
        endpoint_loopback_last: args.endpoint_loopback_last,
        min_contributor_prefix: args.min_contributor_prefix,
        endpoints_per_device: args.endpoints_per_device,
        device_count: 0,
        double_zero_blocks: vec![],
        user_tunnel_blocks: vec![],
        device_tunnel_blocks: vec![],
        multicast_group_blocks: vec![],
        multicast_publisher_blocks: vec![],
    };
    accounts.create(config, Place::Config, value)?;

    let (kind, owner, base) = (PoolKind::VrfIds, *config.key, u32::from(DEFAULT_VRF_ID));
    let count = u32::from(LAST_VRF_ID.checked_sub(DEFAULT_VRF_ID).ok_or(ServiceabilityError::CounterOverflow)?) + 1;
    // The first id is every user's without a tenant.
    accounts.create(vrf_ids, Place::Pool { kind, owner: &owner, base }, Pool::new(kind, owner, base, 1, count, 1))
}
