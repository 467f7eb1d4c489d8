//! The command line of `doublezerod`.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use dz_net::{
    gre::{Dataplane, HelperCommand},
    probe::ProbeConfig,
};
use dz_policy::{HOLD_TIME, TOLERANCE};
use dz_sdk::ledger::rpc::RpcArgs;
use dz_service::{LogFormat, SeedArgs};
use solana_pubkey::Pubkey;

use crate::api::DEFAULT_SOCKET;

/// Holds this host's DoubleZero tunnels as the chain says.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "doublezerod", version)]
pub struct Args {
    /// Where the chain is
    #[command(flatten)]
    pub chain: RpcArgs,
    /// This client's public address, also behind NAT [default: the source address of the
    /// default route]
    #[arg(long, env = "DZ_CLIENT_IP", value_name = "ADDRESS")]
    pub client_ip: Option<Ipv4Addr>,
    /// The payer whose tunnels this host creates; tunnels of other payers are ignored [default: all
    /// that the chain has for this address]
    #[arg(long, env = "DZ_PAYER", value_name = "KEY")]
    pub payer: Option<Pubkey>,
    /// Name of this network, for display
    #[arg(long, env = "DZ_NETWORK", value_name = "NAME", default_value = "localnet")]
    pub network: String,
    /// Socket for the command line
    #[arg(long, env = "DZ_SOCKET", value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub socket: PathBuf,
    /// Folder of the daemon's state
    #[arg(long, env = "DZ_STATE_DIR", value_name = "FOLDER", default_value = "/var/lib/doublezerod")]
    pub state_dir: PathBuf,
    /// Data plane: auto, kernel or userspace
    #[arg(long, env = "DZ_DATAPLANE", default_value_t)]
    pub dataplane: Dataplane,
    /// Command that starts the helper of userspace tunnels: a program and its arguments, separated by spaces [default: this
    /// program with the argument gre-helper]
    #[arg(long, env = "DZ_GRE_HELPER", value_name = "COMMAND")]
    pub gre_helper: Option<HelperCommand>,
    /// How endpoints are probed
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// Time without an answer from a tunnel's far end after which it counts as down
    #[arg(long, env = "DZ_HOLD_TIME", value_name = "DURATION", default_value_t = HOLD_TIME, value_parser = hold_time)]
    pub hold_time: dz_policy::Duration,
    /// By how much another device must be nearer to be shown as the nearest
    #[arg(long, env = "DZ_LATENCY_TOLERANCE", value_name = "DURATION", default_value_t = TOLERANCE)]
    pub latency_tolerance: dz_policy::Duration,
    /// Where randomness comes from
    #[command(flatten)]
    pub seed: SeedArgs,
    /// Format of log lines
    #[arg(long, env = "DZ_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// How endpoints are probed.
#[derive(Clone, Debug, clap::Args)]
pub struct ProbeArgs {
    /// Probes per endpoint and round
    #[arg(long = "probe-count", value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Minimum interval between two probes to one endpoint
    #[arg(long = "probe-interval", value_name = "DURATION", default_value = "10ms", value_parser = humantime::parse_duration)]
    pub interval: Duration,
    /// Time after which a probe counts as lost
    #[arg(long = "probe-timeout", value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Endpoints probed concurrently
    #[arg(long = "probe-concurrency", value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Time from one round to the next; new endpoints are probed at once
    #[arg(long = "probe-period", value_name = "DURATION", default_value = "30s", value_parser = more_than_zero)]
    pub period: Duration,
}

impl ProbeArgs {
    /// The same as the prober takes it.
    pub fn config(&self) -> ProbeConfig {
        ProbeConfig {
            probes: self.count,
            timeout: self.timeout,
            interval: self.interval,
            concurrency: self.concurrency.into(),
            ..ProbeConfig::default()
        }
    }
}

fn hold_time(text: &str) -> Result<dz_policy::Duration, String> {
    match text.parse()? {
        time if time == dz_policy::Duration::ZERO => Err("expected more than 0 seconds".to_owned()),
        time => Ok(time),
    }
}

fn more_than_zero(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time.is_zero() => Err("expected more than 0 seconds".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}
