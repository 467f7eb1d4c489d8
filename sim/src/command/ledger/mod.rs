//! `dzsim ledger`: the chain alone, empty or with the network of a scenario on it.

mod scratch;

use std::path::Path;

use anyhow::Context;
use dz_sdk::{build, local::LocalBank, program::ID};
use dzsim_ledger::{LedgerConfig, Origins, ServeError, Standalone, known_keys, standalone};
use dzsim_scenario::Case;
use solana_account::Account;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{
    cli::LedgerArgs,
    exit::{Error, Exit, answer},
    run::{
        genesis::{
            self,
            bank::{self, FUNDS},
        },
        keys::{Keys, Owner},
    },
    scenario_files,
};

/// How many funded keys it makes and prints.
const KEYS: usize = 3;

/// Runs until Ctrl-C.
pub(super) fn run(args: &LedgerArgs) -> Result<Exit, Error> {
    if !scratch::is_set() {
        return Err(scratch::run_again_with_one().into());
    }
    let mut config = bank::config(args.seed);
    config.origins = match args.cors.as_slice() {
        [] => Origins::None,
        origins if origins.iter().any(|origin| origin == "*") => Origins::All,
        origins => Origins::These(origins.to_vec()),
    };
    if let Some(file) = &args.scenario {
        let cases = scenario_files::load(std::slice::from_ref(file), &[])?;
        let (_, case) = cases.into_iter().next().context("a scenario file has at least one case")?;
        config = with_network(config, &case, Keys::new(args.seed))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(standalone(Standalone { rpc: args.rpc, keys: KEYS, config }, std::io::stdout())).map_err(
        |error| match error {
            ServeError::Io(error) => Error::Output(error),
            other => Error::Machine(other.into()),
        },
    )?;
    Ok(Exit::Passed)
}

/// Waits for the end of the ledger that started this process and removes its folder for temporary files.
pub(super) fn clean_up(folder: &Path) -> Result<Exit, Error> {
    scratch::clean_up(folder)?;
    Ok(Exit::Passed)
}

/// Puts the network of a case into the genesis, as its operator's transactions leave it, and prints its keys.
fn with_network(mut config: LedgerConfig, case: &Case, keys: Keys) -> Result<LedgerConfig, Error> {
    let foundation = keys.of(Owner::Foundation).pubkey();
    let mut bank = LocalBank::new(ID, &foundation);
    bank.airdrop(foundation, FUNDS);
    for batch in build::pack(&foundation, genesis::instructions(&case.plan, &case.policy, keys)?) {
        bank.execute(&[foundation], &batch).context("writing the network to the chain")?;
    }
    for (key, record) in bank.accounts().iter().filter(|(_, record)| record.owner == ID) {
        let account = Account { lamports: record.lamports, data: record.data.clone(), owner: ID, ..Account::default() };
        config.accounts.push((*key, account));
    }
    let contributors = case.plan.contributors.keys().map(|code| Owner::Contributor(code.as_str()));
    let clients = case.plan.clients.keys().map(|name| Owner::Client(name.as_str()));
    println!("{}", known_keys(config.seed));
    for owner in [Owner::Foundation, Owner::Activator].into_iter().chain(contributors).chain(clients) {
        let key: Keypair = keys.of(owner);
        let bytes = serde_json::to_string(&key.to_bytes().to_vec()).context("writing a key")?;
        answer(format!("key        {}  {owner}  {bytes}", key.pubkey()))?;
        config = config.fund(key.pubkey(), FUNDS);
    }
    Ok(config)
}
