//! The processes in a network namespace, by namespace and not by parent: a daemon may have left its process group, but it
//! can not have left its node.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::enter::pidfd_open;

/// Rounds of looking and killing: a process can fork while it is looked for, but only so often.
const ROUNDS: usize = 100;
/// How long a killed process may take to end, in milliseconds.
const DYING: u16 = 10_000;
/// How long all processes of a node may take to stand still.
const STOPPING: Duration = Duration::from_secs(10);

/// Whether `/proc` is that of the caller's pid namespace, as the numbers found in it are sent signals to.
pub(crate) fn proc_is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|pid| pid.to_str() == Some(&std::process::id().to_string()))
}

/// The processes in the namespace with this inode, by pid, without those that have ended.
fn members(netns: u64) -> io::Result<BTreeMap<i32, OwnedFd>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // The descriptor first: it goes on to mean the process that is looked at, whoever gets its pid later.
        let Ok(process) = pidfd_open(Pid::from_raw(pid)) else { continue };
        // One that has ended, or is not ours to look at, is in no namespace.
        if fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|meta| meta.ino() == netns) {
            found.insert(pid, process);
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
    members(netns)?.values().try_for_each(|process| send(process, signal))
}

/// Stops every process in the namespace, and those that are born meanwhile too.
///
/// A process that was sent the signal is not yet one that has stopped: in the middle of fork(2) it has its child first.
/// So all have stopped when a look finds only processes that were seen to be stopped before it began.
pub(crate) fn freeze(netns: u64) -> io::Result<()> {
    let deadline = Instant::now() + STOPPING;
    let mut standing = BTreeSet::new();
    loop {
        let found = members(netns)?;
        if found.keys().all(|pid| standing.contains(pid)) {
            return Ok(());
        }
        found.values().try_for_each(|process| send(process, Signal::SIGSTOP))?;
        let stances: BTreeMap<_, _> = found.keys().filter_map(|pid| Some((*pid, Stance::read(*pid)?))).collect();
        let waits = |pid: i32| stances.values().any(|child| child.parent == pid && child.stopped);
        let stands = |pid: i32, stance: &Stance| stance.stopped || (stance.blocked && waits(pid));
        let moving = stances.iter().filter(|(pid, stance)| !stands(**pid, stance)).count();
        if Instant::now() > deadline {
            let (all, time) = (found.len(), STOPPING.as_secs());
            return Err(io::Error::other(format!("{moving} of {all} processes still run after {time} s")));
        }
        // As long as one moves, nobody is known to stand: it may have started another.
        standing = if moving == 0 { stances.into_keys().collect() } else { BTreeSet::new() };
    }
}

/// The state of a process, from `/proc/<pid>/task/<tid>/stat`.
struct Stance {
    parent: i32,
    /// All of its threads have stopped or ended.
    stopped: bool,
    /// Those that have not are in vfork(2), or in another wait that a stop does not end: who waits for a child that has
    /// stopped forks no more.
    blocked: bool,
}

impl Stance {
    /// Nothing when the process has ended.
    fn read(pid: i32) -> Option<Self> {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let mut stance = None::<Self>;
        for thread in threads.flatten() {
            let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { continue };
            // The name before may hold anything, a bracket too.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
            let stance = stance.get_or_insert(Self { parent, stopped: true, blocked: true });
            let stopped = matches!(state, "T" | "t" | "Z" | "X");
            stance.stopped &= stopped;
            stance.blocked &= stopped || state == "D";
        }
        stance
    }
}

/// Kills the processes in the namespace that have this word in their command lines, waits until they are gone, and
/// returns how many there were.
pub(crate) fn kill_commands(netns: u64, word: &str) -> io::Result<usize> {
    let has_word = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == word.as_bytes())
    };
    let mut found = members(netns)?;
    found.retain(|pid, _| has_word(*pid));
    found.values().try_for_each(|process| send(process, Signal::SIGKILL))?;
    wait_for(found.values());
    Ok(found.len())
}

fn wait_for<'a>(processes: impl Iterator<Item = &'a OwnedFd>) {
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
        members.values().try_for_each(|process| send(process, Signal::SIGKILL))?;
        wait_for(members.values());
    }
    Err(io::Error::other(format!("{} processes are left after {ROUNDS} rounds of killing", members(netns)?.len())))
}
