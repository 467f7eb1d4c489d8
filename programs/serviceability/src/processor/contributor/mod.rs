//! Contributors and the /24s carved for them.

pub(super) mod allocate_block;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod release_block;
pub(super) mod resume;
pub(super) mod suspend;
pub(super) mod update;

/// The most /24s of one contributor.
const MAX_BLOCKS: usize = 64;
/// Addresses in a unit of a contributor's /24: the longest prefix a device is given.
const UNIT: u32 = 8;
