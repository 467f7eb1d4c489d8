//! The folder for the bank's temporary files, which is gone when the ledger is, however it ended.
//!
//! The bank takes its folders from `TMPDIR` and removes them when it is dropped; a process that is killed drops nothing.
//! So the ledger has a folder of its own there, and a second process in a session of its own that removes the folder once
//! the first has ended.

use std::{
    env, fs, io,
    os::unix::{fs::DirBuilderExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::Pid,
};

use crate::this_program;

/// Names the folder to the program that runs again.
const SET: &str = "DZSIM_LEDGER_SCRATCH";

/// Whether this process has a folder of its own.
pub(super) fn is_set() -> bool {
    env::var_os(SET).is_some_and(|folder| Some(folder) == env::var_os("TMPDIR"))
}

/// Makes a folder, starts what removes it, and becomes this very program with the same arguments and that folder.
/// Returns only why that failed.
pub(super) fn run_again_with_one() -> anyhow::Error {
    again().err().unwrap_or_else(|| anyhow::anyhow!("the program was not replaced"))
}

fn again() -> anyhow::Result<()> {
    let program = this_program::path().context("finding the dzsim program")?;
    let folder = make().context("making a folder for temporary files")?;
    let mut cleaner = Command::new(&program);
    cleaner.arg("clean-up").arg(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: one system call, which allocates nothing. What is sent to the ledger's group must not end this one.
    unsafe {
        cleaner.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from));
    }
    cleaner.spawn().context("starting what removes that folder")?;
    let error = Command::new(program).args(env::args_os().skip(1)).env("TMPDIR", &folder).env(SET, &folder).exec();
    Err(error).context("starting again with that folder")
}

/// A new folder that nobody else may look into.
fn make() -> io::Result<PathBuf> {
    let root = env::temp_dir();
    for attempt in 0.. {
        let folder = root.join(format!("dzsim-ledger-{}-{attempt}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => {}
            made => return made.map(|()| folder),
        }
    }
    unreachable!("the loop returns in its last round")
}

/// Waits for the end of the process that started this one, and removes the folder.
///
/// # Errors
/// When that process cannot be waited for, or the folder cannot be removed.
pub(super) fn clean_up(folder: &Path) -> anyhow::Result<()> {
    let parent = Pid::parent();
    match pidfd(parent) {
        // It may have ended before it could be opened, and another process may have its number by now.
        Ok(process) if Pid::parent() == parent => {
            let mut ends = [PollFd::new(std::os::fd::AsFd::as_fd(&process), PollFlags::POLLIN)];
            while let Err(error) = poll(&mut ends, PollTimeout::NONE) {
                anyhow::ensure!(error == Errno::EINTR, "waiting for process {parent}: {error}");
            }
        }
        Ok(_) | Err(Errno::ESRCH) => {}
        Err(error) => anyhow::bail!("watching process {parent}: {error}"),
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("removing the folder"),
        _ => Ok(()),
    }
}

fn pidfd(process: Pid) -> nix::Result<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: a system call with two numbers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) })?;
    let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
}
