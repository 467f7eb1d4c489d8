//! Multicast groups: an address for each pending one.

use std::net::Ipv4Addr;

use dz_sdk::program::state::{AccountType, MulticastGroup, MulticastGroupStatus, PoolKind};
use solana_pubkey::Pubkey;

use super::{ConditionKind, Decision, Planner, Subject};

impl Planner<'_> {
    pub(super) fn take_back_groups(&mut self) {
        let view = self.view;
        for (key, group) in view.groups().iter().filter(|(_, group)| group.status == MulticastGroupStatus::Deleting) {
            if let Some(held) = &group.address {
                self.pools.release(&held.pool, u32::from(held.ip), 1);
            }
            self.act(&group_subject(*key, group), Decision::CloseMulticastGroup, "it is being deleted");
        }
    }

    pub(super) fn bring_up_groups(&mut self) {
        let view = self.view;
        for (key, group) in view.groups().iter().filter(|(_, group)| group.status == MulticastGroupStatus::Pending) {
            let subject = group_subject(*key, group);
            match self.lowest_free_of_blocks(PoolKind::MulticastGroupBlock, "group address") {
                Ok((value, pool)) => {
                    self.pools.claim(&pool, value, 1);
                    let decision = Decision::ActivateMulticastGroup { ip: Ipv4Addr::from(value) };
                    self.act(&subject, decision, "new group");
                }
                Err(shortage) => self.cannot(subject, ConditionKind::PoolFull, shortage.into_reason()),
            }
        }
    }
}

fn group_subject(key: Pubkey, group: &MulticastGroup) -> Subject {
    Subject { kind: AccountType::MulticastGroup, key, label: format!("group {}", group.code) }
}
