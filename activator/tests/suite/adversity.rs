//! The activator against everything that can happen to it: killed after each transaction, answers and notifications
//! lost, repeated and reordered, another activator at the same work, outages, a program that refuses.

use std::{
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dz_activator::{
    metrics::Metrics,
    plan,
    reconciler::{Pace, Pass, Reconciler},
    status::Status,
};
use dz_policy::{ActivatorPolicy, WhenFull};
use dz_sdk::{
    Ledger, NetworkView,
    local::{LocalFaults, LocalLedger, LocalNode},
    program::{error::ServiceabilityError, state::UserStatus},
};
use proptest::{collection::vec, prelude::*};
use rstest::rstest;
use tokio::{sync::watch, task, time};

use crate::{
    histories::{activator, block_on, cases, come_to_rest, stretch},
    invariants,
    operator::{ACTIVATOR, FOUNDATION, Op, genesis, request},
    scripted::{Script, Scripted},
};

/// What is waited for must come within this.
const DEADLINE: Duration = Duration::from_secs(20);
/// The same in virtual time: a transaction that is lost is waited for for a minute.
const VIRTUAL_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// How long a request takes.
const LATENCY: Duration = Duration::from_micros(200);
/// How often a client reads everything again although it saw no gap.
const VERIFY_EVERY: Duration = Duration::from_secs(15);
/// A fifth, in parts per million.
const FIFTH: u32 = 200_000;

/// How many slots a stale read lags behind.
const READ_LAG: u64 = 3;

/// Notifications that come when most answers have come.
const LATE_NEWS: LocalFaults = LocalFaults { notification_delay: Duration::from_micros(600), ..LocalFaults::NONE };

fn reconciler(ledger: Arc<dyn Ledger>, policy: ActivatorPolicy) -> Reconciler {
    let pace = Pace {
        in_flight: NonZeroUsize::new(3).unwrap(),
        resync: Duration::from_millis(20),
        settle: Duration::from_millis(10),
        retry_first: Duration::from_millis(1),
        retry_longest: Duration::from_millis(8),
    };
    let (metrics, status) = (Arc::new(Metrics::default()), Arc::new(Status::default()));
    Reconciler::new(ledger, policy, pace, metrics, status, 7)
}

fn ask_all(ledger: &LocalLedger, stretch: &[Op]) {
    for op in stretch {
        // A refusal is an answer, too.
        let _ = request(ledger, op);
    }
    // A stale read in the middle of a stretch would be a turn before its end, and see what the rest of it has taken back.
    for _ in 0..READ_LAG {
        let empty = futures_util::FutureExt::now_or_never(ledger.as_payer(FOUNDATION).send(&[]));
        empty.expect("a ledger in memory answers at once").unwrap();
    }
}

/// What one undisturbed activator makes of a history.
fn undisturbed(history: &[Vec<Op>], policy: ActivatorPolicy) -> NetworkView {
    let ledger = genesis();
    let mut activator = activator(&ledger, policy);
    let mut end = come_to_rest(&ledger, &mut activator, &policy);
    for stretch in history {
        ask_all(&ledger, stretch);
        end = come_to_rest(&ledger, &mut activator, &policy);
    }
    end
}

/// The same accounts with the same bytes. How many transactions it took is not part of the state.
fn assert_same_state(mut disturbed: NetworkView, undisturbed: &NetworkView) {
    disturbed.set_slot(undisturbed.slot());
    assert_eq!(&disturbed, undisturbed);
}

/// Lets activators run, each on a node with its faults, through a history; each stretch is over when there is nothing left
/// to do. Time is virtual, and who gets its turn when follows from the seed.
fn run_through(
    history: &[Vec<Op>],
    policy: ActivatorPolicy,
    faults: &[LocalFaults],
    script: Script,
    seed: u64,
) -> NetworkView {
    let ledger = genesis();
    in_virtual_time(async {
        let (ask_to_stop, stop) = watch::channel(false);
        let (mut running, mut nodes) = (task::JoinSet::new(), Vec::new());
        for (faults, number) in faults.iter().zip(0..) {
            let seed = seed.wrapping_mul(31).wrapping_add(number);
            let node = LocalNode::new(ledger.clone(), LATENCY, seed);
            node.update(|known| *known = LocalFaults { answer_jitter: 4 * LATENCY, ..*faults });
            let way = Scripted::over(Arc::new(node.connect(ACTIVATOR, VERIFY_EVERY)), script, seed);
            running.spawn(reconciler(way, policy).run(stop.clone()));
            running.spawn(lag_now_and_then(node.clone(), faults.read_lag));
            nodes.push(node);
        }
        at_rest(&ledger, &policy).await;
        for stretch in history {
            // No activator gets its turn before the stretch is over: its end does not depend on who is faster.
            ask_all(&ledger, stretch);
            at_rest(&ledger, &policy).await;
        }
        for node in nodes {
            node.all_arrive().await;
        }
        at_rest(&ledger, &policy).await;
        ask_to_stop.send(true).unwrap();
    });
    let end = ledger.bank().view().unwrap();
    invariants::check(&end);
    end
}

/// Has a node's reads lag for a fifth of the time. A chain at rest has no slots that would end a lag.
async fn lag_now_and_then(node: LocalNode, slots: u64) {
    loop {
        node.update(|faults| faults.read_lag = slots);
        time::sleep(5 * LATENCY).await;
        node.update(|faults| faults.read_lag = 0);
        time::sleep(20 * LATENCY).await;
    }
}

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(work)
}

/// Waits until the chain itself leaves nothing to do.
async fn at_rest(ledger: &LocalLedger, policy: &ActivatorPolicy) {
    let mut views = ledger.watch();
    let done = views.wait_for(|view| view.as_ref().is_some_and(|view| plan(view, policy).actions.is_empty()));
    time::timeout(VIRTUAL_DEADLINE, done).await.expect("the activators do not come to rest").unwrap();
}

/// Lets an activator live for one transaction, over and over, and compares the end with what one that lived on made.
fn dies_after_every_transaction(history: &[Vec<Op>]) {
    let policy = ActivatorPolicy::default();
    let ledger = genesis();
    let live_on = || {
        let mut lives = 0;
        loop {
            let way = Scripted::new(&ledger, Script { dies_after: Some(1), ..Script::default() }, 0);
            let (_stop, stop) = watch::channel(false);
            let view = ledger.bank().view().unwrap();
            let mut activator = reconciler(way.clone(), policy);
            // It dies in the middle of its pass, between the landing of a transaction and its answer.
            let pass = futures_util::FutureExt::now_or_never(activator.pass(&view, &stop));
            match (pass, way.landed.load(Ordering::Relaxed)) {
                (Some(Pass::Quiet), 0) => break,
                (None, 1) => lives += 1,
                other => panic!("{other:?}"),
            }
            invariants::check(&ledger.bank().view().unwrap());
            assert!(lives < 200, "it does not come to rest");
        }
    };
    live_on();
    for stretch in history {
        ask_all(&ledger, stretch);
        live_on();
    }
    let end = ledger.bank().view().unwrap();
    assert_same_state(end, &undisturbed(history, policy));
}

fn history() -> impl Strategy<Value = Vec<Vec<Op>>> {
    vec(stretch(), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(12)))]

    #[test]
    fn killed_after_every_transaction_it_ends_where_it_would_have(history in history()) {
        dies_after_every_transaction(&history);
    }

    #[test]
    fn late_and_repeated_notifications_change_nothing(history in history(), seed in any::<u64>()) {
        let faults = LocalFaults { duplicated_notifications_ppm: 500_000, ..LATE_NEWS };
        let end = run_through(&history, ActivatorPolicy::default(), &[faults], Script::default(), seed);
        assert_same_state(end, &undisturbed(&history, ActivatorPolicy::default()));
    }

    #[test]
    fn lost_transactions_lost_answers_and_stale_reads_change_nothing(history in history(), seed in any::<u64>()) {
        let faults = LocalFaults {
            lost_answers_ppm: FIFTH,
            lost_sends_ppm: FIFTH,
            refused_sends_ppm: FIFTH,
            read_lag: READ_LAG,
            ..LATE_NEWS
        };
        let end = run_through(&history, ActivatorPolicy::default(), &[faults], Script::default(), seed);
        assert_same_state(end, &undisturbed(&history, ActivatorPolicy::default()));
    }

    #[test]
    fn two_activators_end_where_one_would_have(history in history(), seed in any::<u64>()) {
        let end = run_through(&history, ActivatorPolicy::default(), &[LATE_NEWS; 2], Script::default(), seed);
        assert_same_state(end, &undisturbed(&history, ActivatorPolicy::default()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(12)))]

    /// A transaction that seems lost can land as long as its block hash is good: after another plan, another activator,
    /// other requests. What it then does may differ from what would have been done, and is right all the same.
    #[test]
    fn transactions_that_land_late_leave_everything_sound(history in history(), seed in any::<u64>()) {
        let faults = LocalFaults { late_sends_ppm: 300_000, ..LocalFaults::default() };
        run_through(&history, ActivatorPolicy::default(), &[faults, faults], Script::default(), seed);
    }

    /// Where one account's notification is lost without a trace, a view lacks that change and has those around it. What is
    /// planned from it may be another choice, and is right all the same.
    #[test]
    fn lost_notifications_leave_everything_sound(history in history(), seed in any::<u64>()) {
        let faults = LocalFaults { lost_notifications_ppm: FIFTH, ..LATE_NEWS };
        run_through(&history, ActivatorPolicy::default(), &[faults, faults], Script::default(), seed);
    }

    #[test]
    fn transactions_that_fail_are_taken_apart(history in history(), seed in any::<u64>()) {
        let script = Script { fails_above: Some(1), yields: true, ..Script::default() };
        let end = run_through(&history, ActivatorPolicy::default(), &[LocalFaults::default()], script, seed);
        assert_same_state(end, &undisturbed(&history, ActivatorPolicy::default()));
    }
}

#[test]
fn an_outage_is_sat_out() {
    let (ledger, policy) = (genesis(), ActivatorPolicy::default());
    in_virtual_time(async {
        let node = LocalNode::new(ledger.clone(), LATENCY, 1);
        node.update(|faults| faults.outage = true);
        let way = Scripted::over(Arc::new(node.connect(ACTIVATOR, VERIFY_EVERY)), Script::default(), 1);
        let (_ask_to_stop, stop) = watch::channel(false);
        let mut running = task::JoinSet::new();
        running.spawn(reconciler(way.clone(), policy).run(stop));
        time::sleep(Duration::from_secs(60)).await;
        assert_eq!(way.landed.load(Ordering::Relaxed), 0);
        let reads = way.reads.load(Ordering::Relaxed);
        assert!(reads > 1000, "{reads} reads in a minute");
        node.update(|faults| faults.outage = false);
        at_rest(&ledger, &policy).await;
    });
    let end = ledger.bank().view().unwrap();
    invariants::check(&end);
    assert_same_state(end, &undisturbed(&[], policy));
}

/// An endpoint is deleted and wanted again, and a client asks for an address of the same prefix: who gets which does not
/// depend on when the activator is killed.
#[test]
fn a_deleted_endpoint_is_pulled_again_before_clients_are_served() {
    let history = [vec![
        Op::DeleteDevice(94),
        Op::DeleteInterface(150),
        Op::Connect { client: 1, endpoint: 30, kind: 1, tenant: Some(0), groups: vec![] },
    ]];
    dies_after_every_transaction(&history);
}

/// It tries, looks again, tries once more, and then leaves every single thing alone until that changes, however
/// often it reads the chain.
#[test]
fn what_is_refused_for_good_is_not_fought() {
    let ledger = genesis();
    let refuses = Some(ServiceabilityError::NotActivator);
    let way = Scripted::new(&ledger, Script { refuses, ..Script::default() }, 0);
    let subjects: std::collections::BTreeSet<_> = plan(&ledger.bank().view().unwrap(), &ActivatorPolicy::default())
        .actions
        .iter()
        .map(|action| action.subject.key)
        .collect();
    block_on(async {
        let (_ask_to_stop, stop) = watch::channel(false);
        let mut running = task::JoinSet::new();
        running.spawn(reconciler(way.clone(), ActivatorPolicy::default()).run(stop));
        let reads = async {
            while way.reads.load(Ordering::Relaxed) < 12 {
                time::sleep(Duration::from_millis(1)).await;
            }
        };
        time::timeout(DEADLINE, reads).await.expect("it has stopped looking");
    });
    let sends = way.sends.load(Ordering::Relaxed);
    assert_eq!(sends, 2 * subjects.len() as u64, "two attempts for each of {} subjects", subjects.len());
}

/// What fails outside the program may do so more often; what rests on it waits meanwhile, and in the end it is left
/// alone, too.
#[test]
fn what_fails_every_time_is_not_fought() {
    let ledger = genesis();
    let way = Scripted::new(&ledger, Script { fails_above: Some(0), ..Script::default() }, 0);
    let actions = plan(&ledger.bank().view().unwrap(), &ActivatorPolicy::default()).actions;
    let subjects: std::collections::BTreeSet<_> = actions.iter().map(|action| action.subject.key).collect();
    assert!(subjects.len() < actions.len(), "no action rests on another about the same thing");
    let (metrics, status) = (Arc::new(Metrics::default()), Arc::new(Status::default()));
    let mut activator =
        Reconciler::new(way.clone(), ActivatorPolicy::default(), Pace::default(), metrics.clone(), status.clone(), 7);
    let (_stop, stop) = watch::channel(false);
    let view = ledger.bank().view().unwrap();
    for attempt in 1..=5 {
        assert_eq!(block_on(activator.pass(&view, &stop)), if attempt < 5 { Pass::Stale } else { Pass::Quiet });
    }
    let sends = way.sends.load(Ordering::Relaxed);
    assert_eq!(block_on(activator.pass(&view, &stop)), Pass::Quiet);
    assert_eq!(way.sends.load(Ordering::Relaxed), sends, "it goes on sending");
    let given_up = format!("dz_activator_given_up {}", subjects.len());
    let text = metrics.encode(None).unwrap();
    assert!(text.lines().any(|line| line == given_up), "{given_up} is not in\n{text}");
}

/// Three users wait; one of them goes before the activator, whose view is older, has sent anything. The transaction
/// that names it is refused as a whole; the others are served all the same.
#[test]
fn one_stale_action_does_not_hold_up_its_neighbours() {
    let ledger = genesis();
    let policy = ActivatorPolicy::default();
    let mut activator = activator(&ledger, policy);
    come_to_rest(&ledger, &mut activator, &policy);
    for (client, endpoint) in [(0, 0), (3, 0), (3, 1)] {
        let connect = Op::Connect { client, endpoint, kind: 0, tenant: None, groups: vec![] };
        request(&ledger, &connect).unwrap().unwrap();
    }
    request(&ledger, &Op::AddBlock(6)).unwrap().unwrap();
    let stale = ledger.bank().view().unwrap();
    let waiting: Vec<_> = stale.users().keys().copied().collect();
    assert_eq!(waiting.len(), 3);
    request(&ledger, &Op::Disconnect(1)).unwrap().unwrap();

    let (_stop, stop) = watch::channel(false);
    assert_eq!(block_on(activator.pass(&stale, &stop)), Pass::Stale);
    let statuses = || {
        let view = ledger.bank().view().unwrap();
        waiting.iter().map(|user| view.user(user).map(|user| user.status)).collect::<Vec<_>>()
    };
    assert_eq!(statuses(), [Some(UserStatus::Activated), Some(UserStatus::Deleting), Some(UserStatus::Activated)]);
    come_to_rest(&ledger, &mut activator, &policy);
    assert_eq!(statuses(), [Some(UserStatus::Activated), None, Some(UserStatus::Activated)]);
}

/// A user that was left waiting is served when an operator adds a block, without another request.
#[test]
fn waiting_users_are_served_as_soon_as_there_is_room() {
    let ledger = genesis();
    let policy = ActivatorPolicy { when_full: WhenFull::Wait, ..ActivatorPolicy::default() };
    let mut activator = activator(&ledger, policy);
    come_to_rest(&ledger, &mut activator, &policy);
    // The block has room for two.
    for (client, endpoint) in [(0, 0), (3, 0), (3, 1)] {
        let connect = Op::Connect { client, endpoint, kind: 0, tenant: None, groups: vec![] };
        request(&ledger, &connect).unwrap().unwrap();
    }
    let waiting = |view: &NetworkView| view.users().values().filter(|user| user.status == UserStatus::Pending).count();
    assert_eq!(waiting(&come_to_rest(&ledger, &mut activator, &policy)), 1);
    request(&ledger, &Op::AddBlock(6)).unwrap().unwrap();
    assert_eq!(waiting(&come_to_rest(&ledger, &mut activator, &policy)), 0);
}

/// Two transactions that do not depend on each other are on their way together, one after the other otherwise.
#[rstest]
#[case(1, 1)]
#[case(8, 2)]
fn independent_transactions_travel_together(#[case] in_flight: usize, #[case] together: u64) {
    let ledger = genesis();
    let policy = ActivatorPolicy { when_full: WhenFull::Wait, ..ActivatorPolicy::default() };
    come_to_rest(&ledger, &mut activator(&ledger, policy), &policy);
    request(&ledger, &Op::AddBlock(11)).unwrap().unwrap();
    // More than fit one transaction, spread over all endpoints until devices are full.
    let unicast = |client: u8, endpoint| {
        let tenant = (!client.is_multiple_of(3)).then_some(0);
        Op::Connect { client, endpoint, kind: 0, tenant, groups: vec![] }
    };
    let multicast =
        |client, endpoint| Op::Connect { client, endpoint, kind: 2, tenant: None, groups: vec![(0, false, true)] };
    let stretch: Vec<_> = (0..42).flat_map(|n| [unicast(n % 6, n / 6), multicast(n % 6, 6 - n / 6)]).collect();
    ask_all(&ledger, &stretch);
    let view = ledger.bank().view().unwrap();
    let waiting = plan(&view, &policy).actions.len();
    assert!((8..=14).contains(&waiting), "{waiting} actions");

    let way = Scripted::new(&ledger, Script { yields: true, ..Script::default() }, 1);
    let pace = Pace { in_flight: NonZeroUsize::new(in_flight).unwrap(), ..Pace::default() };
    let mut activator = Reconciler::new(way.clone(), policy, pace, Arc::default(), Arc::default(), 7);
    let (_stop, stop) = watch::channel(false);
    assert!(matches!(block_on(activator.pass(&view, &stop)), Pass::Landed { .. }));
    assert_eq!(way.landed.load(Ordering::Relaxed), 2);
    assert_eq!(way.most_in_flight.load(Ordering::Relaxed), together);
}

/// Each publisher without an address is stripped and then refused. An activator that dies between the two must not
/// leave one that passes for a user who asked for no roles: the next would activate it.
#[test]
fn who_is_stripped_is_refused_in_the_same_transaction() {
    let publisher =
        |client| Op::Connect { client, endpoint: client, kind: 2, tenant: None, groups: vec![(0, true, true)] };
    dies_after_every_transaction(&[vec![Op::RemoveBlock(4)], (0..5).map(publisher).collect()]);
}
