//! Errors of commands, and the exit code of each.

use std::{net::Ipv4Addr, time::Duration};

use dz_sdk::{
    LedgerError,
    build::BuildError,
    program::{error::ServiceabilityError, state::DeviceStatus},
};
use solana_pubkey::Pubkey;

use super::exit::Exit;
use crate::{api::DaemonError, select::NoEndpoint};

/// Why a command failed. The text is printed as it is, after `error: `.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The daemon.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The ledger, or the program behind it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What an instruction would refer to is not there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// No endpoint is left.
    #[error(transparent)]
    NoEndpoint(#[from] NoEndpoint),
    /// The device that a tunnel ends on takes no traffic.
    #[error("device {device} is {status}: it takes no traffic; with `--move` the tunnel is made on another device")]
    OutOfUse {
        /// Its code.
        device: String,
        /// What it is.
        status: DeviceStatus,
    },
    /// The activator said no.
    #[error("rejected: {reason}")]
    Rejected {
        /// Its words.
        reason: String,
    },
    /// The activator does nothing for anybody.
    #[error(
        "the activator has served nobody for {waited:?} while waiting for {step}: it is down or cut off from the ledger; \
         what was asked for stays on the chain and is done when it is back"
    )]
    ActivatorDown {
        /// What was waited for.
        step: String,
        /// How long.
        waited: Duration,
    },
    /// A deadline passed.
    #[error("{waited:?} passed while waiting for {step}; {hint}")]
    TimedOut {
        /// What was waited for.
        step: String,
        /// How long.
        waited: Duration,
        /// What to look at.
        hint: String,
    },
    /// A name that the chain does not know.
    #[error("unknown {kind} '{name}'{}", suggestion(.nearest))]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// Under which name.
        name: String,
        /// The name that comes nearest.
        nearest: Option<String>,
    },
    /// No pass.
    #[error("no access pass for {client_ip} and key {payer}: ask for one with exactly these two")]
    NoAccessPass {
        /// The client.
        client_ip: Ipv4Addr,
        /// The key that would pay.
        payer: Pubkey,
    },
    /// A change to a tunnel that is not there.
    #[error("{client_ip} has no such multicast tunnel: make one with `doublezero connect multicast`")]
    NoTunnel {
        /// The client.
        client_ip: Ipv4Addr,
    },
    /// The pass says no.
    #[error("the access pass does not allow {what}")]
    NotAllowed {
        /// What was asked.
        what: String,
    },
    /// Banned.
    #[error("client {client_ip} is banned")]
    Banned {
        /// The client.
        client_ip: Ipv4Addr,
    },
    /// A command line that parses and makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The key file, the terminal.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}

impl CommandError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Daemon(DaemonError::Unavailable { .. } | DaemonError::Answer { .. }) => Exit::DaemonUnavailable,
            Self::Daemon(DaemonError::NotPermitted { .. }) => Exit::SocketNotPermitted,
            Self::Daemon(DaemonError::Overtaken { .. }) => Exit::Other,
            Self::Ledger(LedgerError::Unavailable { .. }) => Exit::LedgerUnavailable,
            Self::Ledger(LedgerError::Refused { error, .. }) => of_refusal(*error),
            Self::Ledger(LedgerError::Failed(_) | LedgerError::View(_)) | Self::Other(_) => Exit::Other,
            Self::Build(BuildError::NoAccessPass { .. }) => Exit::NoAccessPass,
            Self::Build(_) => Exit::Unknown,
            Self::NoEndpoint(_) | Self::OutOfUse { .. } => Exit::NoEndpoint,
            Self::Rejected { .. } => Exit::Rejected,
            Self::TimedOut { .. } | Self::ActivatorDown { .. } => Exit::TimedOut,
            Self::Unknown { .. } | Self::NoTunnel { .. } => Exit::Unknown,
            Self::NoAccessPass { .. } => Exit::NoAccessPass,
            Self::NotAllowed { .. } => Exit::NotAllowed,
            Self::Banned { .. } => Exit::Banned,
            Self::Usage(_) => Exit::Usage,
        }
    }
}

/// The exit code of a refusal by the program. What the access pass forbids has one code, whether the command line or, in a
/// race, the program finds it.
fn of_refusal(error: ServiceabilityError) -> Exit {
    use ServiceabilityError::{
        PassBanned, PassExpired, PassMulticastFull, PassUnicastFull, PublishNotAllowed, SubscribeNotAllowed,
        TenantNotAllowed, TenantRequired, UserBanned,
    };
    match error {
        PassExpired | PassUnicastFull | PassMulticastFull | TenantRequired | TenantNotAllowed | PublishNotAllowed
        | SubscribeNotAllowed => Exit::NotAllowed,
        PassBanned | UserBanned => Exit::Banned,
        _ => Exit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rstest::rstest;

    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(9, 1, 0, 1);

    fn socket() -> String {
        "/run/doublezerod.sock".into()
    }

    #[rstest]
    #[case(
        DaemonError::Unavailable { socket: socket(), source: io::ErrorKind::NotFound.into() }.into(),
        4,
        "doublezerod does not answer on /run/doublezerod.sock: entity not found; is it running?"
    )]
    #[case(
        DaemonError::NotPermitted { socket: socket() }.into(),
        5,
        "not permitted to use /run/doublezerod.sock: run as a member of the group that owns it"
    )]
    #[case(
        DaemonError::Answer { path: "/v2/status".to_owned(), reason: "expected value".to_owned() }.into(),
        4,
        "doublezerod answered /v2/status with something unexpected: expected value"
    )]
    #[case(
        DaemonError::Overtaken { reason: "another request has turned its tunnels on again".to_owned() }.into(),
        1,
        "doublezerod: another request has turned its tunnels on again"
    )]
    #[case(
        LedgerError::Unavailable { url: "http://[::1]:1".to_owned(), reason: "connection refused".to_owned() }.into(),
        3,
        "ledger at http://[::1]:1: connection refused"
    )]
    #[case(
        LedgerError::Refused { instruction: 0, error: ServiceabilityError::DeviceFull }.into(),
        6,
        "the device has no free seat"
    )]
    #[case(
        LedgerError::Refused { instruction: 0, error: ServiceabilityError::PassExpired }.into(),
        12,
        "the access pass has expired"
    )]
    #[case(
        LedgerError::Refused { instruction: 0, error: ServiceabilityError::UserBanned }.into(),
        13,
        "the user is banned"
    )]
    #[case(LedgerError::Failed("no fee".to_owned()).into(), 1, "transaction failed: no fee")]
    #[case(BuildError::NoConfig.into(), 10, "the network is not initialised: `doublezero config init` comes first")]
    #[case(
        CommandError::OutOfUse { device: "nyc1".to_owned(), status: DeviceStatus::Drained },
        7,
        "device nyc1 is drained: it takes no traffic; with `--move` the tunnel is made on another device"
    )]
    #[case(
        CommandError::Rejected { reason: "the pool is full".to_owned() },
        8,
        "rejected: the pool is full"
    )]
    #[case(
        CommandError::TimedOut { step: "rain".to_owned(), waited: Duration::from_secs(60), hint: "look up".to_owned() },
        9,
        "60s passed while waiting for rain; look up"
    )]
    #[case(
        CommandError::ActivatorDown { step: "rain".to_owned(), waited: Duration::from_secs(15) },
        9,
        "the activator has served nobody for 15s while waiting for rain: it is down or cut off from the ledger; what was \
         asked for stays on the chain and is done when it is back"
    )]
    #[case(
        CommandError::Unknown { kind: "device", name: "nyc2".to_owned(), nearest: Some("nyc1".to_owned()) },
        10,
        "unknown device 'nyc2'; did you mean 'nyc1'?"
    )]
    #[case(
        CommandError::NoAccessPass { client_ip: CLIENT, payer: Pubkey::default() },
        11,
        "no access pass for 9.1.0.1 and key 11111111111111111111111111111111: ask for one with exactly these two"
    )]
    #[case(CommandError::NotAllowed { what: "tenant 'red'".to_owned() }, 12, "the access pass does not allow tenant 'red'")]
    #[case(CommandError::Banned { client_ip: CLIENT }, 13, "client 9.1.0.1 is banned")]
    #[case(CommandError::Usage("choose one".to_owned()), 2, "choose one")]
    fn each_has_its_words_and_its_code(#[case] error: CommandError, #[case] code: u8, #[case] text: &str) {
        assert_eq!((error.exit() as u8, error.to_string().as_str()), (code, text));
    }
}
