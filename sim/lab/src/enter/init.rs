//! Pid 1 of the lab: a single thread that prepares the mounts, starts the scenario process, reaps what is orphaned,
//! and ends when the scenario process ends, which makes the kernel kill all the rest.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::channel::{End, Message};
use super::{Step, mounts};

/// Turns the calling process, which is pid 1, into init. Returns only in the scenario process that init starts, with
/// init's pid as outer sees it.
pub(super) fn become_init(outer: &End) -> Pid {
    // Outer is gone, or sent what it never sends: there is nobody to tell.
    let Ok(Some(Message::Mapped(init))) = outer.receive() else { exit(1) };
    match start(outer) {
        Ok(ForkResult::Child) => Pid::from_raw(init),
        Ok(ForkResult::Parent { child }) => {
            let last = match outer.send(Message::Started) {
                Ok(()) => reap_until(child),
                Err(_) => Message::Code(1),
            };
            let _ = outer.send(last);
            exit(0)
        }
        Err((step, errno)) => {
            let _ = outer.send(Message::Refused(step, errno as i32));
            exit(1)
        }
    }
}

fn start(outer: &End) -> Result<ForkResult, (Step, Errno)> {
    // The credentials of this process do not change any more; a change would clear the death signal.
    set_pdeathsig(Signal::SIGKILL).map_err(|e| (Step::Lifeline, e))?;
    // Had outer died before that, no signal would come: then its end of the channel is closed.
    let mut fds = [PollFd::new(outer.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).map_err(|e| (Step::Lifeline, e))?;
    if fds[0].any() == Some(true) {
        return Err((Step::Lifeline, Errno::EPIPE));
    }
    mounts::prepare()?;

    // An interrupt from the terminal is for the scenario alone, which keeps the mask it was started with.
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before)).map_err(|e| (Step::Fork, e))?;
    // SAFETY: this process has one thread.
    let forked = unsafe { fork() }.map_err(|e| (Step::Fork, e))?;
    if forked.is_child() {
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).map_err(|e| (Step::Fork, e))?;
    }
    Ok(forked)
}

/// Reaps children, own and adopted, until `scenario` has ended.
fn reap_until(scenario: Pid) -> Message {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == scenario => return Message::Code(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == scenario => return Message::Signal(signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Message::Code(1),
        }
    }
}

/// Ends this process without running what the caller registered to run at its own exit.
fn exit(code: i32) -> ! {
    // SAFETY: the call only ends the process.
    unsafe { libc::_exit(code) }
}
