//! Roles in groups: lists of the user and counters of the groups, changed together.

use solana_pubkey::Pubkey;

use crate::{
    error::{Result, ServiceabilityError, ensure},
    instruction::Roles,
    processor::member::{self, Limit},
    state::{AccessPass, MulticastGroup, MulticastGroupStatus, User},
};

/// The most groups a user can have one kind of role in.
const LIMIT: Limit = Limit { most: 64, refusal: ServiceabilityError::TooManyRoles };

/// The roles a user has in a group.
pub(super) fn held(user: &User, group: &Pubkey) -> Roles {
    Roles { publish: user.publishers.contains(group), subscribe: user.subscribers.contains(group) }
}

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
    member::set(&mut user.publishers, key, wanted.publish, LIMIT, &mut group.publisher_count)?;
    member::set(&mut user.subscribers, key, wanted.subscribe, LIMIT, &mut group.subscriber_count)
}
