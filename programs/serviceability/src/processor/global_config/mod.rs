//! The config: authorities, numbers, blocks.

pub(super) mod add_block;
pub(super) mod add_foundation;
pub(super) mod init;
pub(super) mod remove_block;
pub(super) mod remove_foundation;
pub(super) mod set;
pub(super) mod set_activator;

use crate::{
    error::{Result, ensure},
    state::ConfigNumbers,
};

fn check(args: &ConfigNumbers) -> Result {
    let asn = 1..u32::MAX;
    ensure!(asn.contains(&args.local_asn) && asn.contains(&args.remote_asn), InvalidAsn);
    ensure!(args.endpoint_loopback_first <= args.endpoint_loopback_last, InvalidLoopbackRange);
    ensure!((24..=29).contains(&args.min_contributor_prefix), InvalidContributorPrefix);
    let range = args.endpoint_loopback_last - args.endpoint_loopback_first;
    ensure!(u32::from(args.endpoints_per_device) <= u32::from(range) + 1, InvalidEndpointCount);
    Ok(())
}
