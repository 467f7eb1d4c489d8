//! Entering the lab: from an ordinary single-threaded process to the second process of fresh namespaces.
//!
//! Three processes take part, all of them the same program:
//!
//! ```text
//! caller ── outer ── init (pid 1) ── scenario (pid 2) ── roles
//!           waits    reaps           returns from `enter`
//! ```
//!
//! *Outer* stays in the caller's namespaces, because only a process there may write the maps of user ids. It watches
//! its parent and init, and ends as the scenario ended. *Init* is killed by the kernel when outer dies, and the kernel
//! kills every process of a pid namespace with its pid 1: hence kill -9 of any of the three, or of the caller, leaves
//! nothing. Init is a process of its own, rather than the scenario itself, because pid 1 must reap whatever is
//! orphaned, and a `wait` for any child in a program with an asynchronous runtime steals the exits that the runtime
//! waits for.

mod channel;
mod idmap;
mod init;
mod mounts;
mod outer;

use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Command;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, Pid, geteuid};
use serde::{Deserialize, Serialize};

/// Names the process that a scenario must not outlive; set by [`bind_to_me`].
const PARENT: &str = "DZSIM_PARENT";

/// What the scenario process knows of the place it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered {
    /// Pid 1 of the lab, as the world outside counts. [`crate::attach`] finds the lab by it.
    pub init: Pid,
    /// Whether the lab has its own user namespace. It has, unless the kernel offers none and the caller is root.
    pub user_namespace: bool,
}

/// A stage of entering, named in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Making the user, mount, pid and network namespaces.
    Namespaces,
    /// Writing the maps of user and group ids.
    IdMaps,
    /// Arranging that the lab dies with its parent.
    Lifeline,
    /// Cutting the mount namespace off from the host's.
    PrivateMounts,
    /// Mounting the `/proc` of the new pid namespace.
    MountProc,
    /// Mounting the tmpfs for the files of the nodes on `/run`.
    MountRun,
    /// Starting the scenario process under pid 1.
    Fork,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "make user, mount, pid and network namespaces",
            Self::IdMaps => "map the user and group ids",
            Self::Lifeline => "tie the lab to its parent process",
            Self::PrivateMounts => "make the mounts private",
            Self::MountProc => "mount /proc",
            Self::MountRun => "mount a tmpfs on /run",
            Self::Fork => "start the scenario process",
        })
    }
}

/// Why a lab could not be entered. [`crate::doctor::check`] says how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// Namespaces are a property of a thread, so a second thread would stay behind.
    #[error("the lab must be entered before any thread is started, found {0} threads")]
    Threads(usize),
    /// The kernel refused a step.
    #[error("cannot {step}: {errno}")]
    Refused {
        /// The step that was refused.
        step: Step,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Init was killed before it had said anything.
    #[error("the lab's first process died while it was starting")]
    Died,
}

impl EnterError {
    fn refused(step: Step) -> impl Fn(Errno) -> Self {
        move |errno| Self::Refused { step, errno }
    }
}

/// Makes `command` enter its lab only while this process lives.
///
/// Without it a parent that is killed between starting the child and the child's [`enter`] would go unnoticed.
pub fn bind_to_me(command: &mut Command) -> &mut Command {
    command.env(PARENT, std::process::id().to_string())
}

/// Enters fresh user, mount, pid and network namespaces.
///
/// Returns `Ok` only in the scenario process, a grandchild of the caller, with uid 0, all capabilities over the new
/// namespaces, a fresh `/proc`, an empty tmpfs on `/run`, and mounts that do not propagate. Returns `Err` only in the
/// calling process, which is then as it was. On success the calling process does not return: it waits, and ends with
/// the exit code or signal of the scenario process.
///
/// # Errors
/// [`EnterError`]: there are threads already, or the kernel refuses a step.
pub fn enter() -> Result<Entered, EnterError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads > 1 {
        return Err(EnterError::Threads(threads));
    }
    let parent = outer::Parent::watch(std::env::var(PARENT).ok().and_then(|p| p.parse().ok()))
        .map_err(EnterError::refused(Step::Lifeline))?;
    let (outside, inside) = channel::pair().map_err(EnterError::refused(Step::Lifeline))?;

    let rest = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNET;
    let (forked, user_namespace) = match fork_into(rest | CloneFlags::CLONE_NEWUSER) {
        // Root needs no user namespace; where the kernel gives none, root still has a lab.
        Err(Errno::EPERM | Errno::ENOSPC | Errno::EINVAL) if geteuid().is_root() => {
            (fork_into(rest).map_err(EnterError::refused(Step::Namespaces))?, false)
        }
        other => (other.map_err(EnterError::refused(Step::Namespaces))?, true),
    };
    match forked {
        ForkResult::Parent { child } => {
            drop(inside);
            Err(outer::attend(child, user_namespace, &parent, &outside))
        }
        ForkResult::Child => {
            drop(outside);
            drop(parent);
            Ok(Entered { init: init::become_init(&inside), user_namespace })
        }
    }
}

/// `fork(2)` with namespaces. The raw call, since the library's wrapper wants a stack and a function to run on it,
/// and then this function could not return in the child.
fn fork_into(flags: CloneFlags) -> nix::Result<ForkResult> {
    // SAFETY: without CLONE_VM and with a null stack this is fork; the process has a single thread, so the child may
    // go on as if nothing had happened. The order of the zero arguments differs between architectures, zeros do not.
    let pid = Errno::result(unsafe {
        libc::syscall(libc::SYS_clone, libc::c_long::from(flags.bits() | libc::SIGCHLD), 0, 0, 0, 0)
    })?;
    Ok(match pid {
        0 => ForkResult::Child,
        pid => ForkResult::Parent { child: Pid::from_raw(pid as i32) },
    })
}

/// A file descriptor that becomes readable when `pid` ends.
pub(crate) fn pidfd_open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes two integers and returns a new descriptor that nothing else owns.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
