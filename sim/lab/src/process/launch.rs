//! Starting a program: `clone`, arrange the child, `execve`.
//!
//! The scenario process holds a whole bank, hundreds of megabytes that `fork` would copy the page tables of for every
//! process it starts, and then pay for again in page faults. So the child shares the memory of the parent, which the
//! kernel suspends until the child has executed its program (`CLONE_VM | CLONE_VFORK`, what posix_spawn(3) does). The
//! library's posix_spawn can enter no namespace and cannot pass a child its own pid, which `LISTEN_PID` needs.

use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::Pid;

/// Digits kept free for the pid: `/proc/sys/kernel/pid_max` is at most 2^22.
const PID_DIGITS: usize = 10;
const LISTEN_PID: &str = "LISTEN_PID=";
/// The step of which the error names the program.
const EXECUTE: &str = "execute";
/// The child runs a handful of system calls on it.
const STACK: usize = 64 * 1024;

/// Where the standard streams of a child lead.
#[derive(Debug)]
pub(crate) struct Stdio<'a> {
    pub(crate) stdin: BorrowedFd<'a>,
    pub(crate) stdout: BorrowedFd<'a>,
    pub(crate) stderr: BorrowedFd<'a>,
}

/// All that is needed to start a program.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The program and its arguments.
    pub(crate) argv: &'a [OsString],
    /// The whole environment but for `LISTEN_*`.
    pub(crate) env: &'a [(OsString, OsString)],
    /// The folder to start in.
    pub(crate) cwd: Option<&'a Path>,
    /// The network namespace to enter.
    pub(crate) netns: Option<BorrowedFd<'a>>,
    /// Standard streams.
    pub(crate) stdio: Stdio<'a>,
    /// Named sockets for descriptors 3 and up.
    pub(crate) listeners: &'a [(&'a str, BorrowedFd<'a>)],
    /// Whether the child leads a process group of its own; otherwise it stays in the caller's. It never leaves the
    /// caller's session: the kernel shares processors out by session (docs/decisions/0034).
    pub(crate) leader: bool,
}

/// Why a program was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error("no program given")]
    Empty,
    #[error("an argument or variable has a zero byte in it")]
    Zero,
    #[error("program `{0}` not found in PATH")]
    NotFound(String),
    #[error("cannot execute {0}: {1}")]
    Execute(String, Errno),
    #[error("cannot {0}: {1}")]
    Refused(&'static str, Errno),
}

impl Launch<'_> {
    /// Starts the program. Returns when it is being executed, with its pid and a descriptor for it.
    pub(crate) fn start(&self) -> Result<(Pid, OwnedFd), LaunchError> {
        let (program, argv) = self.program()?;
        let env = self.environment()?;
        let cwd = self.cwd.map(|p| c_string(p.as_os_str().as_bytes())).transpose()?;

        // Descriptors are moved out of the way of their destinations before any is put into place.
        let mut sources =
            vec![self.stdio.stdin.as_raw_fd(), self.stdio.stdout.as_raw_fd(), self.stdio.stderr.as_raw_fd()];
        sources.extend(self.listeners.iter().map(|(_, fd)| fd.as_raw_fd()));

        // The child writes its pid into this one.
        let mut listen_pid = format!("{LISTEN_PID}{}\0", "0".repeat(PID_DIGITS)).into_bytes();
        let listen_pid = (!self.listeners.is_empty()).then(|| listen_pid.as_mut_ptr().cast::<c_char>());

        let argv = pointers(&argv, None);
        let envp = pointers(&env, listen_pid);
        let mut child = Child {
            program: program.as_ptr(),
            argv: argv.as_ptr(),
            envp: envp.as_ptr(),
            pid_text: listen_pid.map_or(std::ptr::null_mut(), |text| text.wrapping_add(LISTEN_PID.len())),
            cwd: cwd.as_ref().map_or(std::ptr::null(), |c| c.as_ptr()),
            netns: self.netns.map_or(-1, |fd| fd.as_raw_fd()),
            sources: &mut sources,
            leader: self.leader,
            mask: SigSet::empty(),
            failure: None,
        };

        // No handler of this program may run in the child, which shares its memory.
        let refused = |e| LaunchError::Refused("block the signals", e);
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut child.mask)).map_err(refused)?;
        let started = clone(&mut child);
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&child.mask), None).map_err(refused)?;

        let (pid, pidfd) = started.map_err(|e| LaunchError::Refused("clone a process", e))?;
        match child.failure {
            None => Ok((pid, pidfd)),
            Some((step, errno)) => {
                let _ = nix::sys::wait::waitpid(pid, None);
                Err(match step {
                    EXECUTE => LaunchError::Execute(program.to_string_lossy().into_owned(), errno),
                    step => LaunchError::Refused(step, errno),
                })
            }
        }
    }

    fn program(&self) -> Result<(CString, Vec<CString>), LaunchError> {
        let first = self.argv.first().ok_or(LaunchError::Empty)?;
        let path = self.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
        let program = find(first, path.unwrap_or_default())
            .ok_or_else(|| LaunchError::NotFound(first.to_string_lossy().into_owned()))?;
        let argv = self.argv.iter().map(|a| c_string(a.as_bytes())).collect::<Result<_, _>>()?;
        Ok((c_string(program.as_os_str().as_bytes())?, argv))
    }

    fn environment(&self) -> Result<Vec<CString>, LaunchError> {
        let mut env = Vec::with_capacity(self.env.len() + 2);
        for (name, value) in self.env {
            let mut text = name.clone().into_vec();
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
            env.push(c_string(&text)?);
        }
        if !self.listeners.is_empty() {
            let names: Vec<&str> = self.listeners.iter().map(|(name, _)| *name).collect();
            env.push(c_string(format!("LISTEN_FDS={}", self.listeners.len()).as_bytes())?);
            env.push(c_string(format!("LISTEN_FDNAMES={}", names.join(":")).as_bytes())?);
        }
        Ok(env)
    }
}

/// The file that a shell would execute for `program`.
fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(program.into());
    }
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}

fn c_string(bytes: &[u8]) -> Result<CString, LaunchError> {
    CString::new(bytes).map_err(|_| LaunchError::Zero)
}

/// The strings and one more, as `execve` takes them.
fn pointers(strings: &[CString], more: Option<*mut c_char>) -> Vec<*const c_char> {
    let more = more.map(<*mut c_char>::cast_const);
    strings.iter().map(|s| s.as_ptr()).chain(more).chain([std::ptr::null()]).collect()
}

/// What the child works with. It lives in the parent, which is suspended while the child uses it.
struct Child<'a> {
    program: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    pid_text: *mut c_char,
    cwd: *const c_char,
    netns: RawFd,
    sources: &'a mut [RawFd],
    leader: bool,
    mask: SigSet,
    failure: Option<(&'static str, Errno)>,
}

fn clone(child: &mut Child<'_>) -> nix::Result<(Pid, OwnedFd)> {
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the stack and the child's data outlive the child's use of them, because CLONE_VFORK suspends this thread
    // until the child executes or ends; the stack is aligned to 16 bytes; the pidfd is written before that.
    let pid = Errno::result(unsafe {
        libc::clone(main, top.cast(), flags, std::ptr::from_mut(child).cast(), &raw mut pidfd)
    })?;
    // SAFETY: the kernel has just opened it for us.
    Ok((Pid::from_raw(pid), unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// The child's whole life before its program. It must not allocate, lock or panic: other threads of the parent run on.
extern "C" fn main(child: *mut c_void) -> c_int {
    // SAFETY: `clone` passes exactly this, and the parent does not touch it meanwhile.
    let child = unsafe { &mut *child.cast::<Child<'_>>() };
    // SAFETY: only system calls on the child's own state are made.
    child.failure = unsafe { arrange_and_execute(child) }.err();
    // SAFETY: ends the process without running the parent's exit handlers.
    unsafe { libc::_exit(127) }
}

unsafe fn arrange_and_execute(child: &mut Child<'_>) -> Result<(), (&'static str, Errno)> {
    let check = |step: &'static str, result: c_int| Errno::result(result).map_err(|e| (step, e));
    unsafe {
        // Signals are unblocked before the program is executed, and then a handler would be the parent's.
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        if child.netns >= 0 {
            check("enter the node", libc::setns(child.netns, libc::CLONE_NEWNET))?;
        }
        if child.leader {
            check("make a process group", libc::setpgid(0, 0))?;
        }
        if !child.cwd.is_null() {
            check("change the folder", libc::chdir(child.cwd))?;
        }
        let count = child.sources.len() as c_int;
        for source in child.sources.iter_mut() {
            *source = check("pass a descriptor", libc::fcntl(*source, libc::F_DUPFD_CLOEXEC, count))?;
        }
        for (target, source) in (0..).zip(child.sources.iter()) {
            check("pass a descriptor", libc::dup2(*source, target))?;
        }
        // What a library opened without O_CLOEXEC is not for the child. Kernels before 5.11 can not, and need not.
        libc::syscall(libc::SYS_close_range, count, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if !child.pid_text.is_null() {
            let mut pid = libc::getpid();
            for digit in (0..PID_DIGITS).rev() {
                *child.pid_text.add(digit) = b'0' as c_char + (pid % 10) as c_char;
                pid /= 10;
            }
        }
        libc::sigprocmask(libc::SIG_SETMASK, child.mask.as_ref(), std::ptr::null_mut());
        libc::execve(child.program, child.argv, child.envp);
    }
    Err((EXECUTE, Errno::last()))
}
