//! The plan for a view of the chain: pure, total, deterministic.
//!
//! A plan first takes back what is being deleted and then gives to what waits, so that what goes makes room for what
//! comes in the same pass. Nothing is remembered from one plan to the next: whatever happened in between, the next
//! plan starts from what the chain says.

mod action;
mod contributor;
mod device;
mod group;
mod interface;
mod link;
mod pools;
mod shortage;
mod tenant;
mod user;

use dz_policy::ActivatorPolicy;
use dz_sdk::{
    NetworkView,
    program::{
        pda,
        state::{AccountType, PoolKind},
    },
};
use solana_pubkey::Pubkey;

pub use self::action::{Action, Condition, ConditionKind, Decision, Plan, Subject};
use self::{pools::Pools, shortage::Shortage};

/// Decides what to do about this view. Equal views and policies give equal plans.
pub fn plan(view: &NetworkView, policy: &ActivatorPolicy) -> Plan {
    let mut planner = Planner::new(view, policy);
    if view.config().is_none() {
        let config = Subject {
            kind: AccountType::GlobalConfig,
            key: pda::config(view.program()).0,
            label: "the global config".to_owned(),
        };
        planner.cannot(config, ConditionKind::Incomplete, "the chain is not initialised yet".to_owned());
        return planner.plan;
    }
    planner.take_back_users();
    planner.take_back_links();
    planner.take_back_devices();
    planner.take_back_groups();
    planner.take_back_tenants();
    planner.take_back_contributors();

    planner.bring_up_devices();
    planner.bring_up_links();
    planner.bring_up_tenants();
    planner.bring_up_groups();
    planner.serve_users();
    planner.plan
}

struct Planner<'a> {
    view: &'a NetworkView,
    policy: &'a ActivatorPolicy,
    pools: Pools<'a>,
    /// The /24s that this plan allocates, so that two devices of a contributor share one.
    new_blocks: Vec<(Pubkey, Pubkey)>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(view: &'a NetworkView, policy: &'a ActivatorPolicy) -> Self {
        Self { view, policy, pools: Pools::new(view), new_blocks: Vec::new(), plan: Plan::default() }
    }

    fn act(&mut self, subject: &Subject, decision: Decision, reason: impl Into<String>) {
        self.plan.actions.push(Action { subject: subject.clone(), decision, reason: reason.into() });
    }

    fn cannot(&mut self, subject: Subject, kind: ConditionKind, reason: String) {
        self.plan.conditions.push(Condition { subject, kind, reason });
    }

    /// The lowest free unit of the first global block of this kind that has one. Nothing is taken yet.
    fn lowest_free_of_blocks(&mut self, kind: PoolKind, what: &str) -> Result<(u32, Pubkey), Shortage> {
        for index in 0..self.pools.blocks(kind).len() {
            let pool = self.pools.blocks(kind)[index].pool;
            if let Some(value) = self.pools.lowest_free(&pool) {
                return Ok((value, pool));
            }
        }
        let blocks = self.pools.blocks(kind).iter().map(|block| (block.net, block.pool));
        Err(Shortage::of_networks(&self.pools, what, blocks))
    }
}
