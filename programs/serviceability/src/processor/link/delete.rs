//! Starts a link's end; it must carry nothing that counts on it.

use super::load_owned;
use crate::{
    accounts::Context,
    error::{Result, ensure},
    state::LinkStatus,
};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context) -> Result {
    let mut link = load_owned(ctx)?;
    ensure!(link.status != LinkStatus::Activated, LinkStillActivated);
    link.status = LinkStatus::Deleting;
    ctx.save(&link)
}
