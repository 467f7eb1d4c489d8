//! Network namespaces without names.
//!
//! A namespace lives as long as a process, a socket or a descriptor refers to it; here a [`NetNs`] is that descriptor,
//! so nothing is mounted and nothing has to be removed. The namespace is a property of the thread: one that stays in
//! another is never given back to a pool, and one that visits another comes back, whatever happens there.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// Why a namespace could not be created or entered.
#[derive(Debug, thiserror::Error)]
pub enum NetNsError {
    /// `unshare(CLONE_NEWNET)` was refused.
    #[error("cannot create a network namespace: {0} (needs CAP_SYS_ADMIN, or a user namespace entered first)")]
    Create(#[source] io::Error),
    /// The descriptor of a namespace could not be had.
    #[error("cannot open the network namespace: {0}")]
    Open(#[source] io::Error),
    /// `setns` was refused.
    #[error("cannot enter the network namespace: {0}")]
    Enter(#[source] io::Error),
    /// No thread or runtime could be started to run in the namespace.
    #[error("cannot start a thread for the network namespace: {0}")]
    Thread(#[source] io::Error),
}

/// One network namespace, kept alive by this value; clones share the descriptor.
#[derive(Clone, Debug)]
pub struct NetNs {
    fd: Arc<OwnedFd>,
}

impl NetNs {
    /// Creates an empty namespace: a loopback interface that is down, and nothing else.
    ///
    /// # Errors
    /// The kernel refuses a new one, or the way back to where the thread is (setns(2)).
    pub fn new() -> Result<Self, NetNsError> {
        let _home = Home::of_this_thread()?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| NetNsError::Create(e.into()))?;
        of_new_socket().map_err(NetNsError::Open)
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn current() -> Result<Self, NetNsError> {
        // The socket way needs no procfs (a fresh pid namespace may have none) but CAP_NET_ADMIN, procfs the reverse.
        match of_new_socket() {
            Ok(ns) => Ok(ns),
            Err(_) => Ok(Self::from(OwnedFd::from(File::open("/proc/thread-self/ns/net").map_err(NetNsError::Open)?))),
        }
    }

    /// The namespace's inode: equal for two descriptors exactly when they are of the same namespace.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn id(&self) -> Result<u64, NetNsError> {
        let stat = nix::sys::stat::fstat(&self.fd).map_err(|e| NetNsError::Open(e.into()))?;
        Ok(stat.st_ino)
    }

    /// Moves the calling thread into the namespace for the rest of its life.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn enter(&self) -> Result<(), NetNsError> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET).map_err(|e| NetNsError::Enter(e.into()))
    }

    /// Runs `f` inside the namespace and returns its value; a panic of `f` continues here, as the thread does.
    ///
    /// The calling thread goes there and comes back, which costs a few microseconds.
    ///
    /// # Errors
    /// The kernel refuses, the namespace or the way back: who goes anywhere needs rights over both (setns(2)).
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> Result<T, NetNsError> {
        let _home = Home::of_this_thread()?;
        self.enter()?;
        Ok(f())
    }

    /// As [`NetNs::run`], for async callers: awaits the thread instead of blocking on it.
    ///
    /// # Errors
    /// The thread cannot be started, cannot enter the namespace, or panicked.
    pub async fn run_async<T, F>(&self, f: F) -> Result<T, NetNsError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.spawn("netns-run", move || async move { f() })?.output().await
    }

    /// Starts a thread inside the namespace that runs a current-thread tokio runtime until the future of `f` is done.
    /// The future need not be `Send`; sockets it creates belong to the namespace.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn spawn<T, F, Fut>(&self, name: &str, f: F) -> Result<NsThread<T>, NetNsError>
    where
        T: Send + 'static,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = T>,
    {
        let ns = self.clone();
        let (done, output) = tokio::sync::oneshot::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let result = ns.block_on(f);
                // A receiver that is gone has stopped waiting, which is its right.
                let _ = done.send(result);
            })
            .map_err(NetNsError::Thread)?;
        Ok(NsThread { thread, output })
    }

    /// Makes `command` start inside the namespace.
    pub fn wrap<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let ns = self.clone();
        // SAFETY: setns is one system call and allocates nothing, as code between fork and exec must.
        unsafe { command.pre_exec(move || setns(&ns.fd, CloneFlags::CLONE_NEWNET).map_err(Into::into)) }
    }

    fn block_on<T, Fut: Future<Output = T>>(&self, f: impl FnOnce() -> Fut) -> Result<T, NetNsError> {
        self.enter()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(NetNsError::Thread)?;
        Ok(runtime.block_on(async move { f().await }))
    }
}

impl From<OwnedFd> for NetNs {
    fn from(fd: OwnedFd) -> Self {
        Self { fd: Arc::new(fd) }
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Where the calling thread is, and comes back to when this is dropped.
struct Home(NetNs);

impl Home {
    fn of_this_thread() -> Result<Self, NetNsError> {
        let here = NetNs::current()?;
        // Going where it is asks for the same rights as coming back.
        here.enter()?;
        Ok(Self(here))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Err(error) = self.0.enter() {
            // What a thread in the wrong namespace does would look like the network's doing.
            eprintln!("a thread is lost in another namespace: {error}");
            std::process::abort();
        }
    }
}

/// A thread that runs inside a namespace, from [`NetNs::spawn`]. Dropping it lets the thread run on.
#[derive(Debug)]
#[must_use = "the result and any panic of the thread are lost otherwise"]
pub struct NsThread<T> {
    thread: thread::JoinHandle<()>,
    output: tokio::sync::oneshot::Receiver<Result<T, NetNsError>>,
}

impl<T> NsThread<T> {
    /// Blocks until the thread is done; a panic of the thread continues here. Not for async callers.
    ///
    /// # Errors
    /// The kernel refuses, or the thread cannot be started or panicked.
    pub fn join(mut self) -> Result<T, NetNsError> {
        if let Err(panic) = self.thread.join() {
            resume_unwind(panic);
        }
        self.output.try_recv().expect("a thread that did not panic has sent its result")
    }

    /// Waits for the result; a panic of the thread continues here.
    ///
    /// # Errors
    /// The kernel refuses, or the thread cannot be started or panicked.
    pub async fn output(self) -> Result<T, NetNsError> {
        match self.output.await {
            Ok(result) => result,
            Err(_) => match self.thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => unreachable!("a thread that did not panic has sent its result"),
            },
        }
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// The namespace of a socket made now, which is that of the thread: `SIOCGSKNS`, netdevice(7).
fn of_new_socket() -> io::Result<NetNs> {
    const SIOCGSKNS: libc::Ioctl = 0x894C;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    // SAFETY: the request takes no argument and returns a new descriptor, which becomes ours.
    let fd = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor and nothing else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // The kernel opens it with O_CLOEXEC.
    Ok(NetNs::from(fd))
}
