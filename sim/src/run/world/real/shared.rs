//! Clients that are hosted together: their daemons and their commands are tasks of the simulator's process, each in the
//! namespace of its own node. There is a thread for each processor, with one account stream of the ledger for all it plays.
//!
//! A process for each of a thousand clients costs a thousand copies of the chain, kept up by a thousand subscriptions. What a
//! client does with its host is the same either way: its own netlink, its own tunnels and helper, its own socket.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context;
use dz_client::{
    api::Daemon,
    cli::{self, progress::Quiet},
    daemon::{self, FileStore},
};
use dz_net::{
    host::{Host, KernelHost, TunnelMaker},
    kernel::{SharedWatch, WatchOfOne},
    netns::NetNs,
};
use dz_sdk::{Ledger, ledger::rpc::RpcLedger};
use dz_service::WallClock;
use dzsim_scenario::plan::{ClientName, Hosted, Plan};
use futures_util::FutureExt;
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
    time::{Instant, timeout},
};
use tracing::instrument::WithSubscriber;

use super::{account_stream::AccountStream, locked};
use crate::run::world::{
    backend::{Output, Stop},
    task::Running,
    task_logs::Logs,
};

/// All of them, towards the ledger.
pub(super) const SHARED: &str = "shared";

/// The names of a plan's clients that are hosted together.
pub(super) fn clients(plan: &Plan) -> BTreeSet<ClientName> {
    let shared = plan.clients.iter().filter(|(_, client)| client.hosted == Hosted::Shared);
    shared.map(|(name, _)| name.clone()).collect()
}

/// The threads that play them.
pub(super) struct Shared {
    threads: Vec<Thread>,
    /// Which of them plays a client.
    thread_of: BTreeMap<ClientName, usize>,
    slots: watch::Receiver<u64>,
    logs: Logs,
    /// From which all ask their sessions: a device that many ask at once is woken once.
    origin: Instant,
    running: Mutex<BTreeMap<ClientName, Running>>,
}

/// One of them.
struct Thread {
    name: String,
    runtime: Handle,
    /// The thread ends when this is dropped.
    end: Option<oneshot::Sender<()>>,
    handle: Option<JoinHandle<()>>,
    chain: RpcLedger,
    watches: SharedWatch,
}

/// How a client's daemon is started.
pub(super) struct Start {
    pub(super) args: daemon::Args,
    pub(super) host: Arc<dyn Host>,
    pub(super) seed: u64,
}

impl Shared {
    /// Threads for these clients. `connect` follows the ledger; it is called on each thread's runtime.
    pub(super) fn new(
        clients: &BTreeSet<ClientName>,
        slots: watch::Receiver<u64>,
        logs: Logs,
        connect: impl Fn() -> RpcLedger,
    ) -> anyhow::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from).min(clients.len());
        let threads: Vec<_> = (0..count).map(|number| Thread::start(number, &connect)).collect::<Result<_, _>>()?;
        let thread_of = clients.iter().cloned().zip((0..count).cycle()).collect();
        Ok(Self { threads, thread_of, slots, logs, origin: Instant::now(), running: Mutex::default() })
    }

    /// The names of the threads and the runtime of each.
    pub(super) fn runtimes(&self) -> impl Iterator<Item = (&str, &Handle)> {
        self.threads.iter().map(|thread| (thread.name.as_str(), &thread.runtime))
    }

    fn thread_of(&self, client: &ClientName) -> anyhow::Result<&Thread> {
        let number = self.thread_of.get(client).with_context(|| format!("{client} is not hosted with others"))?;
        Ok(&self.threads[*number])
    }

    /// A client's host, for its daemon.
    pub(super) fn host(&self, client: &ClientName, netns: NetNs, maker: TunnelMaker) -> anyhow::Result<Arc<dyn Host>> {
        let thread = self.thread_of(client)?;
        let _inside = thread.runtime.enter();
        Ok(Arc::new(KernelHost::open_among(netns, &thread.watches, maker)?))
    }

    /// Watches a client's namespace from now on, its own daemon's changes included.
    pub(super) fn watch(&self, client: &ClientName, netns: &NetNs) -> anyhow::Result<WatchOfOne> {
        Ok(self.thread_of(client)?.watches.namespace(netns)?.watch()?)
    }

    fn ledger(&self, thread: &Thread, payer: solana_keypair::Keypair) -> Arc<dyn Ledger> {
        Arc::new(AccountStream::new(thread.chain.as_payer(payer), self.slots.clone()))
    }

    /// Starts a client's daemon and waits until it is ready.
    pub(super) async fn start(&self, client: &ClientName, start: Start) -> anyhow::Result<()> {
        let Start { args, host, seed } = start;
        let thread = self.thread_of(client)?;
        // Nothing is ever sent, so any key will do as the payer.
        let ledger = self.ledger(thread, solana_keypair::Keypair::new());
        let log = self.logs.of(client.as_str(), "doublezerod", "doublezerod")?;
        let (is_ready, ready) = oneshot::channel();
        let origin = self.origin;
        let role = async move {
            let deps = daemon::Deps {
                host,
                ledger,
                listener: daemon::bind(&args.socket).await.context("binding the socket")?,
                store: Arc::new(FileStore::new(&args.state_dir)),
                clock: WallClock::system(),
                seed,
                origin,
                ready: Box::new(move || {
                    // Who waits for it may have stopped waiting.
                    let _ = is_ready.send(());
                }),
            };
            daemon::serve(&args, deps).await
        };
        let (running, ready) = {
            let _inside = thread.runtime.enter();
            Running::start(role.with_subscriber(log).boxed(), ready, None)
        };
        locked(&self.running).insert(client.clone(), running.clone());
        running.until_ready(ready).await
    }

    fn running(&self, client: &ClientName) -> anyhow::Result<Running> {
        locked(&self.running).get(client).cloned().with_context(|| format!("{client}.daemon was never started"))
    }

    pub(super) fn was_started(&self, client: &ClientName) -> bool {
        locked(&self.running).contains_key(client)
    }

    pub(super) async fn stop(&self, client: &ClientName, how: Stop, grace: Duration) -> anyhow::Result<()> {
        let running = self.running(client)?;
        match how {
            Stop::Terminate => running.stop(grace).await,
            Stop::Kill => running.kill(),
        }
        Ok(())
    }

    pub(super) fn pause(&self, client: &ClientName) -> anyhow::Result<()> {
        self.running(client)?.pause();
        Ok(())
    }

    pub(super) fn resume(&self, client: &ClientName) -> anyhow::Result<()> {
        self.running(client)?.resume();
        Ok(())
    }

    /// Runs a command of a client's user.
    pub(super) async fn command(
        &self,
        client: &ClientName,
        payer: solana_keypair::Keypair,
        daemon: Daemon,
        args: &[String],
        deadline: Duration,
    ) -> anyhow::Result<Output> {
        let ledger = self.ledger(self.thread_of(client)?, payer);
        let deps = cli::Deps { ledger: &|_| Ok(Arc::clone(&ledger)), daemon: &|_| daemon.clone(), progress: &Quiet };
        let argv = std::iter::once("doublezero".into()).chain(args.iter().map(Into::into));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = timeout(deadline, cli::execute(&deps, argv, &mut out, &mut err)).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&out), text(&err));
        let code = code
            .with_context(|| format!("doublezero did not end within {deadline:?} and was killed\n{stdout}{stderr}"))?;
        Ok(Output { code: code as i32, stdout, stderr })
    }
}

impl Thread {
    /// A thread without clients.
    fn start(number: usize, connect: impl Fn() -> RpcLedger) -> anyhow::Result<Self> {
        let name = format!("clients {number}");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")?;
        let handle = runtime.handle().clone();
        let (chain, watches) = {
            let _inside = handle.enter();
            (connect(), SharedWatch::open_without_own()?)
        };
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            yield_to_network();
            // Its sender is dropped, or says so.
            let _ = runtime.block_on(ended);
        };
        let thread = thread::Builder::new().name(name.clone()).spawn(run).context("starting a thread")?;
        Ok(Self { name, runtime: handle, end: Some(end), handle: Some(thread), chain, watches })
    }
}

/// Lets the fabric's thread go first: a network that waits for its hosts loses packets that no real one would, while a host
/// that waits is just slow. Nice values are of threads (sched(7)), and what this thread starts has it as well.
fn yield_to_network() {
    /// About a tenth of the weight.
    const BY: libc::c_int = 10;
    // SAFETY: it takes a number. That it may not be had is no reason to end.
    unsafe { libc::nice(BY) };
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.end.take();
        if let Some(handle) = self.handle.take() {
            // A thread that has panicked has said so.
            let _ = handle.join();
        }
    }
}
