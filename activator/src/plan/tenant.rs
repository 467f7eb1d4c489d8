//! Tenants: a VRF id for each pending one.

use dz_sdk::program::state::{AccountType, PoolKind, Tenant, TenantStatus};
use solana_pubkey::Pubkey;

use super::{ConditionKind, Decision, Planner, Shortage, Subject};

impl Planner<'_> {
    pub(super) fn take_back_tenants(&mut self) {
        let view = self.view;
        for (key, tenant) in view.tenants().iter().filter(|(_, tenant)| tenant.status == TenantStatus::Deleting) {
            if let (Some(pool), Some(vrf_id)) = (self.vrf_ids(), tenant.vrf_id) {
                self.pools.release(&pool, u32::from(vrf_id), 1);
            }
            self.act(&tenant_subject(*key, tenant), Decision::CloseTenant, "it is being deleted");
        }
    }

    pub(super) fn bring_up_tenants(&mut self) {
        let view = self.view;
        for (key, tenant) in view.tenants().iter().filter(|(_, tenant)| tenant.status == TenantStatus::Pending) {
            let subject = tenant_subject(*key, tenant);
            let Some(pool) = self.vrf_ids() else {
                self.cannot(subject, ConditionKind::Incomplete, "the pool of VRF ids is not on the chain".to_owned());
                continue;
            };
            match self.pools.lowest_free(&pool).and_then(|id| u16::try_from(id).ok()) {
                Some(vrf_id) => {
                    self.pools.claim(&pool, u32::from(vrf_id), 1);
                    self.act(&subject, Decision::ActivateTenant { vrf_id }, "new tenant");
                }
                None => {
                    let shortage = Shortage::of_numbers(&self.pools, "VRF id", &pool);
                    self.cannot(subject, ConditionKind::PoolFull, shortage.into_reason());
                }
            }
        }
    }

    fn vrf_ids(&self) -> Option<Pubkey> {
        self.pools.only(PoolKind::VrfIds, self.pools.config())
    }
}

fn tenant_subject(key: Pubkey, tenant: &Tenant) -> Subject {
    Subject { kind: AccountType::Tenant, key, label: format!("tenant {}", tenant.code) }
}
