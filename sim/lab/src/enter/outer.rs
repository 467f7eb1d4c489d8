//! The half that stays outside: maps the ids, watches the parent and init, and ends as the scenario ends.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill, raise, signal};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getppid};

use super::channel::{End, Message};
use super::{EnterError, Step, idmap, pidfd_open};

/// The caller's parent, whose end is the end of the lab.
///
/// Not the parent-death signal: that one is sent when the parent's *thread* ends, and a parent with a runtime may
/// have started us from any thread.
pub(super) struct Parent(OwnedFd);

impl Parent {
    /// Watches the parent, which must be `expected` if that is given.
    pub(super) fn watch(expected: Option<i32>) -> nix::Result<Self> {
        let parent = getppid();
        let fd = pidfd_open(parent)?;
        // Reparented before or while we looked: the real parent is gone.
        if getppid() != parent || expected.is_some_and(|pid| pid != parent.as_raw()) {
            return Err(Errno::ESRCH);
        }
        Ok(Self(fd))
    }
}

/// Attends `init` to its end and does not return, unless the lab does not come up.
pub(super) fn attend(init: Pid, user_namespace: bool, parent: &Parent, channel: &End) -> EnterError {
    match bring_up(init, user_namespace, channel) {
        Ok(()) => end_as(watch(init, parent, channel)),
        Err(error) => {
            let _ = kill(init, Signal::SIGKILL);
            let _ = waitpid(init, None);
            error
        }
    }
}

fn bring_up(init: Pid, user_namespace: bool, channel: &End) -> Result<(), EnterError> {
    if user_namespace {
        idmap::write(init).map_err(EnterError::refused(Step::IdMaps))?;
    }
    channel.send(Message::Mapped(init.as_raw())).map_err(|_| EnterError::Died)?;
    match channel.receive() {
        Ok(Some(Message::Started)) => Ok(()),
        Ok(Some(Message::Refused(step, errno))) => Err(EnterError::Refused { step, errno: Errno::from_raw(errno) }),
        _ => Err(EnterError::Died),
    }
}

/// How the lab ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Code(i32),
    Signal(i32),
}

fn watch(init: Pid, parent: &Parent, channel: &End) -> Outcome {
    for ignored in [Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: ignoring installs no handler. The scenario, in the same process group, decides on an interrupt.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    let end = loop {
        let mut fds =
            [PollFd::new(parent.0.as_fd(), PollFlags::POLLIN), PollFd::new(channel.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => break Outcome::Code(1),
        }
        if fds[1].any() == Some(true) {
            break match channel.receive() {
                Ok(Some(Message::Code(code))) => Outcome::Code(code),
                Ok(Some(Message::Signal(signal))) => Outcome::Signal(signal),
                _ => Outcome::Signal(libc::SIGKILL),
            };
        }
        if fds[0].any() == Some(true) {
            break Outcome::Signal(libc::SIGKILL);
        }
    };
    // The kernel lets pid 1 be reaped when every other process of its namespace is gone.
    let _ = kill(init, Signal::SIGKILL);
    while waitpid(init, None) == Err(Errno::EINTR) {}
    end
}

fn end_as(end: Outcome) -> ! {
    let code = match end {
        Outcome::Code(code) => code,
        Outcome::Signal(number) => {
            // One core file, the scenario's, is enough.
            let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
            if let Ok(fatal) = Signal::try_from(number) {
                // SAFETY: the default action installs no handler.
                let _ = unsafe { signal(fatal, SigHandler::SigDfl) };
                let _ = raise(fatal);
            }
            128 + number
        }
    };
    // SAFETY: the call only ends the process.
    unsafe { libc::_exit(code) }
}
