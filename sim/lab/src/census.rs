//! Which processes are in a network namespace, whoever started them: a daemon may have left its node's session, but it
//! can not have left its node.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::enter::pidfd_open;

/// Rounds of looking and killing: a process can fork while it is looked for, but only so often.
const ROUNDS: usize = 100;
/// How long a killed process may take to end, in milliseconds.
const DYING: u16 = 10_000;

/// Whether `/proc` is that of the caller's pid namespace, as the numbers found in it are sent signals to.
pub(crate) fn proc_is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|pid| pid.to_str() == Some(&std::process::id().to_string()))
}

/// The processes in the namespace with this inode, without those that have ended.
fn members(netns: u64) -> io::Result<Vec<OwnedFd>> {
    members_that(netns, |_| true)
}

/// Those of them whose pid is of interest.
fn members_that(netns: u64, wanted: impl Fn(i32) -> bool) -> io::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // The descriptor first: it goes on to mean the process that is looked at, whoever gets its pid later.
        let Ok(process) = pidfd_open(Pid::from_raw(pid)) else { continue };
        // One that has ended, or is not ours to look at, is in no namespace.
        if fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|meta| meta.ino() == netns) && wanted(pid) {
            found.push(process);
        }
    }
    Ok(found)
}

fn send(process: &OwnedFd, signal: Signal) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the call takes integers and a null pointer.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal as libc::c_int, none, 0) };
    match Errno::result(sent) {
        // It ended in between.
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Sends a signal to every process in the namespace.
pub(crate) fn signal(netns: u64, signal: Signal) -> io::Result<()> {
    members(netns)?.iter().try_for_each(|process| send(process, signal))
}

/// Stops every process in the namespace, and those that are born meanwhile too: one that is stopped starts no more, so all
/// are when a look finds nobody new.
pub(crate) fn freeze(netns: u64) -> io::Result<()> {
    let mut stopped = BTreeSet::new();
    for _ in 0..ROUNDS {
        // Filled while it is looked: the descriptors come without their pids.
        let seen = RefCell::new(BTreeSet::new());
        let found = members_that(netns, |pid| {
            seen.borrow_mut().insert(pid);
            !stopped.contains(&pid)
        })?;
        if found.is_empty() {
            return Ok(());
        }
        found.iter().try_for_each(|process| send(process, Signal::SIGSTOP))?;
        stopped = seen.into_inner();
    }
    Err(io::Error::other(format!("new processes appear after {ROUNDS} rounds of stopping")))
}

/// Kills the processes in the namespace that have this word in their command lines, waits until they are gone, and
/// returns how many there were.
pub(crate) fn kill_commands(netns: u64, word: &str) -> io::Result<usize> {
    let has_word = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == word.as_bytes())
    };
    let found = members_that(netns, has_word)?;
    found.iter().try_for_each(|process| send(process, Signal::SIGKILL))?;
    wait_for(&found);
    Ok(found.len())
}

fn wait_for(processes: &[OwnedFd]) {
    for process in processes {
        let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        while poll(&mut ended, PollTimeout::from(DYING)) == Err(Errno::EINTR) {}
    }
}

/// Kills until the namespace is empty.
pub(crate) fn clear(netns: u64) -> io::Result<()> {
    for _ in 0..ROUNDS {
        let members = members(netns)?;
        if members.is_empty() {
            return Ok(());
        }
        members.iter().try_for_each(|process| send(process, Signal::SIGKILL))?;
        wait_for(&members);
    }
    Err(io::Error::other(format!("{} processes are left after {ROUNDS} rounds of killing", members(netns)?.len())))
}
