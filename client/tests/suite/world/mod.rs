//! A small world: the chain behind JSON-RPC with an activator, one client and some devices on one wire.

mod activator;
mod devices;
mod doublezerod;
mod ledger_setup;
mod rpc_server;
mod silent_ledger;
mod wire;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    net::Ipv4Addr,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
};

use dz_client::{
    api::{Daemon, Service, Session, Status},
    cli::{self, exit::Exit},
    daemon::tunnel_names::is_ours,
};
use dz_net::{gre::HelperCommand, kernel::RouteInfo, netns::NetNs};
use dz_sdk::Ledger;
use dz_testing::eventually;
use tempfile::TempDir;

use self::{doublezerod::Doublezerod, rpc_server::Served};
pub(crate) use self::{
    ledger_setup::{Chain, DeviceSpec, GROUPS, Who, genesis},
    rpc_server::Urls,
    silent_ledger::Away,
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
    daemon: Option<Doublezerod>,
    activator: Option<activator::Activator>,
    wire: Wire,
    /// The chain as it is found from here and from the client's host.
    pub(crate) here: Urls,
    there: Urls,
    ledgers: RefCell<BTreeMap<Who, Arc<dyn Ledger>>>,
    _served: Served,
}

impl World {
    /// With these devices, and a client whose pass allows everything.
    pub(crate) async fn new(specs: &[DeviceSpec<'_>]) -> Self {
        Self::with_client_at(CLIENT, specs).await
    }

    /// The same, with a client whose host has this address instead of its own.
    pub(crate) async fn with_client_at(address: Ipv4Addr, specs: &[DeviceSpec<'_>]) -> Self {
        let served = Served::start(&genesis(specs).await).await;
        let wire = Wire::new().await;
        let client = wire.host(&[address]).await;
        let (here, there) = (served.serve(&NetNs::current().unwrap(), "here"), served.serve(&client.ns, "there"));
        let chain = Chain { ledger: Arc::new(here.connect(Who::Foundation)) };
        let mut world = Self {
            activator: None,
            client,
            devices: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            daemon: None,
            wire,
            here,
            there,
            ledgers: RefCell::new(BTreeMap::from([(Who::Foundation, chain.ledger.clone())])),
            chain,
            _served: served,
        };
        for spec in specs {
            world.add_host(*spec).await;
        }
        world.start_activator();
        world.start_daemon().await;
        world
    }

    /// From now on there is no activator.
    pub(crate) fn stop_activator(&mut self) {
        self.activator = None;
    }

    /// From now on there is one.
    pub(crate) fn start_activator(&mut self) {
        self.activator = Some(activator::Activator::start(self.chain.ledger.clone()));
    }

    /// One more device, on the chain and on the wire.
    pub(crate) async fn add_device(&mut self, spec: DeviceSpec<'_>) {
        self.add_host(spec).await;
        self.chain.add_device(spec).await;
    }

    async fn add_host(&mut self, spec: DeviceSpec<'_>) {
        let host = self.wire.host(spec.endpoints).await;
        self.devices.push(devices::DeviceHost::start(spec.code, host, self.chain.ledger.as_ref()));
    }

    /// Starts the daemon and returns when its socket answers.
    pub(crate) async fn start_daemon(&mut self) {
        self.start_daemon_at(&self.there.clone()).await;
    }

    /// The same, with a ledger of the caller's choice.
    pub(crate) async fn start_daemon_at(&mut self, ledger: &Urls) {
        self.daemon = Some(self.spawn_daemon(ledger, Stdio::inherit()));
        let daemon = self.daemon();
        eventually("the daemon answers", || async { daemon.status(None).await }).await;
    }

    fn spawn_daemon(&self, ledger: &Urls, log: Stdio) -> Doublezerod {
        Doublezerod::spawn(&self.client.ns, self.folder.path(), &self.socket(), ledger, log)
    }

    /// Kills the daemon, as `kill -9` does.
    pub(crate) fn kill_daemon(&mut self) {
        self.daemon.take().unwrap().kill();
    }

    pub(crate) fn daemon(&self) -> Daemon {
        Daemon::at(&self.socket())
    }

    /// Where the daemon is asked.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("doublezerod.sock")
    }

    /// The chain as this user sees it.
    fn ledger_of(&self, who: Who) -> Arc<dyn Ledger> {
        let mut ledgers = self.ledgers.borrow_mut();
        ledgers.entry(who).or_insert_with(|| Arc::new(self.here.connect(who))).clone()
    }

    /// Runs the command line as the client's user.
    pub(crate) async fn doublezero(&self, args: &str) -> Answer {
        self.doublezero_as(Who::Client, args).await
    }

    /// Runs the command line while the ledger is away.
    pub(crate) async fn doublezero_away(&self, args: &str) -> Answer {
        self.run(Arc::new(Away::new()), args).await
    }

    /// Runs the command line as this user.
    pub(crate) async fn doublezero_as(&self, who: Who, args: &str) -> Answer {
        self.run(self.ledger_of(who), args).await
    }

    async fn run(&self, ledger: Arc<dyn Ledger>, args: &str) -> Answer {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let socket = self.socket().into_os_string();
        let words = ["doublezero".into(), "--socket".into(), socket].into_iter();
        let words = words.chain(args.split_whitespace().map(OsString::from));
        let deps = cli::Deps {
            ledger: &|_| Ok(ledger.clone()),
            daemon: &|cli| Daemon::at(&cli.socket),
            progress: &cli::progress::Quiet,
        };
        let exit = cli::execute(&deps, words, &mut out, &mut err).await;
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { exit, out: text(out), err: text(err) }
    }

    /// Runs a command line that must succeed.
    pub(crate) async fn does(&self, args: &str) -> String {
        let answer = self.doublezero(args).await;
        assert_eq!(answer.exit, Exit::Done, "doublezero {args}: {answer:?}");
        answer.out
    }

    /// Runs a command line that cannot get to its end until something else has come about, and no longer.
    pub(crate) async fn gets_stuck<T>(&self, args: &str, but: impl Future<Output = T>) -> T {
        tokio::select! {
            answer = self.doublezero(args) => panic!("doublezero {args}: {answer:?}"),
            value = but => value,
        }
    }

    /// The client's tunnel interfaces and the kernel's numbers for them: a tunnel that is remade has another.
    pub(crate) async fn interfaces(&self) -> BTreeMap<String, u32> {
        let links = self.client.netlink.links().await.unwrap();
        links.into_iter().filter(|link| is_ours(&link.name)).map(|link| (link.name, link.index)).collect()
    }

    /// Everything of a tunnel that the kernel holds, but the numbers of its interface.
    pub(crate) async fn kernel(&self) -> BTreeMap<String, Held> {
        let netlink = &self.client.netlink;
        let groups = self.memberships().await;
        let mut held: BTreeMap<String, Held> = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (name, index) in self.interfaces().await {
            let groups = groups.get(&name).cloned().unwrap_or_default();
            held.insert(name.clone(), Held { groups, ..Held::default() });
            names.insert(index, name);
        }
        for addr in netlink.addrs().await.unwrap() {
            if let Some(held) = names.get(&addr.index).and_then(|name| held.get_mut(name)) {
                held.addresses.insert(format!("{} {:?}", addr.address, addr.scope));
            }
        }
        for route in netlink.routes().await.unwrap() {
            if let Some(held) = route.dev.and_then(|index| names.get(&index)).and_then(|name| held.get_mut(name)) {
                let RouteInfo { table, destination, source, metric, .. } = route;
                held.routes.insert(format!("{destination} from {source:?} in {table} by {metric}"));
            }
        }
        held
    }

    /// The groups joined on the client's host, by interface.
    pub(crate) async fn memberships(&self) -> BTreeMap<String, BTreeSet<Ipv4Addr>> {
        let read = || std::fs::read_to_string("/proc/thread-self/net/igmp").unwrap();
        let text = self.client.ns.run(read).unwrap();
        let mut joined: BTreeMap<String, BTreeSet<Ipv4Addr>> = BTreeMap::new();
        let mut interface = String::new();
        for line in text.lines().skip(1) {
            let mut words = line.split_whitespace();
            let first = words.next().unwrap();
            match line.starts_with(char::is_whitespace) {
                // The kernel prints the octets in memory order.
                true => {
                    let group = Ipv4Addr::from(u32::from_str_radix(first, 16).unwrap().swap_bytes());
                    joined.entry(interface.clone()).or_default().insert(group);
                }
                // A long name touches the colon after it.
                false => interface = words.next().unwrap().trim_end_matches(':').to_owned(),
            }
        }
        joined
    }

    /// The tunnels once they are as the chain says.
    pub(crate) async fn settled(&self) -> Status {
        let (daemon, slot) = (self.daemon(), self.chain.view().await.slot());
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

/// What the kernel holds of a tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) addresses: BTreeSet<String>,
    pub(crate) routes: BTreeSet<String>,
    pub(crate) groups: BTreeSet<Ipv4Addr>,
}

/// A tunnel without times.
fn steady(mut service: Service) -> Service {
    service.doublezero_status.last_session_update = None;
    service.current_device_rtt_nanoseconds = None;
    service
}
