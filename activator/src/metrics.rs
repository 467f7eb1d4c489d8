//! The activator's Prometheus metrics.

use std::{collections::BTreeMap, fmt, sync::Mutex, time::Duration};

use dz_sdk::{
    NetworkView,
    program::state::{
        AccountType, DeviceStatus, InterfaceStatus, LinkStatus, MulticastGroupStatus, Pool, PoolKind, TenantStatus,
        UserStatus,
    },
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use solana_pubkey::Pubkey;
use strum::IntoEnumIterator;
use tokio::time::Instant;

use crate::plan::{ConditionKind, Plan};

/// What became of an action that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The chain took it.
    Landed,
    /// Another transaction was faster.
    Conflict,
    /// It was refused for good.
    GivenUp,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    decision: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    kind: String,
    owner: String,
    base: String,
}

/// Counters and gauges of one activator.
pub struct Metrics {
    registry: Registry,
    plans: Counter,
    plan_seconds: Histogram,
    actions: Family<ActionLabels, Counter>,
    ledger_errors: Counter,
    transactions: Counter,
    conditions: Family<KindLabel, Gauge>,
    given_up: Gauge,
    slot: Gauge,
    pool_used: Family<PoolLabels, Gauge>,
    pool_capacity: Family<PoolLabels, Gauge>,
    pending: Family<KindLabel, Gauge>,
    oldest_pending: Family<KindLabel, Gauge<f64, std::sync::atomic::AtomicU64>>,
    /// When each thing that waits was first seen waiting.
    waiting: Mutex<BTreeMap<Pubkey, (AccountType, Instant)>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("dz_activator");
        macro_rules! register {
            ($name:literal, $help:literal, $metric:expr) => {{
                let metric = $metric;
                registry.register($name, $help, metric.clone());
                metric
            }};
        }
        let plan_seconds = Histogram::new(exponential_buckets(0.0001, 4.0, 8));
        registry.register_with_unit("plan_duration", "Time to plan", Unit::Seconds, plan_seconds.clone());
        let oldest_pending = Family::default();
        registry.register_with_unit(
            "oldest_pending",
            "How long the longest waiting account has been waiting, by type",
            Unit::Seconds,
            oldest_pending.clone(),
        );
        Self {
            plans: register!("plans", "Plans made", Counter::default()),
            actions: register!("actions", "Actions sent, by what became of them", Family::default()),
            ledger_errors: register!(
                "ledger_errors",
                "Reads and sends that the ledger did not answer",
                Counter::default()
            ),
            transactions: register!("transactions", "Transactions that landed", Counter::default()),
            conditions: register!("conditions", "What the last plan could not do, by why", Family::default()),
            given_up: register!("given_up", "Things whose next step is refused for good", Gauge::default()),
            slot: register!("view_slot", "Slot of the view last planned from", Gauge::default()),
            pool_used: register!("pool_used", "Units of a pool in use", Family::default()),
            pool_capacity: register!("pool_capacity", "Units of a pool that can be in use", Family::default()),
            pending: register!("pending", "Accounts that wait for the activator, by type", Family::default()),
            plan_seconds,
            oldest_pending,
            waiting: Mutex::default(),
            registry,
        }
    }
}

impl Metrics {
    pub(crate) fn planned(&self, view: &NetworkView, plan: &Plan, took: Duration) {
        self.plans.inc();
        self.plan_seconds.observe(took.as_secs_f64());
        self.slot.set(i64::try_from(view.slot()).unwrap_or(i64::MAX));
        for kind in ConditionKind::iter() {
            let count = plan.conditions.iter().filter(|condition| condition.kind == kind).count();
            self.conditions.get_or_create(&KindLabel { kind: kind.into() }).set(count as i64);
        }
        let now = Instant::now();
        let waiting: BTreeMap<_, _> = waiting_accounts(view).collect();
        let mut known = self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.retain(|key, _| waiting.contains_key(key));
        for (key, kind) in waiting {
            known.entry(key).or_insert((kind, now));
        }
    }

    pub(crate) fn acted(&self, decision: &'static str, outcome: Outcome) {
        self.actions.get_or_create(&ActionLabels { decision, outcome: outcome.into() }).inc();
    }

    pub(crate) fn landed(&self) {
        self.transactions.inc();
    }

    pub(crate) fn ledger_failed(&self) {
        self.ledger_errors.inc();
    }

    pub(crate) fn set_given_up(&self, count: usize) {
        self.given_up.set(count as i64);
    }

    /// The text of `/metrics`, with the pools as they are in this view.
    ///
    /// # Errors
    /// The text cannot be written.
    pub fn encode(&self, view: Option<&NetworkView>) -> Result<String, fmt::Error> {
        if let Some(view) = view {
            self.pool_used.clear();
            self.pool_capacity.clear();
            // A registry of every public /24 in use says nothing about how much is left.
            let registry = |kind| matches!(kind, PoolKind::AddressRegistry | PoolKind::ClientAddresses);
            for pool in view.pools().values().filter(|pool| !registry(pool.kind)) {
                let labels = pool_labels(view, pool);
                self.pool_used.get_or_create(&labels).set(pool.used().into());
                self.pool_capacity.get_or_create(&labels).set(pool.capacity().into());
            }
        }
        let now = Instant::now();
        let waiting = self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        for (kind, name) in WAITING {
            let since: Vec<_> = waiting.values().filter(|(of, _)| of == &kind).map(|(_, since)| *since).collect();
            let label = KindLabel { kind: name };
            let oldest = since.iter().min().map_or(Duration::ZERO, |since| now.duration_since(*since));
            self.pending.get_or_create(&label).set(since.len() as i64);
            self.oldest_pending.get_or_create(&label).set(oldest.as_secs_f64());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Types of accounts that can wait for the activator, and their names as labels.
const WAITING: [(AccountType, &str); 6] = [
    (AccountType::Device, "device"),
    (AccountType::Interface, "interface"),
    (AccountType::Link, "link"),
    (AccountType::Tenant, "tenant"),
    (AccountType::MulticastGroup, "multicast-group"),
    (AccountType::User, "user"),
];

fn waiting_accounts(view: &NetworkView) -> impl Iterator<Item = (Pubkey, AccountType)> + '_ {
    macro_rules! waiting {
        ($map:ident, $type:ident, $status:ident: $($waiting:ident)|+) => {
            view.$map()
                .iter()
                .filter(|(_, one)| matches!(one.status, $($status::$waiting)|+))
                .map(|(key, _)| (*key, AccountType::$type))
        };
    }
    waiting!(devices, Device, DeviceStatus: Pending | Deleting)
        .chain(waiting!(interfaces, Interface, InterfaceStatus: Pending | Deleting))
        .chain(waiting!(links, Link, LinkStatus: Pending | Deleting))
        .chain(waiting!(tenants, Tenant, TenantStatus: Pending | Deleting))
        .chain(waiting!(groups, MulticastGroup, MulticastGroupStatus: Pending | Deleting))
        .chain(waiting!(users, User, UserStatus: Pending | Updating | Deleting | PendingBan))
}

fn pool_labels(view: &NetworkView, pool: &Pool) -> PoolLabels {
    let owner = view
        .device(&pool.owner)
        .map(|device| &device.code)
        .or_else(|| view.contributor(&pool.owner).map(|contributor| &contributor.code));
    PoolLabels {
        kind: pool.kind.to_string(),
        owner: owner.cloned().unwrap_or_default(),
        base: pool.kind.show(pool.base),
    }
}

#[cfg(test)]
mod tests {
    use dz_sdk::program::state::{AccountData, Tenant};

    use super::*;
    use crate::plan::{Condition, Subject};

    #[test]
    fn pools_conditions_and_waiting_accounts_are_counted() {
        let (metrics, key) = (Metrics::default(), Pubkey::new_from_array([3; 32]));
        let mut view = NetworkView::default();
        let tenant = |status| {
            let code = "t".to_owned();
            let requests = dz_sdk::program::state::Requests::default();
            Tenant { code, administrators: vec![], status, vrf_id: None, reference_count: 0, requests }.encode()
        };
        view.set_account(key, &tenant(TenantStatus::Pending)).unwrap();
        let mut pool = Pool::new(PoolKind::UserTunnelBlock, key, 0xa9fe_0000, 2, 8, 0);
        pool.claim(0xa9fe_0002, 1).unwrap();
        view.set_account(Pubkey::new_from_array([4; 32]), &pool.encode()).unwrap();
        view.set_slot(9);
        let subject = Subject { kind: AccountType::Tenant, key, label: "tenant t".to_owned() };
        let condition = Condition { subject, kind: ConditionKind::PoolFull, reason: String::new() };
        let plan = Plan { actions: vec![], conditions: vec![condition] };
        metrics.planned(&view, &plan, Duration::from_millis(1));
        metrics.acted("activate-tenant", Outcome::GivenUp);

        let text = metrics.encode(Some(&view)).unwrap();
        for line in [
            "dz_activator_plans_total 1",
            "dz_activator_view_slot 9",
            "dz_activator_conditions{kind=\"pool-full\"} 1",
            "dz_activator_pending{kind=\"tenant\"} 1",
            "dz_activator_actions_total{decision=\"activate-tenant\",outcome=\"given-up\"} 1",
            "dz_activator_pool_used{kind=\"user-tunnel-block\",owner=\"\",base=\"169.254.0.0\"} 1",
            "dz_activator_pool_capacity{kind=\"user-tunnel-block\",owner=\"\",base=\"169.254.0.0\"} 8",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
        }

        view.set_account(key, &tenant(TenantStatus::Activated)).unwrap();
        metrics.planned(&view, &Plan::default(), Duration::from_millis(1));
        let text = metrics.encode(Some(&view)).unwrap();
        assert!(text.lines().any(|have| have == "dz_activator_pending{kind=\"tenant\"} 0"), "{text}");
        assert!(text.lines().any(|have| have == "dz_activator_conditions{kind=\"pool-full\"} 0"), "{text}");
    }
}
