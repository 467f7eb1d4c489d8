//! A small world: the chain in memory with an activator, one client and some devices on one wire.

mod activator;
mod away;
mod chain;
mod devices;
mod wire;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Debug,
    future::Future,
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use dz_client::{
    api::{Service, Session, Status},
    cli::{self, daemon::Daemon, exit::Exit},
    daemon::{self, names::is_ours},
};
use dz_net::{gre::HelperCommand, netns::NsThread};
use dz_sdk::Ledger;
use tempfile::TempDir;
use tokio::sync::oneshot;

pub(crate) use self::{
    away::Away,
    chain::{Chain, DeviceSpec, GROUPS},
    wire::{Host, Wire},
};

/// The client's address.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(9, 1, 0, 1);

/// How the helper of userspace tunnels is started here.
pub(crate) fn helper() -> HelperCommand {
    HelperCommand::new(env!("CARGO_BIN_EXE_doublezerod"), ["gre-helper"])
}

/// What a command line printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The world.
pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) client: Host,
    pub(crate) devices: Vec<devices::DeviceHost>,
    folder: TempDir,
    running: Option<Running>,
    activator: Option<activator::Activator>,
    wire: Wire,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: NsThread<()>,
}

impl World {
    /// With these devices, and a client whose pass allows everything.
    pub(crate) async fn new(specs: &[DeviceSpec<'_>]) -> Self {
        Self::with_client_at(CLIENT, specs).await
    }

    /// The same, with a client whose host has this address instead of its own.
    pub(crate) async fn with_client_at(address: Ipv4Addr, specs: &[DeviceSpec<'_>]) -> Self {
        let chain = Chain::new(specs).await;
        let wire = Wire::new().await;
        let client = wire.host(&[address]).await;
        let mut devices = Vec::new();
        for spec in specs {
            let host = wire.host(spec.endpoints).await;
            devices.push(devices::DeviceHost::start(spec.code, host, chain.ledger.clone()));
        }
        let activator = activator::Activator::start(chain.ledger.clone());
        let folder = tempfile::tempdir().unwrap();
        let mut world = Self { chain, client, devices, folder, running: None, activator: Some(activator), wire };
        world.start_daemon().await;
        world
    }

    /// From now on nobody allocates anything.
    pub(crate) fn stop_activator(&mut self) {
        self.activator = None;
    }

    /// One more device, on the chain and on the wire.
    pub(crate) async fn add_device(&mut self, spec: DeviceSpec<'_>) {
        let host = self.wire.host(spec.endpoints).await;
        self.devices.push(devices::DeviceHost::start(spec.code, host, self.chain.ledger.clone()));
        self.chain.add_device(spec).await;
    }

    /// Starts the daemon and returns when its socket answers.
    pub(crate) async fn start_daemon(&mut self) {
        self.start_daemon_with(Arc::new(self.chain.ledger.clone())).await;
    }

    /// The same, with a ledger of the caller's choice.
    pub(crate) async fn start_daemon_with(&mut self, ledger: Arc<dyn Ledger>) {
        let helper = helper();
        let text = |path: PathBuf| path.into_os_string();
        let mut command: OsString = helper.program.into();
        command.push(" gre-helper");
        let args: Vec<OsString> = vec![
            "doublezerod".into(),
            "--socket".into(),
            text(self.socket()),
            "--state-dir".into(),
            text(self.folder.path().join("state")),
            "--probe-timeout".into(),
            "200ms".into(),
            "--probe-period".into(),
            "100ms".into(),
            "--gre-helper".into(),
            command,
        ];
        let args = daemon::Args::try_parse_from(args).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || async move {
            tokio::select! {
                result = daemon::serve(&args, CLIENT, ledger) => result.unwrap(),
                _ = stopped => {}
            }
        };
        let thread = self.client.ns.spawn("doublezerod", run).unwrap();
        self.running = Some(Running { stop, thread });
        let daemon = self.daemon();
        eventually("the daemon answers", || async { daemon.status(None).await }).await;
    }

    /// Ends the daemon between two of its steps, as a kill would: nothing is cleaned up.
    pub(crate) async fn kill_daemon(&mut self) {
        let Running { stop, thread } = self.running.take().unwrap();
        stop.send(()).unwrap();
        thread.output().await.unwrap();
    }

    pub(crate) fn daemon(&self) -> Daemon {
        Daemon::at(&self.socket())
    }

    /// Where the daemon is asked.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("doublezerod.sock")
    }

    /// Runs the command line as the client's user.
    pub(crate) async fn doublezero(&self, args: &str) -> Answer {
        self.doublezero_as(self.chain.client, args).await
    }

    /// Runs the command line while the ledger is away.
    pub(crate) async fn doublezero_away(&self, args: &str) -> Answer {
        self.run(Arc::new(Away::new()), args).await
    }

    /// Runs the command line as some key.
    pub(crate) async fn doublezero_as(&self, payer: solana_pubkey::Pubkey, args: &str) -> Answer {
        self.run(Arc::new(self.chain.ledger.as_payer(payer)), args).await
    }

    async fn run(&self, ledger: Arc<dyn Ledger>, args: &str) -> Answer {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let socket = self.socket().into_os_string();
        let words = ["doublezero".into(), "--socket".into(), socket].into_iter();
        let words = words.chain(args.split_whitespace().map(OsString::from));
        let exit = cli::run_with(words, &|_| Ok(ledger.clone()), &mut out, &mut err).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { exit, out: text(out), err: text(err) }
    }

    /// Runs a command line that must succeed.
    pub(crate) async fn does(&self, args: &str) -> String {
        let answer = self.doublezero(args).await;
        assert_eq!(answer.exit, Exit::Done, "doublezero {args}: {answer:?}");
        answer.out
    }

    /// The client's tunnel interfaces and the kernel's numbers for them: a tunnel that is remade has another.
    pub(crate) async fn interfaces(&self) -> BTreeMap<String, u32> {
        let links = self.client.netlink.links().await.unwrap();
        links.into_iter().filter(|link| is_ours(&link.name)).map(|link| (link.name, link.index)).collect()
    }

    /// The tunnels once they are as the chain says.
    pub(crate) async fn settled(&self) -> Status {
        let (daemon, slot) = (self.daemon(), self.chain.slot());
        eventually("the daemon settles", || async {
            let status = daemon.status(None).await.map_err(|error| format!("{error:?}"))?;
            let settled = status.settled && status.slot.is_some_and(|seen| seen >= slot);
            if settled { Ok(status) } else { Err(format!("{status:?}")) }
        })
        .await
    }

    /// The tunnels once they are as the chain says, all answer, and the endpoints are probed; without what differs
    /// from run to run.
    pub(crate) async fn up(&self) -> Vec<Service> {
        let daemon = self.daemon();
        self.settled().await;
        eventually("all tunnels are up", || async {
            let services = daemon.status(None).await.map_err(|error| format!("{error:?}"))?.services;
            let done = |service: &Service| {
                service.doublezero_status.session_status == Session::Up
                    && service.doublezero_status.last_session_update.is_some()
                    && service.current_device_rtt_nanoseconds.is_some()
                    && service.lowest_latency_device.is_some()
            };
            if services.iter().all(done) { Ok(services) } else { Err(format!("{services:?}")) }
        })
        .await
        .into_iter()
        .map(steady)
        .collect()
    }
}

/// A tunnel without times.
fn steady(mut service: Service) -> Service {
    service.doublezero_status.last_session_update = None;
    service.current_device_rtt_nanoseconds = None;
    service
}

/// Asks until the answer is there, and fails with the last answer at a deadline.
pub(crate) async fn eventually<T, E, Fut>(what: &str, mut probe: impl FnMut() -> Fut) -> T
where
    E: Debug,
    Fut: Future<Output = Result<T, E>>,
{
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(last) if Instant::now() > deadline => panic!("{what}: last seen {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}
