//! Every method that `solana-rpc-client` has and a client of ours may use.

use dzsim_ledger::LedgerConfig;
use serde_json::json;
use solana_account_decoder_client_types::{UiAccountEncoding, UiDataSliceConfig};
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_message::{
    AddressLookupTableAccount, Message, VersionedMessage,
    v0::{self, LoadedAddresses},
};
use solana_pubkey::{Pubkey, pubkey};
use solana_rpc_client::{
    api::config::{
        RpcAccountInfoConfig, RpcBlockConfig, RpcProgramAccountsConfig, RpcSendTransactionConfig,
        RpcSimulateTransactionAccountsConfig, RpcSimulateTransactionConfig, RpcTransactionConfig,
    },
    nonblocking::rpc_client::RpcClient,
    rpc_client::GetConfirmedSignaturesForAddress2Config,
};
use solana_rpc_client_api::{
    client_error::{Error, ErrorKind},
    filter::{Memcmp, RpcFilterType},
    request::{RpcError, RpcResponseErrorData},
    response::{RpcKeyedAccount, RpcPerfSample, RpcSimulateTransactionResult},
};
use solana_signature::Signature;
use solana_signer::Signer;
use solana_system_interface::instruction::{advance_nonce_account, create_nonce_account, transfer};
use solana_transaction::{Transaction, versioned::VersionedTransaction};
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::{
    EncodedTransaction, TransactionDetails, UiTransactionEncoding, option_serializer::OptionSerializer,
};

use crate::support::{BOXES, Do, SOL, Stage, box_address, call, instruction};

fn make(id: u8, content: &[u8]) -> Do {
    Do::Make { id, content: content.to_vec() }
}

/// What the preflight said of a transaction it refused.
fn preflight(error: Error) -> (String, RpcSimulateTransactionResult) {
    match *error.kind {
        ErrorKind::RpcError(RpcError::RpcResponseError {
            code: -32002,
            message,
            data: RpcResponseErrorData::SendTransactionPreflightFailure(result),
        }) => (message, result),
        kind => panic!("no preflight failure: {kind:?}"),
    }
}

fn refusal(error: Error) -> TransactionError {
    preflight(error).1.err.expect("an error").into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_confirmed_when_it_is_sent() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let one = stage.transaction(1, &[make(1, b"hello")]);
    assert_eq!(rpc.send_and_confirm_transaction(&one).await.unwrap(), one.signatures[0]);
    assert_eq!(rpc.get_slot().await.unwrap(), 2);
    let account = rpc.get_account(&stage.the_box(1)).await.unwrap();
    assert_eq!((account.data.as_slice(), account.lamports, account.owner), (b"hello".as_slice(), 1_050_000, BOXES));
    let balance = rpc.get_balance(&stage.payer.pubkey()).await.unwrap();
    assert_eq!(balance, 1000 * SOL - 1_050_000 - 5000);

    let two = stage.transaction(2, &[make(2, b"hello")]);
    rpc.send_transaction(&two).await.unwrap();
    assert!(rpc.confirm_transaction(&two.signatures[0]).await.unwrap());
    assert!(!rpc.confirm_transaction(&Signature::from([1; 64])).await.unwrap());
    rpc.poll_for_signature(&two.signatures[0]).await.unwrap();
    let three = stage.transaction(3, &[make(3, b"hello")]);
    rpc.send_and_confirm_transaction_with_spinner_and_commitment(&three, CommitmentConfig::finalized()).await.unwrap();

    let signatures = [one.signatures[0], Signature::from([1; 64]), three.signatures[0]];
    let statuses = rpc.get_signature_statuses(&signatures).await.unwrap();
    let slots: Vec<_> = statuses.value.iter().map(|status| status.as_ref().map(|status| status.slot)).collect();
    assert_eq!((statuses.context.slot, slots), (4, vec![Some(2), None, Some(4)]));
    assert!(statuses.value[0].as_ref().unwrap().satisfies_commitment(CommitmentConfig::finalized()));
    assert_eq!(rpc.get_signature_statuses_with_history(&signatures).await.unwrap().value, statuses.value);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_would_fail_is_refused_with_its_logs_and_changes_nothing() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let failing = stage.transaction(1, &[make(1, b"a"), Do::Fail(7)]);
    let (message, result) = preflight(rpc.send_transaction(&failing).await.unwrap_err());
    assert_eq!(message, "Transaction simulation failed: Error processing Instruction 1: custom program error: 0x7");
    let error = TransactionError::InstructionError(1, InstructionError::Custom(7));
    assert_eq!(result.err, Some(error.clone().into()));
    let logs = result.logs.unwrap();
    let last =
        ["Program log: failing as asked".to_owned(), format!("Program {BOXES} failed: custom program error: 0x7")];
    assert!(logs.ends_with(&last), "{logs:?}");
    assert_eq!(stage.ledger.latest_slot(), 1);
    assert_eq!(rpc.get_balance(&stage.payer.pubkey()).await.unwrap(), 1000 * SOL);

    let config = RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
    let signature = rpc.send_transaction_with_config(&failing, config).await.unwrap();
    assert_eq!(rpc.get_signature_status(&signature).await.unwrap(), Some(Err(error)));
    assert_eq!(rpc.get_balance(&stage.payer.pubkey()).await.unwrap(), 1000 * SOL - 5000);
    assert_eq!(stage.ledger.program_accounts(&BOXES), (2, Default::default()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_panics_fails_and_the_ledger_goes_on() {
    let stage = Stage::new().await;
    let error = stage.rpc().send_transaction(&stage.transaction(1, &[Do::Panic])).await.unwrap_err();
    assert_eq!(refusal(error), TransactionError::InstructionError(0, InstructionError::ProgramFailedToComplete));
    stage.land(1, &[make(1, b"a")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_lands_once_and_under_a_blockhash_that_is_known() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let transaction = stage.transaction(1, &[make(1, b"a")]);
    rpc.send_transaction(&transaction).await.unwrap();
    assert_eq!(refusal(rpc.send_transaction(&transaction).await.unwrap_err()), TransactionError::AlreadyProcessed);
    let mut unknown = transaction.clone();
    unknown.sign(&[&stage.payer], [9; 32].into());
    assert_eq!(refusal(rpc.send_transaction(&unknown).await.unwrap_err()), TransactionError::BlockhashNotFound);
    assert_eq!(stage.ledger.latest_slot(), 2);
    // Also without a preflight: it could never land, and nobody should wait for it.
    let config = RpcSendTransactionConfig { skip_preflight: true, ..RpcSendTransactionConfig::default() };
    let error = rpc.send_transaction_with_config(&unknown, config).await.unwrap_err();
    assert_eq!(refusal(error), TransactionError::BlockhashNotFound);
    // The same again under another blockhash is another transaction, also within one of the bank's own blockhashes.
    for _ in 0..5 {
        stage.land(1, &[Do::Write(b"b".to_vec())]).await;
    }
    assert_eq!(stage.ledger.latest_slot(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blockhashes_stay_valid_for_as_long_as_configured() {
    let config = dzsim_ledger::LedgerConfig { blockhash_lifetime: Some(2), ..Default::default() };
    let stage = Stage::with(config).await;
    let rpc = stage.rpc();
    let (blockhash, last) = rpc.get_latest_blockhash_with_commitment(CommitmentConfig::processed()).await.unwrap();
    assert_eq!((blockhash, last), (stage.ledger.latest_blockhash(), 3));
    let held_back = stage.transaction(9, &[make(9, b"a")]);
    stage.land(1, &[make(1, b"a")]).await;
    stage.land(2, &[make(2, b"a")]).await;
    assert!(rpc.is_blockhash_valid(&blockhash, CommitmentConfig::processed()).await.unwrap());
    stage.land(3, &[make(3, b"a")]).await;
    assert!(!rpc.is_blockhash_valid(&blockhash, CommitmentConfig::processed()).await.unwrap());
    assert_eq!(refusal(rpc.send_transaction(&held_back).await.unwrap_err()), TransactionError::BlockhashNotFound);
    assert_ne!(rpc.get_new_latest_blockhash(&blockhash).await.unwrap(), blockhash);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_and_transactions_make_the_same_chain() {
    let (one, two) = (Stage::new().await, Stage::new().await);
    for stage in [&one, &two] {
        stage.land(1, &[make(1, &[0; 8])]).await;
        stage.land(1, &[Do::Slot]).await;
    }
    assert_eq!(one.ledger.program_accounts(&BOXES), two.ledger.program_accounts(&BOXES));
    assert_eq!(one.ledger.latest_blockhash(), two.ledger.latest_blockhash());
    let (first, second) = (one.rpc().get_block(3).await.unwrap(), two.rpc().get_block(3).await.unwrap());
    assert_eq!(first.blockhash, second.blockhash);
    assert_eq!(first.transactions, second.transactions);
    assert_eq!(one.rpc().get_genesis_hash().await.unwrap(), two.rpc().get_genesis_hash().await.unwrap());
    let other = Stage::with(dzsim_ledger::LedgerConfig { seed: 1, ..Default::default() }).await;
    assert_ne!(one.rpc().get_genesis_hash().await.unwrap(), other.rpc().get_genesis_hash().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_and_clients_see_the_slot_on_the_clock() {
    let stage = Stage::new().await;
    stage.land(1, &[make(1, &[0; 8])]).await;
    let landed = stage.land(1, &[Do::Slot]).await;
    let data = stage.rpc().get_account_data(&stage.the_box(1)).await.unwrap();
    assert_eq!((landed.slot, data), (3, 3_u64.to_le_bytes().to_vec()));
    let returned = landed.transaction.return_data.clone().unwrap();
    assert_eq!((returned.program, returned.data.as_slice()), (BOXES, 3_u64.to_le_bytes().as_slice()));
    let clock = stage.rpc().get_account_data(&solana_sysvar::clock::ID).await.unwrap();
    let clock: solana_clock::Clock = bincode::deserialize(&clock).unwrap();
    assert_eq!((clock.slot, clock.unix_timestamp), (3, landed.time));
    let bank = stage.ledger.bank_account(&solana_sysvar::clock::ID).await.unwrap();
    assert_eq!(stage.ledger.account(&solana_sysvar::clock::ID).await.unwrap(), bank);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_read_in_all_ways() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    for id in 1..=3 {
        stage.land(id, &[make(id, &[id; 200])]).await;
    }
    let addresses = [stage.the_box(1), Pubkey::new_from_array([5; 32]), stage.the_box(3)];
    let accounts = rpc.get_multiple_accounts(&addresses).await.unwrap();
    let first_bytes: Vec<_> = accounts.iter().map(|account| account.as_ref().map(|account| account.data[0])).collect();
    assert_eq!(first_bytes, [Some(1), None, Some(3)]);
    let with_context =
        rpc.get_multiple_accounts_with_commitment(&addresses, CommitmentConfig::finalized()).await.unwrap();
    assert_eq!((with_context.context.slot, with_context.value), (4, accounts));

    let all = rpc.get_program_accounts(&BOXES).await.unwrap();
    assert_eq!(all.len(), 3);
    let keyed = async |filters, encoding, data_slice| -> Result<Vec<RpcKeyedAccount>, Error> {
        let account_config = RpcAccountInfoConfig { encoding: Some(encoding), data_slice, ..Default::default() };
        let config = RpcProgramAccountsConfig { filters, account_config, with_context: None, sort_results: None };
        rpc.get_program_ui_accounts_with_config(&BOXES, config).await.map(|accounts| {
            let keyed = |(address, account): (Pubkey, _)| RpcKeyedAccount { pubkey: address.to_string(), account };
            accounts.into_iter().map(keyed).collect()
        })
    };
    let filters = vec![RpcFilterType::DataSize(200), RpcFilterType::Memcmp(Memcmp::new_base58_encoded(199, &[2]))];
    let slice = Some(UiDataSliceConfig { offset: 198, length: 10 });
    let found = keyed(Some(filters), UiAccountEncoding::Base58, slice).await.unwrap();
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.pubkey.clone(), one.account.data.decode()), (stage.the_box(2).to_string(), Some(vec![2, 2])));
    let compressed = keyed(None, UiAccountEncoding::Base64Zstd, None).await.unwrap();
    assert!(compressed.iter().all(|one| one.account.data.decode().unwrap().len() == 200));
    let too_long = keyed(None, UiAccountEncoding::Base58, None).await.unwrap_err().to_string();
    assert!(too_long.contains("Encoded binary (base 58) data should be less than 128 bytes"), "{too_long}");
    let filters = vec![RpcFilterType::DataSize(200); 5];
    let too_many = keyed(Some(filters), UiAccountEncoding::Base64, None).await.unwrap_err().to_string();
    assert!(too_many.contains("Too many filters provided; max 4"), "{too_many}");

    assert_eq!(rpc.get_minimum_balance_for_rent_exemption(0).await.unwrap(), 890_880);
    let system = rpc.get_account(&Pubkey::default()).await.unwrap();
    assert!(system.executable);
    let missing = rpc.get_account(&Pubkey::new_from_array([5; 32])).await.unwrap_err().to_string();
    assert!(missing.contains("AccountNotFound"), "{missing}");
    assert_eq!(rpc.get_balance(&Pubkey::new_from_array([5; 32])).await.unwrap(), 0);
    let many = vec![Pubkey::default(); 101];
    assert!(rpc.get_multiple_accounts(&many).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulation_tells_and_changes_nothing() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let good = stage.transaction(1, &[make(1, &[0; 8]), Do::Slot]);
    let result = rpc.simulate_transaction(&good).await.unwrap();
    assert_eq!((result.context.slot, &result.value.err), (1, &None));
    let (data, _) = result.value.return_data.unwrap().data;
    assert_eq!(data, "AgAAAAAAAAA=");
    assert!(result.value.units_consumed.unwrap() > 0);
    assert_eq!(result.value.inner_instructions, None);

    let config = RpcSimulateTransactionConfig { inner_instructions: true, sig_verify: true, ..Default::default() };
    let result = rpc.simulate_transaction_with_config(&good, config).await.unwrap().value;
    assert_eq!(result.inner_instructions.unwrap()[0].instructions.len(), 1);

    let mut unsigned = Transaction::new_unsigned(good.message.clone());
    unsigned.message.recent_blockhash = [9; 32].into();
    let plain = rpc.simulate_transaction(&unsigned).await.unwrap().value;
    assert_eq!(plain.err, Some(TransactionError::BlockhashNotFound.into()));
    let config = RpcSimulateTransactionConfig { replace_recent_blockhash: true, ..Default::default() };
    let replaced = rpc.simulate_transaction_with_config(&unsigned, config).await.unwrap().value;
    let blockhash = replaced.replacement_blockhash.unwrap().blockhash;
    assert_eq!((replaced.err, blockhash), (None, stage.ledger.latest_blockhash().to_string()));
    let config = RpcSimulateTransactionConfig { sig_verify: true, ..Default::default() };
    let forged = rpc.simulate_transaction_with_config(&unsigned, config).await.unwrap().value;
    assert_eq!((forged.err, forged.fee), (Some(TransactionError::SignatureFailure.into()), None));

    let accounts = RpcSimulateTransactionAccountsConfig {
        encoding: Some(UiAccountEncoding::Base64),
        addresses: [stage.the_box(1), stage.payer.pubkey()].iter().map(ToString::to_string).collect(),
    };
    let config = RpcSimulateTransactionConfig { accounts: Some(accounts), ..Default::default() };
    let payer_before = stage.ledger.bank_account(&stage.payer.pubkey()).await.unwrap();
    let result = rpc.simulate_transaction_with_config(&good, config).await.unwrap().value;
    let left: Vec<_> =
        result.accounts.unwrap().into_iter().map(|account| account.unwrap().to_account().unwrap()).collect();
    assert_eq!((&left[0].data, left[1].lamports), (&2_u64.to_le_bytes().to_vec(), 1000 * SOL - 1_080_000 - 5000));
    assert_eq!(stage.ledger.bank_account(&stage.the_box(1)).await.unwrap(), None);
    assert_eq!(stage.ledger.bank_account(&stage.payer.pubkey()).await.unwrap(), payer_before);

    let failing = stage.transaction(1, &[Do::Fail(9)]);
    let result = rpc.simulate_transaction(&failing).await.unwrap().value;
    let error = TransactionError::InstructionError(0, InstructionError::Custom(9));
    assert_eq!((result.err, result.fee), (Some(error.into()), Some(5000)));
    assert_eq!(stage.ledger.latest_slot(), 1);
    // What was simulated can still be sent.
    rpc.send_and_confirm_transaction(&good).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_landed_transaction_can_be_looked_up() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let sent = stage.transaction(1, &[make(1, b"a")]);
    rpc.send_transaction(&sent).await.unwrap();
    let failing = stage.transaction(1, &[Do::Fail(3)]);
    stage.ledger.send_without_preflight(failing.clone().into()).await.unwrap();

    let found = rpc.get_transaction(&sent.signatures[0], UiTransactionEncoding::Base64).await.unwrap();
    assert_eq!((found.slot, found.block_time), (2, Some(1_767_225_600)));
    assert_eq!(found.transaction.transaction.decode(), Some(VersionedTransaction::from(sent.clone())));
    let meta = found.transaction.meta.unwrap();
    assert_eq!((meta.err, meta.fee), (None, 5000));
    assert_eq!(meta.pre_balances[..2], [1000 * SOL, 0]);
    assert_eq!(meta.post_balances[..2], [1000 * SOL - 1_010_000 - 5000, 1_010_000]);
    let OptionSerializer::Some(logs) = meta.log_messages else { panic!("no logs") };
    assert_eq!(logs.first(), Some(&format!("Program {BOXES} invoke [1]")));
    assert!(matches!(meta.compute_units_consumed, OptionSerializer::Some(units) if units > 0));
    assert!(matches!(meta.inner_instructions, OptionSerializer::Some(inner) if inner.len() == 1));
    for encoding in [UiTransactionEncoding::Json, UiTransactionEncoding::JsonParsed] {
        let found = rpc.get_transaction(&sent.signatures[0], encoding).await.unwrap();
        let EncodedTransaction::Json(json) = found.transaction.transaction else { panic!("no JSON") };
        assert_eq!(json.signatures, [sent.signatures[0].to_string()]);
    }
    let config = RpcTransactionConfig { encoding: Some(UiTransactionEncoding::Base58), ..Default::default() };
    let failed = rpc.get_transaction_with_config(&failing.signatures[0], config).await.unwrap();
    let error = TransactionError::InstructionError(0, InstructionError::Custom(3));
    assert_eq!(failed.transaction.meta.unwrap().err, Some(error.into()));
    assert!(rpc.get_transaction(&Signature::from([1; 64]), UiTransactionEncoding::Json).await.is_err());

    let signatures = rpc.get_signatures_for_address(&stage.the_box(1)).await.unwrap();
    let slots: Vec<_> = signatures.iter().map(|one| (one.slot, one.err.is_some())).collect();
    assert_eq!(slots, [(3, true), (2, false)]);
    let config = GetConfirmedSignaturesForAddress2Config {
        before: Some(failing.signatures[0]),
        limit: Some(1),
        ..Default::default()
    };
    let before = rpc.get_signatures_for_address_with_config(&stage.payer.pubkey(), config).await.unwrap();
    assert_eq!(before.iter().map(|one| one.slot).collect::<Vec<_>>(), [2]);
    // The other end of a page; and a cursor that the node does not know, which is an error in either place.
    let page = |before, until| GetConfirmedSignaturesForAddress2Config { before, until, ..Default::default() };
    let ended = page(None, Some(sent.signatures[0]));
    let found = rpc.get_signatures_for_address_with_config(&stage.the_box(1), ended).await.unwrap();
    assert_eq!(found.iter().map(|one| one.slot).collect::<Vec<_>>(), [3]);
    let unknown = Signature::from([1; 64]);
    for page in [page(Some(unknown), None), page(None, Some(unknown)), page(Some(failing.signatures[0]), Some(unknown))]
    {
        let error = rpc.get_signatures_for_address_with_config(&stage.the_box(1), page).await.unwrap_err();
        let ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!((*code, message.as_str()), (-32020, format!("Transaction {unknown} not found").as_str()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn airdrops_and_fees() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let someone = Pubkey::new_from_array([5; 32]);
    for _ in 0..3 {
        let signature = rpc.request_airdrop(&someone, SOL).await.unwrap();
        assert!(rpc.confirm_transaction(&signature).await.unwrap());
    }
    assert_eq!(rpc.get_balance(&someone).await.unwrap(), 3 * SOL);
    // Many who ask for the same at once all get it.
    let signatures =
        futures_util::future::try_join_all((0..8).map(|_| rpc.request_airdrop(&someone, SOL))).await.unwrap();
    assert_eq!(signatures.into_iter().collect::<std::collections::HashSet<_>>().len(), 8);
    assert_eq!(rpc.get_balance(&someone).await.unwrap(), 11 * SOL);
    rpc.request_airdrop_with_blockhash(&someone, 1, &stage.ledger.latest_blockhash()).await.unwrap();
    let params = serde_json::json!([someone.to_string(), u64::MAX]);
    let too_much = call(&stage.http, "requestAirdrop", params).await;
    let message = "Transaction simulation failed: Error processing Instruction 0: custom program error: 0x1";
    assert_eq!((&too_much["error"]["code"], &too_much["error"]["message"]), (&(-32002).into(), &message.into()));

    let payer = stage.payer.pubkey();
    let blockhash = stage.ledger.latest_blockhash();
    let message = Message::new_with_blockhash(&[transfer(&payer, &someone, 1)], Some(&payer), &blockhash);
    assert_eq!(rpc.get_fee_for_message(&message).await.unwrap(), 5000);
    // 100,000 units at 2 lamports each on top: `ComputeBudgetInstruction::{SetComputeUnitLimit, SetComputeUnitPrice}`.
    let budget = pubkey!("ComputeBudget111111111111111111111111111111");
    let limit = Instruction::new_with_bytes(budget, &[&[2][..], &100_000_u32.to_le_bytes()].concat(), vec![]);
    let price = Instruction::new_with_bytes(budget, &[&[3][..], &2_000_000_u64.to_le_bytes()].concat(), vec![]);
    let instructions = [limit, price, transfer(&payer, &someone, 1)];
    let message = v0::Message::try_compile(&payer, &instructions, &[], blockhash).unwrap();
    assert_eq!(rpc.get_fee_for_message(&message).await.unwrap(), 205_000);
    let transaction = VersionedTransaction::try_new(VersionedMessage::V0(message), &[&stage.payer]).unwrap();
    let landed = stage.ledger.send(transaction).await.unwrap();
    assert_eq!(landed.transaction.fee, 205_000);
    assert_eq!(rpc.get_balance(&payer).await.unwrap(), 1000 * SOL - 205_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_nonce_stands_for_a_blockhash() {
    let stage = Stage::new().await;
    let payer = stage.payer.pubkey();
    let nonce = dzsim_ledger::keypair(0, "nonce");
    let create = create_nonce_account(&payer, &nonce.pubkey(), &payer, SOL);
    let blockhash = stage.ledger.latest_blockhash();
    let signers: [&solana_keypair::Keypair; 2] = [&stage.payer, &nonce];
    let create = Transaction::new_signed_with_payer(&create, Some(&payer), &signers, blockhash);
    stage.rpc().send_and_confirm_transaction(&create).await.unwrap();
    for _ in 0..3 {
        // After two tags of 4 bytes and the authority (`solana_nonce::versions::Versions`).
        let stored = stage.rpc().get_account_data(&nonce.pubkey()).await.unwrap();
        let stored = solana_hash::Hash::new_from_array(stored[40..72].try_into().unwrap());
        let instructions = [advance_nonce_account(&nonce.pubkey(), &payer), transfer(&payer, &nonce.pubkey(), 1)];
        let send = Transaction::new_signed_with_payer(&instructions, Some(&payer), &[&stage.payer], stored);
        stage.rpc().send_and_confirm_transaction(&send).await.unwrap();
        let again = refusal(stage.rpc().send_transaction(&send).await.unwrap_err());
        assert_eq!(again, TransactionError::AlreadyProcessed);
    }
    assert_eq!(stage.rpc().get_balance(&nonce.pubkey()).await.unwrap(), SOL + 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lookup_tables_work_as_of_the_next_slot() {
    let stage = Stage::new().await;
    let payer = stage.payer.pubkey();
    let tables = pubkey!("AddressLookupTab1e1111111111111111111111111");
    let system = AccountMeta::new_readonly(Pubkey::default(), false);
    let recent_slot = stage.land(9, &[make(9, b"a")]).await.slot;
    let (table, bump) = Pubkey::find_program_address(&[payer.as_ref(), &recent_slot.to_le_bytes()], &tables);
    let accounts =
        vec![AccountMeta::new(table, false), AccountMeta::new(payer, true), AccountMeta::new(payer, true), system];
    let create = [&0_u32.to_le_bytes()[..], &recent_slot.to_le_bytes(), &[bump]].concat();
    let create = Instruction::new_with_bytes(tables, &create, accounts.clone());
    let held = [stage.the_box(1), solana_sysvar::clock::ID];
    let extend = [&2_u32.to_le_bytes()[..], &2_u64.to_le_bytes(), held[0].as_ref(), held[1].as_ref()].concat();
    let extend = Instruction::new_with_bytes(tables, &extend, accounts);
    let blockhash = stage.ledger.latest_blockhash();
    let transaction = Transaction::new_signed_with_payer(&[create, extend], Some(&payer), &[&stage.payer], blockhash);
    stage.rpc().send_and_confirm_transaction(&transaction).await.unwrap();

    let lookup = AddressLookupTableAccount { key: table, addresses: held.to_vec() };
    let through = |what: &Do| {
        let instructions = [instruction(&payer, box_address(&payer, 1), what)];
        let blockhash = stage.ledger.latest_blockhash();
        let message =
            v0::Message::try_compile(&payer, &instructions, std::slice::from_ref(&lookup), blockhash).unwrap();
        VersionedTransaction::try_new(VersionedMessage::V0(message), &[&stage.payer]).unwrap()
    };
    let landed = stage.ledger.send(through(&make(1, &[0; 8]))).await.unwrap();
    let loaded = LoadedAddresses { writable: vec![held[0]], readonly: vec![held[1]] };
    assert_eq!(landed.transaction.loaded, loaded);
    let landed = stage.ledger.send(through(&Do::Slot)).await.unwrap();
    assert_eq!(stage.rpc().get_account_data(&held[0]).await.unwrap(), landed.slot.to_le_bytes());
    let changed: Vec<_> = landed.changes.iter().map(|change| change.address).collect();
    assert_eq!(changed, [payer, held[0], held[1]]);

    let signature = landed.transaction.signature;
    let refused = stage.rpc().get_transaction(&signature, UiTransactionEncoding::Json).await.unwrap_err().to_string();
    assert!(refused.contains("Transaction version (0) is not supported by the requesting client"), "{refused}");
    let config = RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Json),
        max_supported_transaction_version: Some(0),
        ..Default::default()
    };
    let found = stage.rpc().get_transaction_with_config(&signature, config).await.unwrap();
    let OptionSerializer::Some(addresses) = found.transaction.meta.unwrap().loaded_addresses else { panic!("none") };
    assert_eq!(addresses.writable, [held[0].to_string()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_and_blocks() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    let landed = stage.land(1, &[make(1, b"a")]).await;
    stage.land(2, &[make(2, b"a")]).await;
    assert_eq!(rpc.get_slot_with_commitment(CommitmentConfig::processed()).await.unwrap(), 3);
    assert_eq!(rpc.get_block_height().await.unwrap(), 3);
    assert_eq!(rpc.get_transaction_count().await.unwrap(), 2);
    assert_eq!(rpc.get_first_available_block().await.unwrap(), 1);
    assert_eq!(rpc.minimum_ledger_slot().await.unwrap(), 1);
    assert_eq!(rpc.get_blocks(1, None).await.unwrap(), [1, 2, 3]);
    assert_eq!(rpc.get_blocks(2, Some(9)).await.unwrap(), [2, 3]);
    assert_eq!(rpc.get_blocks_with_limit(1, 2).await.unwrap(), [1, 2]);
    assert_eq!(rpc.get_block_time(2).await.unwrap(), landed.time);
    let block = rpc.get_block(2).await.unwrap();
    assert_eq!((block.parent_slot, block.blockhash.clone()), (1, landed.blockhash.to_string()));
    assert_eq!(block.transactions.len(), 1);
    for details in [TransactionDetails::Accounts, TransactionDetails::Signatures, TransactionDetails::None] {
        let config = RpcBlockConfig { transaction_details: Some(details), ..Default::default() };
        let block = rpc.get_block_with_config(2, config).await.unwrap();
        let signatures =
            (details == TransactionDetails::Signatures).then(|| vec![landed.transaction.signature.to_string()]);
        assert_eq!(block.signatures, signatures);
        assert_eq!(block.transactions.is_some(), details == TransactionDetails::Accounts);
    }
    assert_eq!(rpc.get_block_time(0).await.unwrap(), LedgerConfig::default().genesis_time);
    // As on a validator, the past can be asked for only as far as it is confirmed.
    for (method, params) in [
        ("getBlock", json!([2, {"commitment": "processed"}])),
        ("getBlocks", json!([1, 2, {"commitment": "processed"}])),
        ("getBlocks", json!([1, {"commitment": "processed"}])),
        ("getBlocksWithLimit", json!([1, 2, {"commitment": "processed"}])),
        ("getTransaction", json!([landed.transaction.signature.to_string(), {"commitment": "processed"}])),
        ("getSignaturesForAddress", json!([stage.payer.pubkey().to_string(), {"commitment": "processed"}])),
    ] {
        let refused = json!({"code": -32602, "message": "Method does not support commitment below `confirmed`"});
        assert_eq!(call(&stage.http, method, params).await["error"], refused, "{method}");
    }
    let unavailable = rpc.get_block(9).await.unwrap_err().to_string();
    assert!(unavailable.contains("Block not available for slot 9"), "{unavailable}");
    let gone = rpc.get_block(0).await.unwrap_err().to_string();
    assert!(gone.contains("Block 0 cleaned up, does not exist on node. First available block: 1"), "{gone}");
    assert_eq!(rpc.get_recent_prioritization_fees(&[]).await.unwrap().len(), 3);
    assert_eq!(rpc.get_max_retransmit_slot().await.unwrap(), 3);
    assert_eq!(rpc.get_max_shred_insert_slot().await.unwrap(), 3);
    assert_eq!(rpc.get_block_commitment(2).await.unwrap().total_stake, 0);
    // The first comes after a minute, of 150 slots.
    assert_eq!(rpc.get_recent_performance_samples(None).await.unwrap(), []);
    for change in 0..150 {
        stage.land(1, &[Do::Write(vec![change])]).await;
    }
    let samples = rpc.get_recent_performance_samples(None).await.unwrap();
    let sample = RpcPerfSample {
        slot: 150,
        num_transactions: 150,
        num_non_vote_transactions: Some(150),
        num_slots: 150,
        sample_period_secs: 60,
    };
    assert_eq!(samples, [sample]);
    let refused = json!({"code": -32602, "message": "Invalid limit; max 720"});
    assert_eq!(call(&stage.http, "getRecentPerformanceSamples", json!([721])).await["error"], refused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_slots_are_as_if_they_had_never_been() {
    let stage = Stage::new().await;
    let rpc = stage.rpc();
    stage.land(1, &[make(1, b"a")]).await;
    let before = stage.ledger.account(&stage.the_box(1)).await.unwrap();
    let payer = stage.ledger.account(&stage.payer.pubkey()).await.unwrap();
    let lost = stage.land(2, &[make(2, b"b")]).await;
    stage.land(1, &[Do::Write(b"z".to_vec())]).await;
    assert!(!stage.ledger.lose_slots(4).await.unwrap());
    assert_eq!(stage.ledger.latest_slot(), 4);

    assert!(stage.ledger.lose_slots(2).await.unwrap());
    assert_eq!(stage.ledger.latest_slot(), 5);
    for address in [stage.the_box(1), stage.the_box(2), stage.payer.pubkey()] {
        assert_eq!(stage.ledger.account(&address).await.unwrap(), stage.ledger.bank_account(&address).await.unwrap());
    }
    assert_eq!(stage.ledger.account(&stage.the_box(1)).await.unwrap(), before);
    assert_eq!(stage.ledger.account(&stage.the_box(2)).await.unwrap(), None);
    assert_eq!(stage.ledger.account(&stage.payer.pubkey()).await.unwrap(), payer);
    assert_eq!(rpc.get_blocks(1, None).await.unwrap(), [1, 2, 5]);
    assert_eq!(rpc.get_block(5).await.unwrap().parent_slot, 2);
    assert_eq!(rpc.get_transaction_count().await.unwrap(), 2);
    let skipped = rpc.get_block(3).await.unwrap_err().to_string();
    assert!(skipped.contains("Slot 3 was skipped"), "{skipped}");
    let status = rpc.get_signature_statuses(&[lost.transaction.signature]).await.unwrap().value;
    assert_eq!(status, [None]);
    let stale = stage.ledger.send(lost.transaction.transaction.clone()).await;
    assert!(stale.is_ok(), "its blockhash is of a slot that is left: {stale:?}");
    assert_eq!(stage.ledger.latest_slot(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_is_one_validator() {
    let stage = Stage::new().await;
    let rpc: RpcClient = stage.rpc();
    assert_eq!(rpc.get_health().await.ok(), Some(()));
    assert_eq!(rpc.get_version().await.unwrap().solana_core, "4.2.2");
    let identity = rpc.get_identity().await.unwrap();
    assert_eq!(rpc.get_slot_leader().await.unwrap(), identity);
    assert_eq!(rpc.get_slot_leaders(1, 3).await.unwrap(), [identity; 3]);
    assert_eq!(rpc.get_cluster_nodes().await.unwrap()[0].pubkey, identity.to_string());
    let votes = rpc.get_vote_accounts().await.unwrap();
    assert_eq!((votes.current.len(), votes.delinquent.len()), (0, 0));
    let schedule = rpc.get_epoch_schedule().await.unwrap();
    let epoch = rpc.get_epoch_info().await.unwrap();
    assert_eq!((epoch.absolute_slot, epoch.slot_index, epoch.epoch), (1, 1, 0));
    assert_eq!(epoch.slots_in_epoch, schedule.get_slots_in_epoch(0));
    let leaders = rpc.get_leader_schedule(None).await.unwrap().unwrap();
    assert_eq!(leaders[&identity.to_string()].len() as u64, epoch.slots_in_epoch);
    assert_eq!(rpc.get_leader_schedule(Some(u64::MAX)).await.unwrap(), None);
    assert!(rpc.get_ag_genesis_cert().await.unwrap().is_none());
    let production = rpc.get_block_production().await.unwrap().value;
    assert_eq!(production.by_identity.into_iter().collect::<Vec<_>>(), [(identity.to_string(), (2, 2))]);
    assert_eq!((production.range.first_slot, production.range.last_slot), (0, 1));
    for (config, expected) in [
        (json!({"identity": stage.payer.pubkey().to_string()}), json!({})),
        (json!({"range": {"firstSlot": 1, "lastSlot": 1}}), json!({identity.to_string(): [1, 1]})),
    ] {
        let answer = call(&stage.http, "getBlockProduction", json!([config])).await;
        assert_eq!(answer["result"]["value"]["byIdentity"], expected, "{config}");
    }
    for (range, message) in [
        (json!({"firstSlot": 2, "lastSlot": 1}), "lastSlot, 1, cannot be less than firstSlot, 2"),
        (json!({"firstSlot": 1, "lastSlot": 2}), "lastSlot, 2, is too large; max 1"),
    ] {
        let answer = call(&stage.http, "getBlockProduction", json!([{"range": range}])).await;
        assert_eq!(answer["error"], json!({"code": -32602, "message": message}));
    }
    assert!(rpc.get_highest_snapshot_slot().await.unwrap_err().to_string().contains("No snapshot"));
    assert_eq!(rpc.commitment().commitment, CommitmentLevel::Confirmed);
}
