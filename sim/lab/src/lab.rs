//! The lab: all nodes of a scenario, and all processes in them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dz_net::kernel::Netlink;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use tokio::sync::broadcast;

use crate::attach::Register;
use crate::error::LabError;
use crate::files::FILES;
use crate::name::{NodeName, PortName};
use crate::namespace_processes;
use crate::node::{self, NewNode, Node, NodeSpec};
use crate::node_threads;
use crate::port::PortSpec;
use crate::process::{Exited, Finished, Host, Place, Process, Spawn};

/// Exits that may wait for a slow listener before it misses some.
const EVENTS: usize = 4096;

fn cannot(what: impl Into<String>) -> impl FnOnce(io::Error) -> LabError {
    let what = what.into();
    move |source| LabError::Io { what, source }
}

/// The nodes and processes of a scenario. Clones are the same lab.
#[derive(Debug, Clone)]
pub struct Lab {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    logs: PathBuf,
    nodes: Mutex<BTreeMap<NodeName, Arc<Node>>>,
    processes: Mutex<BTreeMap<(Host, String), Process>>,
    /// Roles of which a process is on its way to being ready, and not yet among the others.
    starting: Mutex<BTreeSet<(Host, String)>>,
    events: broadcast::Sender<Exited>,
}

/// A role that is being started; whatever comes of it, the role is free again when this goes.
#[derive(Debug)]
struct Starting<'a> {
    lab: &'a Inner,
    key: (Host, String),
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.lab.starting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Lab {
    /// A lab without nodes, in the process that [`crate::enter`] returned in. Logs of processes go to `logs`.
    ///
    /// # Errors
    /// [`LabError::NotEntered`], or what could not be prepared.
    pub async fn new(logs: &Path) -> Result<Self, LabError> {
        if !namespace_processes::proc_is_ours() {
            return Err(LabError::NotEntered);
        }
        // Each node takes a descriptor for itself and one for each port and listener.
        if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|e| cannot("raise the file limit")(e.into()))?;
        }
        let lo = async { node::loopback_up(&Netlink::open()?).await };
        lo.await.map_err(|e| cannot("set the loopback up")(io::Error::other(e)))?;
        std::fs::create_dir_all(logs).map_err(cannot(format!("make {}", logs.display())))?;
        let lab = Self {
            inner: Arc::new(Inner {
                logs: logs.to_owned(),
                nodes: Mutex::default(),
                processes: Mutex::default(),
                starting: Mutex::default(),
                events: broadcast::channel(EVENTS).0,
            }),
        };
        make_folder(&lab.folder(&Host::Core))?;
        lab.register()?;
        Ok(lab)
    }

    /// Makes nodes, several at a time, and returns them in the order of their descriptions.
    ///
    /// # Errors
    /// [`LabError::NodeExists`] or the first refusal of the kernel; then none of them is there.
    pub async fn add_nodes(&self, specs: Vec<NodeSpec>) -> Result<Vec<NewNode>, LabError> {
        let mut names: Vec<_> = specs.iter().map(|spec| spec.name.clone()).collect();
        names.sort();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone());
        let taken = twice.or_else(|| names.iter().find(|name| self.nodes().contains_key(name)).cloned());
        if let Some(name) = taken {
            return Err(LabError::NodeExists(name));
        }
        for name in &names {
            make_folder(&self.folder(&Host::Node(name.clone())))?;
        }
        let made = node_threads::make_nodes(specs).await?;
        let mut new = Vec::with_capacity(made.len());
        for (node, handed_out) in made {
            self.nodes().insert(node.name().clone(), Arc::new(node));
            new.push(handed_out);
        }
        self.register()?;
        Ok(new)
    }

    /// A node by its name.
    ///
    /// # Errors
    /// [`LabError::NoNode`].
    pub fn node(&self, name: &NodeName) -> Result<Arc<Node>, LabError> {
        self.nodes().get(name).cloned().ok_or_else(|| LabError::NoNode(name.clone()))
    }

    /// The names of all nodes.
    pub fn names(&self) -> Vec<NodeName> {
        self.nodes().keys().cloned().collect()
    }

    /// Adds a port to a node and returns its other end.
    ///
    /// # Errors
    /// [`LabError::NoNode`], or why the node refused.
    pub async fn add_port(&self, node: &NodeName, port: PortSpec) -> Result<OwnedFd, LabError> {
        self.node(node)?.add_port(port).await.map_err(|e| LabError::Node(node.clone(), e))
    }

    /// Adds a port to each of two nodes and returns their other ends, for a link between them.
    ///
    /// # Errors
    /// [`LabError::NoNode`], or why a node refused.
    pub async fn add_link(
        &self,
        a: (&NodeName, PortSpec),
        b: (&NodeName, PortSpec),
    ) -> Result<(OwnedFd, OwnedFd), LabError> {
        Ok((self.add_port(a.0, a.1).await?, self.add_port(b.0, b.1).await?))
    }

    /// Sets a port of a node up or down.
    ///
    /// # Errors
    /// [`LabError::NoNode`], or why the node refused.
    pub async fn set_port(&self, node: &NodeName, port: &PortName, up: bool) -> Result<(), LabError> {
        self.node(node)?.set_port(port, up).await.map_err(|e| LabError::Node(node.clone(), e))
    }

    /// Binds a TCP socket at a host and returns it, non-blocking, to serve from anywhere.
    ///
    /// # Errors
    /// [`LabError::NoNode`], or why it can not be bound.
    pub async fn listen(&self, host: &Host, address: SocketAddr) -> Result<TcpListener, LabError> {
        match host {
            Host::Node(name) => self.node(name)?.listen(address).await.map_err(|e| LabError::Node(name.clone(), e)),
            Host::Core => {
                let bound = TcpListener::bind(address).and_then(|l| l.set_nonblocking(true).map(|()| l));
                bound.map_err(cannot(format!("listen on {address}")))
            }
        }
    }

    /// Starts a process and waits until it is ready, as its description says.
    ///
    /// # Errors
    /// [`LabError::NoNode`]; [`LabError::Running`] if the host has a process of that role; [`LabError::Run`].
    pub async fn start(&self, spawn: Spawn) -> Result<Process, LabError> {
        let key = (spawn.host.clone(), spawn.role.to_string());
        let place = self.place(&spawn.host)?;
        let _starting = self.begin_start(&key)?;
        let process = Process::start(spawn, &place).await?;
        self.processes().insert(key, process.clone());
        Ok(process)
    }

    /// Takes the place of a role, which one process has at a time, until it is started or has failed to.
    fn begin_start(&self, key: &(Host, String)) -> Result<Starting<'_>, LabError> {
        let mut starting = self.inner.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = self.processes().get(key).is_some_and(|p| p.exit().is_none());
        if runs || !starting.insert(key.clone()) {
            return Err(LabError::Running(format!("{}.{}", key.0.as_str(), key.1)));
        }
        Ok(Starting { lab: &self.inner, key: key.clone() })
    }

    /// Kills a process if it runs and starts it again from the same description.
    ///
    /// # Errors
    /// As [`Lab::start`].
    pub async fn restart(&self, process: &Process) -> Result<Process, LabError> {
        process.kill().await;
        self.start(process.spawn().clone()).await
    }

    /// Runs a process to its end, or kills it at the deadline. Its output is returned and goes to no log, readiness
    /// does not matter, and any number of one role may run at a time.
    ///
    /// # Errors
    /// [`LabError::NoNode`]; [`LabError::Run`] with `RunError::TimedOut` at the deadline.
    pub async fn run_to_end(&self, spawn: Spawn, deadline: Duration) -> Result<Finished, LabError> {
        let place = self.place(&spawn.host)?;
        Ok(Process::run_to_end(spawn, &place, deadline).await?)
    }

    /// The processes of a host that were started and have not ended.
    pub fn running(&self, host: &Host) -> Vec<Process> {
        let processes = self.processes();
        processes.values().filter(|p| p.host() == host && p.exit().is_none()).cloned().collect()
    }

    /// Every end of a process from now on.
    pub fn exits(&self) -> broadcast::Receiver<Exited> {
        self.inner.events.subscribe()
    }

    /// Kills all processes in a node and waits until they are gone.
    ///
    /// # Errors
    /// [`LabError::NoNode`], or what is left.
    pub async fn kill_node(&self, name: &NodeName) -> Result<(), LabError> {
        let running = self.running(&Host::Node(name.clone()));
        running.iter().for_each(Process::expect_end);
        self.signal_all(name, namespace_processes::clear, "kill").await?;
        for process in running {
            process.exited().await;
        }
        Ok(())
    }

    /// Kills the processes of a node that have this word in their command lines, and returns how
    /// many there were.
    ///
    /// # Errors
    /// [`LabError::NoNode`], or why they cannot be killed.
    pub async fn kill_commands(&self, name: &NodeName, word: &'static str) -> Result<usize, LabError> {
        self.signal_all(name, move |netns| namespace_processes::kill_commands(netns, word), "kill").await
    }

    /// Stops all processes of a node where they stand. Its kernel goes on: it forwards and answers pings.
    ///
    /// # Errors
    /// [`LabError::NoNode`].
    pub async fn freeze_node(&self, name: &NodeName) -> Result<(), LabError> {
        self.signal_all(name, namespace_processes::freeze, "freeze").await
    }

    /// Lets the processes of a frozen node go on.
    ///
    /// # Errors
    /// [`LabError::NoNode`].
    pub async fn thaw_node(&self, name: &NodeName) -> Result<(), LabError> {
        self.signal_all(name, |netns| namespace_processes::signal(netns, Signal::SIGCONT), "thaw").await
    }

    /// Kills all processes of a node and replaces its namespace by a fresh one with the same ports and addresses, whose
    /// other ends stay valid; its files go too. Sockets bound in it before stay in the old namespace: listen again.
    ///
    /// # Errors
    /// [`LabError::NoNode`], or why the kernel refused.
    pub async fn reboot_node(&self, name: &NodeName) -> Result<(), LabError> {
        let node = self.node(name)?;
        self.kill_node(name).await?;
        let folder = self.folder(&Host::Node(name.clone()));
        std::fs::remove_dir_all(&folder).map_err(cannot(format!("empty {}", folder.display())))?;
        make_folder(&folder)?;
        node.renew().await.map_err(|e| LabError::Node(name.clone(), e))?;
        self.register()
    }

    /// The folder of a host's files.
    pub fn folder(&self, host: &Host) -> PathBuf {
        Path::new(FILES).join(host.as_str())
    }

    async fn signal_all<T: Send + 'static>(
        &self,
        name: &NodeName,
        act: impl FnOnce(u64) -> io::Result<T> + Send + 'static,
        verb: &str,
    ) -> Result<T, LabError> {
        let netns = self.node(name)?.netns().id().map_err(|e| LabError::Node(name.clone(), e.into()))?;
        let done = tokio::task::spawn_blocking(move || act(netns)).await.map_err(io::Error::other);
        done.and_then(|result| result).map_err(cannot(format!("{verb} the processes of {name}")))
    }

    fn place(&self, host: &Host) -> Result<Place, LabError> {
        let netns = match host {
            Host::Core => None,
            Host::Node(name) => Some(self.node(name)?.netns()),
        };
        let (logs, events) = (self.inner.logs.clone(), self.inner.events.clone());
        Ok(Place { netns, folder: self.folder(host), logs, events })
    }

    /// Writes down where the nodes are, for [`crate::attach`].
    fn register(&self) -> Result<(), LabError> {
        let nodes = self.nodes();
        let nodes = nodes.iter().map(|(name, node)| (name.clone(), node.netns().as_fd().as_raw_fd())).collect();
        let register = Register { pid: std::process::id(), nodes };
        register.write().map_err(cannot("write the register of nodes"))
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, BTreeMap<NodeName, Arc<Node>>> {
        self.inner.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn processes(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Host, String), Process>> {
        self.inner.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_folder(folder: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(folder).map_err(cannot(format!("make {}", folder.display())))
}
