//! Backbone links.

pub(super) mod accept;
pub(super) mod activate;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod set_status;
pub(super) mod update;

use std::ops::RangeInclusive;

use crate::{
    accounts::{Account, Context, Info},
    counter::Counter,
    error::{Result, ensure},
    instruction::{LINK_BANDWIDTH, LINK_DELAY_NS},
    state::{Contributor, Device, DeviceStatus, Interface, InterfaceKind, InterfaceStatus, Link, LinkEnd},
};

/// MTU, in octets of a link.
const MTU: RangeInclusive<u16> = 1280..=9216;

fn check(delay_ns: u64, bandwidth: u64) -> Result {
    ensure!(LINK_DELAY_NS.contains(&delay_ns), InvalidDelay);
    ensure!(LINK_BANDWIDTH.contains(&bandwidth), InvalidBandwidth);
    Ok(())
}

/// One end, loaded: the interface belongs to the device.
struct End<'a, 'info> {
    device: Account<'a, 'info, Device>,
    interface: Account<'a, 'info, Interface>,
}

impl<'a, 'info> End<'a, 'info> {
    fn read(ctx: &Context<'a, 'info>, device: Info<'a, 'info>, interface: Info<'a, 'info>) -> Result<Self> {
        let device = ctx.read::<Device>(device)?;
        let interface = ctx.read::<Interface>(interface)?;
        ensure!(interface.device == *device.key(), WrongInterface);
        Ok(Self { device, interface })
    }

    fn key(&self) -> LinkEnd {
        LinkEnd { device: *self.device.key(), interface: *self.interface.key() }
    }

    /// Whether a link can end here.
    fn check_free(&self) -> Result {
        ensure!(self.device.status != DeviceStatus::Deleting, DeviceDeleting);
        ensure!(self.interface.status != InterfaceStatus::Deleting, InterfaceDeleting);
        ensure!(self.interface.kind == InterfaceKind::Physical, InterfaceNotPhysical);
        ensure!(self.interface.link.is_none(), InterfaceHasLink);
        Ok(())
    }

    fn bind(&mut self, ctx: &Context<'a, 'info>, link: solana_pubkey::Pubkey) -> Result {
        self.interface.link = Some(link);
        self.device.link_count.up()?;
        self.save(ctx)
    }

    fn unbind(&mut self, ctx: &Context<'a, 'info>) -> Result {
        self.interface.link = None;
        self.device.link_count.down()?;
        self.save(ctx)
    }

    fn save(&self, ctx: &Context<'a, 'info>) -> Result {
        ctx.save(&self.interface)?;
        ctx.save(&self.device)
    }
}

/// A link, and the contributor of one of its sides, who is the signer's: the one that this device is at.
fn read_of_side<'a, 'info>(
    ctx: &Context<'a, 'info>,
    link: Info<'a, 'info>,
    contributor: Info<'a, 'info>,
    device: Info<'a, 'info>,
) -> Result<(Account<'a, 'info, Link>, Account<'a, 'info, Contributor>)> {
    let contributor = ctx.read::<Contributor>(contributor)?;
    let device = ctx.read::<Device>(device)?;
    let link = ctx.read::<Link>(link)?;
    ctx.contributor_owner(&contributor)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!([link.side_a.device, link.side_z.device].contains(device.key()), NotALinkEnd);
    Ok((link, contributor))
}
