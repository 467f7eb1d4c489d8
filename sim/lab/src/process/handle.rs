//! A process that runs or has ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dz_net::netns::NetNs;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{broadcast, watch};
use tokio::time::{sleep, timeout};

use super::environment::environment;
use super::error::{RunError, tail};
use super::launch::LaunchError;
use super::notify::Notify;
use super::output::{Capture, MOST};
use super::{Exit, Exited, Finished, Host, Launch, Ready, Spawn, Stdio};
use crate::name::RoleName;

/// Between two looks at the size of outputs: a program fills a gigabyte of memory in less than ten times that.
const LOOK: Duration = Duration::from_millis(50);

/// What the lab adds to a description to start a process.
#[derive(Debug)]
pub(crate) struct Place {
    /// The namespace of the node; `None` for the lab's own.
    pub(crate) netns: Option<NetNs>,
    /// The folder of the node's files.
    pub(crate) folder: PathBuf,
    /// The folder of all logs.
    pub(crate) logs: PathBuf,
    /// Where the exit of the process is sent.
    pub(crate) events: broadcast::Sender<Exited>,
}

/// A process that the lab started. Clones are the same process. Dropping it does not end the process.
#[derive(Debug, Clone)]
pub struct Process {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    spawn: Spawn,
    pid: Pid,
    /// Held while a signal is sent and while the process is reaped: a pid is reused once it is reaped.
    state: Mutex<State>,
    exit: watch::Receiver<Option<Exit>>,
}

#[derive(Debug, Default)]
struct State {
    reaped: bool,
    asked: bool,
}

impl Process {
    /// Starts a process and waits until it is ready.
    pub(crate) async fn start(spawn: Spawn, place: &Place) -> Result<Self, RunError> {
        let name = full_name(&spawn);
        let failed = |what: &str, error: &dyn std::fmt::Display| RunError::Start {
            process: name.clone(),
            reason: format!("cannot {what}: {error}"),
        };
        let log_path = place.logs.join(format!("{name}.log"));
        let log = OpenOptions::new().create(true).append(true).open(&log_path);
        let log = log.map_err(|e| failed(&format!("open {}", log_path.display()), &e))?;
        let log_start = log.metadata().map_or(0, |meta| meta.len());
        let notify = match spawn.ready {
            Ready::Running => None,
            Ready::Notify(deadline) => {
                let path = place.folder.join(format!("{}.notify", spawn.role));
                Some((Notify::bind(&path).map_err(|e| failed(&format!("bind {}", path.display()), &e))?, deadline))
            }
        };
        let notify_path = notify.as_ref().map(|(n, _)| n.path());
        let process = Self::launch(spawn, place, &log, &log, notify_path)?;
        tracing::debug!(process = name, pid = process.inner.pid.as_raw(), "started");

        let Some((notify, deadline)) = notify else { return Ok(process) };
        let outcome = timeout(deadline, async {
            tokio::select! {
                biased;
                ready = notify.ready() => Ok(ready),
                exit = process.exited() => Err(exit),
            }
        });
        match outcome.await {
            Ok(Ok(Ok(()))) => Ok(process),
            Ok(Ok(Err(error))) => {
                process.kill().await;
                Err(failed("read the notify socket", &error))
            }
            Ok(Err(exit)) => Err(RunError::Ended { process: name, exit, log: tail(&log_path, log_start) }),
            Err(_) => {
                process.kill().await;
                Err(RunError::NotReady { process: name, after: deadline, log: tail(&log_path, log_start) })
            }
        }
    }

    /// Runs a process to its end, or kills it at the deadline.
    pub(crate) async fn run_to_end(spawn: Spawn, place: &Place, deadline: Duration) -> Result<Finished, RunError> {
        let name = full_name(&spawn);
        let failed = |error: io::Error| RunError::Start { process: name.clone(), reason: error.to_string() };
        let (stdout, stderr) = (Capture::new().map_err(failed)?, Capture::new().map_err(failed)?);
        let process = Self::launch(spawn, place, &stdout.0, &stderr.0, None)?;
        let ended = async {
            tokio::select! {
                exit = process.exited() => Ok(exit),
                outgrown = outgrown([&stdout, &stderr]) => Err(outgrown),
            }
        };
        let exit = match timeout(deadline, ended).await {
            Ok(Ok(exit)) => Ok(exit),
            Ok(Err(outgrown)) => {
                process.kill().await;
                outgrown.map_err(failed)?;
                return Err(RunError::TooMuch { process: name, most: MOST });
            }
            Err(late) => {
                process.kill().await;
                Err(late)
            }
        };
        let (stdout, stderr) = (stdout.read().map_err(failed)?, stderr.read().map_err(failed)?);
        match exit {
            Ok(exit) => Ok(Finished { exit, stdout, stderr }),
            Err(_) => Err(RunError::TimedOut { process: name, after: deadline, stdout, stderr }),
        }
    }

    fn launch(
        spawn: Spawn,
        place: &Place,
        stdout: &File,
        stderr: &File,
        notify: Option<&Path>,
    ) -> Result<Self, RunError> {
        let name = full_name(&spawn);
        let failed = |reason: String| RunError::Start { process: name.clone(), reason };
        let null = File::open("/dev/null").map_err(|e| failed(format!("cannot open /dev/null: {e}")))?;
        let env = environment(&spawn, &place.folder, notify);
        let listeners: Vec<_> = spawn.listeners.iter().map(|(name, fd)| (name.as_str(), fd.as_fd())).collect();
        let launch = Launch {
            argv: &spawn.argv,
            env: &env,
            cwd: spawn.cwd.as_deref(),
            netns: place.netns.as_ref().map(AsFd::as_fd),
            stdio: Stdio { stdin: null.as_fd(), stdout: stdout.as_fd(), stderr: stderr.as_fd() },
            listeners: &listeners,
            leader: true,
        };
        let (pid, pidfd) = launch.start().map_err(|e: LaunchError| failed(e.to_string()))?;
        let (told, exit) = watch::channel(None);
        let process = Self { inner: Arc::new(Inner { spawn, pid, state: Mutex::default(), exit }) };
        // The task holds the process until its end, so that it is reaped whoever else forgets it.
        let (inner, events) = (process.inner.clone(), place.events.clone());
        tokio::spawn(async move {
            let exit = reap(&inner, pidfd).await;
            let asked = inner.state().asked;
            let _ = told.send(Some(exit));
            let (node, role) = (inner.spawn.host.node().cloned(), inner.spawn.role.clone());
            // Nobody need listen.
            let _ = events.send(Exited { node, role, exit, asked });
        });
        Ok(process)
    }

    /// Its pid in the lab's pid namespace.
    pub fn pid(&self) -> i32 {
        self.inner.pid.as_raw()
    }

    /// Where it runs.
    pub fn host(&self) -> &Host {
        &self.inner.spawn.host
    }

    /// Its role.
    pub fn role(&self) -> &RoleName {
        &self.inner.spawn.role
    }

    /// What it was started from.
    pub fn spawn(&self) -> &Spawn {
        &self.inner.spawn
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        *self.inner.exit.borrow()
    }

    /// Waits for its end.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.inner.exit.clone();
        // The guard that is waited for must not be held any longer.
        let ended = exit.wait_for(Option::is_some).await.map(|exit| *exit);
        match ended {
            Ok(exit) => exit.unwrap_or(Exit::Signal(libc::SIGKILL)),
            // The task that reaps is gone with its runtime, and the lab with it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Sends a signal to its process group. To one that has ended this does nothing.
    pub fn signal(&self, signal: Signal) {
        let mut state = self.inner.state();
        if state.reaped {
            return;
        }
        state.asked |= matches!(signal, Signal::SIGKILL | Signal::SIGTERM | Signal::SIGINT);
        // It leads its group until it is reaped, so the group is there and is ours.
        if let Err(error) = killpg(self.inner.pid, signal) {
            tracing::warn!(process = full_name(&self.inner.spawn), %signal, %error, "signal refused");
        }
    }

    /// Marks that the end of the process is wanted, for one who is about to kill it in another way.
    pub(crate) fn expect_end(&self) {
        self.inner.state().asked = true;
    }

    /// Kills its process group and waits for its end.
    pub async fn kill(&self) -> Exit {
        self.signal(Signal::SIGKILL);
        self.exited().await
    }

    /// Asks it to end (`SIGTERM`), and kills it when it has not after `grace`.
    pub async fn stop(&self, grace: Duration) -> Exit {
        self.signal(Signal::SIGTERM);
        match timeout(grace, self.exited()).await {
            Ok(exit) => exit,
            Err(_) => self.kill().await,
        }
    }

    /// Stops its process group where it stands (`SIGSTOP`).
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets a frozen process group go on (`SIGCONT`).
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is two flags, valid whatever the holder was doing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until one of the outputs is larger than is taken. There is no notification of that, hence the polling.
async fn outgrown(outputs: [&Capture; 2]) -> io::Result<()> {
    loop {
        sleep(LOOK).await;
        for output in outputs {
            if output.written()? > MOST {
                return Ok(());
            }
        }
    }
}

/// Waits for the end of a process and reaps it.
async fn reap(process: &Inner, pidfd: OwnedFd) -> Exit {
    let wait = async {
        // SAFETY: the descriptor is moved in, and is the same and open until it is dropped.
        let fd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?;
        drop(fd.readable().await?);
        io::Result::Ok(())
    };
    if let Err(error) = wait.await {
        tracing::error!(pid = process.pid.as_raw(), %error, "cannot wait for a process");
    }
    let mut state = process.state();
    let status = loop {
        match waitid(Id::Pid(process.pid), WaitPidFlag::WEXITED) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    state.reaped = true;
    status.and_then(Exit::of).unwrap_or(Exit::Signal(libc::SIGKILL))
}

fn full_name(spawn: &Spawn) -> String {
    format!("{}.{}", spawn.host.as_str(), spawn.role)
}
