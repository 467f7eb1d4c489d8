//! The RPC ledger: what is sent, what is seen, and what faults do to neither.

use std::{net::TcpListener, sync::Arc, time::Duration};

use dz_sdk::{
    Ledger, LedgerError, NetworkView, build,
    instruction::{exchange as ix, global_config},
    ledger::rpc::{RpcLedger, RpcOptions},
};
use dz_serviceability::{
    ID as P,
    entrypoint::process_instruction,
    error::ServiceabilityError,
    pda,
    state::{AccountType, ConfigNumbers, PoolKind},
    upgrade,
};
use dzsim_ledger::{Chance, ClientName, FaultHandle, Faults, LedgerConfig, NotificationFaults, processor};
use solana_account::Account;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(60);

/// A ledger with an initialised network, and a client of it without faults.
struct Chain {
    ledger: dzsim_ledger::Ledger,
    key: Keypair,
    clean: RpcLedger,
}

impl Chain {
    async fn start() -> Self {
        let key = Keypair::new_from_array([1; 32]);
        // The key may upgrade the program, and so initialise its network.
        let mut config = LedgerConfig::default();
        let (data, owner) = (upgrade::header(&key.pubkey()), upgrade::LOADER);
        let account = Account { lamports: 1_000_000_000, data, owner, ..Account::default() };
        config.accounts.push((upgrade::program_data(&P), account));
        let config = config
            .program(P, "dz_serviceability", processor!(process_instruction))
            .fund(key.pubkey(), 1_000_000_000_000);
        let ledger = dzsim_ledger::Ledger::start(config).await.unwrap();
        let (clean, _) = client(&ledger, "clean", &key);
        clean.send(&[global_config::init_global_config(&P, &key.pubkey(), ConfigNumbers::default())]).await.unwrap();
        Self { ledger, key, clean }
    }

    fn client(&self, name: &str) -> (RpcLedger, FaultHandle) {
        client(&self.ledger, name, &self.key)
    }

    fn payer(&self) -> Pubkey {
        self.key.pubkey()
    }

    /// Creates a metro and returns the slot it landed in.
    async fn create(&self, code: &str) -> u64 {
        let create = ix::create_exchange(&P, &self.payer(), code, "name", 0, 0);
        self.clean.send(&[create]).await.unwrap().slot
    }

    async fn delete(&self, code: &str) -> u64 {
        // Whatever its view shows by now: it has paid for all there is.
        let delete = build::delete_exchange(&NetworkView::new(P), &self.payer(), pda::exchange(&P, code).0);
        self.clean.send(&[delete]).await.unwrap().slot
    }
}

fn client(ledger: &dzsim_ledger::Ledger, name: &str, key: &Keypair) -> (RpcLedger, FaultHandle) {
    let (http, ws) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let urls = (format!("http://{}", http.local_addr().unwrap()), format!("ws://{}", ws.local_addr().unwrap()));
    let name = ClientName::new(name);
    ledger.serve(http, ws, name.clone()).unwrap();
    let options = RpcOptions {
        request_timeout: Duration::from_secs(5),
        backoff_limit: Duration::from_millis(200),
        verify_every: Duration::from_millis(500),
        ..RpcOptions::default()
    };
    let client = RpcLedger::connect_with(urls.0, urls.1, P, key.insecure_clone(), options);
    (client, ledger.faults(&name))
}

/// The first view for which this holds.
async fn view_where(client: &RpcLedger, holds: impl Fn(&NetworkView) -> bool) -> Arc<NetworkView> {
    let mut views = client.watch();
    let found = views.wait_for(|view| view.as_ref().is_some_and(|view| holds(view)));
    timeout(DEADLINE, found).await.expect("a view before the deadline").expect("a follower").clone().expect("a view")
}

fn has(view: &NetworkView, code: &str) -> bool {
    view.by_code(AccountType::Exchange, code).is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_of_the_slot_that_a_transaction_landed_in_shows_it() {
    let chain = Chain::start().await;
    let (client, _) = chain.client("val1");
    assert_eq!((client.payer(), client.program()), (chain.payer(), P));
    let created = client.send(&[ix::create_exchange(&P, &chain.payer(), "nyc", "name", 0, 0)]).await.unwrap();
    let view = view_where(&client, |view| view.slot() >= created.slot).await;
    assert!(has(&view, "nyc"));
    // A closed account goes, and what others send is seen as well.
    let deleted = chain.delete("nyc").await;
    let view = view_where(&client, |view| view.slot() >= deleted).await;
    assert!(!has(&view, "nyc"));
    assert_eq!(*view, *client.snapshot().await.unwrap());
    assert!(client.is_following());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_come_back_as_the_programs_own() {
    let chain = Chain::start().await;
    let payer = chain.payer();
    let good = ix::create_exchange(&P, &payer, "nyc", "name", 0, 0);
    let bad = ix::create_exchange(&P, &payer, "n y c", "name", 0, 0);
    let slot = chain.ledger.latest_slot();
    match chain.clean.send(&[good, bad]).await {
        Err(LedgerError::Refused { instruction: 1, error: ServiceabilityError::InvalidCode }) => {}
        other => panic!("{other:?}"),
    }
    // A custom error of another program is not ours.
    let mut poor = solana_system_interface::instruction::transfer(&payer, &Pubkey::new_from_array([9; 32]), u64::MAX);
    poor.accounts[0].is_signer = true;
    match chain.clean.send(&[poor]).await {
        Err(LedgerError::Failed(reason)) => assert!(reason.contains("custom program error"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(chain.ledger.latest_slot(), slot);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_keeps_the_last_view_and_is_caught_up_with() {
    let chain = Chain::start().await;
    let (client, faults) = chain.client("val1");
    let before = chain.create("one").await;
    let known = view_where(&client, |view| view.slot() >= before).await;
    faults.set(Faults { outage: true, ..Faults::default() });
    chain.create("two").await;
    match client.snapshot().await {
        Err(LedgerError::Unavailable { url, .. }) => assert!(url.starts_with("http://127.0.0.1:"), "{url}"),
        other => panic!("{other:?}"),
    }
    match client.send(&[ix::create_exchange(&P, &chain.payer(), "three", "name", 0, 0)]).await {
        Err(LedgerError::Unavailable { .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(**client.watch().borrow().as_ref().unwrap(), *known);
    faults.heal();
    let last = chain.delete("one").await;
    let view = view_where(&client, |view| view.slot() >= last).await;
    assert!(has(&view, "two") && !has(&view, "one") && !has(&view, "three"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_happens_to_notifications_leaves_the_view_wrong() {
    let chain = Chain::start().await;
    let (client, faults) = chain.client("val1");
    view_where(&client, |view| view.config().is_some()).await;
    let some = |chance: f64| Chance::try_from(chance).unwrap();
    faults.set(Faults {
        notifications: NotificationFaults {
            jitter: Duration::from_millis(5),
            drop: some(0.1),
            duplicate: some(0.2),
            reorder: some(0.2),
            reorder_by: Duration::from_millis(20),
            ..NotificationFaults::default()
        },
        ..Faults::default()
    });
    let mut last = 0;
    for round in 0..20 {
        chain.create(&format!("x{round}")).await;
        if round % 3 == 0 {
            last = chain.delete(&format!("x{round}")).await;
        }
        if round == 10 {
            faults.reset_connections();
        }
    }
    faults.heal();
    let expected = chain.clean.snapshot().await.unwrap();
    assert!(expected.slot() >= last);
    let view = view_where(&client, |view| *view == *expected).await;
    assert_eq!(view.exchanges().len(), 13);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lagging_node_never_takes_a_view_back() {
    let chain = Chain::start().await;
    let (client, faults) = chain.client("val1");
    let slot = chain.create("nyc").await;
    view_where(&client, |view| view.slot() >= slot).await;
    // The full read after the reset is answered as of a slot before, until it is healed.
    faults.set(Faults { read_lag: 1, ..Faults::default() });
    let mut views = client.watch();
    views.mark_unchanged();
    faults.reset_connections();
    faults.heal();
    let last = chain.delete("nyc").await;
    let slots = async {
        let mut slots = vec![slot];
        while slots.last().is_some_and(|seen| *seen < last) {
            views.changed().await.unwrap();
            slots.push(views.borrow_and_update().as_ref().unwrap().slot());
        }
        slots
    };
    let slots = timeout(DEADLINE, slots).await.unwrap();
    assert!(slots.is_sorted(), "{slots:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_may_come_later_than_its_clients() {
    let chain = Chain::start().await;
    let faults = chain.ledger.faults(&ClientName::new("early"));
    faults.set(Faults { outage: true, ..Faults::default() });
    let (client, _) = chain.client("early");
    assert!(client.snapshot().await.is_err());
    assert_eq!(*client.watch().borrow(), None);
    faults.heal();
    let view = view_where(&client, |view| view.config().is_some()).await;
    let owner = pda::config(&P).0;
    assert!(view.pool_at(PoolKind::VrfIds, &owner, 1).is_some());
}
