//! Creates a link. Side Z of another contributor is only named: nothing of it is bound before it accepts.

use super::{End, MTU, check};
use crate::{
    accounts::{Context, Info},
    counter::Counter,
    error::{Result, ensure},
    lists,
    pda::Place,
    processor::contributor::{active, count_request},
    state::{Contributor, Link, LinkDrain, LinkStatus, LinkType},
    validation::check_lower_code,
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::CreateLink<Info<'a, 'info>>,
    code: String,
    delay_ns: u64,
    bandwidth: u64,
    mtu: u16,
) -> Result {
    let mut contributor = ctx.read::<Contributor>(a.contributor)?;
    ctx.contributor_owner(&contributor)?;
    let mut side_a = End::read(ctx, a.device_a, a.interface_a)?;
    let mut side_z = End::read(ctx, a.device_z, a.interface_z)?;
    active(&contributor)?;
    count_request(ctx, &mut contributor, a.clock, 0)?;
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
        drained_by_a: LinkDrain::None,
        drained_by_z: LinkDrain::None,
        accepted,
        network: None,
        delay_ns,
        bandwidth,
        mtu,
    };
    ctx.create(a.link, Place::Link(&code), value)?;
    side_a.bind(ctx, *a.link.key)?;
    if accepted {
        side_z.bind(ctx, *a.link.key)?;
    }
    contributor.reference_count.up()?;
    ctx.save(&contributor)
}
