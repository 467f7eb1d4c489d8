//! The process that carries userspace tunnels: one per network namespace.
//!
//! [`serve`] is its whole life. It owns a TUN device per tunnel and one raw GRE socket, takes the namespace's abstract
//! socket name as its lock, and answers clients on it. Tunnels belong to the process, not to the client that asked for
//! them; it ends when it holds no tunnel and has no connection. On request it also holds the socket without which the
//! kernel forwards no multicast (see [`crate::mroute`]). Everything runs on one thread around one epoll:
//!
//! ```text
//!   clients (control) ─┐
//!   TUN devices ───────┼─ event loop ── table: name, (local, remote)
//!   raw GRE socket ────┘
//! ```

mod client;
mod forward;
mod outer;
mod requests;
mod server;
mod table;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use self::server::Helper;
use super::HelperCommand;
use super::control::SOCKET_NAME;
use crate::syscalls;

/// The line on standard output by which a helper says that the namespace has one that answers.
pub(super) const READY: &str = "gre helper ready";

/// Why the helper could not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[error("gre helper: {what}: {source}")]
pub struct HelperError {
    what: &'static str,
    source: io::Error,
}

/// Whether a program with these arguments, its own name first, is asked to be the helper.
pub fn is_wanted(mut args: impl Iterator<Item = OsString>) -> bool {
    args.nth(1).is_some_and(|word| word == HelperCommand::ARGUMENT)
}

/// Serves the calling thread's namespace until there is nothing left to serve. Returns at once if another helper does
/// so already. Standard output is closed once the line that reports readiness is on it.
///
/// It is the whole life of the calling process, which it makes its own: it leaves the session of its starter, to outlive it,
/// and closes what descriptors that let it inherit.
///
/// # Errors
/// Another helper serves this namespace, or the kernel refuses a socket or a TUN device.
pub fn serve() -> Result<(), HelperError> {
    let failed = |what| move |source| HelperError { what, source };
    // A process that leads its group, as one that a shell has started, cannot leave the session, and need not.
    let _ = nix::unistd::setsid();
    // SAFETY: nothing in this process is in use yet. A kernel before 5.9 refuses, and what was inherited is kept.
    unsafe { syscalls::close_from(3) };
    let address = SocketAddr::from_abstract_name(SOCKET_NAME).map_err(failed("name its socket"))?;
    let listener = match UnixListener::bind_addr(&address) {
        Ok(listener) => Some(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
        Err(error) => return Err(failed("bind its socket")(error)),
    };
    let Some(listener) = listener else {
        return report_ready().map_err(failed("report to its starter"));
    };
    // Each tunnel takes a descriptor, and the usual limit is a quarter of the tunnels that a device can have.
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|e| failed("raise its file limit")(e.into()))?;
    }
    // A tunnel carries half as much again (docs/decisions/0010). Where the kernel refuses, it carries less.
    let _ = syscalls::schedule_as_batch();
    let mut helper = Helper::new(listener).map_err(failed("open the raw gre socket (needs CAP_NET_RAW)"))?;
    report_ready().map_err(failed("report to its starter"))?;
    tracing::info!("serving gre tunnels");
    helper.run().map_err(failed("serve"))?;
    tracing::info!("no tunnels and no clients left");
    Ok(())
}

/// Prints the line and lets go of standard output, which is the pipe of a starter that will be gone.
fn report_ready() -> io::Result<()> {
    // A starter that does not care may have closed it.
    match writeln!(io::stdout(), "{READY}").and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
        _ => {}
    }
    let null = File::options().write(true).open("/dev/null")?;
    nix::unistd::dup2_stdout(null)?;
    Ok(())
}
