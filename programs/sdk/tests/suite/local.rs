//! Each fault between a node and the chain in memory, alone, in virtual time.

use std::time::Duration;

use dz_sdk::{
    Ledger, LedgerError, NetworkView,
    instruction::{exchange, global_config},
    local::{LocalBank, LocalClient, LocalFaults, LocalLedger, LocalNode, Record},
    program::{ID, state::ConfigNumbers},
};
use solana_pubkey::Pubkey;
use tokio::time::{Instant, sleep, timeout};

const KEY: Pubkey = Pubkey::new_from_array([1; 32]);
const LATENCY: Duration = Duration::from_millis(1);
const VERIFY_EVERY: Duration = Duration::from_secs(15);
const ALL: u32 = 1_000_000;

fn chain() -> LocalLedger {
    let mut bank = LocalBank::new(ID, &KEY).remember(64);
    bank.airdrop(KEY, 1 << 60);
    bank.execute(&[KEY], &[global_config::init_global_config(&ID, &KEY, ConfigNumbers::default())]).unwrap();
    LocalLedger::new(bank, KEY).unwrap()
}

fn node(faults: LocalFaults) -> (LocalLedger, LocalNode, LocalClient) {
    let chain = chain();
    let node = LocalNode::new(chain.clone(), LATENCY, 7);
    node.update(|known| *known = faults);
    let client = node.connect(KEY, VERIFY_EVERY);
    (chain, node, client)
}

/// Makes an exchange of this code.
async fn create(client: &dyn Ledger, code: &str) -> Result<(), String> {
    let create = exchange::create_exchange(&ID, &KEY, code, "Somewhere", 0, 0);
    client.send(&[create]).await.map(drop).map_err(|error: LedgerError| error.to_string())
}

fn codes(view: &NetworkView) -> Vec<String> {
    let mut codes: Vec<_> = view.exchanges().values().map(|exchange| exchange.code.clone()).collect();
    codes.sort();
    codes
}

fn on_chain(chain: &LocalLedger) -> Vec<String> {
    codes(&chain.bank().view().unwrap())
}

/// How long it takes until the live view shows this number of exchanges.
async fn seen(client: &LocalClient, count: usize) -> Duration {
    let (start, mut views) = (Instant::now(), client.watch());
    let shown = views.wait_for(|view| view.as_ref().is_some_and(|view| view.exchanges().len() == count));
    timeout(Duration::from_secs(3600), shown).await.expect("it is never shown").unwrap();
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn without_faults_what_lands_is_seen_at_once() {
    let (chain, _node, client) = node(LocalFaults::default());
    create(&client, "a").await.unwrap();
    assert_eq!(on_chain(&chain), ["a"]);
    assert!(seen(&client, 1).await <= 2 * LATENCY);
    assert_eq!(codes(&client.snapshot().await.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_transaction_is_waited_for_in_vain() {
    let (chain, node, client) = node(LocalFaults { lost_sends_ppm: ALL, ..LocalFaults::default() });
    let start = Instant::now();
    let error = create(&client, "a").await.unwrap_err();
    assert_eq!(error, "ledger at memory: the transaction did not land in time");
    assert!(start.elapsed() >= Duration::from_secs(60));
    node.all_arrive().await;
    assert_eq!(on_chain(&chain), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_late_transaction_lands_after_a_later_one() {
    let (chain, node, client) = node(LocalFaults { late_sends_ppm: ALL, ..LocalFaults::default() });
    assert_eq!(create(&client, "a").await.unwrap_err(), "ledger at memory: the connection was reset");
    assert_eq!(on_chain(&chain), [""; 0]);
    node.update(|faults| faults.late_sends_ppm = 0);
    for code in ["b", "c", "d", "e", "f", "g", "h", "i"] {
        create(&client, code).await.unwrap();
    }
    assert_eq!(on_chain(&chain).first().map(String::as_str), Some("a"), "it has not arrived among eight others");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_hides_that_a_transaction_landed() {
    let (chain, _node, client) = node(LocalFaults { lost_answers_ppm: ALL, ..LocalFaults::default() });
    assert_eq!(create(&client, "a").await.unwrap_err(), "ledger at memory: the connection was reset");
    assert_eq!(on_chain(&chain), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_transaction_is_not_executed() {
    let (chain, _node, client) = node(LocalFaults { refused_sends_ppm: ALL, ..LocalFaults::default() });
    assert_eq!(create(&client, "a").await.unwrap_err(), "ledger at memory: Node is unhealthy");
    assert_eq!(on_chain(&chain), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_lags_shows_an_older_chain() {
    let (_chain, node, client) = node(LocalFaults::default());
    create(&client, "a").await.unwrap();
    create(&client, "b").await.unwrap();
    node.update(|faults| faults.read_lag = 1);
    assert_eq!(codes(&client.snapshot().await.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn answers_take_as_long_as_they_are_delayed() {
    let delay = Duration::from_millis(300);
    let (_chain, node, client) = node(LocalFaults { answer_delay: delay, ..LocalFaults::default() });
    let start = Instant::now();
    client.snapshot().await.unwrap();
    // The clock goes in milliseconds.
    assert!((delay..delay + 3 * LATENCY).contains(&start.elapsed()), "{:?}", start.elapsed());
    node.update(|faults| faults.answer_jitter = Duration::from_secs(1));
    let mut times = Vec::new();
    for _ in 0..8 {
        let start = Instant::now();
        client.snapshot().await.unwrap();
        times.push(start.elapsed());
    }
    assert!(times.iter().all(|time| (delay..delay + Duration::from_secs(1) + 3 * LATENCY).contains(time)), "{times:?}");
    assert!(times.iter().max() > times.iter().min(), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_is_lost_or_late_is_made_up_for() {
    let delay = Duration::from_secs(2);
    let (_chain, _node, client) = node(LocalFaults { notification_delay: delay, ..LocalFaults::default() });
    sleep(Duration::from_millis(100)).await;
    create(&client, "a").await.unwrap();
    let waited = seen(&client, 1).await;
    assert!((delay - 3 * LATENCY..delay + 3 * LATENCY).contains(&waited), "{waited:?}");

    let (_chain, _node, client) = node(LocalFaults { lost_notifications_ppm: ALL, ..LocalFaults::default() });
    sleep(Duration::from_millis(100)).await;
    create(&client, "a").await.unwrap();
    let waited = seen(&client, 1).await;
    assert!((VERIFY_EVERY / 2..=VERIFY_EVERY).contains(&waited), "{waited:?}");

    let (_chain, _node, client) = node(LocalFaults { duplicated_notifications_ppm: ALL, ..LocalFaults::default() });
    sleep(Duration::from_millis(100)).await;
    create(&client, "a").await.unwrap();
    assert!(seen(&client, 1).await <= 3 * LATENCY);
}

#[tokio::test(start_paused = true)]
async fn lost_slots_are_undone_and_seen_by_who_is_told_of_slots_only() {
    for late in [Duration::ZERO, 10 * LATENCY] {
        let (chain, _node, client) = node(LocalFaults { notification_delay: late, ..LocalFaults::default() });
        for code in ["a", "b", "c"] {
            create(&client, code).await.unwrap();
        }
        seen(&client, 3).await;
        assert!(chain.lose(9).is_err());
        assert_eq!((on_chain(&chain).len(), chain.bank().slot()), (3, 5));
        chain.lose(2).unwrap();
        assert_eq!((on_chain(&chain), chain.bank().slot()), (vec!["a".to_owned()], 6));
        assert!(seen(&client, 1).await <= 2 * late + 5 * LATENCY);
        create(&client, "d").await.unwrap();
        assert_eq!(on_chain(&chain), ["a", "d"]);
        // A read that lags shows the state of a slot that is lost since.
        assert_eq!(codes(&chain.bank().view_before(2).unwrap()), ["a", "b", "c"]);
        // The slot after the lost ones has nothing of its own to lose.
        chain.lose(3).unwrap();
        assert_eq!(on_chain(&chain), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_nothing_works_and_after_it_everything_is_read_again() {
    let (chain, node, client) = node(LocalFaults::default());
    sleep(Duration::from_millis(100)).await;
    node.update(|faults| faults.outage = true);
    assert_eq!(create(&client, "a").await.unwrap_err(), "ledger at memory: the connection was reset");
    assert!(client.snapshot().await.is_err());
    create(&chain, "b").await.unwrap();
    sleep(Duration::from_secs(30)).await;
    assert_eq!(client.watch().borrow().as_ref().unwrap().exchanges().len(), 0, "news came through the outage");
    node.update(|faults| faults.outage = false);
    assert!(seen(&client, 1).await <= Duration::from_secs(6));
    assert_eq!(on_chain(&chain), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_was_put_in_by_hand_is_in_the_next_snapshot() {
    let chain = chain();
    create(&chain, "ams").await.unwrap();
    let key = *chain.snapshot().await.unwrap().exchanges().keys().next().unwrap();
    chain.bank().set_account(key, Record::default());
    assert_eq!(codes(&chain.snapshot().await.unwrap()), [""; 0]);
}
