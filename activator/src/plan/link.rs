//! Links: a /31 for each pending one.

use std::net::Ipv4Addr;

use dz_sdk::program::{
    network::NetworkV4,
    state::{AccountType, InterfaceStatus, Link, LinkStatus, PoolKind},
};
use solana_pubkey::Pubkey;

use super::{ConditionKind, Decision, Planner, Shortage, Subject};

impl Planner<'_> {
    pub(super) fn take_back_links(&mut self) {
        let view = self.view;
        for (key, link) in view.links().iter().filter(|(_, link)| link.status == LinkStatus::Deleting) {
            if let Some(held) = &link.network {
                self.pools.release(&held.pool, u32::from(held.net.network()), 1);
            }
            self.act(&link_subject(*key, link), Decision::CloseLink, "it is being deleted");
        }
    }

    pub(super) fn bring_up_links(&mut self) {
        let view = self.view;
        for (key, link) in view.links().iter().filter(|(_, link)| link.status == LinkStatus::Pending) {
            let subject = link_subject(*key, link);
            let ends = [&link.side_a, &link.side_z].map(|end| view.interface(&end.interface));
            if ends.iter().any(|end| end.is_none_or(|end| end.status == InterfaceStatus::Deleting)) {
                let reason = "an interface that it ends on is going away".to_owned();
                self.cannot(subject, ConditionKind::OutOfUse, reason);
                continue;
            }
            let found = self.lowest_free_of_blocks(PoolKind::DeviceTunnelBlock, "network").and_then(|(base, pool)| {
                let address = Ipv4Addr::from(base);
                let net = NetworkV4::new(address, 31);
                Ok((net.ok_or_else(|| Shortage::other(format!("the unit at {address} is no /31")))?, pool))
            });
            match found {
                Ok((net, pool)) => {
                    self.pools.claim(&pool, u32::from(net.network()), 1);
                    self.act(&subject, Decision::ActivateLink { net }, format!("new {} link", link.link_type));
                }
                Err(shortage) => self.cannot(subject, ConditionKind::PoolFull, shortage.into_reason()),
            }
        }
    }
}

fn link_subject(key: Pubkey, link: &Link) -> Subject {
    Subject { kind: AccountType::Link, key, label: format!("link {}", link.code) }
}
