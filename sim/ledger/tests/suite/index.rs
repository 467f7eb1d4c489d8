//! The index of accounts against the bank itself and against a model, after thousands of random transactions.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use solana_signer::Signer;

use crate::support::{BOXES, Do, Stage, call};

const TRANSACTIONS: usize = 3000;
const BOXES_IN_USE: u8 = 40;

/// What is in which box.
type Model = BTreeMap<u8, Vec<u8>>;

fn random(dice: &mut SmallRng, model: &Model) -> (u8, Do) {
    let id = dice.random_range(0..BOXES_IN_USE);
    let length = dice.random_range(8..60);
    let content = |dice: &mut SmallRng, length: usize| (0..length).map(|_| dice.random()).collect::<Vec<u8>>();
    let what = match (dice.random_range(0..10), model.get(&id)) {
        (0, _) => Do::Fail(dice.random()),
        // Often of a box that is there already, or not there: then it fails.
        (1, _) | (_, None) => Do::Make { id, content: content(dice, length) },
        (2 | 3, Some(_)) => Do::Close,
        (4, Some(_)) => Do::Slot,
        (5, Some(_)) => Do::Write(content(dice, length)),
        (_, Some(old)) => Do::Write(content(dice, old.len())),
    };
    (id, what)
}

/// What the program does to the model; false if it fails.
fn apply(model: &mut Model, id: u8, what: &Do, slot: u64) -> bool {
    match (what, model.get_mut(&id)) {
        (Do::Make { content, .. }, None) => {
            model.insert(id, content.clone());
        }
        (Do::Write(content), Some(old)) if content.len() == old.len() => old.clone_from(content),
        (Do::Slot, Some(old)) => old[..8].copy_from_slice(&slot.to_le_bytes()),
        (Do::Close, Some(_)) => {
            model.remove(&id);
        }
        _ => return false,
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_holds_what_the_bank_holds_at_every_slot() {
    let stage = Stage::new().await;
    let mut dice = SmallRng::seed_from_u64(4);
    let mut model = Model::new();
    let mut history = vec![model.clone(); 2];
    let mut failed = 0;
    for _ in 0..TRANSACTIONS {
        let (id, what) = random(&mut dice, &model);
        let transaction = stage.transaction(id, std::slice::from_ref(&what));
        let landed = stage.ledger.send_without_preflight(transaction.into()).await.unwrap();
        assert_eq!(landed.slot as usize, history.len());
        let fine = apply(&mut model, id, &what, landed.slot);
        assert_eq!(landed.transaction.error.is_none(), fine, "{what:?} on {id}: {:?}", landed.transaction);
        failed += usize::from(!fine);
        history.push(model.clone());
    }
    assert!(failed > TRANSACTIONS / 10 && failed < TRANSACTIONS / 2, "{failed} failed");

    let (slot, accounts) = stage.ledger.program_accounts(&BOXES);
    assert_eq!(slot as usize, TRANSACTIONS + 1);
    let expected: BTreeMap<_, _> = model.iter().map(|(id, content)| (stage.the_box(*id), content.clone())).collect();
    let found: BTreeMap<_, _> = accounts.iter().map(|(address, account)| (*address, account.data.clone())).collect();
    assert_eq!(found, expected);
    for id in 0..BOXES_IN_USE {
        let address = stage.the_box(id);
        let indexed = accounts.get(&address).map(|account| account.as_ref().clone());
        assert_eq!(stage.ledger.bank_account(&address).await.unwrap(), indexed, "box {id}");
        assert_eq!(stage.ledger.account(&address).await.unwrap(), indexed, "box {id}");
    }
    let payer = stage.payer.pubkey();
    assert_eq!(stage.ledger.account(&payer).await.unwrap(), stage.ledger.bank_account(&payer).await.unwrap());

    for lag in [0, 1, 7, 100, 1000] {
        stage.faults().update(|faults| faults.read_lag = lag);
        let config = serde_json::json!({"encoding": "base64", "withContext": true});
        let answer = call(&stage.http, "getProgramAccounts", serde_json::json!([BOXES.to_string(), config])).await;
        let at = answer["result"]["context"]["slot"].as_u64().unwrap();
        assert_eq!(at, slot - lag);
        let found: BTreeMap<String, String> = answer["result"]["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                (text(&item["pubkey"]), text(&item["account"]["data"][0]))
            })
            .collect();
        let expected: BTreeMap<String, String> = history[at as usize]
            .iter()
            .map(|(id, content)| {
                let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, content);
                (stage.the_box(*id).to_string(), encoded)
            })
            .collect();
        assert_eq!(found, expected, "{lag} slots ago");
    }
}
