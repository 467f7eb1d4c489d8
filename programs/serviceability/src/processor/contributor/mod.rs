//! Contributors and the /24s carved for them.

pub(super) mod add_prefix;
pub(super) mod allocate_block;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod release_block;
pub(super) mod remove_prefix;
pub(super) mod resume;
pub(super) mod suspend;
pub(super) mod update;

use super::load_time;
use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    state::{Contributor, ContributorStatus},
};

/// Addresses in a unit of a contributor's /24: the longest prefix a device is given.
const UNIT: u32 = 8;

/// Whether a contributor may take anything: a suspended one may drain and leave.
pub(super) fn active(contributor: &Contributor) -> Result {
    ensure!(contributor.status == ContributorStatus::Activated, ContributorNotActive);
    Ok(())
}

/// Counts what a contributor makes the activator do: a thing, and endpoints for it to pull. What the foundation does is
/// not counted.
pub(super) fn count_request(ctx: &Context, contributor: &mut Contributor, clock: Info, endpoints: u8) -> Result {
    let (time, more) = (load_time(clock)?, 1 + u32::from(endpoints));
    let counted =
        ctx.signer_is_foundation() || contributor.requests.count(time.unix_time, more, Contributor::REQUESTS_PER_HOUR);
    ensure!(counted, TooManyRequests);
    Ok(())
}
