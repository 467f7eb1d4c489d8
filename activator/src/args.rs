//! The command line of `dz-activator`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use dz_policy::ActivatorPolicy;
use dz_sdk::ledger::rpc::RpcArgs;
use dz_service::{LogFormat, SeedArgs};

/// Allocates what the DoubleZero network needs, as the chain asks for it.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "dz-activator", version)]
pub struct Args {
    /// Where the chain is
    #[command(flatten)]
    pub chain: RpcArgs,
    /// Solana key file of the activator, which signs and pays
    #[arg(long, env = "DZ_KEYPAIR", value_name = "FILE")]
    pub keypair: PathBuf,
    /// How to allocate
    #[command(flatten)]
    pub policy: ActivatorPolicy,
    /// Re-read the chain if no notification arrives for this long
    #[arg(long, env = "DZ_RESYNC", value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub resync: Duration,
    /// Serve /healthz and /metrics here
    #[arg(long, env = "DZ_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where randomness comes from
    #[command(flatten)]
    pub seed: SeedArgs,
    /// Format of log lines
    #[arg(long, env = "DZ_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds such as 10 or 0.5".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("expected more than 0 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_key_is_all_that_must_be_given() {
        let args = Args::try_parse_from(["dz-activator", "--keypair", "key.json"]).unwrap();
        assert_eq!(args.policy, ActivatorPolicy::default());
        assert_eq!(args.resync, Duration::from_secs(10));
    }

    #[rstest]
    #[case("0.25", Ok(Duration::from_millis(250)))]
    #[case("0", Err("expected more than 0 seconds"))]
    #[case("-1", Err("expected more than 0 seconds"))]
    #[case("1e300", Err("expected more than 0 seconds"))]
    #[case("soon", Err("expected a number of seconds such as 10 or 0.5"))]
    fn seconds_are_positive(#[case] text: &str, #[case] expected: Result<Duration, &str>) {
        assert_eq!(seconds(text), expected.map_err(str::to_owned));
    }
}
