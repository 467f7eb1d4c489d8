//! How each product role is started: its command line, in words that its own `--help` documents.

use std::{ffi::OsString, path::Path, time::Duration};

use dz_net::gre::Dataplane;
use dzsim_lab::{Host, NodeName, RoleName, Spawn};
use dzsim_scenario::plan::{Action, ClientName, DeviceCode, Fault, LedgerFault, Policy, Step};
use solana_pubkey::Pubkey;

/// How often everybody reads the whole chain again where a scenario loses notifications: one that nothing follows is
/// missed until then. Elsewhere the default stands; what a thousand clients read so often would keep the machine busy.
const VERIFY_EVERY: &str = "500ms";
/// How long a role may take until it says that it is ready.
const READY: Duration = Duration::from_secs(60);
/// Where the ledger answers in every node: JSON-RPC over HTTP.
pub const RPC_PORT: u16 = 8899;
/// Where it answers over WebSocket.
pub const WS_PORT: u16 = 8900;
/// Where the controller answers in every device and in the core.
pub const CONTROLLER_PORT: u16 = 7000;
/// Where the first activator tells its health; the others take the ports after it.
const ACTIVATOR_PORT: u16 = 9100;

/// The name of what is in no node, towards the ledger.
pub const CORE: &str = "core";

/// The program that plays every role, and where its tunnels are made.
#[derive(Clone, Debug)]
pub struct Roles {
    program: OsString,
    dataplane: Dataplane,
    verify_every: Option<&'static str>,
}

fn role(name: &str) -> anyhow::Result<RoleName> {
    Ok(RoleName::new(name)?)
}

/// The host of a node of this name.
pub fn node(name: &str) -> anyhow::Result<Host> {
    Ok(Host::Node(NodeName::new(name)?))
}

/// Where an activator, counted from 1, tells its health.
pub fn activator_address(number: u8) -> std::net::SocketAddr {
    ([127, 0, 0, 1], ACTIVATOR_PORT + u16::from(number) - 1).into()
}

impl Roles {
    /// The roles of this very program, in a scenario of these steps.
    pub fn new(dataplane: Dataplane, steps: &[Step]) -> std::io::Result<Self> {
        let verify_every = lose_notifications(steps).then_some(VERIFY_EVERY);
        Ok(Self { program: std::env::current_exe()?.into(), dataplane, verify_every })
    }

    /// Where tunnels are made.
    pub fn dataplane(&self) -> Dataplane {
        self.dataplane
    }

    fn spawn<A: Into<OsString>>(
        &self,
        host: Host,
        name: &str,
        args: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<Spawn> {
        let argv = [self.program.clone(), "node".into(), command(name).into()]
            .into_iter()
            .chain(args.into_iter().map(Into::into));
        Ok(self.following(Spawn::new(host, role(name)?, argv)).notify(READY))
    }

    /// Tells a process how to follow the chain.
    fn following(&self, spawn: Spawn) -> Spawn {
        match self.verify_every {
            Some(period) => spawn.env("DZ_VERIFY_EVERY", period),
            None => spawn,
        }
    }

    /// An activator, counted from 1.
    pub fn activator(&self, number: u8, keypair: &Path, policy: &Policy) -> anyhow::Result<Spawn> {
        let name = if number == 1 { "activator".to_owned() } else { format!("activator{number}") };
        let args: Vec<OsString> = vec![
            "--keypair".into(),
            keypair.into(),
            "--listen".into(),
            activator_address(number).to_string().into(),
            "--when-full".into(),
            policy.when_full.to_string().into(),
            "--endpoint-strategy".into(),
            policy.endpoint_strategy.to_string().into(),
            "--dz-ip-strategy".into(),
            policy.dz_ip_strategy.to_string().into(),
            "--loopback-strategy".into(),
            policy.loopback_strategy.to_string().into(),
            "--in-flight".into(),
            policy.in_flight.to_string().into(),
            "--log-format".into(),
            "json".into(),
        ];
        self.spawn(Host::Core, &name, args)
    }

    /// The controller.
    pub fn controller(&self) -> anyhow::Result<Spawn> {
        let listen = format!("127.0.0.1:{CONTROLLER_PORT}");
        self.spawn(Host::Core, "controller", ["--listen", &listen, "--log-format", "json"])
    }

    /// A device's agent.
    pub fn agent(&self, device: &DeviceCode, account: &Pubkey) -> anyhow::Result<Spawn> {
        let account = account.to_string();
        let dataplane = self.dataplane.to_string();
        self.spawn(
            node(device.as_str())?,
            "agent",
            ["--device", &account, "--dataplane", &dataplane, "--log-format", "json"],
        )
    }

    /// A client's daemon, with the folder of its node's files and one that outlives a reboot.
    pub fn daemon(
        &self,
        client: &ClientName,
        client_ip: std::net::Ipv4Addr,
        folder: &Path,
        disk: &Path,
        policy: &Policy,
    ) -> anyhow::Result<Spawn> {
        let probes = &policy.probes;
        let args: Vec<OsString> = vec![
            "--client-ip".into(),
            client_ip.to_string().into(),
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
            "--log-format".into(),
            "json".into(),
        ];
        self.spawn(node(client.as_str())?, "doublezerod", args)
    }

    /// A command of the command line on a host whose files are in `folder`.
    pub fn command_line(&self, host: Host, folder: &Path, policy: &Policy, args: &[String]) -> anyhow::Result<Spawn> {
        let argv = [self.program.clone(), "node".into(), "doublezero".into()]
            .into_iter()
            .chain(args.iter().map(OsString::from));
        let env = user_env(&host, folder);
        let spawn = self
            .following(Spawn::new(host, role("doublezero")?, argv))
            .env("DZ_LATENCY_TOLERANCE", time(policy.latency_tolerance))
            .env("DZ_LATENCY_TIE", time(policy.latency_tie));
        Ok(env.into_iter().fold(spawn, |spawn, (name, value)| spawn.env(name, value)))
    }
}

/// Where the programs that people call are, by their names, in every node.
pub const BIN: &str = "/run/dz/bin";

/// The key of whoever uses a host.
pub fn key_file(host: &Host, folder: &Path) -> std::path::PathBuf {
    folder.join(if *host == Host::Core { "foundation.json" } else { "id.json" })
}

/// What tells the command line who uses it and where the daemon is.
pub fn user_env(host: &Host, folder: &Path) -> [(&'static str, OsString); 2] {
    [("DZ_KEYPAIR", key_file(host, folder).into()), ("DZ_SOCKET", socket(folder).into())]
}

/// Where a client's daemon listens, given the folder of its files.
pub fn socket(folder: &Path) -> std::path::PathBuf {
    folder.join("doublezerod.sock")
}

fn lose_notifications(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.action {
        Action::Fault(Fault::Ledger { fault: LedgerFault::LostNotifications { .. }, .. }) => true,
        Action::Parallel { branches } => branches.iter().any(|branch| lose_notifications(branch)),
        _ => false,
    })
}

/// A length of time as flags and variables take it.
fn time(duration: Duration) -> String {
    format!("{}us", duration.as_micros())
}

/// The role in the multi-call program; further activators are activators.
fn command(name: &str) -> &str {
    if name.starts_with("activator") { "activator" } else { name }
}
