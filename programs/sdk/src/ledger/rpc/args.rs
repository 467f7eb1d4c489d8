//! Arguments for the chain's address and for following it, shared by all programs.

use std::time::Duration;

use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

use super::{RpcLedger, RpcOptions};

/// Where the chain is.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct RpcArgs {
    /// Solana JSON-RPC over HTTP
    #[arg(long, env = "DZ_RPC_URL", global = true, value_name = "URL", default_value = "http://127.0.0.1:8899")]
    pub rpc_url: String,
    /// Its subscriptions over WebSocket
    #[arg(long, env = "DZ_WS_URL", global = true, value_name = "URL", default_value = "ws://127.0.0.1:8900")]
    pub ws_url: String,
    /// The serviceability program
    #[arg(long, env = "DZ_PROGRAM_ID", global = true, value_name = "ADDRESS", default_value_t = dz_serviceability::ID)]
    pub program_id: Pubkey,
    /// Interval of full re-reads of the chain, for lost notifications
    #[arg(long, env = "DZ_VERIFY_EVERY", global = true, value_name = "DURATION", default_value = "15s", value_parser = period)]
    pub verify_every: Duration,
}

impl RpcArgs {
    /// Starts following the chain as this key, without waiting for it. Must be called within a Tokio runtime.
    pub fn connect(&self, payer: Keypair) -> RpcLedger {
        let options = RpcOptions { verify_every: self.verify_every, ..RpcOptions::default() };
        RpcLedger::connect_with(&self.rpc_url, &self.ws_url, self.program_id, payer, options)
    }
}

fn period(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(period) if period.is_zero() => Err("expected more than 0 seconds".to_owned()),
        Ok(period) => Ok(period),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        chain: RpcArgs,
    }

    fn parse(args: &[&str]) -> Result<RpcArgs, String> {
        match Program::try_parse_from([&["program"], args].concat()) {
            Ok(program) => Ok(program.chain),
            Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
        }
    }

    #[test]
    fn nothing_must_be_given() {
        let expected = RpcArgs {
            rpc_url: "http://127.0.0.1:8899".into(),
            ws_url: "ws://127.0.0.1:8900".into(),
            program_id: dz_serviceability::ID,
            verify_every: RpcOptions::default().verify_every,
        };
        assert_eq!(parse(&[]), Ok(expected));
    }

    #[test]
    fn a_period_is_a_duration_that_is_not_zero() {
        assert_eq!(parse(&["--verify-every", "250ms"]).map(|args| args.verify_every), Ok(Duration::from_millis(250)));
        let refused = |why: &str| format!("error: invalid value '0s' for '--verify-every <DURATION>': {why}");
        assert_eq!(parse(&["--verify-every", "0s"]), Err(refused("expected more than 0 seconds")));
    }
}
