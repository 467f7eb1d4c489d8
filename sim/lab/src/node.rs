//! A node: a network namespace with its ports.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use dz_net::kernel::sysctl::SysctlError;
use dz_net::kernel::{Netlink, NetlinkError};
use dz_net::netns::{NetNs, NetNsError};
use nix::sched::{CloneFlags, unshare};

use crate::name::{NodeName, PortName};
use crate::port::{PortError, PortSpec};
use crate::sysctl;

/// What a node does with packets that are not for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// Drops them.
    Host,
    /// Forwards them.
    Router,
}

/// A node to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name.
    pub name: NodeName,
    /// What it does with packets that are not for it.
    pub kind: NodeKind,
    /// Its ports. [`PortSpec::uplink`] is one.
    pub ports: Vec<PortSpec>,
    /// Where it has listening sockets from the start, for servers outside of it.
    pub listen: Vec<SocketAddr>,
}

/// A node that has just been made, with what belongs to others.
#[derive(Debug)]
pub struct NewNode {
    /// Its name.
    pub name: NodeName,
    /// The other ends of its ports, in the order of the description. A port whose other end
    /// is closed stays, without a carrier.
    pub ports: Vec<(PortName, OwnedFd)>,
    /// Its listening sockets, non-blocking, in the order of the description.
    pub listeners: Vec<TcpListener>,
}

/// Why something could not be done to a node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its namespace.
    #[error(transparent)]
    NetNs(#[from] NetNsError),
    /// Its parameters.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// Its loopback.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// One of its ports.
    #[error("port {0}: {1}")]
    Port(PortName, #[source] PortError),
    /// It has no such port.
    #[error("has no port {0}")]
    NoPort(PortName),
    /// It has a port of that name already.
    #[error("has a port {0} already")]
    PortExists(PortName),
    /// A socket in it.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// A node of the lab.
#[derive(Debug)]
pub struct Node {
    name: NodeName,
    kind: NodeKind,
    state: Mutex<State>,
    /// Held over changes of several steps, so that a reboot and a link change do not mix.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    netns: NetNs,
    /// Each port, and whether it is wanted up.
    ports: BTreeMap<PortName, (PortSpec, bool)>,
}

impl Node {
    /// Makes a node on the calling thread, which is in its namespace afterwards; `runtime` configures it.
    pub(crate) fn create(
        spec: NodeSpec,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<(Self, NewNode), (NodeName, NodeError)> {
        match Self::create_parts(&spec, runtime) {
            Ok((netns, ports, listeners)) => {
                let known = spec.ports.into_iter().map(|port| (port.name.clone(), (port, true))).collect();
                let node = Self {
                    name: spec.name.clone(),
                    kind: spec.kind,
                    state: Mutex::new(State { netns, ports: known }),
                    changing: tokio::sync::Mutex::default(),
                };
                Ok((node, NewNode { name: spec.name, ports, listeners }))
            }
            Err(error) => Err((spec.name, error)),
        }
    }

    #[allow(clippy::type_complexity)]
    fn create_parts(
        spec: &NodeSpec,
        runtime: &tokio::runtime::Runtime,
    ) -> Result<(NetNs, Vec<(PortName, OwnedFd)>, Vec<TcpListener>), NodeError> {
        let netns = fresh(spec.kind)?;
        let mut ports = Vec::with_capacity(spec.ports.len());
        for port in &spec.ports {
            let fd = port.create().map_err(|e| NodeError::Port(port.name.clone(), e))?;
            ports.push((port.name.clone(), fd));
        }
        runtime.block_on(async {
            let netlink = Netlink::open()?;
            loopback_up(&netlink).await?;
            for port in &spec.ports {
                port.configure(&netlink).await.map_err(|e| NodeError::Port(port.name.clone(), e))?;
            }
            Ok::<_, NodeError>(())
        })?;
        let listeners = spec.listen.iter().map(|address| bind(*address)).collect::<Result<_, _>>()?;
        Ok((netns, ports, listeners))
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Its network namespace. A reboot gives it another.
    pub fn netns(&self) -> NetNs {
        self.state().netns.clone()
    }

    /// The descriptions of its ports.
    pub fn ports(&self) -> Vec<PortSpec> {
        self.state().ports.values().map(|(spec, _)| spec.clone()).collect()
    }

    /// Binds a TCP socket inside the node and returns it, non-blocking, to serve from anywhere.
    ///
    /// # Errors
    /// [`NodeError::Listen`]: the address is taken or not the node's.
    pub async fn listen(&self, address: SocketAddr) -> Result<TcpListener, NodeError> {
        self.netns().run_async(move || bind(address)).await?
    }

    /// Adds a port and returns its other end.
    ///
    /// # Errors
    /// [`NodeError::PortExists`], or the kernel's refusal.
    pub async fn add_port(&self, port: PortSpec) -> Result<OwnedFd, NodeError> {
        let _changing = self.changing.lock().await;
        let netns = self.netns();
        if self.state().ports.contains_key(&port.name) {
            return Err(NodeError::PortExists(port.name));
        }
        let failed = |e| NodeError::Port(port.name.clone(), e);
        let made = port.clone();
        let fd = netns.run_async(move || made.create()).await?.map_err(failed)?;
        let netlink = Netlink::open_in(&netns)?;
        if let Err(error) = port.configure(&netlink).await {
            // The device would stay, and its name be taken for good.
            port.remove(&netlink).await.map_err(failed)?;
            return Err(failed(error));
        }
        self.state().ports.insert(port.name.clone(), (port, true));
        Ok(fd)
    }

    /// Sets a port up or down, as pulling and plugging its cable does. Its addresses stay and its routes come back.
    ///
    /// # Errors
    /// [`NodeError::NoPort`], or the kernel's refusal.
    pub async fn set_port(&self, name: &PortName, up: bool) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        let netns = self.netns();
        let port = self.state().ports.get(name).map(|(spec, _)| spec.clone());
        let port = port.ok_or_else(|| NodeError::NoPort(name.clone()))?;
        port.set_up(&Netlink::open_in(&netns)?, up).await.map_err(|e| NodeError::Port(name.clone(), e))?;
        if let Some((_, wanted)) = self.state().ports.get_mut(name) {
            *wanted = up;
        }
        Ok(())
    }

    /// Replaces the namespace by a fresh one. The ports move over, so their other ends stay what they are; a port that
    /// was set down is down again. Everything else that the kernel knew is lost.
    pub(crate) async fn renew(&self) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        let (old, kind) = (self.netns(), self.kind);
        let ports: Vec<_> = self.state().ports.values().cloned().collect();
        let new = old.run_async(move || fresh(kind)).await??;
        let (from, to) = (Netlink::open_in(&old)?, Netlink::open_in(&new)?);
        loopback_up(&to).await?;
        for (port, up) in &ports {
            let failed = |e| NodeError::Port(port.name.clone(), e);
            port.relocate(&from, &new).await.map_err(failed)?;
            port.configure(&to).await.map_err(failed)?;
            if !up {
                port.set_up(&to, false).await.map_err(failed)?;
            }
        }
        self.state().netns = new;
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Every change of the state is a single assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fresh namespace, which the calling thread is in afterwards.
fn fresh(kind: NodeKind) -> Result<NetNs, NodeError> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| NetNsError::Create(e.into()))?;
    let netns = NetNs::current()?;
    sysctl::apply(kind == NodeKind::Router)?;
    Ok(netns)
}

pub(crate) async fn loopback_up(netlink: &Netlink) -> Result<(), NetlinkError> {
    // The kernel makes it first, so its index is 1 in every namespace.
    netlink.set_link_up(1, true).await
}

fn bind(address: SocketAddr) -> Result<TcpListener, NodeError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|e| NodeError::Listen(address, e))
}
