//! Creates a link. Side Z of another contributor is only named: nothing of it is bound before it accepts.

use super::{End, MTU, check};
use crate::{
    accounts::Context,
    counter::Counter,
    error::{Result, ensure},
    pda::Place,
    processor::device::active,
    state::{Contributor, Link, LinkStatus, LinkType},
    validation::check_lower_code,
};

#[inline(never)]
pub(in crate::processor) fn process(
    ctx: &mut Context,
    code: String,
    delay_ns: u64,
    bandwidth: u64,
    mtu: u16,
) -> Result {
    let mut contributor = ctx.load::<Contributor>()?;
    ctx.contributor_owner(&contributor)?;
    let mut side_a = End::load(ctx)?;
    let mut side_z = End::load(ctx)?;
    let info = ctx.take()?;
    active(&contributor)?;
    check_lower_code(&code)?;
    check(delay_ns, bandwidth)?;
    ensure!(MTU.contains(&mtu), InvalidMtu);
    ensure!(side_a.device.contributor == *contributor.key(), WrongContributor);
    side_a.check_free()?;
    side_z.check_free()?;

    let accepted = side_z.device.contributor == *contributor.key();
    let value = Link {
        code: code.clone(),
        contributor: *contributor.key(),
        link_type: if accepted { LinkType::Wan } else { LinkType::Dzx },
        side_a: side_a.key(),
        side_z: side_z.key(),
        status: if accepted { LinkStatus::Pending } else { LinkStatus::Requested },
        accepted,
        network: None,
        delay_ns,
        bandwidth,
        mtu,
    };
    ctx.create(info, Place::Link(&code), value)?;
    side_a.bind(ctx, *info.key)?;
    if accepted {
        side_z.bind(ctx, *info.key)?;
    }
    contributor.reference_count.up()?;
    ctx.save(&contributor)
}
