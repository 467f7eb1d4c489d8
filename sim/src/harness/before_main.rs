//! Code that runs before `main` in every program that links this library. It does nothing unless the program was started by
//! the library itself: as a role of the real world, or as the process of a test in it.
//!
//! A lab must be entered before the process has a second thread, and a test harness has one before any test of ours
//! runs. Roles are linked into the calling program, so that it needs no other program and no other version of one. See
//! docs/decisions/0200.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    process::exit,
    sync::OnceLock,
};

use dz_net::gre::HelperCommand;
use dzsim_lab::EnterError;

use crate::{exit::Exit, multicall, run::roles};

/// Set for a process that is to be in a lab before its `main`.
pub(super) const IN_LAB: &str = "DZSIM_TEST_IN_LAB";

/// The lab's own place for temporary files.
const TEMPORARY: &str = "/run/dz/tmp";

/// Whether this process has entered a lab.
static ENTERED: OnceLock<()> = OnceLock::new();

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    if let Some(role) = role() {
        // As the standard library does before `main`: a closed pipe is an error of a write, not the end.
        // SAFETY: ignoring installs no handler.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        exit(multicall::play(role).into());
    }
    if std::env::var_os(IN_LAB).is_some()
        && let Err(error) = enter_once()
    {
        eprintln!("cannot enter the real world: {error}; `dzsim doctor` says what is missing");
        exit(Exit::CannotRun as i32);
    }
}

/// The program that plays the roles: this one, under a name that only labs have.
pub(super) fn program() -> PathBuf {
    Path::new(roles::BIN).join("dzsim")
}

/// The role that this process was started as, with its arguments.
fn role() -> Option<Vec<OsString>> {
    let line = fs::read("/proc/self/cmdline").ok()?;
    let mut words = line.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec()));
    if words.next()? != program() {
        return None;
    }
    // The line ends with a zero.
    let mut words: Vec<_> = words.collect();
    words.pop();
    match words.first()?.to_str()? {
        "node" => Some(words.split_off(1)),
        HelperCommand::ARGUMENT => Some(words),
        _ => None,
    }
}

/// Enters a lab unless this process is in one. Afterwards it is another process, in namespaces of its own.
pub(super) fn enter_once() -> Result<(), EnterError> {
    if ENTERED.get().is_some() {
        return Ok(());
    }
    dzsim_lab::enter()?;
    let _ = ENTERED.set(());
    // The mounts are the lab's own and empty: what fails here is a lab that does not work.
    fs::create_dir_all(TEMPORARY).expect("the lab's /run can be written");
    fs::create_dir_all(roles::BIN).expect("the lab's /run can be written");
    let this = std::env::current_exe().expect("the path of this program");
    std::os::unix::fs::symlink(this, program()).expect("the lab's /run can be written");
    // SAFETY: a process that has just entered a lab has one thread.
    unsafe { std::env::set_var("TMPDIR", TEMPORARY) };
    Ok(())
}
