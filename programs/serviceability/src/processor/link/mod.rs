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
    accounts::{Account, Context},
    counter::Counter,
    error::{Result, ensure},
    instruction::{LINK_BANDWIDTH, LINK_DELAY_NS},
    state::{Contributor, Device, DeviceStatus, Interface, InterfaceKind, InterfaceStatus, Link, LinkEnd, LinkStatus},
};

/// Octets of the largest packet of a link.
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
    /// The next two accounts are an end.
    fn load(ctx: &mut Context<'a, 'info>) -> Result<Self> {
        let device = ctx.load::<Device>()?;
        let interface = ctx.load::<Interface>()?;
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

/// The next two accounts are the contributor of side A, who is the signer's, and a link that is not going away.
fn load_owned<'a, 'info>(ctx: &mut Context<'a, 'info>) -> Result<Account<'a, 'info, Link>> {
    let contributor = ctx.load::<Contributor>()?;
    let link = ctx.load::<Link>()?;
    ctx.contributor_owner(&contributor)?;
    ensure!(link.contributor == *contributor.key(), WrongContributor);
    ensure!(link.status != LinkStatus::Deleting, LinkDeleting);
    Ok(link)
}
