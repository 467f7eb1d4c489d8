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
    /// This client's address on the internet, also where a translator gives it [default: the source address of the
    /// default route]
    #[arg(long, env = "DZ_CLIENT_IP", value_name = "ADDRESS")]
    pub client_ip: Option<Ipv4Addr>,
    /// The key whose tunnels are made here. Another's, which a pass for any address could ask for, are not [default: all
    /// that the chain has for this address]
    #[arg(long, env = "DZ_PAYER", value_name = "KEY")]
    pub payer: Option<Pubkey>,
    /// What this network is called, for people to read
    #[arg(long, env = "DZ_NETWORK", value_name = "NAME", default_value = "localnet")]
    pub network: String,
    /// Where the command line is served
    #[arg(long, env = "DZ_SOCKET", value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub socket: PathBuf,
    /// Where it is kept whether the daemon may hold tunnels
    #[arg(long, env = "DZ_STATE_DIR", value_name = "FOLDER", default_value = "/var/lib/doublezerod")]
    pub state_dir: PathBuf,
    /// Who makes tunnels: auto, kernel or userspace
    #[arg(long, env = "DZ_DATAPLANE", default_value_t)]
    pub dataplane: Dataplane,
    /// How the helper of userspace tunnels is started: a program and its arguments, separated by spaces [default: this
    /// program with the argument gre-helper]
    #[arg(long, env = "DZ_GRE_HELPER", value_name = "COMMAND")]
    pub gre_helper: Option<HelperCommand>,
    /// How endpoints are probed
    #[command(flatten)]
    pub probe: ProbeArgs,
    /// How long a tunnel's far end may be silent until the tunnel counts as down
    #[arg(long, env = "DZ_HOLD_TIME", value_name = "DURATION", default_value_t = HOLD_TIME, value_parser = hold_time)]
    pub hold_time: dz_policy::Duration,
    /// How much nearer another device must be to be shown as the nearest
    #[arg(long, env = "DZ_LATENCY_TOLERANCE", value_name = "DURATION", default_value_t = TOLERANCE)]
    pub latency_tolerance: dz_policy::Duration,
    /// Where randomness comes from
    #[command(flatten)]
    pub seed: SeedArgs,
    /// The form of log lines
    #[arg(long, env = "DZ_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

/// How endpoints are probed.
#[derive(Clone, Debug, clap::Args)]
pub struct ProbeArgs {
    /// Probes for each endpoint in a round
    #[arg(long = "probe-count", value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Least time between two probes to one endpoint
    #[arg(long = "probe-interval", value_name = "DURATION", default_value = "10ms", value_parser = humantime::parse_duration)]
    pub interval: Duration,
    /// When a probe without an answer counts as lost
    #[arg(long = "probe-timeout", value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Endpoints that are probed at a time
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
