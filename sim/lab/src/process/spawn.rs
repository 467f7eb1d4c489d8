//! The description of a process to start. It can be started again as it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::name::{NodeName, RoleName};

/// Where a process runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// The scenario's own network namespace, which has no network but its loopback.
    Core,
    /// A node.
    Node(NodeName),
}

impl Host {
    /// The name in paths and logs: the node's, or `core`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Core => "core",
            Self::Node(name) => name.as_str(),
        }
    }

    pub(crate) fn node(&self) -> Option<&NodeName> {
        match self {
            Self::Core => None,
            Self::Node(name) => Some(name),
        }
    }
}

/// When a process counts as started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// When it runs its program.
    Running,
    /// When it has sent `READY=1` to the datagram socket that `NOTIFY_SOCKET` names, as sd_notify(3) describes, at the
    /// latest after this long.
    Notify(Duration),
}

/// A process to start.
#[derive(Debug, Clone)]
pub struct Spawn {
    /// Where.
    pub host: Host,
    /// Under which name. Its output goes to `<host>.<role>.log` in the lab's folder of logs.
    pub role: RoleName,
    /// The program and its arguments. A program without a `/` is looked for in the lab's `PATH`.
    pub argv: Vec<OsString>,
    /// Variables beside the few that every process gets: `PATH`, `HOME` and `TMPDIR` (the node's folder), and of the
    /// lab's own `RUST_LOG` and `LLVM_PROFILE_FILE`; `LANG` and `TZ` are the same everywhere.
    pub env: BTreeMap<OsString, OsString>,
    /// The folder it starts in; the lab's own when `None`.
    pub cwd: Option<PathBuf>,
    /// Sockets passed as descriptors 3, 4, ... with `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES`, as
    /// sd_listen_fds(3) describes; each with its name.
    pub listeners: Vec<(String, Arc<OwnedFd>)>,
    /// When it counts as started.
    pub ready: Ready,
}

impl Spawn {
    /// A process of which nothing is known but where, who and what; it counts as started when it runs.
    pub fn new(host: Host, role: RoleName, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            host,
            role,
            argv: argv.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            cwd: None,
            listeners: Vec::new(),
            ready: Ready::Running,
        }
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Adds a socket to pass.
    #[must_use]
    pub fn listener(mut self, name: impl Into<String>, socket: impl Into<OwnedFd>) -> Self {
        self.listeners.push((name.into(), Arc::new(socket.into())));
        self
    }

    /// Waits for `READY=1`, at most this long.
    #[must_use]
    pub fn notify(mut self, deadline: Duration) -> Self {
        self.ready = Ready::Notify(deadline);
        self
    }
}
