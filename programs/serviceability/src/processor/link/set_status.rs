//! Drains a link or opens it again. Each side says how far it drains; so neither opens what the other has drained.

use super::read_of_side;
use crate::{
    accounts::{Context, Info},
    error::{Result, ServiceabilityError, ensure},
    lists,
    processor::contributor::active,
    state::{LinkDrain, LinkStatus, LinkType},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::SetLinkStatus<Info<'a, 'info>>,
    status: LinkStatus,
) -> Result {
    let (mut link, contributor) = read_of_side(ctx, a.link, a.contributor, a.device)?;
    let drain = LinkDrain::asked_by(status).ok_or(ServiceabilityError::InvalidLinkStatus)?;
    ensure!(link.in_service(), LinkNotActivated);
    let before = link.drained_status();
    let both = link.link_type == LinkType::Wan || contributor.owner != *ctx.signer.key;
    if both || *a.device.key == link.side_a.device {
        link.drained_by_a = drain;
    }
    if both || *a.device.key == link.side_z.device {
        link.drained_by_z = drain;
    }
    link.status = link.drained_status();
    // Who may take nothing may drain, and not undrain.
    let opens = LinkDrain::asked_by(link.status) < LinkDrain::asked_by(before);
    if opens && !ctx.signer_is_foundation() {
        active(&contributor)?;
    }
    ctx.save(&link)
}
