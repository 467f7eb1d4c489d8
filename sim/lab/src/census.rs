//! Which processes are in a network namespace, whoever started them: a daemon may have left its node's session, but it
//! can not have left its node.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Rounds of looking and killing: a process can fork while it is looked for, but only so often.
const ROUNDS: usize = 100;

/// Whether `/proc` is that of the caller's pid namespace, as the numbers found in it are sent signals to.
pub(crate) fn proc_is_ours() -> bool {
    fs::read_link("/proc/self").is_ok_and(|pid| pid.to_str() == Some(&std::process::id().to_string()))
}

/// The processes in the namespace with this inode, without those that have ended.
fn members(netns: u64) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended, or is not ours to look at, is in no namespace.
        if fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|meta| meta.ino() == netns) {
            found.push(Pid::from_raw(pid));
        }
    }
    Ok(found)
}

/// Sends a signal to every process in the namespace.
pub(crate) fn signal(netns: u64, signal: Signal) -> io::Result<()> {
    for pid in members(netns)? {
        match kill(pid, signal) {
            // It ended in between.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Kills until the namespace is empty.
pub(crate) fn clear(netns: u64) -> io::Result<()> {
    for _ in 0..ROUNDS {
        if members(netns)?.is_empty() {
            return Ok(());
        }
        signal(netns, Signal::SIGKILL)?;
        std::thread::yield_now();
    }
    Err(io::Error::other(format!("processes are left after {ROUNDS} rounds of killing: {:?}", members(netns)?)))
}
