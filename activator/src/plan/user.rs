//! Users: a tunnel for each pending one, and the return of units of deleting ones.

use std::{collections::BTreeSet, net::Ipv4Addr};

use dz_policy::WhenFull;
use dz_sdk::program::{
    instruction::{MAX_ROLES_PER_INSTRUCTION, RoleChange},
    network::NetworkV4,
    state::{AccountType, Device, DeviceStatus, PoolKind, User, UserAllocation, UserStatus, UserType},
};
use solana_pubkey::Pubkey;

use super::{ConditionKind, Decision, Planner, Shortage, Subject};
use crate::strategy::{PoolUse, Strategy};

/// Every role that a user may have in a group is taken.
const ALL_OF_THEM: RoleChange = RoleChange { publish: Some(false), subscribe: Some(false) };

/// Why a user gets no tunnel.
enum Refusal {
    /// There is no room now; there may be later.
    Full(Shortage),
    /// Waiting would not help.
    Closed(String),
}

impl From<Shortage> for Refusal {
    fn from(shortage: Shortage) -> Self {
        Self::Full(shortage)
    }
}

impl Planner<'_> {
    pub(super) fn take_back_users(&mut self) {
        let view = self.view;
        for (key, user) in view.users() {
            let (decision, reason) = match user.status {
                UserStatus::Deleting => (Decision::CloseUser, "it is being deleted"),
                UserStatus::PendingBan => (Decision::FinishBan, "it is being banned"),
                UserStatus::Pending
                | UserStatus::Activated
                | UserStatus::Updating
                | UserStatus::Rejected
                | UserStatus::Banned => continue,
            };
            let subject = user_subject(*key, user);
            let groups: BTreeSet<_> = user.publishers.iter().chain(&user.subscribers).copied().collect();
            self.strip_roles(&subject, groups.into_iter().map(|group| (group, ALL_OF_THEM)), reason);
            if let Some(held) = &user.allocation {
                self.release_allocation(user, held);
            }
            self.act(&subject, decision, reason);
        }
    }

    pub(super) fn serve_users(&mut self) {
        // Those who stop publishing make room for those who start.
        let leaves = |user: &User| user.status == UserStatus::Updating && !user.is_publisher();
        self.serve_users_who(leaves);
        self.serve_users_who(|user| matches!(user.status, UserStatus::Pending | UserStatus::Updating) && !leaves(user));
    }

    fn serve_users_who(&mut self, matches: impl Fn(&User) -> bool) {
        let view = self.view;
        for (key, user) in view.users().iter().filter(|(_, user)| matches(user)) {
            let subject = user_subject(*key, user);
            let Some(device) = view.device(&user.device) else {
                let reason = format!("its device {} is not on the chain", user.device);
                self.cannot(subject, ConditionKind::Incomplete, reason);
                continue;
            };
            let outcome = match user.allocation {
                Some(held) => self.reallocate(user, device, held),
                None => self.allocate(user, device),
            };
            match outcome {
                Ok(allocation) => self.activate_user(&subject, user, device, allocation),
                Err(refusal) => self.refuse_user(subject, user, refusal),
            }
        }
    }

    /// What a user that has no tunnel yet would get. Nothing is taken yet.
    fn allocate(&mut self, user: &User, device: &Device) -> Result<UserAllocation, Refusal> {
        if device.status != DeviceStatus::Activated {
            return Err(Refusal::Closed(format!("device {} is {}: it takes no new users", device.code, device.status)));
        }
        let (net, tunnel_pool) = self.lowest_free_of_blocks(PoolKind::UserTunnelBlock, "tunnel network")?;
        let tunnel_net = NetworkV4::new(Ipv4Addr::from(net), 31)
            .ok_or_else(|| Refusal::Closed(format!("the unit at {} is no /31", Ipv4Addr::from(net))))?;
        let tunnel_id = self.lowest_free_tunnel_id(user, device)?;
        let (dz_ip, dz_ip_pool) = self.choose_dz_ip(user, device)?;
        Ok(UserAllocation { tunnel_net, tunnel_pool, tunnel_id, dz_ip, dz_ip_pool })
    }

    /// What a user whose roles have changed would have: the tunnel it has, with the dz_ip of its roles.
    fn reallocate(&mut self, user: &User, device: &Device, held: UserAllocation) -> Result<UserAllocation, Refusal> {
        let from_publisher_block = held
            .dz_ip_pool
            .and_then(|pool| self.pools.get(&pool))
            .is_some_and(|pool| pool.kind == PoolKind::MulticastPublisherBlock);
        if user.is_publisher() && from_publisher_block {
            return Ok(held);
        }
        let (dz_ip, dz_ip_pool) = self.choose_dz_ip(user, device)?;
        Ok(UserAllocation { dz_ip, dz_ip_pool, ..held })
    }

    fn lowest_free_tunnel_id(&mut self, user: &User, device: &Device) -> Result<u16, Shortage> {
        let owner = || format!("device {}", device.code);
        let Some(pool) = self.pools.only(PoolKind::TunnelIds, &user.device) else {
            return Err(Shortage::other("it has no tunnel ids").of(&owner()));
        };
        self.pools
            .lowest_free(&pool)
            .and_then(|id| u16::try_from(id).ok())
            .ok_or_else(|| Shortage::of_numbers(&self.pools, "tunnel id", &pool).of(&owner()))
    }

    /// The address a user of this type and these roles is known by, and the pool to take it from.
    fn choose_dz_ip(&mut self, user: &User, device: &Device) -> Result<(Ipv4Addr, Option<Pubkey>), Shortage> {
        match user.user_type {
            UserType::IbrlWithAllocatedIp | UserType::EdgeFiltering => {
                let filtered = user.user_type == UserType::EdgeFiltering;
                let prefixes = device
                    .prefixes
                    .iter()
                    .filter_map(|prefix| {
                        let base = u32::from(prefix.net.network());
                        Some((prefix.net, self.pools.find(PoolKind::DevicePrefix, &user.device, base)?))
                    })
                    .filter(|(net, _)| !filtered || self.is_foundations(net));
                // The contributor's own space first: the foundation's is kept for who needs it.
                let (own, given): (Vec<_>, Vec<_>) = prefixes.partition(|(net, _)| !self.is_foundations(net));
                let prefixes: Vec<_> = own.into_iter().chain(given).collect();
                self.choose_address(&prefixes).map_err(|shortage| shortage.of(&format!("device {}", device.code)))
            }
            UserType::Multicast if user.is_publisher() => {
                let blocks: Vec<_> = self
                    .pools
                    .blocks(PoolKind::MulticastPublisherBlock)
                    .iter()
                    .map(|block| (block.net, block.pool))
                    .collect();
                self.choose_address(&blocks).map_err(|shortage| shortage.of("publishers"))
            }
            UserType::Ibrl | UserType::Multicast => Ok((user.client_ip, None)),
        }
    }

    /// Whether a network lies in a DoubleZero block.
    fn is_foundations(&self, net: &NetworkV4) -> bool {
        self.pools.blocks(PoolKind::DoubleZeroBlock).iter().any(|block| block.net.overlaps(net))
    }

    fn choose_address(&mut self, candidates: &[(NetworkV4, Pubkey)]) -> Result<(Ipv4Addr, Option<Pubkey>), Shortage> {
        let uses: Vec<_> = candidates
            .iter()
            .map(|(_, pool)| {
                let (used, capacity) = self.pools.address_usage(pool);
                PoolUse { capacity, used, endpoints: 0 }
            })
            .collect();
        let chosen = self.policy.dz_ip_strategy.choose(&uses).and_then(|index| candidates.get(index));
        chosen
            .and_then(|(_, pool)| Some((self.pools.lowest_free_address(pool)?, Some(*pool))))
            .ok_or_else(|| Shortage::of_networks(&self.pools, "address", candidates.iter().copied()))
    }

    fn activate_user(&mut self, subject: &Subject, user: &User, device: &Device, to: UserAllocation) {
        let held = user.allocation.filter(|_| user.status == UserStatus::Updating);
        match held {
            None => {
                self.pools.claim(&to.tunnel_pool, u32::from(to.tunnel_net.network()), 1);
                if let Some(ids) = self.pools.only(PoolKind::TunnelIds, &user.device) {
                    self.pools.claim(&ids, u32::from(to.tunnel_id), 1);
                }
            }
            // The program swaps the addresses, so the old one is free again; one that stays is claimed again below.
            Some(held) => {
                if let Some(pool) = held.dz_ip_pool {
                    self.pools.release(&pool, u32::from(held.dz_ip), 1);
                }
            }
        }
        if let Some(pool) = to.dz_ip_pool {
            self.pools.claim(&pool, u32::from(to.dz_ip), 1);
        }
        let reason = match user.status {
            UserStatus::Updating if user.is_publisher() => "its roles changed: it publishes".to_owned(),
            UserStatus::Updating => "its roles changed: it does not publish".to_owned(),
            _ => format!("new {} user on device {}", user.user_type, device.code),
        };
        let UserAllocation { tunnel_net, tunnel_id, dz_ip, .. } = to;
        let decision = Decision::ActivateUser { tunnel_net, tunnel_id, dz_ip };
        self.act(subject, decision, reason);
    }

    fn refuse_user(&mut self, subject: Subject, user: &User, refusal: Refusal) {
        let reason = match refusal {
            Refusal::Full(shortage) if self.policy.when_full == WhenFull::Wait => {
                self.cannot(subject, ConditionKind::PoolFull, shortage.into_reason());
                return;
            }
            Refusal::Full(shortage) => shortage.into_reason(),
            Refusal::Closed(reason) => Shortage::other(reason).into_reason(),
        };
        // A user that keeps its tunnel loses only what it asked for: to publish.
        let groups: Vec<_> = match user.status {
            UserStatus::Updating => {
                let silent = RoleChange { publish: Some(false), subscribe: None };
                user.publishers.iter().map(|group| (*group, silent)).collect()
            }
            // Those it publishes to go last: as long as it has one, the next plan refuses it for the same reason.
            _ => {
                let groups: BTreeSet<_> = user.publishers.iter().chain(&user.subscribers).copied().collect();
                let (last, first): (Vec<_>, Vec<_>) = groups.into_iter().partition(|it| user.publishers.contains(it));
                first.into_iter().chain(last).map(|group| (group, ALL_OF_THEM)).collect()
            }
        };
        self.strip_roles(&subject, groups.into_iter(), &reason);
        self.act(&subject, Decision::RejectUser { reason: reason.clone() }, reason);
    }

    fn strip_roles(&mut self, subject: &Subject, changes: impl Iterator<Item = (Pubkey, RoleChange)>, reason: &str) {
        let changes: Vec<_> = changes.collect();
        for some in changes.chunks(MAX_ROLES_PER_INSTRUCTION) {
            self.act(subject, Decision::StripRoles { changes: some.to_vec() }, reason);
        }
    }

    fn release_allocation(&mut self, user: &User, held: &UserAllocation) {
        self.pools.release(&held.tunnel_pool, u32::from(held.tunnel_net.network()), 1);
        if let Some(ids) = self.pools.only(PoolKind::TunnelIds, &user.device) {
            self.pools.release(&ids, u32::from(held.tunnel_id), 1);
        }
        if let Some(pool) = &held.dz_ip_pool {
            self.pools.release(pool, u32::from(held.dz_ip), 1);
        }
    }
}

fn user_subject(key: Pubkey, user: &User) -> Subject {
    let label = format!("user {} -> {}", user.client_ip, user.endpoint_ip);
    Subject { kind: AccountType::User, key, label }
}
