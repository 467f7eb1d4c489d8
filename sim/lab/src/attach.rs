//! Running a command in a node of a lab that another process holds: what `dzsim exec` does.
//!
//! The lab has no name in the host's file system. It is found by its pid 1 ([`crate::Entered::init`]), its namespaces
//! are joined, and the nodes are found in the register that the lab keeps on its own tmpfs. The command keeps the
//! caller's terminal, so a shell is a shell.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, sethostname};
use serde::{Deserialize, Serialize};

use crate::enter::pidfd_open;
use crate::files::FILES;
use crate::name::NodeName;
use crate::process::{Exit, Host, Launch, Stdio};

/// Where the namespaces of the nodes are: descriptors of the scenario process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Register {
    /// The scenario process, in the lab's pid namespace.
    pub(crate) pid: u32,
    /// Its descriptor of each node's network namespace.
    pub(crate) nodes: BTreeMap<NodeName, i32>,
}

impl Register {
    fn path() -> std::path::PathBuf {
        Path::new(FILES).join("lab.json")
    }

    /// Replaces the register in one step.
    pub(crate) fn write(&self) -> io::Result<()> {
        let new = Path::new(FILES).join("lab.json.new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, Self::path())
    }

    fn read() -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(Self::path())?)?)
    }
}

/// Why no command could be run in a lab.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Namespaces can not be joined by a process with threads.
    #[error("a lab must be joined before any thread is started")]
    Threads,
    /// There is no such process.
    #[error("no lab with pid {0}: it has ended")]
    Gone(i32),
    /// Its namespaces can not be joined.
    #[error("cannot join the lab with pid {0}: {1} (a lab is open to the user who started it, and to root)")]
    Join(i32, #[source] io::Error),
    /// The lab has no register: it is not a lab, or not up yet.
    #[error("cannot read the nodes of the lab: {0}")]
    Register(#[source] io::Error),
    /// It has no such node.
    #[error("no node {node} in the lab, it has {}", .known.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", "))]
    NoNode {
        /// The node asked for.
        node: NodeName,
        /// The nodes it has.
        known: Vec<NodeName>,
    },
    /// The command did not start.
    #[error("{0}")]
    Start(String),
}

/// Runs a command at a host of the lab whose pid 1 is `init`, with the caller's terminal and working folder, and waits
/// for its end. `env` is its whole environment beside `HOME`, which is the node's folder. To the command, `hostname` is
/// the name of the machine: prompts show it.
///
/// The calling process is in the lab from then on and should only report the outcome and end.
///
/// # Errors
/// [`AttachError`].
pub fn exec(
    init: Pid,
    host: &Host,
    hostname: &str,
    argv: &[OsString],
    env: &[(OsString, OsString)],
) -> Result<Exit, AttachError> {
    if fs::read_dir("/proc/self/task").map_or(0, Iterator::count) > 1 {
        return Err(AttachError::Threads);
    }
    let cwd = std::env::current_dir().ok();
    join(init)?;
    if let Host::Node(node) = host {
        enter_node(node)?;
    }
    let named = unshare(CloneFlags::CLONE_NEWUTS).and_then(|()| sethostname(hostname));
    named.map_err(|e| AttachError::Join(init.as_raw(), e.into()))?;
    // The mount namespace has the same files, but joining it moved this process to its root.
    if let Some(folder) = cwd {
        let _ = std::env::set_current_dir(folder);
    }
    let mut all: BTreeMap<OsString, OsString> = env.iter().cloned().collect();
    all.insert("HOME".into(), Path::new(FILES).join(host.as_str()).into());
    let all: Vec<_> = all.into_iter().collect();
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let launch = Launch {
        argv,
        env: &all,
        cwd: None,
        netns: None,
        stdio: Stdio { stdin: stdin.as_fd(), stdout: stdout.as_fd(), stderr: stderr.as_fd() },
        listeners: &[],
        leader: false,
    };
    let (pid, _) = launch.start().map_err(|e| AttachError::Start(e.to_string()))?;
    for ignored in [Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: ignoring installs no handler; what the terminal sends is for the command.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    loop {
        match waitpid(pid, None) {
            Err(Errno::EINTR) => {}
            status => return status.and_then(Exit::of).map_err(|e| AttachError::Start(e.to_string())),
        }
    }
}

fn join(init: Pid) -> Result<(), AttachError> {
    // One that has ended has no namespaces: ENOENT in its `/proc` folder until it is reaped, ESRCH from then on.
    let failed = |e: io::Error| match e.raw_os_error() {
        Some(libc::ESRCH | libc::ENOENT) => AttachError::Gone(init.as_raw()),
        _ => AttachError::Join(init.as_raw(), e),
    };
    let pidfd = pidfd_open(init).map_err(|e| failed(e.into()))?;
    let user = |pid: &str| fs::metadata(format!("/proc/{pid}/ns/user")).map(|meta| meta.ino()).map_err(failed);
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    // To join the namespace that one is in is an error.
    if user("self")? != user(&init.to_string())? {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    setns(&pidfd, flags).map_err(|e| failed(e.into()))
}

fn enter_node(node: &NodeName) -> Result<(), AttachError> {
    let register = Register::read().map_err(AttachError::Register)?;
    let Some(fd) = register.nodes.get(node) else {
        return Err(AttachError::NoNode { node: node.clone(), known: register.nodes.into_keys().collect() });
    };
    let netns = File::open(format!("/proc/{}/fd/{fd}", register.pid)).map_err(AttachError::Register)?;
    setns(&netns, CloneFlags::CLONE_NEWNET).map_err(|e| AttachError::Register(e.into()))
}
