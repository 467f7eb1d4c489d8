//! Test support: runs the body of a test in a process of its own, in namespaces of its own.
//!
//! A test that configures interfaces calls [`run`] (or [`run_async`]) with its body. The first call starts the test
//! binary again for just this test, inside new user, network, mount and pid namespaces, and reports what happened
//! there; in that process the same call runs the body. So a test works as root and as any user, sees nothing of the
//! machine, cannot leave anything behind (its process is pid 1 of its namespace: all it started dies with it), and
//! counts as passed only if the body ran to its end. A machine that allows no namespaces fails the test and says so.
//!
//! ```no_run
//! # use dz_net::sandbox;
//! #[test]
//! fn loopback_answers() {
//!     sandbox::run(|| {
//!         std::net::UdpSocket::bind("127.0.0.1:53").unwrap();
//!     });
//! }
//! ```

use std::future::Future;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::syscalls;

/// Set in the inner process, to the name of the test it is for.
const MARKER: &str = "DZ_SANDBOX_TEST";
/// How long a body may take before the test is failed and its processes are killed.
const DEADLINE: Duration = Duration::from_secs(120);

/// Runs `body` in a sandbox. Call it once per test, from the test function itself; panics if the body does, if the
/// machine cannot make the namespaces, or if the body did not run.
pub fn run<F: FnOnce()>(body: F) {
    if let Ok(name) = std::env::var(MARKER) {
        inside(&name, body);
    } else {
        outside(&test_name::<F>());
    }
}

/// As [`run`], for an async body on a current-thread runtime.
pub fn run_async<F, Fut>(body: F)
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = ()>,
{
    if let Ok(name) = std::env::var(MARKER) {
        inside(&name, || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a tokio runtime starts")
                .block_on(async move { body().await });
        });
    } else {
        outside(&test_name::<F>());
    }
}

fn inside(name: &str, body: impl FnOnce()) {
    syscalls::set_up("lo").expect("the loopback interface of the sandbox comes up");
    body();
    println!("{}", finished(name));
}

fn outside(name: &str) {
    let mut inner = Command::new(std::env::current_exe().expect("the path of the test binary"));
    inner
        .args(["--exact", name, "--nocapture", "--test-threads=1", "--include-ignored"])
        .env(MARKER, name)
        .stdin(Stdio::null());
    isolate(&mut inner);
    let (status, output) =
        run_to_end(inner).unwrap_or_else(|e| panic!("{name} cannot run: this machine gives no sandbox: {e}\n{HINT}"));
    assert!(status.success(), "{name} failed in its sandbox ({status}):\n{output}");
    assert!(
        output.contains(&finished(name)),
        "{name} did not run in its sandbox: does the binary have a test of that name?\n{output}"
    );
    print!("{output}");
}

/// What usually stands in the way, for the message of a test that cannot run.
const HINT: &str = "Tests need unprivileged user namespaces (sysctl user.max_user_namespaces > 0, \
kernel.apparmor_restrict_unprivileged_userns = 0 where that exists, and no seccomp filter on unshare) or root.";

fn finished(name: &str) -> String {
    format!("sandbox: the body of {name} ran to its end")
}

/// The name the test harness knows the running test by.
fn test_name<F>() -> String {
    // The harness names the thread after the test, except when it runs tests one by one on its main thread; then the
    // path of the body's closure has the same name in it, after the crate's: `suite::links::renames::{{closure}}`.
    match thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => name_in_path(std::any::type_name::<F>()).to_owned(),
    }
}

fn name_in_path(path: &str) -> &str {
    let path = path.split_once("::{{closure}}").map_or(path, |(head, _)| head);
    path.split_once("::").map_or(path, |(_crate, rest)| rest)
}

/// Runs the process of one test and returns its status with all it wrote to its outputs. After two minutes it is killed.
///
/// # Errors
/// It cannot be started or waited for.
pub fn run_to_end(mut command: Command) -> io::Result<(ExitStatus, String)> {
    let (mut reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the write ends, and the reader would wait for itself.
    drop(command);
    let (done, output) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes);
        let _ = done.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    let output = match output.recv_timeout(DEADLINE) {
        Ok(output) => output,
        Err(RecvTimeoutError::Timeout) => {
            child.kill()?;
            format!("{}\nkilled after {DEADLINE:?}", output.recv().unwrap_or_default())
        }
        Err(RecvTimeoutError::Disconnected) => String::new(),
    };
    Ok((child.wait()?, output))
}

/// Makes `command` start as pid 1 of new user, network, mount and pid namespaces, as root in them; it dies with the
/// thread that starts it.
fn isolate(command: &mut Command) {
    // Written between fork and exec, so made before.
    // SAFETY: these only ask for the process's own identity.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let maps = Maps { uid: format!("0 {uid} 1"), gid: format!("0 {gid} 1") };
    // SAFETY: the closure makes system calls only and allocates nothing.
    unsafe {
        command.pre_exec(move || enter_namespaces(&maps));
    }
}

struct Maps {
    uid: String,
    gid: String,
}

/// Runs between fork and exec: system calls only.
fn enter_namespaces(maps: &Maps) -> io::Result<()> {
    const REST: libc::c_int = libc::CLONE_NEWNET | libc::CLONE_NEWNS | libc::CLONE_NEWPID;
    die_with_parent()?;
    // SAFETY: unshare, fork, waitpid, close_range, mount and _exit with plain arguments; the forked child goes on to
    // exec, its parent leaves through _exit and runs nothing else of this program.
    unsafe {
        if libc::unshare(libc::CLONE_NEWUSER | REST) == 0 {
            // One id is mapped, which needs no privilege once setgroups is given up: user_namespaces(7).
            syscalls::write_file(c"/proc/self/setgroups", b"deny")?;
            syscalls::write_file(c"/proc/self/gid_map", maps.gid.as_bytes())?;
            syscalls::write_file(c"/proc/self/uid_map", maps.uid.as_bytes())?;
        } else {
            // Root on a machine without user namespaces has what it takes already.
            let refused = io::Error::last_os_error();
            if libc::unshare(REST) != 0 {
                return Err(refused);
            }
        }
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => die_with_parent()?,
            inner => {
                // The exec report of the standard library is a pipe of which this process must hold no end.
                syscalls::close_from(3);
                let mut status = 0;
                while libc::waitpid(inner, &mut status, 0) < 0 {}
                libc::_exit(if libc::WIFEXITED(status) {
                    libc::WEXITSTATUS(status)
                } else {
                    128 + libc::WTERMSIG(status)
                });
            }
        }
        // What the body mounts stays in its own namespace.
        let none = std::ptr::null();
        if libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn die_with_parent() -> io::Result<()> {
    // SAFETY: a plain request about this process.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_path_of_the_closure() {
        assert_eq!(name_in_path("suite::links::renames::{{closure}}"), "links::renames");
        assert_eq!(name_in_path("dz_net::sandbox::tests::a::{{closure}}::{{closure}}"), "sandbox::tests::a");
        assert_eq!(name_in_path("suite::top::{{closure}}"), "top");
    }

    #[test]
    fn the_body_is_pid_1_and_root_beside_a_loopback_that_is_up() {
        run(|| {
            assert_eq!(std::process::id(), 1);
            assert!(nix::unistd::geteuid().is_root());
            std::net::UdpSocket::bind("127.0.0.1:53").expect("a privileged port on the loopback");
        });
    }

    #[test]
    fn a_failing_body_fails_the_test() {
        // In the sandbox this panics, and the outer call must pass the panic on.
        let outer = std::env::var(MARKER).is_err();
        let result = std::panic::catch_unwind(|| run(|| panic!("as intended")));
        let Err(panic) = result else { panic!("the failure of the body was lost") };
        if outer {
            let text = panic.downcast_ref::<String>().expect("a formatted message");
            assert!(text.contains("as intended"), "{text}");
        } else {
            std::panic::resume_unwind(panic);
        }
    }

    #[test]
    fn a_body_that_no_test_reaches_is_a_failure() {
        let panic = std::panic::catch_unwind(|| outside("sandbox::tests::there_is_no_such_test")).unwrap_err();
        let text = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(text.contains("did not run in its sandbox"), "{text}");
    }
}
