//! Every method that `solana-rpc-client` has and a client of ours may use.

use solana_signer::Signer;

use crate::support::{Do, SOL, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_confirmed_when_it_is_sent() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let make = stage.transaction(1, &[Do::Make { id: 1, content: b"hello".to_vec() }]);
    let signature = rpc.send_and_confirm_transaction(&make).await.unwrap();
    assert_eq!(signature, make.signatures[0]);
    assert_eq!(rpc.get_slot().await.unwrap(), 2);
    let account = rpc.get_account(&stage.the_box(1)).await.unwrap();
    assert_eq!((account.data.as_slice(), account.lamports), (b"hello".as_slice(), 1_050_000));
    let balance = rpc.get_balance(&stage.payer.pubkey()).await.unwrap();
    assert_eq!(balance, 1000 * SOL - 1_050_000 - 5000);
}
