//! Command lines of the product roles, in words that their own `--help` documents.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Parser};
use dz_net::gre::{Dataplane, HelperCommand};
use dz_policy::Flags;
use dz_sdk::{ledger::rpc::RpcOptions, program};
use dzsim_scenario::plan::{Action, DeviceCode, Fault, LedgerFault, Node, Policy, Process, Step};
use solana_pubkey::Pubkey;

use crate::this_program;

/// How often everybody reads the whole chain again where a scenario loses notifications: one that nothing follows is
/// missed until then. Elsewhere the default stands; what a thousand clients read so often would keep the machine busy.
const VERIFY_EVERY: Duration = Duration::from_millis(500);
/// Where the ledger answers in every node: JSON-RPC over HTTP.
pub const RPC_PORT: u16 = 8899;
/// Where it answers over WebSocket.
pub const WS_PORT: u16 = 8900;
/// Where the controller answers in every device and in the core.
pub const CONTROLLER_PORT: u16 = 7000;
/// Where the first activator serves its health; the others take the ports after it.
const ACTIVATOR_PORT: u16 = 9100;

/// The name of what is in no node, towards the ledger.
pub const CORE: &str = "core";

/// The account of a device.
pub fn device_account(code: &DeviceCode) -> Pubkey {
    program::pda::device(&program::ID, code.as_str()).0
}

/// Where an activator, counted from 1, serves its health.
pub fn activator_address(number: u8) -> std::net::SocketAddr {
    ([127, 0, 0, 1], ACTIVATOR_PORT + u16::from(number) - 1).into()
}

/// What a process is called in events and logs: its node, or [`CORE`], and its program.
pub fn log_name(process: &Process) -> String {
    match process {
        Process::Activator(_) | Process::Controller => format!("{CORE}.{process}"),
        Process::Daemon(client) => format!("{client}.doublezerod"),
        Process::Agent(_) => process.to_string(),
        Process::Gre(node) => format!("{node}.gre-helper"),
    }
}

/// A role to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name on its node, and in the name of its log.
    pub name: String,
    /// The product's program.
    pub program: &'static str,
    /// Its arguments, without the program's name.
    pub args: Vec<OsString>,
    /// What its environment holds for it.
    pub env: Vec<(String, OsString)>,
}

/// The program that plays every role, and where its tunnels are made.
#[derive(Clone, Debug)]
pub struct Roles {
    program: PathBuf,
    /// How the helper of userspace tunnels is started, where it is not the program that needs a tunnel.
    helper: Option<String>,
    dataplane: Dataplane,
    verify_every: Option<Duration>,
}

impl Roles {
    /// The roles of this very program, in a scenario of these steps.
    ///
    /// # Errors
    /// The path of this program is not known.
    pub fn new(dataplane: Dataplane, steps: &[Step]) -> std::io::Result<Self> {
        let verify_every = lose_notifications(steps).then_some(VERIFY_EVERY);
        Ok(Self { program: this_program::path()?, helper: None, dataplane, verify_every })
    }

    /// The same roles played by another program.
    #[must_use]
    pub fn played_by(self, program: &Path) -> Self {
        let helper = Some(format!("{} {}", program.display(), HelperCommand::ARGUMENT));
        Self { program: program.to_owned(), helper, ..self }
    }

    /// The same roles with tunnels that are made in this way.
    #[must_use]
    pub fn with_dataplane(self, dataplane: Dataplane) -> Self {
        Self { dataplane, ..self }
    }

    /// The program that plays every role.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The helper of userspace tunnels.
    pub fn helper(&self) -> HelperCommand {
        HelperCommand::new(&self.program, [HelperCommand::ARGUMENT])
    }

    fn helper_flag(&self) -> impl Iterator<Item = OsString> + use<> {
        self.helper.clone().into_iter().flat_map(|helper| ["--gre-helper".into(), helper.into()])
    }

    /// Data plane: where tunnels are created.
    pub fn dataplane(&self) -> Dataplane {
        self.dataplane
    }

    /// How often a process reads the whole chain again.
    pub fn verify_every(&self) -> Duration {
        self.verify_every.unwrap_or(RpcOptions::default().verify_every)
    }

    fn role(&self, name: &str, program: &'static str, args: impl IntoIterator<Item = OsString>) -> Role {
        // How a process follows the chain.
        let env = self.verify_every.map(|period| ("DZ_VERIFY_EVERY".to_owned(), time(period).into()));
        Role { name: name.to_owned(), program, args: args.into_iter().collect(), env: env.into_iter().collect() }
    }

    /// An activator, counted from 1.
    pub fn activator(&self, number: u8, keypair: &Path, policy: &Policy) -> Role {
        let name = if number == 1 { "activator".to_owned() } else { format!("activator{number}") };
        let args: Vec<OsString> = vec![
            "--keypair".into(),
            keypair.into(),
            "--listen".into(),
            activator_address(number).to_string().into(),
            "--log-format".into(),
            "json".into(),
        ];
        let policy = policy.activator.flags().into_iter().map(OsString::from);
        self.role(&name, "activator", args.into_iter().chain(policy))
    }

    /// The controller.
    pub fn controller(&self) -> Role {
        let listen = format!("127.0.0.1:{CONTROLLER_PORT}");
        self.role("controller", "controller", ["--listen", &listen, "--log-format", "json"].map(OsString::from))
    }

    /// A device's agent.
    pub fn agent(&self, account: &Pubkey) -> Role {
        let (account, dataplane) = (account.to_string(), self.dataplane.to_string());
        let args = ["--device", &account, "--dataplane", &dataplane, "--log-format", "json"];
        self.role("agent", "agent", args.map(OsString::from).into_iter().chain(self.helper_flag()))
    }

    /// A client's daemon, with its public address where the host cannot find it out, the folder of its node's files and one
    /// that outlives a reboot.
    pub fn daemon(&self, behind: Option<std::net::Ipv4Addr>, folder: &Path, disk: &Path, policy: &Policy) -> Role {
        let probes = &policy.probes;
        let args = [
            "--socket".into(),
            socket(folder).into(),
            "--state-dir".into(),
            disk.into(),
            "--dataplane".into(),
            self.dataplane.to_string().into(),
            "--probe-count".into(),
            probes.count.to_string().into(),
            "--probe-interval".into(),
            time(probes.interval).into(),
            "--probe-timeout".into(),
            time(probes.timeout).into(),
            "--probe-concurrency".into(),
            probes.concurrency.to_string().into(),
            "--probe-period".into(),
            time(probes.period).into(),
            "--hold-time".into(),
            time(policy.hold_time).into(),
            "--latency-tolerance".into(),
            policy.connect.latency_tolerance.to_string().into(),
            "--log-format".into(),
            "json".into(),
        ];
        let behind = behind.into_iter().flat_map(|address| ["--client-ip".into(), address.to_string().into()]);
        self.role("doublezerod", "doublezerod", args.into_iter().chain(behind).chain(self.helper_flag()))
    }

    /// A command of the command line by somebody with this environment.
    pub fn command_line(&self, user: [(&'static str, OsString); 2], policy: &Policy, args: &[String]) -> Role {
        let mut role = self.role("doublezero", "doublezero", args.iter().map(OsString::from));
        role.env.extend(user.map(|(name, value)| (name.to_owned(), value)));
        role.env.extend(policy.connect.variables().into_iter().map(|(name, value)| (name, value.into())));
        role
    }
}

/// Where the programs that people call are, by their names, in every node.
pub const BIN: &str = "/run/dz/bin";

/// The key of a node's user.
pub fn key_file(node: &str, folder: &Path) -> PathBuf {
    folder.join(if node == Node::Operator.as_str() { "foundation.json" } else { "id.json" })
}

/// The environment from which the command line knows who uses it and where the daemon is, whose files are in `folder`.
pub fn user_env(key: PathBuf, folder: &Path) -> [(&'static str, OsString); 2] {
    [("DZ_KEYPAIR", key.into()), ("DZ_SOCKET", socket(folder).into())]
}

/// Where people's programs are looked for in a node: the products' first.
pub fn path() -> OsString {
    let mut path = OsString::from(BIN);
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// Where a client's daemon listens, given the folder of its files.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("doublezerod.sock")
}

/// Arguments of a role.
#[derive(Parser)]
struct CommandLine<A: Args> {
    #[command(flatten)]
    args: A,
}

/// The arguments of a role as its program reads them, for a role that is a task instead of a process.
///
/// # Errors
/// They are not what the program takes.
pub fn parsed<A: Args>(role: Role) -> anyhow::Result<A> {
    let argv = std::iter::once(OsString::from(role.program)).chain(role.args);
    Ok(CommandLine::try_parse_from(argv)?.args)
}

fn lose_notifications(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.action {
        Action::Fault(Fault::Ledger { fault: LedgerFault::LostNotifications { .. }, .. }) => true,
        _ => step.inner().into_iter().any(|inner| lose_notifications(inner)),
    })
}

/// A length of time as flags and variables take it.
fn time(duration: Duration) -> String {
    format!("{}us", duration.as_micros())
}
