//! Random histories of operators' requests through plan and program: after each stretch the activator comes to rest,
//! nothing it planned was refused, every invariant holds, and a second plan is empty.

use std::sync::Arc;

use dz_activator::{
    metrics::Metrics,
    plan,
    reconciler::{Pace, Pass, Reconciler},
    status::Status,
};
use dz_policy::{ActivatorPolicy, DzIp, EndpointPull, LoopbackNumbering, WhenFull};
use dz_sdk::{NetworkView, local::LocalLedger};
use proptest::{collection::vec, prelude::*};
use tokio::sync::watch;

use crate::{
    invariants,
    operator::{ACTIVATOR, Op, genesis, op, request},
};

/// One pass takes back and gives; a second one may find that something it gave made something else possible.
const PASSES: usize = 3;

fn policy() -> impl Strategy<Value = ActivatorPolicy> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(wait, pull, dz_ip, number)| {
        ActivatorPolicy {
            when_full: if wait { WhenFull::Wait } else { WhenFull::Reject },
            endpoint_strategy: if pull { EndpointPull::Spread } else { EndpointPull::FirstFit },
            dz_ip_strategy: if dz_ip { DzIp::Spread } else { DzIp::FirstFit },
            loopback_strategy: if number { LoopbackNumbering::ByAddress } else { LoopbackNumbering::Lowest },
            ..ActivatorPolicy::default()
        }
    })
}

/// An activator on this chain.
pub(crate) fn activator(ledger: &LocalLedger, policy: ActivatorPolicy) -> Reconciler {
    let ledger = Arc::new(ledger.as_payer(ACTIVATOR));
    Reconciler::new(ledger, policy, Pace::default(), Arc::new(Metrics::default()), Arc::new(Status::default()), 7)
}

/// How many cases to try: this number, or `PROPTEST_CASES`.
pub(crate) fn cases(few: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few)
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Lets the activator work on fresh views until it rests; gives the chain it leaves.
pub(crate) fn come_to_rest(ledger: &LocalLedger, activator: &mut Reconciler, policy: &ActivatorPolicy) -> NetworkView {
    let (_stop, stop) = watch::channel(false);
    for pass in 0.. {
        let view = ledger.bank().view().unwrap();
        match block_on(activator.pass(&view, &stop)) {
            Pass::Quiet => break,
            Pass::Landed { .. } => {}
            other => panic!("a plan from a fresh view of a chain nobody else changes came to {other:?}"),
        }
        assert!(pass < PASSES, "the activator does not come to rest");
    }
    let view = ledger.bank().view().unwrap();
    invariants::check(&view);
    let plan = plan(&view, policy);
    assert_eq!(plan.actions, [], "a second plan must be empty");
    invariants::nobody_waits_but(&view, &plan.conditions.iter().map(|condition| condition.subject.key).collect());
    view
}

/// A stretch of history, after which the activator comes to rest.
pub(crate) fn stretch() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..12)
}

/// A /24 that one contributor gives back goes to another within one plan: its registry is closed and created again.
#[test]
fn a_block_changes_hands_in_one_plan() {
    let (ledger, policy) = (genesis(), ActivatorPolicy::default());
    let mut activator = activator(&ledger, policy);
    let ask = |op: Op| request(&ledger, &op).unwrap().unwrap();
    let create = |contributor| Op::CreateDevice { device: 3, contributor, bootstrap: 0, transit: false };
    ask(create(2));
    let view = come_to_rest(&ledger, &mut activator, &policy);
    let device = view.devices().values().position(|device| device.code == "d3").unwrap();
    ask(Op::DeleteDevice(device as u8));
    come_to_rest(&ledger, &mut activator, &policy);

    // The other /24 of the only block is another contributor's.
    ask(Op::DeleteContributor(2));
    ask(create(1));
    let view = ledger.bank().view().unwrap();
    let names: Vec<_> = plan(&view, &policy).actions.iter().map(|action| action.decision.name()).collect();
    let hands = ["release-contributor-block", "close-contributor", "allocate-contributor-block", "carve-device-prefix"];
    assert_eq!(names[..4], hands);
    let (_stop, stop) = watch::channel(false);
    assert!(matches!(block_on(activator.pass(&view, &stop)), Pass::Landed { .. }));
    let view = ledger.bank().view().unwrap();
    invariants::check(&view);
    assert_eq!(plan(&view, &policy).actions, [], "a second plan must be empty");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(24)))]

    #[test]
    fn whatever_operators_do_the_activator_comes_to_rest(stretches in vec(stretch(), 1..24), policy in policy()) {
        let ledger = genesis();
        let mut activator = activator(&ledger, policy);
        come_to_rest(&ledger, &mut activator, &policy);
        for stretch in stretches {
            for op in stretch {
                // A refusal is an answer, too.
                let _ = request(&ledger, &op);
            }
            come_to_rest(&ledger, &mut activator, &policy);
        }
    }
}
