//! Ends a user of a device that its contributor has drained, so that the device can go.

use crate::{
    accounts::{Context, Info},
    error::{Result, ensure},
    lists,
    state::{Contributor, Device, DeviceStatus, User, UserStatus},
};

#[inline(never)]
pub(in crate::processor) fn process<'a, 'info>(
    ctx: &mut Context<'a, 'info>,
    a: lists::EvictUser<Info<'a, 'info>>,
) -> Result {
    let contributor = ctx.read::<Contributor>(a.contributor)?;
    let device = ctx.read::<Device>(a.device)?;
    let mut user = ctx.read::<User>(a.user)?;
    ctx.contributor_owner(&contributor)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!(user.device == *device.key(), WrongDevice);
    ensure!(device.status == DeviceStatus::Drained, DeviceNotDrained);
    super::check_live(user.status)?;
    user.status = UserStatus::Deleting;
    ctx.save(&user)
}
