//! Roles in groups: lists of the user and counters of the groups, changed together.

use solana_pubkey::Pubkey;

use crate::{
    counter::Counter,
    error::{Result, ensure},
    instruction::Roles,
    state::{AccessPass, MulticastGroup, MulticastGroupStatus, User},
};

/// The most groups a user can have one kind of role in.
const MAX_GROUPS: usize = 64;

/// Whether these roles would take something away and add nothing.
pub(super) fn only_strips(user: &User, group: &Pubkey, wanted: Roles) -> bool {
    (!wanted.publish || user.publishers.contains(group)) && (!wanted.subscribe || user.subscribers.contains(group))
}

/// Gives a user exactly these roles in a group. Adding needs the pass's leave and an activated group.
pub(super) fn set(
    user: &mut User,
    key: &Pubkey,
    group: &mut MulticastGroup,
    wanted: Roles,
    pass: &AccessPass,
) -> Result {
    if !only_strips(user, key, wanted) {
        ensure!(group.status == MulticastGroupStatus::Activated, GroupNotActivated);
    }
    let allowed = pass.publish.contains(key);
    ensure!(allowed || !wanted.publish || user.publishers.contains(key), PublishNotAllowed);
    let allowed = pass.subscribe.contains(key);
    ensure!(allowed || !wanted.subscribe || user.subscribers.contains(key), SubscribeNotAllowed);
    change(&mut user.publishers, key, wanted.publish, &mut group.publisher_count)?;
    change(&mut user.subscribers, key, wanted.subscribe, &mut group.subscriber_count)
}

fn change(list: &mut Vec<Pubkey>, group: &Pubkey, wanted: bool, count: &mut u32) -> Result {
    match (list.contains(group), wanted) {
        (false, true) => {
            ensure!(list.len() < MAX_GROUPS, TooManyRoles);
            list.push(*group);
            count.up()
        }
        (true, false) => {
            list.retain(|other| other != group);
            count.down()
        }
        (true, true) | (false, false) => Ok(()),
    }
}
