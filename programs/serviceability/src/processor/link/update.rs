//! Changes a link's delay and bandwidth.

use super::{check, load_owned};
use crate::{accounts::Context, error::Result};

#[inline(never)]
pub(in crate::processor) fn process(ctx: &mut Context, delay_ns: u64, bandwidth: u64) -> Result {
    let mut link = load_owned(ctx)?;
    check(delay_ns, bandwidth)?;
    link.delay_ns = delay_ns;
    link.bandwidth = bandwidth;
    ctx.save(&link)
}
