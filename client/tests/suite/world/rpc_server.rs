//! The chain behind Solana's JSON-RPC, for programs that are processes.

use std::net::TcpListener;

use dz_net::netns::NetNs;
use dz_sdk::{
    ledger::rpc::{RpcLedger, RpcOptions},
    local::LocalLedger,
    program::{ID, entrypoint::process_instruction},
};
use dzsim_ledger::{ClientName, LedgerConfig, processor};
use solana_account::Account;

use super::ledger_setup::Who;

/// A bank that starts from what a chain in memory holds.
pub(crate) struct Served {
    ledger: dzsim_ledger::Ledger,
}

/// Where a program finds it.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    pub(crate) rpc: String,
    pub(crate) ws: String,
}

impl Urls {
    /// An address without a listener.
    pub(crate) fn nowhere() -> Self {
        Self { rpc: "http://127.0.0.1:1".to_owned(), ws: "ws://127.0.0.1:1".to_owned() }
    }

    /// The chain as this user sees it from here.
    pub(crate) fn connect(&self, who: Who) -> RpcLedger {
        RpcLedger::connect_with(&self.rpc, &self.ws, ID, who.keypair(), RpcOptions::default())
    }
}

impl Served {
    pub(crate) async fn start(genesis: &LocalLedger) -> Self {
        let mut config = LedgerConfig::default().program(ID, "dz_serviceability", processor!(process_instruction));
        // The clock is the bank's own.
        let accounts =
            genesis.bank().accounts().clone().into_iter().filter(|(key, _)| *key != dz_sdk::instruction::CLOCK);
        config.accounts = accounts
            .map(|(key, held)| {
                let account =
                    Account { lamports: held.lamports, data: held.data, owner: held.owner, ..Account::default() };
                (key, account)
            })
            .collect();
        Self { ledger: dzsim_ledger::Ledger::start(config).await.unwrap() }
    }

    /// Serves it in a network namespace.
    pub(crate) fn serve(&self, ns: &NetNs, name: &str) -> Urls {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (http, ws) = ns.run(|| (bind(), bind())).unwrap();
        let urls = Urls {
            rpc: format!("http://{}", http.local_addr().unwrap()),
            ws: format!("ws://{}", ws.local_addr().unwrap()),
        };
        self.ledger.serve(http, ws, ClientName::new(name)).unwrap();
        urls
    }
}
