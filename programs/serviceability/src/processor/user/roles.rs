//! Roles in groups: lists of the user and counters of the groups, changed together.

use solana_pubkey::Pubkey;

use crate::{
    error::{Result, ServiceabilityError, ensure},
    processor::key_list::{self, Limit},
    state::{AccessPass, MulticastGroup, MulticastGroupStatus, Roles, User},
};

/// The most groups a user can have one kind of role in.
const LIMIT: Limit = Limit { most: User::MAX_ROLES, refusal: ServiceabilityError::TooManyRoles };

/// Whether these roles would take something away and add nothing.
pub(super) fn only_strips(user: &User, group: &Pubkey, wanted: Roles) -> bool {
    let held = user.roles_in(group);
    (!wanted.publish || held.publish) && (!wanted.subscribe || held.subscribe)
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
    let held = user.roles_in(key);
    ensure!(!wanted.publish || held.publish || pass.publish.contains(key), PublishNotAllowed);
    ensure!(!wanted.subscribe || held.subscribe || pass.subscribe.contains(key), SubscribeNotAllowed);
    key_list::set(&mut user.publishers, key, wanted.publish, LIMIT, &mut group.publisher_count)?;
    key_list::set(&mut user.subscribers, key, wanted.subscribe, LIMIT, &mut group.subscriber_count)
}
