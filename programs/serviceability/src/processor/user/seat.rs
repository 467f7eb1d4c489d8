//! Seats: the counters of device, interface and pass that every live user is counted in.

use crate::{
    counter::Counter,
    error::{Result, ServiceabilityError, ensure},
    state::{AccessPass, Device, DeviceCounts, Interface, UserType},
};

/// Takes a seat, if there is one.
pub(super) fn take(
    device: &mut Device,
    interface: &mut Interface,
    pass: &mut AccessPass,
    user_type: UserType,
    publisher: bool,
) -> Result {
    device.seat_for(user_type, publisher)?;
    if user_type.is_multicast() {
        ensure!(pass.multicast_users < pass.max_multicast_users, PassMulticastFull);
        pass.multicast_users.up()?;
    } else {
        ensure!(pass.unicast_users < pass.max_unicast_users, PassUnicastFull);
        pass.unicast_users.up()?;
    }
    interface.user_count.up()?;
    count(&mut device.counts, user_type, publisher).up()
}

/// Gives a seat back.
pub(super) fn give(
    device: &mut Device,
    interface: &mut Interface,
    pass: &mut AccessPass,
    user_type: UserType,
    publisher: bool,
) -> Result {
    if user_type.is_multicast() { &mut pass.multicast_users } else { &mut pass.unicast_users }.down()?;
    interface.user_count.down()?;
    count(&mut device.counts, user_type, publisher).down()
}

/// Moves a multicast user between the publishers' and the subscribers' seats, if the cap allows it.
pub(super) fn change(device: &mut Device, publisher: bool, respect_cap: bool) -> Result {
    if respect_cap {
        device.seat_of_kind(UserType::Multicast, publisher).map_err(ServiceabilityError::from)?;
    }
    count(&mut device.counts, UserType::Multicast, !publisher).down()?;
    count(&mut device.counts, UserType::Multicast, publisher).up()
}

fn count(counts: &mut DeviceCounts, user_type: UserType, publisher: bool) -> &mut u16 {
    match (user_type.is_multicast(), publisher) {
        (false, _) => &mut counts.unicast_users,
        (true, false) => &mut counts.multicast_subscribers,
        (true, true) => &mut counts.multicast_publishers,
    }
}
